//! A chunked body as it passes (RFC 9112 §7.1): only its framing is looked at.
//!
//! Invariant: stricter than hyper, which reads it next: what passes here ends there at the same byte.

use super::Doubt;

/// The most digits of a chunk's size: 2^64 has seventeen.
const DIGITS_MAX: u8 = 16;
/// The longest extension of one chunk, in bytes. Nobody reads it; hyper bounds all of them together.
const EXTENSION_MAX: u16 = 256;

const SIZE: Doubt = Doubt::Unclear("the size of a chunk is not a plain hexadecimal number");
const END: Doubt = Doubt::Unclear("a chunk does not end where it says");

/// Where in a chunk reading stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In its size, of which so many digits came.
    Size(u8),
    /// In its extension, of which so many bytes came.
    Extension(u16),
    /// Behind the CR of its first line.
    SizeLf,
    /// In its data.
    Data,
    /// Behind its data.
    Cr,
    /// Behind the CR behind its data.
    Lf,
    /// Behind the line of the last chunk.
    End,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    at: At,
    /// The size as far as it was read, or how much of the data is to come.
    left: u64,
}

impl Default for Chunks {
    fn default() -> Self {
        Self { at: At::Size(0), left: 0 }
    }
}

impl Chunks {
    /// Reads on: how many bytes it has passed, and whether the line of the last chunk ended with them. The
    /// trailers behind it are not read here.
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, Result<bool, Doubt>) {
        let mut passed = 0_usize;
        while let Some(byte) = bytes.get(passed) {
            if self.at == At::Data {
                passed = passed.saturating_add(self.skip(bytes.len().saturating_sub(passed)));
                continue;
            }
            match self.step(*byte) {
                Ok(()) => passed = passed.saturating_add(1),
                Err(doubt) => return (passed, Err(doubt)),
            }
            if self.at == At::End {
                return (passed, Ok(true));
            }
        }
        (passed, Ok(false))
    }

    /// Passes data, of which so many bytes are there.
    fn skip(&mut self, there: usize) -> usize {
        let data = usize::try_from(self.left).unwrap_or(usize::MAX).min(there);
        self.left = self.left.saturating_sub(u64::try_from(data).unwrap_or(u64::MAX));
        if self.left == 0 {
            self.at = At::Cr;
        }
        data
    }

    fn step(&mut self, byte: u8) -> Result<(), Doubt> {
        self.at = match (self.at, byte) {
            (At::Size(digits), _) if byte.is_ascii_hexdigit() => self.digit(digits, byte)?,
            (At::Size(1..), b';') => At::Extension(0),
            (At::Size(1..) | At::Extension(_), b'\r') => At::SizeLf,
            (At::Extension(EXTENSION_MAX), _) => {
                return Err(Doubt::Unclear("the extension of a chunk is too long"));
            }
            (At::Extension(length), b'\t' | 0x20..=0x7e) => At::Extension(length.saturating_add(1)),
            (At::SizeLf, b'\n') if self.left == 0 => At::End,
            (At::SizeLf, b'\n') => At::Data,
            (At::Cr, b'\r') => At::Lf,
            (At::Lf, b'\n') => At::Size(0),
            (At::Cr | At::Lf, _) => return Err(END),
            _ => return Err(SIZE),
        };
        Ok(())
    }

    fn digit(&mut self, digits: u8, byte: u8) -> Result<At, Doubt> {
        let value = char::from(byte).to_digit(16).ok_or(SIZE)?;
        let left = self.left.checked_mul(16).filter(|_| digits < DIGITS_MAX).ok_or(SIZE)?;
        self.left = left.saturating_add(u64::from(value));
        Ok(At::Size(digits.saturating_add(1)))
    }
}
