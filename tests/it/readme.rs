//! README's commands, run as they stand there, but for the ports.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// The indented lines below a heading.
fn commands(heading: &str) -> Vec<String> {
    let readme = include_str!("../../README.md");
    let section = readme.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
    let lines = section.lines().filter_map(|line| line.strip_prefix("    "));
    lines.map(str::to_owned).collect()
}

/// A port that was free a moment ago.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs the lines in a folder, as a person would who waits for what was started, and a last one. The answer is
/// what was printed.
fn run(folder: &Path, admin: u16, lines: Vec<String>, last: &str) -> String {
    let mut script = String::from("set -e\ntrap 'kill $(jobs -p); wait' EXIT\n");
    for line in lines {
        script.push_str(&format!("{line}\n"));
        // A person is slower than this.
        let up = match line.split(' ').take(2).collect::<Vec<_>>()[..] {
            ["tollgate", "serve"] => "tollgate health 2>/dev/null",
            ["redis-server", _] => "redis-cli -p $REDIS_PORT ping 2>/dev/null",
            _ => continue,
        };
        script.push_str(&format!("for _ in $(seq 200); do {up} && break; sleep 0.1; done\n"));
    }
    script.push_str(&format!("{last}\n"));
    let programs = Path::new(env!("CARGO_BIN_EXE_tollgate")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let port = script.split("--port ").nth(1).and_then(|rest| rest.split(' ').next());
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .env("PATH", path)
        .env("REDIS_PORT", port.unwrap_or_default())
        .env("TOLLGATE_ADMIN_URL", format!("http://127.0.0.1:{admin}"))
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    out.into_owned()
}

/// The headings whose commands are run here, or by others: `demo` and `tests/run` by `tests/run`, a token by
/// the examples of the command line.
const RUN: [&str; 4] = [
    "Try it",
    "A configuration in ten lines",
    "A route of your own, with Redis and TLS",
    "Operators",
];

#[test]
fn no_command_stands_in_the_readme_that_nobody_runs() {
    let readme = include_str!("../../README.md");
    for section in readme.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap();
        let outside = section.split("```").step_by(2);
        let commands = outside.flat_map(str::lines).filter(|line| line.starts_with("    ")).count();
        assert!(commands == 0 || RUN.contains(&heading), "{heading} has commands");
    }
    let alice = "tollgate token create --name alice --role finance";
    assert_eq!(commands("## Operators"), [alice]);
    assert_eq!(commands("## Try it"), ["cargo run --release -- demo", "tests/run"]);
}

#[test]
fn a_route_of_ones_own_with_redis_and_tls_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let (data, admin, redis, upstream) = (port(), port(), port(), port());
    let moved = |text: &str| {
        let text = text.replace(":8443", &format!(":{data}")).replace("6390", &redis.to_string());
        text.replace(":9000", &format!(":{upstream}"))
    };
    let examples = folder.path().join("config/examples");
    std::fs::create_dir_all(&examples).unwrap();
    let own = moved(&std::fs::read_to_string(root.join("config/examples/own.yaml")).unwrap());
    let own = own.replace("admin: {", &format!("admin: {{ listen: 127.0.0.1:{admin},"));
    std::fs::write(examples.join("own.yaml"), own).unwrap();
    let lines = commands("## A route of your own, with Redis and TLS");
    assert_eq!(lines.iter().filter(|line| line.starts_with("curl ")).count(), 2);
    let lines = lines.iter().map(|line| moved(line)).collect();
    let out = run(folder.path(), admin, lines, "tollgate balance acct_ada -o json");
    // Two pictures of high quality, of the hundred that were bought.
    let balance = out.rsplit_once("\n{").map(|(_, json)| format!("{{{json}")).unwrap();
    // Behind it the server of the ledger says its last words.
    let mut said = serde_json::Deserializer::from_str(&balance).into_iter::<serde_json::Value>();
    let balance = said.next().unwrap().unwrap();
    assert_eq!(balance["balances"][0]["available"], "80", "{out}");
    assert!(out.contains("\"charged\"") || out.contains("settled"), "{out}");
}

#[test]
fn the_first_configuration_and_its_commands_work() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::create_dir(&config).unwrap();
    let quickstart = std::fs::read_to_string(root.join("config/quickstart.yaml")).unwrap();
    assert!(include_str!("../../README.md").contains(&quickstart), "README shows another file");
    let (data, admin) = (port(), port());
    let own = quickstart.replace("admin: {", &format!("admin: {{ listen: 127.0.0.1:{admin},"));
    let own = own.replace("store:", &format!("listen: 127.0.0.1:{data}\nstore:"));
    std::fs::write(config.join("quickstart.yaml"), own).unwrap();

    let lines = commands("## A configuration in ten lines");
    assert_eq!(lines.iter().filter(|line| line.starts_with("tollgate ")).count(), 5);
    let out = run(folder.path(), admin, lines, "tollgate balance acct_maria");
    assert!(
        out.contains("ok, 1 route, 1 plan") && out.contains("secret") && out.contains("tk_"),
        "{out}"
    );
    assert!(out.contains("600"), "100 a day and the 500 that were granted: {out}");
}
