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
    let mut script = String::from("set -e\ntrap 'kill %1' EXIT\n");
    for line in lines {
        script.push_str(&format!("{line}\n"));
        if line.ends_with('&') {
            // A person is slower than this.
            script.push_str(
                "for _ in $(seq 200); do tollgate health 2>/dev/null && break; sleep 0.1; done\n",
            );
        }
    }
    script.push_str("tollgate balance acct_maria\n");
    let programs = Path::new(env!("CARGO_BIN_EXE_tollgate")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("TOLLGATE_ADMIN_URL", format!("http://127.0.0.1:{admin}"))
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(
        out.contains("ok, 1 route, 1 plan") && out.contains("secret") && out.contains("tk_"),
        "{out}"
    );
    assert!(out.contains("600"), "100 a day and the 500 that were granted: {out}");
}
