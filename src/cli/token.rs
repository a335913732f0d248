//! `tollgate token`: tokens of operators. Works without a server: a token is a line of the configuration.

use clap::{Args, Subcommand};
use data_encoding::HEXLOWER;
use serde_json::json;

use super::Failure;
use super::output::{Format, json, print};
use crate::admin::{Role, Token as Operator};
use crate::credit::Name;
use crate::seam::{Entropy, SystemEntropy};

/// How many random bytes a token has.
const BYTES: usize = 32;
/// How a token begins, so that people and scanners recognise it.
const PREFIX: &str = "tta_";

/// Make tokens for operators
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Example:
  tollgate token create --name alice --role finance")]
pub(super) enum Token {
    /// Make a token: print it, this once, and the line of the configuration that lets it in
    #[command(after_help = "\
The configuration holds the token's hash, so it is no secret. The roles: owner (everything), finance
(all grants), support (disables and rotates keys, releases stuck holds, gives goodwill and bonus
credits), viewer (looks).

Examples:
  tollgate token create --name alice --role finance
  tollgate token create --name prometheus --role viewer -o json")]
    Create(Create),
}

#[derive(Args, Debug)]
pub(super) struct Create {
    /// Whose token, as the log will name them
    #[arg(long)]
    name: Name,
    /// What they may do: owner, finance, support or viewer
    #[arg(long)]
    role: Role,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

impl Token {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::Create(Create { name, role, output }) = self;
        let mut random = [0; BYTES];
        SystemEntropy.fill(&mut random)?;
        let text = format!("{PREFIX}{}", HEXLOWER.encode(&random));
        let token = Operator::new(name.as_str(), role, &text);
        let sha256 = HEXLOWER.encode(token.hash());
        let line = format!("- {{ name: {name}, role: {role}, sha256: {sha256} }}");
        if output == Format::Json {
            return json(&json!({
                "object": "token", "name": name, "role": role, "token": text, "sha256": sha256,
                "line": line,
            }));
        }
        print(&format!(
            "token  {text}\n\nKeep it now: it is not shown again. This line under admin.tokens lets it in:\n\n    {line}\n"
        ))
    }
}
