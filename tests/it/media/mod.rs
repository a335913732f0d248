//! How long uploaded audio and video files are: read from the bytes, and held for at the gateway.

mod bytes;
mod gateway;
mod generated;
mod hostile;
mod lengths;
mod lies;
mod prices;

use tollgate::observe::MediaReader;

/// What is read of a file that comes in pieces of `size` bytes.
fn read(file: &[u8], size: usize) -> Option<u64> {
    let mut reader = MediaReader::default();
    for piece in file.chunks(size) {
        reader.feed(piece);
    }
    reader.milliseconds()
}
