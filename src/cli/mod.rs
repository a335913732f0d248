//! Floor 6: the command line, one file per command.
//!
//! `demo`, `serve` and `sample-upstream` run something; all other commands are clients of the admin API,
//! one to one.
//!
//! Invariant: exit codes are 0 ok, 1 failure, 2 usage, 75 try again later, 78 configuration. A reader that
//! closes our output early is no failure.
//! Invariant: no token and no key is printed, but for the one that a command has just made.

mod account;
mod audit;
mod balance;
mod charge;
mod check;
mod clock;
mod config;
pub mod demo;
mod doctor;
mod failure;
mod grant;
mod health;
mod hold;
pub mod http;
mod key;
mod ledger;
mod limits;
mod new_grant;
mod output;
mod overrides;
mod packs;
mod person;
mod preset;
mod rebuild;
mod remote;
mod restrict;
mod sample_upstream;
mod schema;
mod serve;
mod token;
mod usage;
mod who;
mod withdraw;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use failure::Failure;

/// Prices each AI generation request, reserves credits before forwarding it, settles or releases after.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    Check(check::Check),
    Schema(schema::Schema),
    Preset(preset::Preset),
    Doctor(doctor::Doctor),
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    #[command(subcommand)]
    Account(account::Account),
    Person(person::Person),
    #[command(subcommand)]
    Key(key::Key),
    #[command(subcommand)]
    Grant(grant::Grant),
    Packs(packs::Packs),
    #[command(subcommand)]
    Override(overrides::Overrides),
    #[command(subcommand)]
    Charge(charge::Charge),
    #[command(subcommand)]
    Hold(hold::Hold),
    #[command(subcommand)]
    Config(config::Config),
    Balance(balance::Balance),
    Usage(usage::Usage),
    #[command(subcommand)]
    Token(token::Token),
    Limits(limits::Limits),
    Health(health::Health),
    Audit(audit::Audit),
    #[command(subcommand)]
    Clock(clock::Clock),
    #[command(hide = true)]
    SampleUpstream(sample_upstream::Sample),
}

/// Runs the command that the arguments name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Cli::try_parse_from(args) {
        Ok(cli) => failure::code(run(cli.command)),
        Err(error) => {
            // Help and version are answers too; a reader that left has seen enough of them.
            drop(error.print());
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1))
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(demo) => demo.run(),
        Command::Serve(serve) => serve.run(),
        Command::Check(check) => check.run(),
        Command::Schema(schema) => schema.run(),
        Command::Preset(preset) => preset.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Ledger(ledger) => ledger.run(),
        Command::Account(account) => account.run(),
        Command::Person(person) => person.run(),
        Command::Key(key) => key.run(),
        Command::Grant(grant) => grant.run(),
        Command::Packs(packs) => packs.run(),
        Command::Override(overrides) => overrides.run(),
        Command::Charge(charge) => charge.run(),
        Command::Hold(hold) => hold.run(),
        Command::Config(config) => config.run(),
        Command::Usage(usage) => usage.run(),
        Command::Token(token) => token.run(),
        Command::Balance(balance) => balance.run(),
        Command::Limits(limits) => limits.run(),
        Command::Health(health) => health.run(),
        Command::Audit(audit) => audit.run(),
        Command::Clock(clock) => clock.run(),
        Command::SampleUpstream(sample) => sample.run(),
    }
}
