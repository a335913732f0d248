//! Whole instances that export, killed at moments of nobody's choice.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::replay::Replay;
use super::story::Story;
use super::{folder, setting};
use crate::processes::{BIN, Proxy, TOKEN, ask};
use crate::redis_server::wait_until;

/// An instance's configuration, in its folder.
fn configured(story: &Story, folder: &Path) -> Command {
    let (port, here) = (story.store.port(), folder.display());
    let text = format!(
        "listen: 127.0.0.1:0
store:
  redis:
    url: redis://127.0.0.1:{port}
    state: {here}/data
    export: {{ path: {here}/stream }}
admin: {{ listen: 127.0.0.1:0, token: {{ env: TOLLGATE_ADMIN_TOKEN }} }}
upstreams: {{ generator: {{ url: http://127.0.0.1:9000 }} }}
plans: {{ pro: {{}} }}
prices:
  image: {{ lines: [{{ label: Image, rate: 5 }}] }}
routes:
  - {{ name: image, match: POST /v1/images, upstream: generator, price: image, on_unknown: release }}
"
    );
    let file = folder.join("tollgate.yaml");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(BIN);
    command.args(["serve", "--config"]).arg(file).env("TOLLGATE_ADMIN_TOKEN", TOKEN);
    command
}

fn metric(proxy: &Proxy, name: &str) -> u64 {
    let bearer = format!("Bearer {TOKEN}");
    let text = ask(proxy.admin, "GET", "/metrics", &[("authorization", &bearer)], "").unwrap().body;
    let line = text.lines().find(|line| line.starts_with(name)).expect("the metric is there");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn an_instance_that_is_killed_at_any_moment_exports_each_entry_once() {
    let seed = setting("TOLLGATE_SEED", 101);
    let mut story = Story::begin_in_real_time(seed);
    let folder = folder();
    let mut command = configured(&story, folder.path());
    let (times, mut left) = (12, 0);
    for _ in 0..times {
        story.free_the_lease();
        let mut instance = Proxy::by(&mut command);
        story.go_on(u32::try_from(story.below(60)).unwrap());
        std::thread::sleep(Duration::from_millis(story.below(150)));
        instance.process.kill();
        left += usize::from(story.waiting() > 0);
    }
    story.free_the_lease();
    let instance = Proxy::by(&mut command);
    story.go_on(40);
    wait_until("it counts what it exports", || {
        metric(&instance, "tollgate_ledger_stream_exported_total") > 0
    });
    metric(&instance, "tollgate_ledger_stream_entries");
    story.settle_down();
    // A stop leaves nothing behind.
    instance.stop();
    assert_eq!(story.waiting(), 0);
    let replay = Replay::of(&[&folder.path().join("stream")]);
    replay.agrees_with(&story);
    println!("seed {seed}: {times} kills, {left} of them left something");
    assert!(replay.repeats == 0 && replay.lines.len() > 50);
}
