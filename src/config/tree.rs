//! YAML as a tree with places.
//!
//! Invariant: scalars keep the text that was written, so a rate never becomes a float.
//! Invariant: size and depth are bounded, and nothing is repeated: anchors and aliases are refused.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::findings::Findings;
use super::problem::Place;

/// How deep lists and mappings may be nested.
const DEPTH_MAX: usize = 64;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    /// Where it begins.
    pub(super) place: Place,
    /// What it is.
    pub(super) value: Yaml,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Yaml {
    /// A text, a number, yes or no, or nothing.
    Scalar {
        /// As it was written, without quotes.
        text: String,
        /// Whether it was written without quotes, and so may be more than a text.
        plain: bool,
    },
    /// `[a, b]`
    List(Vec<Node>),
    /// `{ a: b }`, in the order of the file.
    Map(Vec<Entry>),
}

/// A name and its value.
#[derive(Debug)]
pub(super) struct Entry {
    /// The name.
    pub(super) name: String,
    /// Where the name stands.
    pub(super) place: Place,
    /// Its value.
    pub(super) node: Node,
}

/// A list or mapping whose end has not come yet.
enum Open {
    List(Place, Vec<Node>),
    Map(Place, Vec<Entry>, Option<(String, Place)>),
}

/// Reads the one document of a text, which is the findings' file of this number. `None`: there is none to go on
/// with; the findings say why.
pub(super) fn parse(text: &str, file: u32, findings: &mut Findings<'_>) -> Option<Node> {
    let place = |span| Place { file, ..place(span) };
    let mut builder = Builder { open: Vec::new(), root: None, documents: 0 };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.take(event, place(span), findings)?,
            Err(error) => {
                let mark = error.marker();
                let place = Place {
                    file,
                    line: number(mark.line()),
                    column: number(mark.col()).saturating_add(1),
                    width: 1,
                };
                let place = findings.clamp(place);
                findings.error("syntax", place, format!("this is not YAML: {}", error.info()));
                return None;
            }
        }
    }
    if builder.root.is_none() {
        let start = Place { file, line: 1, column: 1, width: 1 };
        findings.error("empty", start, "the file says nothing");
    }
    builder.root
}

fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn place(span: Span) -> Place {
    let (start, end) = (span.start, span.end);
    // What goes over several lines is marked to the end of its first.
    let rest = usize::MAX;
    let width =
        if end.line() == start.line() { end.col().saturating_sub(start.col()) } else { rest };
    let column = number(start.col()).saturating_add(1);
    Place { file: 0, line: number(start.line()), column, width: number(width.max(1)) }
}

struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

impl Builder {
    /// Takes the next event; `None`: it is no use to go on.
    fn take(&mut self, event: Event<'_>, place: Place, findings: &mut Findings<'_>) -> Option<()> {
        self.refuse_extras(&event, place, findings)?;
        match event {
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                self.put(
                    Node { place, value: Yaml::Scalar { text: text.into_owned(), plain } },
                    findings,
                );
            }
            Event::SequenceStart(..) => self.open.push(Open::List(place, Vec::new())),
            Event::MappingStart(..) => self.open.push(Open::Map(place, Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => self.close(findings),
            _ => {}
        }
        Some(())
    }

    /// What YAML has and a configuration must not.
    fn refuse_extras(
        &mut self,
        event: &Event<'_>,
        place: Place,
        findings: &mut Findings<'_>,
    ) -> Option<()> {
        let (anchor, tag) = match event {
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag.as_ref()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor, tag.as_ref())
            }
            Event::Alias(anchor) => (*anchor, None),
            Event::DocumentStart(_) => {
                self.documents = self.documents.saturating_add(1);
                if self.documents > 1 {
                    findings
                        .error("several_documents", place, "a second document begins here")
                        .help("one file is one document: remove the `---`");
                    return None;
                }
                (0, None)
            }
            _ => (0, None),
        };
        if anchor != 0 {
            findings
                .error("alias", place, "anchors (`&name`) and aliases (`*name`) are not read")
                .help("write the value out");
        }
        if let Some(tag) = tag {
            let core = if tag.is_yaml_core_schema() { "!!" } else { &tag.handle };
            findings
                .error("tag", place, format!("the tag `{core}{}` is not read", tag.suffix))
                .help("remove it: the type of each value is known");
        }
        if matches!(event, Event::Alias(_)) {
            let value = Yaml::Scalar { text: String::new(), plain: false };
            self.put(Node { place, value }, findings);
        }
        if self.open.len() >= DEPTH_MAX
            && matches!(event, Event::SequenceStart(..) | Event::MappingStart(..))
        {
            findings.error(
                "too_deep",
                place,
                format!("values are nested at most {DEPTH_MAX} deep"),
            );
            return None;
        }
        Some(())
    }

    fn close(&mut self, findings: &mut Findings<'_>) {
        let node = match self.open.pop() {
            Some(Open::List(place, nodes)) => Node { place, value: Yaml::List(nodes) },
            Some(Open::Map(place, entries, _)) => {
                refuse_repetitions(&entries, findings);
                Node { place, value: Yaml::Map(entries) }
            }
            None => return,
        };
        self.put(node, findings);
    }

    fn put(&mut self, node: Node, findings: &mut Findings<'_>) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, nodes)) => nodes.push(node),
            Some(Open::Map(_, entries, key)) => match (key.take(), node.value) {
                (Some((name, place)), value) => {
                    entries.push(Entry { name, place, node: Node { place: node.place, value } });
                }
                (None, Yaml::Scalar { text, .. }) => *key = Some((text, node.place)),
                (None, _) => {
                    findings.error(
                        "bad_name",
                        node.place,
                        "a name is a text, not a list or a mapping",
                    );
                    *key = Some((String::new(), node.place));
                }
            },
        }
    }
}

fn refuse_repetitions(entries: &[Entry], findings: &mut Findings<'_>) {
    let mut seen: HashMap<&str, Place> = HashMap::new();
    for entry in entries {
        if let Some(first) = seen.insert(&entry.name, entry.place) {
            findings
                .error("duplicate_name", entry.place, format!("`{}` is here twice", entry.name))
                .note(first, "the first one");
            seen.insert(&entry.name, first);
        }
    }
}
