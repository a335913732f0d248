//! How much memory the reading of a file's length takes, uploaded or as an answer. A program of its own, since its allocator counts: whatever
//! else ran would be counted too.

#![expect(clippy::print_stdout, reason = "what was counted is printed")]

#[cfg(test)]
#[path = "it/media/bytes.rs"]
mod bytes;
#[cfg(test)]
#[path = "it/media/generated.rs"]
mod generated;
#[cfg(test)]
#[expect(dead_code, reason = "how long a hostile file is does not matter here")]
#[path = "it/media/hostile.rs"]
mod hostile;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderValue, header};
use tollgate::observe::{Manner, MediaReader, Observer};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What may be allocated for one file, what was freed meanwhile not taken off.
const MOST: usize = 1024 * 1024;

/// What one test allocates is not counted in another.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn no_file_takes_a_megabyte() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let made = generated::MADE.iter().map(|made| (made.name().to_owned(), made.bytes()));
    let hostile = hostile::cases().into_iter().map(|case| (case.name, case.file));
    let mut worst = 0;
    for (name, file) in made.chain(hostile) {
        for size in [usize::MAX, 1_400] {
            let region = Region::new(ALLOCATOR);
            let length = read(&file, size);
            let taken = region.change().bytes_allocated;
            assert!(taken < MOST, "{name} took {taken} bytes, and was read as {length:?}");
            worst = worst.max(taken);
        }
    }
    println!("at most {worst} bytes");
}

/// An answer of 50 MB is measured while it passes, and none of it is kept.
#[test]
fn no_answer_takes_a_megabyte() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let samples = bytes::wav(bytes::PLAIN, &[bytes::chunk("data", 0, &vec![0; 50_000_000])]);
    let frames = bytes::mp3(120_000);
    for (name, body, length) in [("WAV", samples, 6_250_000), ("MP3", frames, 3_134_694)] {
        let head = [(header::CONTENT_TYPE, HeaderValue::from_static("audio/mpeg"))];
        let head: HeaderMap = head.into_iter().collect();
        let region = Region::new(ALLOCATOR);
        let manner = Manner { format: None, decode: true, measure: true };
        let mut observer = Observer::new(&head, manner);
        body.chunks(16 * 1024).for_each(|part| observer.feed(part, &mut |_| {}));
        let seen = observer.finish(true, &mut |_| {});
        let taken = region.change().bytes_allocated;
        assert!(taken < MOST, "{name} took {taken} bytes");
        assert_eq!(seen.length, Some(length), "{name}");
        println!("{name}: {taken} bytes");
    }
}

fn read(file: &[u8], size: usize) -> Option<u64> {
    let mut reader = MediaReader::default();
    for piece in file.chunks(size) {
        reader.feed(piece);
    }
    reader.milliseconds()
}
