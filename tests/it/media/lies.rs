//! No hostile file is read as shorter than it is.

use super::hostile::Honest::{About, AtLeast, Unknown};
use super::hostile::{Case, cases};
use super::read;

#[test]
fn no_lie_makes_a_file_shorter() {
    let cases = cases();
    assert!(cases.len() >= 20);
    for Case { name, file, honest } in &cases {
        let whole = read(file, usize::MAX);
        let fits = match (honest, whole) {
            (Unknown | AtLeast(_), None) => true,
            (Unknown, Some(_)) | (About(_), None) => false,
            (AtLeast(least), Some(ms)) => ms >= *least,
            (About(about), Some(ms)) => ms.abs_diff(*about) <= 100,
        };
        assert!(fits, "{name}: {whole:?}, and {honest:?} is honest");
        // Byte by byte is slow, and as good at the beginning.
        let small = file.get(..50_000).unwrap_or(file);
        assert_eq!(read(small, 1), read(small, usize::MAX), "{name} byte by byte");
        for size in [13, 4_096] {
            assert_eq!(read(file, size), whole, "{name} in pieces of {size}");
        }
    }
    println!("{} hostile files", cases.len());
}
