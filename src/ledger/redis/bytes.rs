//! Numbers and texts as the scripts pack them: numbers in seven bytes, little-endian, which all that scripts count
//! with fit in; texts behind their length.
//!
//! Invariant: what is out of range or too long is an error, never cut.

use crate::credit::Amount;
use crate::ledger::model::Stop;
use crate::seam::Timestamp;

/// The largest whole number that a script counts with exactly.
pub(super) const MAX: u64 = (1 << 53) - 1;
/// What stands for a number that is not there.
pub(super) const NONE: i64 = -1;

/// Writes.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    pub(super) fn flag(&mut self, flag: bool) -> &mut Self {
        self.byte(u8::from(flag))
    }

    pub(super) fn short(&mut self, number: usize) -> Result<&mut Self, Stop> {
        let short = u16::try_from(number).map_err(|_| too_long(number))?;
        self.0.extend(short.to_le_bytes());
        Ok(self)
    }

    pub(super) fn long(&mut self, number: u32) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    /// A number; what is larger than scripts count with becomes the largest: nothing comes near.
    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        let [bytes @ .., _] = number.min(MAX).to_le_bytes();
        self.0.extend(bytes);
        self
    }

    pub(super) fn maybe(&mut self, number: Option<u64>) -> &mut Self {
        match number {
            Some(number) => self.number(number),
            None => {
                let [bytes @ .., _] = NONE.to_le_bytes();
                self.0.extend(bytes);
                self
            }
        }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    /// At most 255 bytes.
    pub(super) fn word(&mut self, text: impl AsRef<[u8]>) -> Result<&mut Self, Stop> {
        let text = text.as_ref();
        let length = u8::try_from(text.len()).map_err(|_| too_long(text.len()))?;
        Ok(self.byte(length).raw(text))
    }

    /// At most 65,535 bytes.
    pub(super) fn text(&mut self, text: impl AsRef<[u8]>) -> Result<&mut Self, Stop> {
        let text = text.as_ref();
        Ok(self.short(text.len())?.raw(text))
    }

    /// At most 4 GiB.
    pub(super) fn blob(&mut self, bytes: &[u8]) -> Result<&mut Self, Stop> {
        let length = u32::try_from(bytes.len()).map_err(|_| too_long(bytes.len()))?;
        Ok(self.long(length).raw(bytes))
    }

    pub(super) fn done(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

fn too_long(length: usize) -> Stop {
    super::super::Refusal::Invalid(format!("a name or text of {length} bytes is too long")).into()
}

/// Reads; every end that comes too early is an error that names the record.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    what: &'a str,
}

impl<'a> Reader<'a> {
    /// `what` names the record in errors.
    pub(super) const fn new(bytes: &'a [u8], what: &'a str) -> Self {
        Self { bytes, what }
    }

    pub(super) const fn what(&self) -> &'a str {
        self.what
    }

    pub(super) fn broken(&self, why: &str) -> Stop {
        Stop::Broken(format!("{}: {why}", self.what))
    }

    pub(super) fn raw(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let (head, rest) =
            self.bytes.split_at_checked(length).ok_or_else(|| self.broken("ends too early"))?;
        self.bytes = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let bytes = self.raw(N)?;
        bytes.try_into().map_err(|_| self.broken("ends too early"))
    }

    pub(super) fn byte(&mut self) -> Result<u8, Stop> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Stop> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.broken(&format!("{other} is neither yes nor no"))),
        }
    }

    pub(super) fn short(&mut self) -> Result<usize, Stop> {
        self.array().map(|bytes| usize::from(u16::from_le_bytes(bytes)))
    }

    pub(super) fn long(&mut self) -> Result<u32, Stop> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn maybe(&mut self) -> Result<Option<u64>, Stop> {
        // The sign of seven bytes.
        let [a, b, c, d, e, f, g] = self.array()?;
        let number = i64::from_le_bytes([0, a, b, c, d, e, f, g]) >> 8;
        match u64::try_from(number) {
            Ok(number) if number <= MAX => Ok(Some(number)),
            Err(_) if number == NONE => Ok(None),
            _ => Err(self.broken(&format!("{number} is out of range"))),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, Stop> {
        self.maybe()?.ok_or_else(|| self.broken("a number is missing"))
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, Stop> {
        self.number().map(Timestamp)
    }

    pub(super) fn amount(&mut self) -> Result<Amount, Stop> {
        let number = self.number()?;
        Amount::from_micro(number).ok_or_else(|| self.broken("an amount is out of range"))
    }

    pub(super) fn id<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        self.array()
    }

    pub(super) fn word(&mut self) -> Result<&'a [u8], Stop> {
        let length = usize::from(self.byte()?);
        self.raw(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a [u8], Stop> {
        let length = self.short()?;
        self.raw(length)
    }

    pub(super) fn blob(&mut self) -> Result<&'a [u8], Stop> {
        let length = usize::try_from(self.long()?).map_err(|_| self.broken("is too long"))?;
        self.raw(length)
    }

    /// A text that reads as something.
    pub(super) fn parse<T: std::str::FromStr>(&self, bytes: &[u8]) -> Result<T, Stop> {
        let text = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
        text.ok_or_else(|| {
            self.broken(&format!("{:?} makes no sense", bytes.escape_ascii().to_string()))
        })
    }

    /// `count` of something.
    pub(super) fn list<T>(
        &mut self,
        count: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, Stop>,
    ) -> Result<Vec<T>, Stop> {
        (0..count).map(|_| read(self)).collect()
    }

    /// What is left.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.bytes
    }
}
