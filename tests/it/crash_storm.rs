//! kill -9 at random moments under load, again and again on the same folder.
//!
//! After each kill the folder is copied and read: which holds are open, and which of them the journal marks
//! as forwarded. The next start must come to exactly that, and so must the books at the end.
//!
//! `TOLLGATE_CRASH_SEED` chooses the seed; the moments of the kills are the machine's own all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tollgate::credit::ChargeId;
use tollgate::ledger::embedded::{EmbeddedLedger, Settings};
use tollgate::ledger::{ChargeRecord, ChargeState, Gates, Ledger};
use tollgate::seam::{Clock, Entropy, SeededEntropy, SystemClock, thread};

use super::audit::{Seen, Sent, audit, books};
use super::crash::{CHAT, DUBBING, IMAGES, body, headers};
use super::ledger_stream::replay::Replay;
use super::ledger_world::{ok, wait};
use super::processes::{Proxy, Reply, Site, ask};

/// How a storm blows.
struct Weather {
    kills: usize,
    clients: usize,
    /// The longest that the proxy lives, in milliseconds.
    life_ms: u64,
    /// What clients ask for.
    wishes: &'static [Wish],
}

/// A path, what the upstream is told, and whose key is shown.
type Wish = (&'static str, &'static str, Purse);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purse {
    Full,
    Empty,
    Wrong,
}

/// JSON and streams, short and long, good and bad.
const MIXED: &[Wish] = &[
    (IMAGES, "", Purse::Full),
    (IMAGES, "hang=0.05", Purse::Full),
    (IMAGES, "slow=10", Purse::Full),
    (IMAGES, "fail", Purse::Full),
    (IMAGES, "cut", Purse::Full),
    (DUBBING, "", Purse::Full),
    (DUBBING, "hang=0.1", Purse::Full),
    (CHAT, "", Purse::Full),
    (CHAT, "slow=5", Purse::Full),
    (CHAT, "slow=20", Purse::Full),
    (CHAT, "cut", Purse::Full),
    (IMAGES, "", Purse::Empty),
    (CHAT, "", Purse::Wrong),
];
/// As many commits as possible.
const QUICK: &[Wish] =
    &[(IMAGES, "", Purse::Full), (DUBBING, "", Purse::Full), (IMAGES, "", Purse::Empty)];

#[test]
fn killed_at_random_under_mixed_load() {
    storm(&Weather { kills: 64, clients: 8, life_ms: 250, wishes: MIXED });
}

#[test]
fn killed_at_random_during_commits() {
    storm(&Weather { kills: 40, clients: 16, life_ms: 250, wishes: QUICK });
}

fn storm(weather: &Weather) {
    let seed = std::env::var("TOLLGATE_CRASH_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| SystemClock.now().0);
    println!("TOLLGATE_CRASH_SEED={seed}");
    let chance = Arc::new(Chance(SeededEntropy::new(seed)));
    let site = Site::new();
    let mut proxy = site.start();
    let full = (0..4).map(|n| proxy.account(&format!("acct_{n}"), 1_000_000)).collect();
    let crowd = Arc::new(Crowd {
        full,
        empty: proxy.account("acct_empty", 0),
        at: Mutex::new(Some(proxy.data)),
        over: AtomicBool::new(false),
        serial: AtomicU64::new(0),
        wishes: weather.wishes,
        chance: Arc::clone(&chance),
    });
    let clients: Vec<_> = (0..weather.clients)
        .map(|n| {
            let crowd = Arc::clone(&crowd);
            thread(&format!("client-{n}"), move || crowd.client()).unwrap()
        })
        .collect();
    let mut expected = Expected::default();
    for _ in 0..weather.kills {
        std::thread::sleep(Duration::from_millis(1 + chance.below(weather.life_ms)));
        *crowd.at.lock().unwrap() = None;
        proxy.process.kill();
        let found = Expected::of(&site);
        proxy = site.start();
        assert_eq!(proxy.recovered(), found.counts(), "recovery sees what lies in the folder");
        expected.add(found);
        *crowd.at.lock().unwrap() = Some(proxy.data);
    }
    crowd.over.store(true, Ordering::SeqCst);
    let sent: Vec<Sent> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    finish(&site, proxy, weather, &sent, &expected);
}

fn finish(site: &Site, proxy: Proxy, weather: &Weather, sent: &[Sent], expected: &Expected) {
    for n in 0..4 {
        proxy.settled(&format!("acct_{n}"));
    }
    proxy.stop();
    let found = audit(site, sent);
    expected.check(&books(site));
    let lines = streamed(site, sent.len());
    let seen = |seen: fn(&Seen) -> bool| sent.iter().filter(|sent| seen(&sent.seen)).count();
    let (whole, lost) = (seen(|it| matches!(it, Seen::Whole(_))), seen(|it| *it == Seen::Lost));
    let refused = seen(|it| matches!(it, Seen::Refused(_)));
    let (released, unknown) = expected.counts();
    println!(
        "{} kills, {} requests: {whole} answered, {refused} refused, {lost} lost to their clients; \
         recovered: {released} released, {unknown} unknown; {lines} lines; {found:?}",
        weather.kills,
        sent.len(),
    );
    assert!(sent.len() > weather.kills * 5, "there was a load");
    assert!(whole > weather.kills && refused > 0 && unknown > 0);
    assert!(found.settled > 0 && found.by_deadline >= usize::try_from(unknown).unwrap());
}

/// What the stream's files say is what the ledger says, each line once. The answer is how many there are.
fn streamed(site: &Site, sent: usize) -> usize {
    let replay = Replay::of(&[&site.data().join("ledger-stream")]);
    let settings = Settings::at(site.data().join("ledger.redb"));
    let ledger = EmbeddedLedger::open(&settings, Arc::new(SystemClock)).unwrap();
    let accounts: Vec<_> =
        ok(wait(ledger.accounts(None, 100))).into_iter().map(|document| document.account).collect();
    let buckets = replay.agrees_about(&ledger, &accounts, 0);
    assert!(buckets >= 4 && replay.repeats == 0 && replay.raw.is_empty());
    assert!(replay.lines.len() > sent / 10, "{} lines of {sent} requests", replay.lines.len());
    replay.lines.len()
}

/// What clients share.
struct Crowd {
    full: Vec<String>,
    empty: String,
    /// Where the proxy is; `None` while it is dead.
    at: Mutex<Option<SocketAddr>>,
    over: AtomicBool,
    serial: AtomicU64,
    wishes: &'static [Wish],
    chance: Arc<Chance>,
}

impl Crowd {
    /// Asks until it is over. The answer is what was sent.
    fn client(&self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while !self.over.load(Ordering::SeqCst) {
            let at = *self.at.lock().unwrap();
            let Some(at) = at else {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            };
            let serial = self.serial.fetch_add(1, Ordering::SeqCst) + 1;
            let (path, told, purse) = *self.chance.one_of(self.wishes);
            let key = match purse {
                Purse::Full => self.chance.one_of(&self.full),
                Purse::Empty => &self.empty,
                Purse::Wrong => "tk_wrong",
            };
            let bearer = format!("Bearer {key}");
            let body = body(serial, path == CHAT);
            let seen = seen(ask(at, "POST", path, &headers(&bearer, told), &body));
            if purse != Purse::Full {
                assert!(matches!(seen, Seen::Lost | Seen::Refused(_)), "{serial}: {seen:?}");
            }
            sent.push(Sent { serial, seen });
        }
        sent
    }
}

/// What a client got, by its answer.
pub(crate) fn seen(reply: std::io::Result<Reply>) -> Seen {
    let Ok(reply) = reply else { return Seen::Lost };
    if reply.head.contains("credits-held:") {
        Seen::Whole(reply.status)
    } else if reply.body.contains(r#""hold":"kept""#) {
        Seen::InDoubt
    } else {
        assert!(reply.status >= 400, "{reply:?}");
        Seen::Refused(reply.status)
    }
}

/// Random choices of many threads.
pub(crate) struct Chance(pub(crate) SeededEntropy);

impl Chance {
    pub(crate) fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes).unwrap();
        u64::from_le_bytes(bytes) % bound
    }

    pub(crate) fn one_of<'a, T>(&self, all: &'a [T]) -> &'a T {
        let bound = u64::try_from(all.len()).unwrap();
        &all[usize::try_from(self.below(bound)).unwrap()]
    }
}

/// What a dead proxy's folder says: holds without a mark and with one.
#[derive(Default)]
struct Expected {
    unmarked: BTreeSet<ChargeId>,
    marked: BTreeSet<ChargeId>,
}

impl Expected {
    /// Reads a copy of the folder: opening the file would repair it, and that is the next start's work.
    fn of(site: &Site) -> Self {
        let copy = tempfile::tempdir().unwrap();
        let mut marks = BTreeSet::new();
        for entry in std::fs::read_dir(site.data()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                continue;
            }
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
            if entry.file_name().to_string_lossy().starts_with("journal-") {
                read_marks(&std::fs::read_to_string(entry.path()).unwrap(), &mut marks);
            }
        }
        let settings = Settings::at(copy.path().join("ledger.redb"));
        let ledger = EmbeddedLedger::open(&settings, Arc::new(SystemClock)).unwrap();
        let accounts = ok(wait(ledger.accounts(None, 100)));
        let open = accounts
            .into_iter()
            .flat_map(|document| ok(wait(ledger.view(document.account, Gates::default()))).open);
        let held = open.filter(|open| open.state == ChargeState::Held).map(|open| open.charge);
        let (marked, unmarked) = held.partition(|charge| marks.contains(charge));
        Self { unmarked, marked }
    }

    fn counts(&self) -> (u64, u64) {
        let count = |set: &BTreeSet<_>| u64::try_from(set.len()).unwrap();
        (count(&self.unmarked), count(&self.marked))
    }

    fn add(&mut self, other: Self) {
        self.unmarked.extend(other.unmarked);
        self.marked.extend(other.marked);
    }

    /// The end that each of them must have come to.
    fn check(&self, charges: &BTreeMap<u64, Vec<ChargeRecord>>) {
        let all: BTreeMap<_, _> = charges.values().flatten().map(|it| (it.charge, it)).collect();
        for id in &self.unmarked {
            let charge = all[id];
            assert!(charge.state == ChargeState::Released && !charge.by_deadline, "{charge:?}");
        }
        for id in &self.marked {
            assert!(all[id].by_deadline, "{:?}", all[id]);
        }
    }
}

fn read_marks(text: &str, marks: &mut BTreeSet<ChargeId>) {
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let charge = || words[1].parse().unwrap();
        match words[0] {
            "forwarding" => _ = marks.insert(charge()),
            "done" => _ = marks.remove(&charge()),
            // Which boot of the machine the file is of: kills do not change it.
            "boot" => {}
            other => panic!("{other} in the journal"),
        }
    }
}
