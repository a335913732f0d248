//! The lines of one file, as far as it counts.
//!
//! Invariant: whatever the file holds, no more than one line of a bounded length is kept.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::fault::Place;

/// The longest line, in bytes. What is kept of a charge is far shorter.
const LINE_MAX: u64 = 16 << 20;

/// What comes next in a file.
#[derive(Debug)]
pub(super) enum Piece {
    /// A line without its end.
    Whole(Vec<u8>),
    /// The end of what counts comes before the line's end.
    Torn,
    /// A line that is too long; it was passed over.
    Long,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Lines {
    reader: BufReader<File>,
    path: Arc<Path>,
    /// How much was read.
    pub(super) offset: u64,
    /// How many lines were.
    pub(super) line: u64,
    limit: u64,
}

impl Lines {
    /// A file from an offset on, which lies behind so many lines. Nothing of it counts yet.
    pub(super) fn open(path: &Arc<Path>, offset: u64, line: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self { reader: BufReader::new(file), path: path.clone(), offset, line, limit: offset })
    }

    /// Says how much of the file counts; `None`: all that is there. The answer is how much is not there of it.
    pub(super) fn count(&mut self, counted: Option<u64>) -> io::Result<u64> {
        let there = self.reader.get_ref().metadata()?.len();
        let counted = counted.unwrap_or(there);
        self.limit = counted.min(there);
        Ok(counted.saturating_sub(there))
    }

    /// Where the line is that was read last.
    pub(super) fn place(&self) -> Place {
        Place { file: self.path.clone(), line: self.line }
    }

    /// Whether the file ends before where reading is to begin.
    pub(super) const fn is_short(&self) -> bool {
        self.limit < self.offset
    }

    /// The next line; `None`: no more counts.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece>> {
        let left = self.limit.saturating_sub(self.offset);
        if left == 0 {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let most = left.min(LINE_MAX.saturating_add(1));
        let got = self.part(most, &mut bytes)?;
        self.line = self.line.saturating_add(1);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            return Ok(Some(Piece::Whole(bytes)));
        }
        if got < left && got > LINE_MAX {
            return self.pass_over().map(Some);
        }
        self.offset = self.limit;
        Ok(Some(Piece::Torn))
    }

    fn part(&mut self, most: u64, bytes: &mut Vec<u8>) -> io::Result<u64> {
        let got = self.reader.by_ref().take(most).read_until(b'\n', bytes)?;
        let got = u64::try_from(got).unwrap_or(u64::MAX);
        self.offset = self.offset.saturating_add(got);
        Ok(got)
    }

    fn pass_over(&mut self) -> io::Result<Piece> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let left = self.limit.saturating_sub(self.offset);
            let got = self.part(left.min(LINE_MAX), &mut bytes)?;
            if got == 0 || bytes.last() == Some(&b'\n') {
                return Ok(Piece::Long);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn told(lines: &mut Lines) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(piece) = lines.next().unwrap() {
            all.push(match piece {
                Piece::Whole(bytes) => String::from_utf8(bytes).unwrap(),
                other => format!("{other:?}"),
            });
        }
        all
    }

    #[test]
    fn what_counts_is_read_and_what_is_too_long_passed_over() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let path: Arc<Path> = file.path().into();
        file.write_all(b"one\n").unwrap();
        file.write_all(&vec![b'x'; 40 << 20]).unwrap();
        file.write_all(b"\nthree\nfou").unwrap();
        let mut lines = Lines::open(&path, 0, 0).unwrap();
        assert_eq!(told(&mut lines), [""; 0], "nothing counts yet");
        assert_eq!(lines.count(Some(4)).unwrap(), 0);
        assert_eq!(told(&mut lines), ["one"]);
        assert_eq!(lines.count(None).unwrap(), 0);
        assert_eq!(told(&mut lines), ["Long", "three", "Torn"]);
        assert_eq!(lines.count(Some(lines.offset + 5)).unwrap(), 5);
        assert_eq!((told(&mut lines), lines.line), (vec![], 4));
        // A file that grows is read on.
        let mut lines = Lines::open(&path, 4, 1).unwrap();
        file.write_all(b"r\n").unwrap();
        assert_eq!(lines.count(None).unwrap(), 0);
        assert_eq!(told(&mut lines), ["Long", "three", "four"]);
        file.write_all(b"five\n").unwrap();
        assert_eq!(told(&mut lines), [""; 0]);
        assert_eq!(lines.count(None).unwrap(), 0);
        assert_eq!((told(&mut lines), lines.place().line), (vec!["five".to_owned()], 5));
    }
}
