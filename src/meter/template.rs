//! Path templates: text, `{name}` for one segment or a part of one, `{*name}` at the end for all the rest.
//!
//! Invariant: two templates have the same shape exactly if they match the same paths.

/// A path template taken apart.
#[derive(Debug)]
pub(super) struct Template {
    /// The template with its captures numbered, as the router wants it.
    pub(super) shape: String,
    /// The names of its captures, in order.
    pub(super) names: Vec<String>,
    /// Its text, without the captures.
    pub(super) literals: String,
    /// A path that it matches, if any path can.
    pub(super) example: String,
}

impl Template {
    /// Takes `text` apart; `None`: it is no template.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut template = Self {
            shape: String::new(),
            names: Vec::new(),
            literals: String::new(),
            example: String::new(),
        };
        let mut segments = text.strip_prefix('/')?.split('/').peekable();
        while let Some(segment) = segments.next() {
            template.push('/', segment, segments.peek().is_none())?;
        }
        Some(template)
    }

    fn push(&mut self, slash: char, segment: &str, last: bool) -> Option<()> {
        self.shape.push(slash);
        self.example.push(slash);
        let Some((before, rest)) = segment.split_once('{') else {
            return self.text(segment);
        };
        let (name, after) = rest.split_once('}')?;
        self.text(before)?;
        let number = self.names.len();
        match name.strip_prefix('*') {
            Some(name) if last && before.is_empty() && after.is_empty() => {
                self.name(name)?;
                self.shape.push_str(&format!("{{*p{number}}}"));
            }
            Some(_) => return None,
            None => {
                self.name(name)?;
                self.shape.push_str(&format!("{{p{number}}}"));
            }
        }
        self.example.push('x');
        self.text(after)
    }

    fn text(&mut self, text: &str) -> Option<()> {
        self.shape.push_str(text);
        self.literals.push_str(text);
        self.example.push_str(text);
        (!text.contains(['{', '}'])).then_some(())
    }

    fn name(&mut self, name: &str) -> Option<()> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let fresh =
            !name.is_empty() && name.bytes().all(plain) && !self.names.iter().any(|n| n == name);
        fresh.then(|| self.names.push(name.to_owned()))
    }
}
