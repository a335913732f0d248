//! Which route a request is, against a matcher so simple that it is plainly right; and paths that try to
//! reach a priced route's work by way of a free one.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tollgate::meter::{
    Dialect, Found, Route, RouteError, RouteTable, Rules, Ways, Work, canonical,
};

fn table(paths: &[String]) -> Result<RouteTable, Vec<RouteError>> {
    let route = |(number, path): (usize, &String)| {
        Arc::new(Route {
            name: format!("r{number}").parse().unwrap(),
            feature: None,
            method: Method::POST,
            path: path.clone(),
            upstream: 0,
            work: Work::Free,
            body_limit: 0,
            dialect: Dialect::Openai,
            identity: Ways::ALL,
            pass: false,
            touch: None,
            rewrite: Default::default(),
        })
    };
    let rules = Rules {
        free_accounts: 2,
        packs: Vec::new(),
        revision: String::new(),
        routes: paths.iter().enumerate().map(route).collect(),
        jobs: Vec::new(),
        plans: Vec::new(),
        dialect: Dialect::Openai,
        identity: Default::default(),
    };
    RouteTable::new(&rules)
}

fn found(table: &RouteTable, path: &str) -> Option<String> {
    match table.find(&Method::POST, path) {
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
