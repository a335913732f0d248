//! Generated files of known length.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use tollgate::observe::MediaReader;

use super::generated::{MADE, Made};
use super::read;

/// How far off a length may be.
const TOLERANCE_MS: u64 = 100;

#[test]
fn lengths_are_right_to_a_tenth_of_a_second() {
    assert!(MADE.len() >= 30);
    for made in MADE {
        let file = made.bytes();
        let whole = read(&file, usize::MAX);
        let off = whole.map(|ms| ms.abs_diff(made.ms));
        assert!(
            off.is_some_and(|off| off <= TOLERANCE_MS),
            "{}: {whole:?} of {}",
            made.name(),
            made.ms
        );
        for size in [1, 7, 1_000, 65_536] {
            assert_eq!(read(&file, size), whole, "{} in pieces of {size}", made.name());
        }
    }
    println!("{} files", MADE.len());
}

/// What is stated to the sample is read to the millisecond: a minute is not begun twice.
#[test]
fn a_minute_is_a_minute() {
    let exact = ["cbr128.mp3", "aac.m4a", "aac-faststart.m4a", "hour.mp3"];
    for made in MADE.iter().filter(|made| exact.contains(&made.name())) {
        assert_eq!(read(&made.bytes(), usize::MAX), Some(made.ms), "{}", made.name());
    }
}

/// A file that was cut in pieces anywhere and then, in some cases, broken.
#[test]
fn no_split_changes_the_answer() {
    let files: Vec<(&Made, Vec<u8>)> =
        MADE.iter().filter(|made| made.ms <= 20_000).map(|made| (made, made.bytes())).collect();
    let breaks = vec((any::<Index>(), any::<u8>()), 0..6);
    let cases = (any::<Index>(), any::<Index>(), breaks, vec(1_usize..3_000, 1..20));
    let mut runner =
        TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let result = runner.run(&cases, |(which, end, breaks, sizes)| {
        let (made, whole) = which.get(&files);
        // Heads stand at the beginning: half of the changes are there.
        let mut file = whole.clone();
        for (number, (at, byte)) in breaks.iter().enumerate() {
            let span = if number % 2 == 0 { file.len().min(1_000) } else { file.len() };
            file[at.index(span)] = *byte;
        }
        if breaks.len() % 2 == 1 {
            file.truncate(end.index(whole.len()));
        }
        let mut reader = MediaReader::default();
        let (mut rest, mut turn) = (file.as_slice(), sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(*turn.next().unwrap()));
            reader.feed(piece);
            rest = behind;
        }
        prop_assert_eq!(reader.milliseconds(), read(&file, usize::MAX), "{}", made.name());
        Ok(())
    });
    result.unwrap();
}
