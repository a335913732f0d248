//! A corpus of requests that try to be two things, in front of real servers that write down what they get.
//!
//! Of each case: the answers are as expected; whatever an upstream saw was charged once, or is free by
//! declaration; the request that hides in it is never seen; the connection is not used after doubt.

mod answers;
mod corpus;
mod servers;

use serde_json::Value;

use corpus::{Case, End, read, request};
use servers::{Nginx, Node, Server};

use super::processes::Site;
use super::wire::{Reply, Wire};
use super::world::{DUBBING, IMAGES, Payer, World, until};

/// Where free requests go; `hidden` is served, but asked for only within other requests.
const FREE: [&str; 3] = ["/v1/models", "/v1/probe", "/v1/first"];

/// Who sends a case, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// On a connection of its own; a good request follows when the answers have come.
    Alone,
    /// Behind a good request on the same connection, with another one right behind it.
    Between,
}

/// One gateway in front of one server.
struct Scene<'a> {
    world: World,
    server: &'a dyn Server,
    /// The last mark in what the server writes.
    mark: String,
    /// How many answers were refusals of each code.
    refused: std::collections::BTreeMap<String, u64>,
}

fn world(server: &dyn Server) -> World {
    let url = format!("url: http://{}", server.addr());
    let free = |name: &str, line: &str| {
        format!("  - {{ name: {name}, match: {line}, upstream: sample, free: true }}\n")
    };
    let routes = format!(
        "{}{}{}{}  - {{ name: models",
        free("peek", "HEAD /v1/models"),
        free("first", "GET /v1/first"),
        free("probe", "GET /v1/probe"),
        free("hidden", "GET /v1/hidden"),
    );
    World::start(&[
        ("url: UPSTREAM", &url),
        ("  - { name: models", &routes),
        ("head: 5s, body: 2s", "head: 1s, body: 1s"),
    ])
}

impl Scene<'_> {
    /// Sends a case and judges what came of it.
    fn play(&mut self, case: &Case, way: Way) {
        let name = format!("{} ({way:?})", case.name);
        let payer = self.world.payer("crowded", "100");
        let probe = request("GET", "/v1/probe", &payer.key) + "\r\n";
        let mut wire = self.world.wire();
        let mut bytes = case.bytes(&payer.key);
        if way == Way::Between {
            let first = request("GET", "/v1/first", &payer.key) + "\r\n";
            wire.write(first.as_bytes());
            assert_eq!(wire.reply().unwrap().status, 200, "{name}");
        }
        let at_once = way == Way::Between && case.end != End::Late;
        if at_once {
            bytes.extend(probe.bytes());
        }
        wire.write(&bytes);
        let replies = self.answers(&name, case, &mut wire);
        if !at_once {
            wire.write(probe.as_bytes());
        }
        match (case.end, wire.reply()) {
            (End::Live, Some(reply)) => assert_eq!(reply.status, 200, "{name}: {}", reply.text()),
            (End::Live, None) => panic!("{name}: the connection was closed"),
            (_, None) => {}
            (_, Some(reply)) => {
                panic!("{name}: used after doubt: {} {}", reply.status, reply.text())
            }
        }
        self.judge(&name, case, way, &payer, &replies);
    }

    /// The answers, which must be those of the case.
    fn answers(&mut self, name: &str, case: &Case, wire: &mut Wire) -> Vec<Reply> {
        let mut replies = Vec::new();
        for answer in &case.answers {
            let reply = if answer.to_head { wire.reply_to_head() } else { wire.reply() };
            let so_far: Vec<u16> = replies.iter().map(|reply: &Reply| reply.status).collect();
            let reply = reply.unwrap_or_else(|| panic!("{name}: {so_far:?} and no more"));
            assert_eq!(reply.status, answer.status, "{name}, after {so_far:?}: {}", reply.text());
            if reply.status >= 400 {
                self.refusal(name, &reply);
            }
            replies.push(reply);
        }
        let last = replies.last().unwrap();
        if last.status >= 400 && case.end != End::Live {
            assert_eq!(last.header("connection"), Some("close"), "{name}: says no end");
        }
        replies
    }

    /// Every refusal has our body and an id.
    fn refusal(&mut self, name: &str, reply: &Reply) {
        let (_, code) = reply.problem();
        assert!(!code.is_empty() && reply.whole, "{name}: {}", reply.text());
        let id = reply.header("request-id").unwrap_or_default();
        assert!(id.starts_with("req_"), "{name}: {reply:?}");
        assert_eq!(reply.json()["instance"], id, "{name}");
        *self.refused.entry(code).or_default() += 1;
    }

    /// What the server saw is what was charged, or free; and nothing that was hidden.
    fn judge(&mut self, name: &str, case: &Case, way: Way, payer: &Payer, replies: &[Reply]) {
        let ended = |charge: &Value| charge["ended"].is_string() || charge["status"] != "held";
        until("nothing is held", || {
            self.world.purse(payer).held == "0" && self.world.charges(payer).iter().all(ended)
        });
        let mark = format!("/mark/{}", payer.account);
        let new = self.server.between(&self.mark, &mark);
        self.mark = mark;
        let of = |path: &str| new.iter().filter(|seen| seen.path == path).count();
        let (paid, free) =
            (of(IMAGES) + of(DUBBING), FREE.iter().map(|path| of(path)).sum::<usize>());
        assert_eq!(paid + free, new.len(), "{name}: something else was seen: {new:#?}");
        for seen in &new {
            assert!(
                !seen.headers.contains("hidden") && !seen.target.contains("hidden"),
                "{seen:?}"
            );
            let raw = seen.target.split('?').next().unwrap();
            assert_eq!(seen.path, raw, "{name}: priced as one path and served as another");
        }
        let first = usize::from(way == Way::Between);
        let probes = usize::from(case.end == End::Live);
        assert_eq!((of("/v1/first"), of("/v1/probe")), (first, probes), "{name}: {new:#?}");
        let charges = self.world.charges(payer);
        let charged = charges.iter().filter(|charge| charge["charged"] != "0").count();
        assert!(paid <= charges.len(), "{name}: {paid} seen, {charges:#?}");
        assert!(charged <= paid, "{name}: {charged} charged, {new:#?}");
        let passed = replies.iter().filter(|reply| reply.status == 200).count();
        let finished = new.iter().filter(|seen| seen.length.is_some()).count();
        assert_eq!(finished, passed + first + probes, "{name}: {new:#?}");
        let worked =
            new.iter().filter(|seen| seen.length.is_some() && !FREE.contains(&&*seen.path));
        assert_eq!(charged, worked.count(), "{name}: {charges:#?} for {new:#?}");
    }

    /// Each refusal is among the decisions.
    fn counted(&self) {
        let ask = super::wire::Ask::new("GET", "/metrics").key(super::world::TOKEN);
        let text = self.world.operator(&ask).ok().text();
        for (code, count) in &self.refused {
            let label = format!("code=\"{code}\"");
            let lines = text.lines().filter(|line| {
                line.starts_with("tollgate_decisions_total{") && line.contains(&label)
            });
            let sum: u64 =
                lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
            assert_eq!(sum, *count, "{code}");
        }
    }
}

/// Sends every case both ways to a gateway in front of `server`.
fn corpus(server: &dyn Server) {
    let cases = read();
    assert_eq!(cases.len(), 261, "the corpus has changed");
    let refused = std::collections::BTreeMap::new();
    let mut scene = Scene { world: world(server), server, mark: String::new(), refused };
    let only = std::env::var("SMUGGLING").unwrap_or_default();
    for case in cases.iter().filter(|case| case.name.contains(&only)) {
        for way in [Way::Alone, Way::Between] {
            scene.play(case, way);
        }
    }
    scene.counted();
    println!("smuggling: {} cases, each in two ways; {:?}", cases.len(), scene.refused);
}

#[test]
fn nothing_slips_through_to_nginx() {
    corpus(&Nginx::start());
}

#[test]
fn nothing_slips_through_to_node() {
    corpus(&Node::start());
}

#[test]
fn what_runs_is_answered_before_what_is_refused() {
    let world = World::start(&[("head: 5s", "head: 1s")]);
    let maria = world.payer("studio", "10");
    let slow = maria.images(1, "low").sample("hang=2").bytes();
    let twice = request("GET", "/v1/models", &maria.key) + "Host: other\r\n\r\n";
    let half = request("GET", "/v1/models", &maria.key);
    // The second head is refused long before the first answer comes: at once, or when its time is over.
    for (behind, status) in [(twice.as_str(), 400), (half.as_str(), 408)] {
        let mut wire = world.wire();
        wire.write(&[&slow, behind.as_bytes()].concat());
        let statuses: Vec<u16> = wire.until_closed().iter().map(|reply| reply.status).collect();
        assert_eq!(statuses, [200, status]);
    }
    assert_eq!((world.forwarded(), world.charges(&maria).len()), (2, 2));
}

#[test]
fn what_is_refused_is_told_in_the_log_without_what_it_said() {
    let site = Site::new();
    let mut proxy = site.start();
    let mut wire = Wire::open(proxy.data);
    wire.write(b"GET /canary HTTP/1.1\r\nHost: canary\r\nHost: canary\r\nX: canary\r\n\r\n");
    let reply = wire.until_closed().remove(0);
    assert_eq!(reply.problem(), (400, "bad_request".to_owned()));
    let id = reply.header("request-id").unwrap();
    proxy.process.signal(rustix::process::Signal::TERM);
    assert_eq!(proxy.process.wait(), Some(0));
    let told = proxy.process.told();
    let lines = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let about: Vec<Value> = lines.filter(|line| line["request"] == id).collect();
    let line = about.iter().find(|line| line["status"] == 400).unwrap_or_else(|| panic!("{told}"));
    assert_eq!((&line["code"], &line["path"]), (&"bad_request".into(), &"-".into()));
    assert!(about.iter().any(|line| line["why"] == "it has two hosts"), "{about:?}");
    assert!(!told.contains("canary"), "{told}");
}
