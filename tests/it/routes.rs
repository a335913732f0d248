//! Which route a request is, against a matcher so simple that it is plainly right; and paths that try to
//! reach a priced route's work by way of a free one.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tollgate::meter::{
    Dialect, Found, Host, Route, RouteError, RouteTable, Rules, Ways, Work, canonical,
};

fn table(paths: &[String]) -> Result<RouteTable, Vec<RouteError>> {
    let anywhere: Vec<_> = paths.iter().map(|path| (Vec::new(), path.clone())).collect();
    hosted(&anywhere)
}

/// Hosts and a path.
type Declared = (Vec<String>, String);

fn hosted(routes: &[Declared]) -> Result<RouteTable, Vec<RouteError>> {
    let route = |(number, (hosts, path)): (usize, &Declared)| {
        Arc::new(Route {
            name: format!("r{number}").parse().unwrap(),
            feature: None,
            method: Method::POST,
            path: path.clone(),
            prefix: String::new(),
            hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            upstream: 0,
            work: Work::Free,
            body_limit: 0,
            dialect: Dialect::Openai,
            identity: Ways::ALL,
            pass: false,
            websocket: None,
            touch: None,
            rewrite: Default::default(),
        })
    };
    let rules = Rules {
        free_accounts: 2,
        packs: Vec::new(),
        revision: String::new(),
        routes: routes.iter().enumerate().map(route).collect(),
        jobs: Vec::new(),
        plans: Vec::new(),
        dialect: Dialect::Openai,
        identity: Default::default(),
    };
    RouteTable::new(&rules)
}

fn found(table: &RouteTable, path: &str) -> Option<String> {
    match table.find(None, &Method::POST, path) {
        Found::Route(route, _) => Some(route.path.clone()),
        Found::OtherMethod | Found::None => None,
    }
}

/// How specific each segment is where `template` matches `path`: whether by a catch-all, then for each
/// segment 0 text, 1 a capture, 2 the rest.
fn specific(template: &str, path: &str) -> Option<(bool, Vec<u8>)> {
    let mut ranks = Vec::new();
    let mut segments = path[1..].split('/');
    for part in template[1..].split('/') {
        let segment = segments.next()?;
        match part {
            "{*rest}" => {
                ranks.push(2);
                return Some((true, ranks));
            }
            _ if part.starts_with('{') => ranks.push(1),
            _ if part == segment => ranks.push(0),
            _ => return None,
        }
    }
    segments.next().is_none().then_some((false, ranks))
}

fn templates() -> impl Strategy<Value = Vec<String>> {
    let part = prop_oneof![3 => Just("a"), 3 => Just("b"), 2 => Just("{x}")];
    let template = (prop::collection::vec(part, 0..4), any::<bool>()).prop_map(|(parts, rest)| {
        let mut text = String::new();
        for (number, part) in parts.iter().enumerate() {
            text += &format!("/{}", part.replace('x', &format!("x{number}")));
        }
        if rest || parts.is_empty() { text + "/{*rest}" } else { text }
    });
    prop::collection::btree_set(template, 1..8)
        .prop_map(|set: BTreeSet<_>| set.into_iter().collect())
        .prop_shuffle()
}

#[test]
fn most_specific_wins() {
    const CASES: u32 = 500;
    let seed = std::env::var("TOLLGATE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(20_261_122);
    println!("TOLLGATE_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut paths = Vec::new();
    for first in ["/a", "/b", "/c"] {
        paths.push(first.to_owned());
        for second in ["/a", "/b", "/c"] {
            paths.push(format!("{first}{second}"));
            for third in ["/a", "/b", "/c", "/a/b", "/c/c"] {
                paths.push(format!("{first}{second}{third}"));
            }
        }
    }
    let [tried, matched, refused] = [const { std::cell::Cell::new(0) }; 3];
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
        .run(&templates(), |templates| {
            let Ok(table) = table(&templates) else {
                // Two catch-alls, one of them behind a capture where the other begins.
                let rests = templates.iter().filter(|template| template.contains('*')).count();
                prop_assert!(rests > 1);
                refused.set(refused.get() + 1);
                return Ok(());
            };
            for path in &paths {
                let ranked = templates.iter().filter_map(|t| Some((specific(t, path)?, t.clone())));
                let best = ranked.min().map(|(_, template)| template);
                matched.set(matched.get() + u32::from(best.is_some()));
                prop_assert_eq!(found(&table, path), best, "{} in {:?}", path, templates);
                tried.set(tried.get() + 1);
            }
            Ok(())
        })
        .unwrap();
    println!(
        "{} look-ups, {} matched, {} tables refused",
        tried.get(),
        matched.get(),
        refused.get()
    );
    assert!(refused.get() < CASES / 3);
    assert!(tried.get() > 20_000 && matched.get() > 5_000);
}

/// Other spellings of `path` that some back end serves as `path` itself.
fn spellings(path: &str) -> Vec<String> {
    let last = path.rfind('/').unwrap_or(0);
    let (head, tail) = path.split_at(last);
    let tail = &tail[1..];
    let encoded = |byte: u8| format!("%{byte:02X}");
    let mut list: Vec<String> = vec![
        path.to_uppercase(),
        format!("{path}/"),
        format!("{path}//"),
        format!("/{path}"),
        format!("/.{path}"),
        format!("/x/..{path}"),
        format!("/x/%2E%2E{path}"),
        format!("/x/%2e%2e{path}"),
        format!("/x/..;{path}"),
        format!("/x/%252e%252e{path}"),
        format!("/x\\..{path}"),
        format!("/x/..%2F{}", &path[1..]),
        format!("/x/..%5C{}", &path[1..]),
        format!("/x/%C0%AE%C0%AE{path}"),
        format!("{path}/."),
        format!("{path}/x/.."),
        format!("{path}."),
        format!("{path};x=y"),
        format!("{path}%3B"),
        format!("{path}%00"),
        format!("{path}%00.png"),
        format!("{path}%0A"),
        format!("{path}#x"),
        format!("{path}?x"),
        format!("{path} "),
        format!("{path}\t"),
        format!("{head}//{tail}"),
        format!("{head}/./{tail}"),
        format!("{head}%2F{tail}"),
        format!("{head}%2f{tail}"),
        format!("{head}\\{tail}"),
        format!("{head}%5C{tail}"),
        format!("{head};x/{tail}"),
        path.replace('/', "//"),
        path.replace('/', "/./"),
        path.replace(':', "%3A"),
        path.replace(':', "%3a"),
    ];
    for (at, byte) in path.bytes().enumerate().skip(1) {
        let (before, after) = (&path[..at], &path[at + 1..]);
        list.push(format!("{before}{}{after}", encoded(byte)));
        list.push(format!("{before}{}{after}", encoded(byte).to_lowercase()));
        list.push(format!("{before}%25{byte:02X}{after}"));
        list.push(format!("{before}{}{after}", char::from(byte).to_ascii_uppercase()));
    }
    list.retain(|spelling| spelling != path);
    list
}

#[test]
fn no_spelling_slips_past_a_price() {
    let priced = [
        "/v1/images/generations",
        "/v1/audio",
        "/v1beta/models/{model}:generateContent",
        "/v1/videos/{id}/remix",
    ];
    let asked = [
        "/v1/images/generations",
        "/v1/audio",
        "/v1beta/models/g:generateContent",
        "/v1/videos/7/remix",
    ];
    let mut paths: Vec<_> = priced.iter().map(|&path| path.to_owned()).collect();
    paths.extend(["/v1/videos/{id}", "/v1beta/models/{model}", "/v1/{*rest}"].map(str::to_owned));
    let table = table(&paths).unwrap();
    let mut cases = 0;
    for (priced, asked) in priced.iter().zip(asked) {
        assert_eq!(found(&table, asked).as_deref(), Some(*priced));
        for spelling in spellings(asked) {
            cases += 1;
            let passes = canonical(&spelling).ok().and_then(|()| found(&table, &spelling));
            let same = passes.as_deref().is_none_or(|route| route == *priced);
            assert!(same, "{spelling} is {passes:?}");
        }
    }
    println!("{cases} spellings");
    assert!(cases >= 400, "{cases}");
}

/// How specific a pattern is where it matches a host: whether by the whole name, how long what it says of it is,
/// whether it says the port; the most specific is the largest. Nothing said is the smallest.
fn fits(pattern: Option<&str>, (name, port): (&str, u16)) -> Option<(bool, usize, bool)> {
    let Some(pattern) = pattern else { return Some((false, 0, false)) };
    let (host, wanted) = match pattern.split_once(':') {
        Some((host, wanted)) => (host, Some(wanted.parse::<u16>().unwrap())),
        None => (pattern, None),
    };
    if wanted.is_some_and(|wanted| wanted != port) {
        return None;
    }
    match host.strip_prefix('*') {
        Some(rest) => name.ends_with(rest).then_some((false, rest.len(), wanted.is_some())),
        None => (host == name).then_some((true, host.len(), wanted.is_some())),
    }
}

#[test]
fn the_most_specific_host_that_has_the_path_wins() {
    const NAMES: [&str; 8] = ["x", "a.x", "b.x", "a.a.x", "b.a.x", "*.x", "*.a.x", "*.b.x"];
    let pattern = (prop::sample::select(&NAMES[..]), prop::option::of(1_u16..3));
    let pattern = pattern.prop_map(|(name, port)| match port {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    });
    let pattern = prop_oneof![1 => Just(None), 6 => pattern.prop_map(Some)];
    let path = prop::sample::select(&["/p", "/q"][..]);
    let routes = prop::collection::btree_set((pattern, path), 1..12)
        .prop_map(|set| set.into_iter().collect::<Vec<_>>())
        .prop_shuffle();
    let [tried, matched] = [const { std::cell::Cell::new(0) }; 2];
    let config = Config { cases: 500, failure_persistence: None, ..Config::default() };
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    TestRunner::new_with_rng(config, seed)
        .run(&routes, |routes| {
            let declared: Vec<Declared> = routes
                .iter()
                .map(|(host, path)| (host.iter().cloned().collect(), (*path).to_owned()))
                .collect();
            let table = hosted(&declared).unwrap();
            let hosts = ["x", "a.x", "b.x", "c.x", "a.a.x", "c.a.x", "c.b.x", "a.b.a.x", "ax", "y"];
            for (name, port) in hosts.iter().flat_map(|name| [1, 2, 3].map(|port| (*name, port))) {
                let host = Host::read(&format!("{}.:{port}", name.to_uppercase()), 80);
                for path in ["/p", "/q"] {
                    let of_path = routes.iter().enumerate().filter(|(_, (_, own))| *own == path);
                    let ranked = of_path.filter_map(|(number, (pattern, _))| {
                        Some((fits(pattern.as_deref(), (name, port))?, number))
                    });
                    let best = ranked.max().map(|(_, number)| format!("r{number}"));
                    let found = match table.find(host.as_ref(), &Method::POST, path) {
                        Found::Route(route, _) => Some(route.name.to_string()),
                        Found::OtherMethod | Found::None => None,
                    };
                    matched.set(matched.get() + u32::from(best.is_some()));
                    tried.set(tried.get() + 1);
                    prop_assert_eq!(found, best, "{}:{} {} in {:?}", name, port, path, &routes);
                }
            }
            Ok(())
        })
        .unwrap();
    println!("{} look-ups, {} matched", tried.get(), matched.get());
    assert!(tried.get() > 20_000 && matched.get() > 8_000);
}

#[test]
fn what_slips_past_one_hosts_routes_does_not_fall_to_anothers() {
    let declared = |hosts: &[&str], path: &str| {
        (hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>(), path.to_owned())
    };
    let table = hosted(&[
        declared(&["a.x", "*.b.x"], "/v1/images"),
        declared(&[], "/v1/{*rest}"),
        declared(&["b.x"], "/v1/other"),
    ])
    .unwrap();
    let found = |host: &str, path: &str| match table.find(
        Host::read(host, 80).as_ref(),
        &Method::POST,
        path,
    ) {
        Found::Route(route, _) => route.name.to_string(),
        Found::OtherMethod => "other method".to_owned(),
        Found::None => "none".to_owned(),
    };
    for (host, path, expected) in [
        ("a.x", "/v1/images", "r0"),
        ("c.b.x", "/v1/images", "r0"),
        ("b.x", "/v1/images", "r1"),
        ("y", "/v1/images", "r1"),
        ("not a host", "/v1/images", "r1"),
        ("a.x", "/v1/video", "r1"),
        // A lenient server behind the route for any host would take these for images.
        ("a.x", "/v1/Images", "other method"),
        ("a.x", "/v1/images/", "other method"),
        ("b.x", "/v1/Images", "r1"),
    ] {
        let told = found(host, path);
        let refused = expected == "other method" && (told == "none" || told == expected);
        assert!(told == expected || refused, "{host} {path}: {told}");
    }
    let twice = [
        declared(&["a.x", "b.x"], "/v1/a"),
        declared(&["c.x", "B.X."], "/v1/{x}"),
        declared(&["b.x:80"], "/v1/a"),
    ];
    assert!(hosted(&twice).is_ok());
    let both = [declared(&["a.x", "b.x"], "/v1/{a}"), declared(&["c.x", "B.X."], "/v1/{b}")];
    let errors = hosted(&both).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "route r1: the path matches the same requests as that of route r0"
    );
}
