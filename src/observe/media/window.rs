//! The few bytes of a file that a walk looks at, whatever pieces the file comes in.
//!
//! Invariant: a walk sees the same bytes at the same places under every split.
//! Invariant: keeps at most `TAKE_MAX` bytes.
//! Invariant: every step goes on; one that does not ends the walk.

use memchr::memchr;

use super::number::size;

/// The most bytes that a walk may ask for at once: an Ogg page is the largest thing that is read as a whole
/// (RFC 3533 §6).
pub(super) const TAKE_MAX: usize = 27 + 255 + 255 * 255;

/// What a walk wants to see next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// So many bytes.
    Take(usize),
    /// So many bytes, from the next one on that is this one.
    Find(u8, usize),
    /// Nothing more.
    Nothing,
}

/// How a walk goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// How far, from the first of the bytes that it was shown; it may be further than they reach.
    pub(super) pass: u64,
    /// What it wants to see there.
    pub(super) want: Want,
}

impl Step {
    /// Wants to see so many bytes, from the same place on.
    pub(super) const fn look(bytes: usize) -> Self {
        Self { pass: 0, want: Want::Take(bytes) }
    }

    /// Goes on by `pass` bytes and wants to see `bytes` there.
    pub(super) const fn on(pass: u64, bytes: usize) -> Self {
        Self { pass, want: Want::Take(bytes) }
    }

    /// Wants nothing more.
    pub(super) const fn stop() -> Self {
        Self { pass: 0, want: Want::Nothing }
    }
}

/// Goes through a file.
pub(super) trait Walk {
    /// Sees the bytes that it wanted, and where in the file they stand.
    fn see(&mut self, at: u64, bytes: &[u8]) -> Step;
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Window {
    held: Vec<u8>,
    /// Where in the file the next byte stands.
    at: u64,
    pass: u64,
    want: Want,
}

impl Default for Window {
    /// Shows one byte first.
    fn default() -> Self {
        Self { held: Vec::new(), at: 0, pass: 0, want: Want::Take(1) }
    }
}

impl Window {
    /// Shows `walk` what it wants of the next bytes.
    pub(super) fn feed(&mut self, mut piece: &[u8], walk: &mut impl Walk) {
        loop {
            piece = self.go_on(piece);
            if self.pass > 0 {
                return;
            }
            let wanted = match self.want {
                Want::Nothing => {
                    self.held = Vec::new();
                    return;
                }
                Want::Find(byte, bytes) => {
                    self.pass = self.distance(piece, byte);
                    self.want =
                        if self.pass == self.there(piece) { self.want } else { Want::Take(bytes) };
                    if self.pass == 0 && piece.is_empty() && self.held.is_empty() {
                        return;
                    }
                    continue;
                }
                Want::Take(bytes) => bytes.clamp(1, TAKE_MAX),
            };
            let missing = wanted.saturating_sub(self.held.len());
            let Some((taken, rest)) = piece.split_at_checked(missing) else {
                self.held.extend_from_slice(piece);
                return;
            };
            let step = if self.held.is_empty() {
                walk.see(self.at, taken)
            } else {
                self.held.extend_from_slice(taken);
                piece = rest;
                walk.see(self.at, self.held.get(..wanted).unwrap_or_default())
            };
            self.follow(step, wanted);
        }
    }

    fn follow(&mut self, step: Step, shown: usize) {
        let idle = step.pass == 0
            && matches!(step.want, Want::Take(bytes) if bytes.min(TAKE_MAX) <= shown);
        self.pass = step.pass;
        self.want = if idle { Want::Nothing } else { step.want };
    }

    /// Passes over what is to be passed over; what remains of the piece.
    fn go_on<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let passed =
            |there: usize, pass: u64| usize::try_from(pass).unwrap_or(usize::MAX).min(there);
        let from_held = passed(self.held.len(), self.pass);
        self.held.drain(..from_held);
        self.passed(from_held);
        let from_piece = passed(piece.len(), self.pass);
        self.passed(from_piece);
        piece.get(from_piece..).unwrap_or_default()
    }

    fn passed(&mut self, bytes: usize) {
        self.pass = self.pass.saturating_sub(size(bytes));
        self.at = self.at.saturating_add(size(bytes));
    }

    fn there(&self, piece: &[u8]) -> u64 {
        size(self.held.len()).saturating_add(size(piece.len()))
    }

    /// How far it is to the next such byte, or to the end of what is there.
    fn distance(&self, piece: &[u8], byte: u8) -> u64 {
        match memchr(byte, &self.held) {
            Some(at) => size(at),
            None => size(self.held.len())
                .saturating_add(size(memchr(byte, piece).unwrap_or(piece.len()))),
        }
    }
}
