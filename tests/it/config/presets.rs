//! Presets: what `use` brings, what goes before it, what is left out, and where their faults are reported.

use std::path::Path;

use tollgate::config::{Assumed, Settings, load_text, load_with, preset_schema, presets};
use tollgate::meter::Work;

use super::{at, committed, files, read};

const BASE: &str = "store: { embedded: { path: ./data } }\nplans: { starter: {} }\n\
    upstreams: { clips: { url: http://127.0.0.1:9000 } }\n";
const CLIPS: &str = "use: [tests/cases/presets/clips.yaml]\n";

#[track_caller]
fn loaded(name: &str, text: &str) -> Settings {
    let (settings, warnings) =
        load_text(name, text, &Assumed).unwrap_or_else(|report| panic!("{report}"));
    assert!(warnings.is_empty(), "{}", warnings[0]);
    settings
}

fn routes(settings: &Settings) -> Vec<(String, String)> {
    let shown = |work: &Work| match work {
        Work::Paid(due) => format!("{} {:?}", due.price.name, due.price.lines[0].rate),
        _ => "free".to_owned(),
    };
    settings.rules.routes.iter().map(|route| (route.name.to_string(), shown(&route.work))).collect()
}

fn names(settings: &Settings) -> Vec<String> {
    routes(settings).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_committed_schema_of_presets_is_the_code() {
    committed(&at("config/preset.schema.json"), &preset_schema());
}

#[test]
fn what_is_built_in_is_what_is_committed() {
    let folder = at("config/apis");
    let there: Vec<_> = files(&folder, "yaml")
        .iter()
        .map(|path| {
            let text = read(path);
            let first = "# yaml-language-server: $schema=../preset.schema.json\n";
            assert!(text.starts_with(first), "{}", path.display());
            assert!(text.contains("# Facts: https://"), "{} names no source", path.display());
            (format!("apis/{}", path.file_name().unwrap().to_str().unwrap()), text)
        })
        .collect();
    let built: Vec<_> =
        presets().iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    assert_eq!(built, there);
}

/// The upstreams that a preset wants, as its text says them.
fn wanted(text: &str) -> String {
    let block = text.split("\nwants:").nth(1).unwrap();
    let lines = block.lines().skip(1).take_while(|line| line.starts_with("  "));
    lines.fold("upstreams:\n".to_owned(), |all, line| {
        let name = line.trim().split(':').next().unwrap();
        format!("{all}  {name}: {{ url: http://127.0.0.1:9000 }}\n")
    })
}

#[test]
fn each_preset_alone_is_a_configuration_without_warnings() {
    for (path, text) in presets() {
        let head = "store: { embedded: { path: ./data } }\nplans: { starter: {} }\n";
        let settings = loaded("a.yaml", &format!("{head}{}use: [{path}]\n", wanted(text)));
        assert!(!settings.rules.routes.is_empty(), "{path}");
        for word in ["held", "charged", "blocked", "on_unknown"] {
            assert!(
                text.contains(&format!("\n#   {word}  ")),
                "{path} does not say what is {word}"
            );
        }
        let refused = ["class: blocked", "  blocked: ["];
        assert!(refused.iter().any(|words| text.contains(words)), "{path} blocks nothing");
    }
}

#[test]
fn the_configurations_own_go_before() {
    let all = loaded("a.yaml", &format!("{BASE}{CLIPS}"));
    assert_eq!(names(&all), ["clip", "still", "clip-state"]);
    // Another price of the same name; the route stays the preset's.
    let dear =
        format!("{BASE}{CLIPS}prices: {{ clip: {{ lines: [{{ label: Mine, rate: 77 }}] }} }}\n");
    let error = load_text("a.yaml", &dear, &Assumed);
    let (settings, warnings) = error.unwrap_or_else(|report| panic!("{report}"));
    assert!(routes(&settings)[0].1.contains("77"), "{:?}", routes(&settings));
    // It does not use the preset's quantity, which is said at the preset's own place.
    let warning = warnings[0].to_string();
    assert!(
        warning.contains("unused_quantity") && warning.contains("presets/clips.yaml:11:"),
        "{warning}"
    );
    // Another route of the same name.
    let mine = format!(
        "{BASE}{CLIPS}routes:\n  - {{ name: clip, match: POST /v9/clips, upstream: clips, free: true }}\n"
    );
    let settings = loaded("a.yaml", &mine);
    assert_eq!(names(&settings), ["clip", "still", "clip-state"]);
    assert_eq!(settings.rules.routes[0].path, "/v9/clips");
    // Routes that are left out take their prices along.
    let less = loaded("a.yaml", &format!("{BASE}{CLIPS}without: [clip, clip-state]\n"));
    assert_eq!(names(&less), ["still"]);
}

#[test]
fn a_file_beside_the_configuration_goes_before_the_built_in_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("apis")).unwrap();
    let (path, _) = presets()[0];
    std::fs::copy(at("tests/cases/presets/clips.yaml"), folder.path().join(path)).unwrap();
    let file = folder.path().join("tollgate.yaml");
    std::fs::write(&file, format!("{BASE}use: [{path}]\n")).unwrap();
    let (settings, _) = load_with(&file, &Assumed).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(names(&settings), ["clip", "still", "clip-state"]);
    let built_in = load_text("a.yaml", &format!("{BASE}use: [{path}]\n"), &Assumed).unwrap_err();
    assert!(built_in.to_string().contains("wanted_upstream"), "{built_in}");
}

#[test]
fn a_preset_is_placed_by_the_configuration_that_uses_it() {
    let all = |entries: &str| {
        let upstreams = "upstreams: { clips: { url: http://a }, b-clips: { url: http://b } }\n";
        let text =
            format!("{}{upstreams}use: [{entries}]\n", &BASE[..BASE.find("upstreams").unwrap()]);
        let (settings, _) =
            load_text("a.yaml", &text, &Assumed).unwrap_or_else(|report| panic!("{report}"));
        let shown = |route: &tollgate::meter::Route| {
            let hosts: Vec<_> = route.hosts.iter().map(ToString::to_string).collect();
            let price = match &route.work {
                Work::Paid(due) => due.price.name.to_string(),
                Work::Free => String::new(),
            };
            let (name, path) = (&route.name, &route.path);
            format!(
                "{name} {}|{path} {} {price} [{}]",
                route.prefix,
                route.upstream,
                hosts.join(" ")
            )
        };
        settings.rules.routes.iter().map(|route| shown(route)).collect::<Vec<_>>()
    };
    let clips = "preset: tests/cases/presets/clips.yaml";
    assert_eq!(
        all(&format!("tests/cases/presets/clips.yaml, {{ {clips}, as: b, prefix: /b }}")),
        [
            "clip |/v1/clips 0 clip []",
            "still |/v1/stills 0 still []",
            "clip-state |/v1/clips/{id} 0  []",
            "b-clip /b|/v1/clips 1 b-clip []",
            "b-still /b|/v1/stills 1 b-still []",
            "b-clip-state /b|/v1/clips/{id} 1  []",
        ]
    );
    assert_eq!(
        all(&format!("{{ {clips}, hosts: [A.example, '*.a.example:8443'] }}"))[0],
        "clip |/v1/clips 0 clip [a.example *.a.example:8443]"
    );
    // A mapping that says no more than the path is the path.
    assert_eq!(all(&format!("{{ {clips} }}")), all("tests/cases/presets/clips.yaml"));
}

#[test]
fn the_revision_covers_presets() {
    let folder = tempfile::tempdir().unwrap();
    let preset = folder.path().join("clips.yaml");
    let name = folder.path().join("tollgate.yaml");
    let revision = |change: (&str, &str)| {
        let text = read(&at("tests/cases/presets/clips.yaml")).replace(change.0, change.1);
        std::fs::write(&preset, text).unwrap();
        let settings = loaded(name.to_str().unwrap(), &format!("{BASE}use: [clips.yaml]\n"));
        settings.rules.revision.clone()
    };
    let first = revision(("", ""));
    assert_eq!(revision(("rate: 2", "rate:  \"2\"")), first, "a comment is nothing");
    assert_ne!(revision(("rate: 2", "rate: 3")), first);
    assert_ne!(revision(("maximum: 60", "maximum: 61")), first);
}

#[test]
fn the_command_lists_and_prints_them() {
    let run = |words: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(words)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, listed) = run(&["preset"]);
    let paths: Vec<_> = presets().iter().map(|(path, _)| *path).collect();
    assert_eq!((code, listed.lines().collect::<Vec<_>>()), (Some(0), paths.clone()));
    assert_eq!(run(&["preset", paths[0]]), (Some(0), presets()[0].1.to_owned()));
    assert_eq!(run(&["preset", "apis/nothing.yaml"]).0, Some(1));
    assert_eq!(run(&["schema", "--preset"]), (Some(0), preset_schema()));
    assert!(Path::new(&at("config/preset.schema.json")).exists());
}

#[test]
fn the_readme_shows_the_example() {
    let example = read(&at("config/examples/presets.yaml"));
    let shown: String = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(include_str!("../../../README.md").contains(&shown), "README shows another file");
    assert!(names(&loaded("a.yaml", &example)).contains(&"openai-chat".to_owned()));
    let placed = read(&at("config/examples/places.yaml"));
    let shown = &placed[placed.find("use:").unwrap()..];
    assert!(include_str!("../../../README.md").contains(shown), "README places otherwise");
    // Every preset stands in README's table.
    for (path, _) in presets() {
        assert!(include_str!("../../../README.md").contains(&format!("(config/{path})")), "{path}");
    }
}
