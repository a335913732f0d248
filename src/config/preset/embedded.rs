//! The presets that are built in: what lies in `config/apis` of the repository.

macro_rules! built_in {
    ($($name:literal,)+) => {
        /// Paths and texts of the presets that are built in, in the order of their paths.
        const PRESETS: &[(&str, &str)] = &[$((
            concat!("apis/", $name, ".yaml"),
            include_str!(concat!("../../../config/apis/", $name, ".yaml")),
        ),)+];
    };
}

built_in! {
    "anthropic-messages",
    "assemblyai",
    "azure-openai",
    "black-forest-labs",
    "dashscope",
    "elevenlabs-dubbing",
    "elevenlabs-music",
    "elevenlabs-speech",
    "fal-queue",
    "fal-run",
    "gemini",
    "kling",
    "luma",
    "minimax",
    "openai-chat",
    "openai-images",
    "openai-responses",
    "openai-speech",
    "openai-transcriptions",
    "openai-videos",
    "replicate",
    "runway",
    "stability",
    "suno",
    "veo",
    "vllm",
}

/// The presets that are built in: the path that `use` names, and the text.
#[must_use]
pub const fn presets() -> &'static [(&'static str, &'static str)] {
    PRESETS
}

/// The text of the preset of this path.
pub(super) fn preset(path: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(known, _)| *known == path).map(|(_, text)| *text)
}
