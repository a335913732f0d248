//! Files of known length, made by ffmpeg once and kept under `target`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    /// Its name. Beginning with a bar: ffmpeg writes it into a pipe, where it cannot go back to fill in lengths.
    name: &'static str,
    /// Its length in milliseconds.
    pub(super) ms: u64,
    /// What is in it.
    with: With,
    /// How ffmpeg is to write it.
    how: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    Sound,
    Film,
}

const fn sound(name: &'static str, ms: u64, how: &'static str) -> Made {
    Made { name, ms, with: With::Sound, how }
}

const fn film(name: &'static str, ms: u64, how: &'static str) -> Made {
    Made { name, ms, with: With::Film, how }
}

/// All files.
pub(super) const MADE: &[Made] = &[
    sound("pcm16.wav", 12_500, ""),
    sound("pcm24.wav", 3_300, "-c:a pcm_s24le -ar 96000 -ac 2"),
    sound("float.wav", 2_000, "-c:a pcm_f32le -ar 16000"),
    sound("pcm8.wav", 7_250, "-c:a pcm_u8 -ar 8000"),
    sound("mu-law.wav", 9_000, "-c:a pcm_mulaw -ar 8000"),
    sound("a-law.wav", 9_000, "-c:a pcm_alaw -ar 8000"),
    sound("ima.wav", 5_000, "-c:a adpcm_ima_wav"),
    sound("ms.wav", 5_000, "-c:a adpcm_ms -ac 2"),
    sound("large.wav", 4_000, "-rf64 always"),
    sound("six-channels.wav", 3_000, "-ac 6"),
    sound("|piped.wav", 6_500, "-f wav"),
    sound("cbr128.mp3", 60_000, "-b:a 128k"),
    sound("cbr32.mp3", 10_000, "-b:a 32k -ar 22050"),
    sound("cbr320.mp3", 10_000, "-b:a 320k"),
    sound("vbr2.mp3", 33_300, "-q:a 2"),
    sound("vbr9.mp3", 33_300, "-q:a 9 -ac 1"),
    sound("vbr-without-index.mp3", 20_000, "-q:a 4 -write_xing 0"),
    sound("bare.mp3", 20_000, "-b:a 64k -write_xing 0 -id3v2_version 0"),
    sound("|piped.mp3", 15_000, "-q:a 5 -f mp3"),
    sound("slow.mp3", 11_000, "-ar 8000 -b:a 16k"),
    sound("tags.mp3", 8_000, "-metadata title=x -write_id3v1 1 -write_apetag 1"),
    sound("hour.mp3", 3_600_000, "-b:a 16k -ar 16000 -ac 1"),
    sound("layer2.mp2", 8_000, "-c:a mp2 -b:a 192k"),
    sound("16.flac", 14_200, ""),
    sound("24.flac", 3_000, "-c:a flac -sample_fmt s32 -ar 96000 -ac 2"),
    sound("slow.flac", 21_000, "-ar 8000"),
    sound("|piped.flac", 9_100, "-f flac"),
    sound("flac.oga", 8_000, "-c:a flac"),
    sound("vorbis3.ogg", 17_000, "-c:a libvorbis -q:a 3"),
    sound("vorbis10.ogg", 5_000, "-c:a libvorbis -q:a 10 -ac 2"),
    sound("slow.ogg", 13_000, "-c:a libvorbis -ar 8000 -ac 1"),
    sound("|piped.ogg", 6_400, "-c:a libvorbis -f ogg"),
    sound("opus64.opus", 17_500, "-c:a libopus -b:a 64k"),
    sound("opus6.opus", 40_000, "-c:a libopus -b:a 6k -frame_duration 60 -application voip"),
    sound("opus510.opus", 5_000, "-c:a libopus -b:a 510k -ac 2 -frame_duration 2.5"),
    sound("|piped.opus", 8_000, "-c:a libopus -frame_duration 120 -f ogg"),
    sound("speex.spx", 6_000, "-c:a libspeex -ar 16000 -ac 1"),
    sound("aac.m4a", 60_000, "-c:a aac -b:a 128k"),
    sound("aac-faststart.m4a", 60_000, "-c:a aac -b:a 32k -movflags +faststart"),
    sound("alac.m4a", 5_000, "-c:a alac"),
    sound("opus.mp4", 7_000, "-c:a libopus"),
    sound(
        "|fragments.m4a",
        9_500,
        "-c:a aac -movflags frag_keyframe+empty_moov -frag_duration 1000000 -f mp4",
    ),
    film("film.mp4", 6_000, "-c:v libx264 -preset ultrafast -c:a aac"),
    film(
        "film-faststart.mp4",
        6_000,
        "-c:v libx264 -preset ultrafast -c:a aac -movflags +faststart",
    ),
    film(
        "|fragments.mp4",
        6_000,
        "-c:v libx264 -preset ultrafast -c:a aac -movflags frag_keyframe+empty_moov -f mp4",
    ),
    film("film.mov", 4_000, "-c:v mpeg4 -c:a pcm_s16le"),
    sound("opus.webm", 9_000, "-c:a libopus"),
    sound("vorbis.webm", 9_000, "-c:a libvorbis"),
    sound("|piped.webm", 9_000, "-c:a libopus -f webm"),
    sound("|live-opus.webm", 12_000, "-c:a libopus -f webm -live 1"),
    sound("|live-vorbis.webm", 9_000, "-c:a libvorbis -f webm -live 1"),
    film("film.webm", 3_000, "-c:v libvpx -deadline realtime -cpu-used 8 -c:a libopus"),
    film(
        "|live-film.webm",
        3_000,
        "-c:v libvpx -deadline realtime -cpu-used 8 -c:a libopus -f webm -live 1",
    ),
    film("film.mkv", 5_000, "-c:v libx264 -preset ultrafast -c:a aac"),
];

impl Made {
    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        self.name.trim_start_matches('|')
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        static MAKING: Mutex<()> = Mutex::new(());
        let path = self.path();
        let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if !path.exists() {
            self.make(&path);
        }
        std::fs::read(path).unwrap()
    }

    /// Where it is: under a name that says all of how it was made.
    fn path(&self) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("media");
        std::fs::create_dir_all(&folder).unwrap();
        let how = number_of(&format!("{self:?}"));
        folder.join(format!("{how:08x}-{}", self.name()))
    }

    fn make(&self, path: &Path) {
        let piped = self.name.starts_with('|');
        let seconds = format!("{}.{:03}", self.ms / 1_000, self.ms % 1_000);
        let ending = self.name().rsplit('.').next().unwrap();
        let part = path.with_extension(format!("{}.{ending}", std::process::id()));
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-y", "-fflags", "+bitexact"]);
        command
            .args(["-f", "lavfi", "-i"])
            .arg(format!("anoisesrc=d={seconds}:c=pink:r=44100:a=0.3:seed=7"));
        if self.with == With::Film {
            command.args(["-f", "lavfi", "-i"]).arg(format!("testsrc=d={seconds}:s=160x120:r=25"));
        }
        command.args(self.how.split_ascii_whitespace());
        if piped {
            let file = std::fs::File::create(&part).unwrap();
            command.arg("pipe:1").stdout(Stdio::from(file));
        } else {
            command.arg(&part);
        }
        assert!(command.status().unwrap().success(), "ffmpeg could not make {}", self.name);
        std::fs::rename(part, path).unwrap();
    }
}

/// A number that differs where texts differ.
fn number_of(text: &str) -> u32 {
    // FNV-1a.
    text.bytes()
        .fold(0x811c_9dc5, |sum: u32, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The file of this name.
pub(super) fn made(name: &str) -> Vec<u8> {
    let found = MADE.iter().find(|made| made.name == name);
    found.unwrap_or_else(|| panic!("no file {name}")).bytes()
}
