//! Which state of the configuration it is.

use sha2::{Digest, Sha256};

use super::tree::{Node, Yaml};

/// `rev_` and 16 hexadecimal digits of the SHA-256 of what the file says. Comments, spaces, quotes and the
/// order of names change nothing; the order of lists does. Secrets are not in it, only where they are kept,
/// so every instance with the same file has the same revision, whatever its machine.
pub(super) fn revision(root: &Node) -> String {
    let mut text = String::new();
    write(root, &mut text);
    let digest = Sha256::digest(text.as_bytes());
    let head = digest.get(..8).unwrap_or_default();
    format!("rev_{}", data_encoding::HEXLOWER.encode(head))
}

/// JSON with sorted names, every scalar as a text.
fn write(node: &Node, text: &mut String) {
    match &node.value {
        Yaml::Scalar { text: scalar, .. } => write_text(scalar, text),
        Yaml::List(nodes) => {
            for (index, node) in nodes.iter().enumerate() {
                text.push(if index == 0 { '[' } else { ',' });
                write(node, text);
            }
            text.push_str(if nodes.is_empty() { "[]" } else { "]" });
        }
        Yaml::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|one, other| one.name.cmp(&other.name));
            for (index, entry) in entries.iter().enumerate() {
                text.push(if index == 0 { '{' } else { ',' });
                write_text(&entry.name, text);
                text.push(':');
                write(&entry.node, text);
            }
            text.push_str(if entries.is_empty() { "{}" } else { "}" });
        }
    }
}

fn write_text(scalar: &str, text: &mut String) {
    text.push_str(&serde_json::Value::from(scalar).to_string());
}
