//! How much memory the reading of a file's length takes. A program of its own, since its allocator counts: whatever
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
use tollgate::observe::MediaReader;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What may be allocated for one file, what was freed meanwhile not taken off.
const MOST: usize = 1024 * 1024;

#[test]
fn no_file_takes_a_megabyte() {
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

fn read(file: &[u8], size: usize) -> Option<u64> {
    let mut reader = MediaReader::default();
    for piece in file.chunks(size) {
        reader.feed(piece);
    }
    reader.milliseconds()
}
