//! How long audio and video files are: read from the bytes, held for at the gateway where they are uploaded, and charged
//! where they are the answer.

mod answers;
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
