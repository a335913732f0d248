//! `application/x-www-form-urlencoded` (WHATWG URL §5.1), from pieces of any size.
//!
//! Invariant: keeps at most one name and, of a value that is sought, a piece.

use super::fields::Fields;
use super::names::escape;
use super::part::PartHead;
use super::problem::FormProblem;
use super::{FIELDS_MAX, NAME_MAX};

/// The longest name as it is written: each byte may be escaped.
const WRITTEN_MAX: usize = NAME_MAX * 3;

/// How many bytes are looked at in one go.
const PIECE: usize = 16 * 1024;

/// Reads a body.
#[derive(Debug, Default)]
pub(super) struct Urlencoded {
    /// The name as it is written, or the beginning of an escape in a value.
    held: Vec<u8>,
    /// What a value says, not yet passed on.
    plain: Vec<u8>,
    state: State,
    fields: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Name,
    /// The value of a field that nobody seeks.
    Skipped,
    /// The value of a field that somebody seeks.
    Value,
}

impl Urlencoded {
    /// Takes the next piece.
    pub(super) fn feed(&mut self, bytes: &[u8], fields: &mut Fields) -> Result<(), FormProblem> {
        for piece in bytes.chunks(PIECE) {
            self.piece(piece, fields)?;
        }
        Ok(())
    }

    fn piece(&mut self, bytes: &[u8], fields: &mut Fields) -> Result<(), FormProblem> {
        for byte in bytes {
            match (&self.state, byte) {
                (_, b';') => {
                    self.pass(fields)?;
                    return Err(FormProblem::Semicolon);
                }
                (_, b'&') => self.end(fields)?,
                (State::Name, b'=') => self.name(fields)?,
                (State::Name, byte) => {
                    self.held.push(*byte);
                    if self.held.len() > WRITTEN_MAX {
                        return Err(FormProblem::Name);
                    }
                }
                (State::Skipped, _) => {}
                (State::Value, byte) => self.value(*byte, fields)?,
            }
        }
        self.pass(fields)
    }

    /// The body is over.
    pub(super) fn finish(mut self, fields: &mut Fields) -> Result<(), FormProblem> {
        self.end(fields)
    }

    fn name(&mut self, fields: &mut Fields) -> Result<(), FormProblem> {
        self.fields = self.fields.saturating_add(1);
        if self.fields > FIELDS_MAX {
            return Err(FormProblem::TooMany);
        }
        let name = decoded(&self.held).ok_or(FormProblem::Name)?;
        self.held.clear();
        let sought = fields.begin(&PartHead { name, ..PartHead::default() })?;
        self.state = if sought { State::Value } else { State::Skipped };
        Ok(())
    }

    fn end(&mut self, fields: &mut Fields) -> Result<(), FormProblem> {
        // Between two `&` there is no field; a name without `=` has an empty value.
        if self.state == State::Name && !self.held.is_empty() {
            self.name(fields)?;
        }
        if self.state == State::Value {
            if !self.held.is_empty() {
                return Err(self.badly_escaped(fields));
            }
            self.pass(fields)?;
            fields.end()?;
        }
        self.state = State::Name;
        Ok(())
    }

    fn value(&mut self, byte: u8, fields: &mut Fields) -> Result<(), FormProblem> {
        // Of bytes that should be escaped some servers make other characters.
        if !byte.is_ascii() {
            return Err(self.badly_escaped(fields));
        }
        if byte != b'%' && self.held.is_empty() {
            self.plain.push(if byte == b'+' { b' ' } else { byte });
            return Ok(());
        }
        self.held.push(byte);
        if self.held.len() == 3 {
            let Some(plain) = escape(&self.held) else {
                return Err(self.badly_escaped(fields));
            };
            self.held.clear();
            self.plain.push(plain);
        }
        Ok(())
    }

    /// What is wrong first is told, wherever a piece ends.
    fn badly_escaped(&mut self, fields: &mut Fields) -> FormProblem {
        self.pass(fields).err().unwrap_or_else(|| fields.badly_escaped())
    }

    fn pass(&mut self, fields: &mut Fields) -> Result<(), FormProblem> {
        if !self.plain.is_empty() {
            fields.bytes(&self.plain)?;
            self.plain.clear();
        }
        Ok(())
    }
}

/// A name without its escapes; `None`: they are malformed, or it is not UTF-8.
fn decoded(written: &[u8]) -> Option<String> {
    let mut plain = Vec::with_capacity(written.len());
    let mut rest = written;
    while let [first, more @ ..] = rest {
        rest = more;
        plain.push(match first {
            b'%' => {
                let (escaped, more) = rest.split_at_checked(2)?;
                rest = more;
                escape(&[b"%", escaped].concat())?
            }
            b'+' => b' ',
            byte if byte.is_ascii() => *byte,
            _ => return None,
        });
    }
    String::from_utf8(plain).ok()
}
