//! Whole suites, each in its SDK's own language: tests/sdk has them, and the fake upstreams that they ask.
//!
//! Each is run three times. Without a gateway it shows that the fake upstream is faithful: the SDK reads all that it
//! says. Behind a gateway the sum of the charges must be the price of the work that the upstream logged: once with a
//! configuration that says all itself, once with one that says `use:`, an upstream, keys and prices.
//!
//! Invariant: a step that is not done fails; no suite passes over one.

use std::path::Path;
use std::process::{Command, Stdio};

use super::super::processes::BIN;
use super::client::installed;

/// Runs a suite with these arguments; what it says is shown if it fails.
#[track_caller]
fn run(suite: &str, way: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(suite);
    let modules = installed("node/node_modules/openai").parent().unwrap().to_owned();
    let mut command = Command::new(installed("python/bin/python"));
    command
        // One SDK says at every call that its service will end one day.
        .args(["-W", "ignore::DeprecationWarning"])
        .arg(&script)
        .args(way)
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NODE_PATH", modules)
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (told(&output.stdout), told(&output.stderr));
    println!("{out}");
    assert!(output.status.success(), "{suite} {way:?}: {}\n{out}\n{err}", output.status);
}

/// The SDK asks the fake upstream itself.
mod direct {
    use super::run;

    #[track_caller]
    fn direct(suite: &str) {
        run(suite, &["--direct"]);
    }

    #[test]
    fn openai_for_python() {
        direct("suite_openai.py");
    }

    #[test]
    fn openai_for_node() {
        direct("suite_openai_node.py");
    }

    #[test]
    fn anthropic_for_python() {
        direct("suite_anthropic.py");
    }

    #[test]
    fn replicate_for_python() {
        direct("suite_replicate.py");
    }

    #[test]
    fn runway_for_python() {
        direct("suite_runway.py");
    }

    #[test]
    fn elevenlabs_for_python() {
        direct("suite_elevenlabs.py");
    }

    #[test]
    fn the_queue_of_fal_for_python() {
        direct("suite_fal_queue.py");
    }

    #[test]
    fn the_synchronous_host_of_fal_for_python() {
        direct("suite_fal_run.py");
    }

    #[test]
    fn gemini_for_python() {
        direct("suite_google.py");
    }

    #[test]
    fn veo_for_node() {
        direct("suite_veo.py");
    }
}

/// The SDK asks a gateway, and pays.
mod gateway {
    use super::{BIN, run};

    #[track_caller]
    fn gateway(suite: &str) {
        run(suite, &["--gateway", BIN]);
    }

    #[test]
    fn openai_for_python() {
        gateway("suite_openai.py");
    }

    #[test]
    fn openai_for_node() {
        gateway("suite_openai_node.py");
    }

    #[test]
    fn anthropic_for_python() {
        gateway("suite_anthropic.py");
    }

    #[test]
    fn replicate_for_python() {
        gateway("suite_replicate.py");
    }

    #[test]
    fn runway_for_python() {
        gateway("suite_runway.py");
    }

    #[test]
    fn elevenlabs_for_python() {
        gateway("suite_elevenlabs.py");
    }

    #[test]
    fn the_queue_of_fal_for_python() {
        gateway("suite_fal_queue.py");
    }

    #[test]
    fn the_synchronous_host_of_fal_for_python() {
        gateway("suite_fal_run.py");
    }

    #[test]
    fn gemini_for_python() {
        gateway("suite_google.py");
    }

    #[test]
    fn veo_for_node() {
        gateway("suite_veo.py");
    }
}

/// The SDK asks a gateway that is configured by the presets alone.
mod presets {
    use super::{BIN, run};

    #[track_caller]
    fn presets(suite: &str) {
        run(suite, &["--gateway", BIN, "--presets"]);
    }

    #[test]
    fn openai_for_python() {
        presets("suite_openai.py");
    }

    #[test]
    fn openai_for_node() {
        presets("suite_openai_node.py");
    }

    #[test]
    fn anthropic_for_python() {
        presets("suite_anthropic.py");
    }

    #[test]
    fn replicate_for_python() {
        presets("suite_replicate.py");
    }

    #[test]
    fn runway_for_python() {
        presets("suite_runway.py");
    }

    #[test]
    fn elevenlabs_for_python() {
        presets("suite_elevenlabs.py");
    }

    #[test]
    fn the_queue_of_fal_for_python() {
        presets("suite_fal_queue.py");
    }

    #[test]
    fn the_synchronous_host_of_fal_for_python() {
        presets("suite_fal_run.py");
    }

    #[test]
    fn gemini_for_python() {
        presets("suite_google.py");
    }

    #[test]
    fn veo_for_node() {
        presets("suite_veo.py");
    }
}
