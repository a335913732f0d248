//! Files that are put together byte by byte, as no program would.

/// A RIFF chunk.
pub(super) fn chunk(name: &str, size: u32, content: &[u8]) -> Vec<u8> {
    [name.as_bytes(), &size.to_le_bytes(), content].concat()
}

/// The fields of a `fmt ` chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) coding: u16,
    pub(super) channels: u16,
    pub(super) rate: u32,
    pub(super) bytes: u32,
    pub(super) block: u16,
    pub(super) bits: u16,
}

/// 8,000 bytes a second.
pub(super) const PLAIN: Format =
    Format { coding: 1, channels: 1, rate: 8_000, bytes: 8_000, block: 1, bits: 8 };

impl Format {
    fn chunk(self) -> Vec<u8> {
        let fields = [
            &self.coding.to_le_bytes()[..],
            &self.channels.to_le_bytes(),
            &self.rate.to_le_bytes(),
            &self.bytes.to_le_bytes(),
            &self.block.to_le_bytes(),
            &self.bits.to_le_bytes(),
        ];
        chunk("fmt ", 16, &fields.concat())
    }
}

/// A WAV file with these chunks behind its format.
pub(super) fn wav(format: Format, chunks: &[Vec<u8>]) -> Vec<u8> {
    [b"RIFF\0\0\0\0WAVE".to_vec(), format.chunk(), chunks.concat()].concat()
}

/// Frames of MP3, 128 kbit/s at 44,100 Hz, of 26.12 ms each.
pub(super) fn mp3(frames: usize) -> Vec<u8> {
    let mut frame = vec![0_u8; 417];
    frame[..4].copy_from_slice(&[0xff, 0xfb, 0x90, 0x00]);
    frame.repeat(frames)
}

/// The same frame, with an index in it that states so many frames and so much silence.
pub(super) fn mp3_index(frames: u32, silence: [u8; 3]) -> Vec<u8> {
    let mut frame = mp3(1);
    frame[36..40].copy_from_slice(b"Xing");
    frame[40..44].copy_from_slice(&1_u32.to_be_bytes());
    frame[44..48].copy_from_slice(&frames.to_be_bytes());
    frame[48..52].copy_from_slice(b"LAME");
    frame[69..72].copy_from_slice(&silence);
    frame
}

/// A box of MP4.
pub(super) fn mp4_box(name: &str, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + 8).unwrap();
    [&size.to_be_bytes(), name.as_bytes(), content].concat()
}

/// Numbers of four bytes.
pub(super) fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A box with the scale and the length of a movie or of its sound.
pub(super) fn mp4_head(name: &str, scale: u32, length: u32) -> Vec<u8> {
    mp4_box(name, &words(&[0, 0, 0, scale, length, 0]))
}

/// A track of sound with these lengths of samples.
pub(super) fn mp4_track(scale: u32, stated: u32, times: &[u8]) -> Vec<u8> {
    let handler = mp4_box("hdlr", &[&words(&[0, 0])[..], b"soun", &[0; 13]].concat());
    let table = mp4_box("minf", &mp4_box("stbl", times));
    let media = [mp4_head("mdhd", scale, stated), handler, table].concat();
    let head = mp4_box("tkhd", &words(&[0, 0, 0, 1, 0, stated]));
    mp4_box("trak", &[head, mp4_box("mdia", &media)].concat())
}

/// A movie of this length of these tracks.
pub(super) fn mp4(scale: u32, length: u32, tracks: &[u8]) -> Vec<u8> {
    let movie = [mp4_head("mvhd", scale, length), tracks.to_vec()].concat();
    [mp4_box("ftyp", b"M4A \0\0\0\0"), mp4_box("moov", &movie)].concat()
}

/// An element of Matroska; `None`: of an unknown size.
pub(super) fn element(id: u32, size: Option<usize>, content: &[u8]) -> Vec<u8> {
    let name: Vec<u8> = id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let size = size.map_or(u64::MAX >> 8, |size| u64::try_from(size).unwrap());
    [&name[..], &(size | 1 << 56).to_be_bytes(), content].concat()
}

/// An element of its own size.
pub(super) fn whole(id: u32, content: &[u8]) -> Vec<u8> {
    element(id, Some(content.len()), content)
}

/// A WebM file with one track of sound, and these elements in its segment.
pub(super) fn webm(info: &[u8], elements: &[u8]) -> Vec<u8> {
    let track = [whole(0xd7, &[1]), whole(0x83, &[2]), whole(0x86, b"A_VORBIS")].concat();
    let tracks = whole(0x1654_ae6b, &whole(0xae, &track));
    let inside = [whole(0x1549_a966, info), tracks, elements.to_vec()].concat();
    [whole(0x1a45_dfa3, &whole(0x4282, b"webm")), element(0x1853_8067, None, &inside)].concat()
}

/// A cluster at `time` with blocks at these times after it.
pub(super) fn cluster(time: u32, blocks: &[i16]) -> Vec<u8> {
    let block =
        |after: &i16| whole(0xa3, &[&[0x81][..], &after.to_be_bytes(), &[0x80, 1, 2, 3]].concat());
    let blocks: Vec<u8> = blocks.iter().flat_map(block).collect();
    whole(0x1f43_b675, &[whole(0xe7, &time.to_be_bytes()), blocks].concat())
}

/// Bytes that follow no rule, the same at every run.
pub(super) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}
