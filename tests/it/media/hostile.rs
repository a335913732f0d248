//! Files that lie, bombs, and what is no file at all: never shorter than what a player would play of them.

use super::bytes::{
    Format, PLAIN, chunk, cluster, element, mp3, mp3_index, mp4, mp4_box, mp4_head, mp4_track,
    noise, wav, webm, whole, words,
};
use super::generated::made;

/// What may be read of a hostile file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Honest {
    /// Nothing: its maximum is held.
    Unknown,
    /// At least so many milliseconds, or nothing.
    AtLeast(u64),
    /// So many, to a tenth of a second.
    About(u64),
}

use Honest::{About, AtLeast, Unknown};

/// A hostile file.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) file: Vec<u8>,
    pub(super) honest: Honest,
}

fn case(name: &str, file: Vec<u8>, honest: Honest) -> Case {
    Case { name: name.to_owned(), file, honest }
}

/// All of them.
pub(super) fn cases() -> Vec<Case> {
    [wavs(), mp3s(), flacs(), oggs(), mp4s(), mp4_tables(), webms(), webm_numbers(), no_files()]
        .into_iter()
        .flatten()
        .collect()
}

fn wavs() -> Vec<Case> {
    let ten = vec![0_u8; 80_000];
    let data = |size: u32| chunk("data", size, &ten);
    let plain = |size| wav(PLAIN, &[data(size)]);
    let with = |format| wav(format, &[data(80_000)]);
    let large = |size: u64| {
        let sizes = [0, size, 0].map(u64::to_le_bytes).concat();
        let file = plain(u32::MAX);
        [b"RF64\xff\xff\xff\xffWAVE", &chunk("ds64", 24, &sizes)[..], &file[12..]].concat()
    };
    vec![
        case("a rate of zero", with(Format { rate: 0, bytes: 0, ..PLAIN }), Unknown),
        case("blocks of nothing", with(Format { block: 0, bytes: 0, ..PLAIN }), Unknown),
        case("no channels", with(Format { channels: 0, ..PLAIN }), Unknown),
        case("a bit rate that is not the rate", with(Format { bytes: 800_000, ..PLAIN }), Unknown),
        case(
            "blocks larger than samples",
            with(Format { block: 100, bytes: 800_000, ..PLAIN }),
            Unknown,
        ),
        case("a coding without fixed blocks", with(Format { coding: 0x55, ..PLAIN }), Unknown),
        case("four bytes stated, ten seconds there", plain(4), AtLeast(10_000)),
        case("nothing stated, ten seconds there", plain(0), About(10_000)),
        case("four gigabytes stated, ten seconds there", plain(u32::MAX - 8), About(10_000)),
        case("an endless RF64", large(u64::MAX), About(10_000)),
        case("an RF64 of four bytes", large(4), AtLeast(10_000)),
        case("samples twice", wav(PLAIN, &[chunk("data", 8, &[0; 8]), data(80_000)]), Unknown),
        case("a file behind a file", [plain(80_000), plain(80_000)].concat(), Unknown),
        case("no format", [b"RIFF\0\0\0\0WAVE".to_vec(), data(80_000)].concat(), Unknown),
        case(
            "two formats",
            wav(PLAIN, &[wav(Format { rate: 96_000, ..PLAIN }, &[])[12..].to_vec(), data(80_000)]),
            Unknown,
        ),
    ]
}

fn mp3s() -> Vec<Case> {
    let ten = mp3(383);
    let lying = |frames, silence| [mp3_index(frames, silence), ten.clone()].concat();
    let tag = |size: [u8; 4]| [b"ID3\x04\0\0", &size[..], &ten].concat();
    let gaps: Vec<u8> = (0..383).flat_map(|_| [mp3(1), vec![0x55; 40]].concat()).collect();
    vec![
        case("an index that states one frame", lying(1, [0; 3]), About(10_000)),
        case("an index that states all frames there are", lying(u32::MAX, [0; 3]), About(10_000)),
        case("silence as long as can be", lying(383, [0xff; 3]), AtLeast(9_750)),
        case("nothing but syncs", vec![0xff; 300_000], Unknown),
        case("heads without frames", [0xff, 0xfb, 0x90, 0x00].repeat(50_000), Unknown),
        case("frames, then something else", [mp3(2), noise(3, 300_000)].concat(), Unknown),
        case("frames that are far apart", gaps, AtLeast(10_000)),
        case(
            "frames in a tag",
            [mp3(2), b"ID3\x04\0\0\x7f\x7f\x7f\x7f".to_vec(), ten.clone()].concat(),
            AtLeast(10_000),
        ),
        case("one frame", mp3(1), Unknown),
        case("a tag beyond the end", tag([0x7f; 4]), Unknown),
        case("a tag without bounds", tag([0xff; 4]), Unknown),
        case("tags for ever", b"ID3\x04\0\0\0\0\0\0".repeat(20_000), Unknown),
        case("something before the frames", [vec![7; 64], ten].concat(), Unknown),
    ]
}

fn flacs() -> Vec<Case> {
    let file = made("16.flac");
    // Behind `fLaC`, the head of the block and its first ten bytes: rate, channels, bits and samples.
    let with = |at: usize, bytes: &[u8]| {
        let mut file = file.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let mut holed = with(22, &[0, 0, 0, 1]);
    let (middle, end) = (holed.len() / 2, holed.len() / 2 + 40_000);
    holed[middle..end].fill(0);
    let blocks = [b"fLaC".to_vec(), b"\x01\0\0\0".repeat(50_000)].concat();
    vec![
        case("one sample stated", with(22, &[0, 0, 0, 1]), About(14_200)),
        case("as many samples as can be stated", with(21, &[0xff; 5]), AtLeast(14_200)),
        case("a rate of zero", with(18, &[0, 0, 0]), Unknown),
        case("another rate than the frames have", with(18, &[0x17, 0x70, 0x00]), Unknown),
        case("one sample stated and a hole", holed, Unknown),
        case("no frames", file[..42].to_vec(), Unknown),
        case("padding for ever", blocks, Unknown),
    ]
}

/// The pages of an Ogg file.
fn pages(file: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut rest) = (Vec::new(), file);
    while rest.len() > 27 {
        let parts = usize::from(rest[26]);
        let body: usize = rest[27..27 + parts].iter().map(|part| usize::from(*part)).sum();
        let (page, behind) = rest.split_at(27 + parts + body);
        found.push(page.to_vec());
        rest = behind;
    }
    found
}

fn oggs() -> Vec<Case> {
    let positions = |name: &str, position: u64| -> Vec<u8> {
        let mut pages = pages(&made(name));
        for page in pages.iter_mut().skip(2) {
            page[6..14].copy_from_slice(&position.to_le_bytes());
        }
        pages.concat()
    };
    let opus = pages(&made("opus64.opus"));
    let torn: Vec<u8> =
        opus.iter().flat_map(|page| [page.clone(), noise(5, 999)].concat()).collect();
    let whole = opus.concat();
    let unborn = opus[2..].concat();
    let skipping = {
        let mut file = whole.clone();
        let at = file.windows(8).position(|it| it == b"OpusHead").unwrap();
        file[at + 10..at + 12].fill(0xff);
        file
    };
    let theora = {
        let mut file = whole.clone();
        let at = file.windows(8).position(|it| it == b"OpusHead").unwrap();
        file[at..at + 8].copy_from_slice(b"\x80theora_");
        file
    };
    vec![
        case("Opus that ends at 48 samples", positions("opus64.opus", 48), About(17_500)),
        case("Opus that ends nowhere", positions("opus64.opus", u64::MAX), About(17_500)),
        case("Opus at the end of time", positions("opus64.opus", u64::MAX - 1), AtLeast(17_500)),
        case("Vorbis that ends at 48 samples", positions("vorbis3.ogg", 48), About(17_000)),
        case("Opus that skips as much as it can", skipping, AtLeast(17_250)),
        case("noise between pages", torn, About(17_500)),
        case("no first page", unborn, Unknown),
        case("a coding that nobody knows", theora, Unknown),
        case("cut in its last page", whole[..whole.len() - 9].to_vec(), About(17_500)),
        case("a file twice", [whole.clone(), made("vorbis3.ogg")].concat(), About(34_500)),
        case("first pages for ever", opus[0].repeat(3_000), Unknown),
    ]
}

fn mp4s() -> Vec<Case> {
    let minute = mp4_box("stts", &words(&[0, 1, 60, 8_000]));
    let track = |scale, stated| mp4_track(scale, stated, &minute);
    let nested = (0..12).fold(Vec::new(), |inside, _| mp4_box("moov", &inside));
    let deep = (0..4_000).flat_map(|_| [&[0, 0, 0, 0][..], b"moov"].concat()).collect();
    let large = |size: u64| {
        [&mp4(1_000, 60_000, &[])[..], &[0, 0, 0, 1], b"mdat", &size.to_be_bytes()].concat()
    };
    let dense =
        [mp4(1_000, 1_000, &mp4_track(8_000, 8_000, &[])), mp4_box("mdat", &[0; 8_000_000])]
            .concat();
    let tracks: Vec<u8> = (0..5_000).flat_map(|_| track(8_000, 480_000)).collect();
    vec![
        case(
            "a movie of one tick, a minute of samples",
            mp4(1_000, 1, &track(8_000, 480_000)),
            About(60_000),
        ),
        case(
            "all states one tick, a minute of samples",
            mp4(1_000, 1, &track(8_000, 1)),
            About(60_000),
        ),
        case("a movie of no length", mp4(1_000, 0, &track(8_000, 0)), About(60_000)),
        case(
            "a movie that knows no length",
            mp4(1_000, u32::MAX, &track(8_000, u32::MAX)),
            About(60_000),
        ),
        case("no ticks in a second", mp4(0, 60_000, &track(0, 480_000)), Unknown),
        case("no tracks", mp4(1_000, 60_000, &[]), Unknown),
        case("five thousand tracks", mp4(1_000, 1, &tracks), Unknown),
        case("a second of a megabyte", dense, Unknown),
        case("boxes in boxes", [mp4_box("ftyp", &[]), nested].concat(), Unknown),
        case("boxes in boxes without an end", deep, Unknown),
        case(
            "a film behind a film",
            [
                mp4(1_000, 60_000, &track(8_000, 480_000)),
                mp4(1_000, 60_000, &track(8_000, 480_000)),
            ]
            .concat(),
            Unknown,
        ),
        case("a box of no size", large(0), Unknown),
        case("a box as large as can be", large(u64::MAX), Unknown),
        case(
            "a box smaller than its head",
            [&[0, 0, 0, 7][..], b"ftyp1234567890"].concat(),
            Unknown,
        ),
        case(
            "a box that reaches out of its box",
            [mp4_box("ftyp", &[]), mp4_box("moov", &[&[0, 0, 9, 9][..], b"trak"].concat())]
                .concat(),
            Unknown,
        ),
    ]
}

fn mp4_tables() -> Vec<Case> {
    let times = |count: u32, entries: &[u32]| {
        mp4_track(8_000, 1, &mp4_box("stts", &words(&[&[0, count][..], entries].concat())))
    };
    let fragment = |flags: u32, rest: &[u32]| {
        let head = mp4_box("tfhd", &words(&[8, 1, u32::MAX]));
        let run = mp4_box("trun", &words(&[&[flags][..], rest].concat()));
        let empty = mp4(1_000, 0, &times(0, &[]));
        [empty, mp4_box("moof", &mp4_box("traf", &[head, run].concat()))].concat()
    };
    vec![
        case("more entries than there are", mp4(1_000, 1, &times(u32::MAX, &[60, 8_000])), Unknown),
        case("as much time as can be", mp4(1_000, 1, &times(2, &[u32::MAX; 4])), AtLeast(60_000)),
        case("four billion samples in no bytes", fragment(0, &[u32::MAX]), AtLeast(60_000)),
        case("four billion entries in no bytes", fragment(0x100, &[u32::MAX]), Unknown),
        case(
            "a table without its count",
            mp4(1_000, 1, &mp4_track(8_000, 1, &mp4_box("stts", &[0; 4]))),
            Unknown,
        ),
        case(
            "a head that is too short",
            mp4(1_000, 1, &mp4_box("trak", &mp4_box("mdia", &mp4_box("mdhd", &[0; 4])))),
            Unknown,
        ),
        case("only heads", [mp4_box("ftyp", &[]), mp4_head("mvhd", 1, 60)].concat(), Unknown),
    ]
}

fn webms() -> Vec<Case> {
    let minute: Vec<u8> =
        (0..60).flat_map(|second| cluster(second * 1_000, &[0, 250, 500, 750])).collect();
    let bomb: Vec<u8> = (0..30_000).flat_map(|_| element(0x1853_8067, None, &[])).collect();
    let clusters: Vec<u8> = (0..30_000).flat_map(|_| element(0x1f43_b675, None, &[])).collect();
    let tracks = whole(0x1654_ae6b, &whole(0xae, &whole(0xd7, &[2])).repeat(5_000));
    let lying = {
        let mut file = made("opus.webm");
        let at = file.windows(3).position(|it| it == [0x44, 0x89, 0x88]).unwrap();
        file[at + 3..at + 11].copy_from_slice(&1.0_f64.to_be_bytes());
        file
    };
    let out = whole(0x1549_a966, &element(0x4489, Some(8_000), &[0; 8]));
    vec![
        case("a millisecond stated, nine seconds there", lying, About(9_000)),
        case("no length stated, a minute there", webm(&[], &minute), About(60_000)),
        case("segments in segments", [whole(0x1a45_dfa3, &[]), bomb].concat(), Unknown),
        case("clusters for ever", webm(&[], &[minute.clone(), clusters].concat()), AtLeast(59_900)),
        case(
            "five thousand tracks",
            webm(&[], &[tracks, minute.clone()].concat()),
            AtLeast(59_900),
        ),
        case("a second file behind it", [webm(&[], &minute), webm(&[], &minute)].concat(), Unknown),
        case(
            "an element without a name",
            webm(&[], &[minute.clone(), vec![0; 64]].concat()),
            Unknown,
        ),
        case("an element that reaches out of its element", webm(&[], &out), Unknown),
        case(
            "times that run backwards",
            webm(&[], &[cluster(60_000, &[0]), cluster(1, &[-1])].concat()),
            AtLeast(59_900),
        ),
    ]
}

fn webm_numbers() -> Vec<Case> {
    let minute: Vec<u8> = (0..60).flat_map(|second| cluster(second * 1_000, &[0, 500])).collect();
    let lasting = |length: f64| webm(&whole(0x4489, &length.to_be_bytes()), &minute);
    let scaled = |scale: &[u8]| webm(&whole(0x2a_d7b1, scale), &minute);
    vec![
        case("a length that is no number", lasting(f64::NAN), About(60_000)),
        case("an endless length", lasting(f64::INFINITY), About(60_000)),
        case("a length below zero", lasting(-1.0), About(60_000)),
        case("as long as can be", lasting(f64::MAX), AtLeast(60_000)),
        case("as short as can be", lasting(f64::MIN_POSITIVE), About(60_000)),
        case("a length of three bytes", webm(&whole(0x4489, &[1, 2, 3]), &minute), About(60_000)),
        case("a tick of nothing", scaled(&[0]), Unknown),
        case("a tick of centuries", scaled(&[0xff; 8]), Unknown),
        case("a tick of too many bytes", scaled(&[1; 9]), Unknown),
    ]
}

fn no_files() -> Vec<Case> {
    let magics: [&[u8]; 8] = [
        b"RIFF\0\0\0\0WAVE",
        b"RF64\0\0\0\0WAVE",
        b"fLaC",
        b"OggS",
        b"\0\0\0\x18ftyp",
        b"\x1a\x45\xdf\xa3",
        b"ID3\x04",
        b"\xff\xfb\x90\0",
    ];
    let mut cases = vec![
        case("nothing", Vec::new(), Unknown),
        case("one byte", vec![0xff], Unknown),
        case("zeros", vec![0; 300_000], Unknown),
        case("a text", b"The quick brown fox jumps over the lazy dog. ".repeat(999), Unknown),
        case("a picture", [b"\x89PNG\r\n\x1a\n".to_vec(), noise(1, 99_999)].concat(), Unknown),
        case("noise", noise(2, 999_999), Unknown),
    ];
    for magic in magics {
        let name = String::from_utf8_lossy(magic).into_owned();
        cases.push(case(&name, magic.to_vec(), Unknown));
        for (what, rest) in [("ones", vec![0xff; 200_000]), ("zeros", vec![0; 200_000])] {
            cases.push(case(&format!("{name} and {what}"), [magic, &rest].concat(), Unknown));
        }
        cases.push(case(
            &format!("{name} and noise"),
            [magic, &noise(9, 200_000)].concat(),
            AtLeast(0),
        ));
    }
    cases
}
