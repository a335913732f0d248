//! Asking a script and hearing its reply.
//!
//! Invariant: a call is handed to the link before the future is returned.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures_util::future::{BoxFuture, FutureExt};
use redis::Value;

use super::bytes::{Reader, Writer};
use super::calls::Frame;
use super::keys::Keys;
use super::known::{Before, Known};
use super::link::{Call, Link, Outcome, What};
use super::scripts::{self, Verb};
use super::settings::Settings;
use crate::credit::{AccountId, Partition};
use crate::ledger::model::{Context, Stop};
use crate::ledger::watch::Watch;
use crate::ledger::{Refusal, Setback, Setbacks};
use crate::seam::{Clock, Timestamp};

/// How long the call that begins the time of grace may take: there are a thousand of them at once.
const RETURNED_MS: u64 = 10_000;

/// What a script may answer, beside what it was asked for.
pub(super) mod status {
    pub(in super::super) const APPLIED: u8 = 0;
    pub(in super::super) const LOST: u8 = 1;
    pub(in super::super) const CLOCK_JUMP: u8 = 3;
    pub(in super::super) const STALE: u8 = 4;
    pub(in super::super) const TICK: u8 = 5;
    pub(in super::super) const UNKNOWN_ACCOUNT: u8 = 6;
    pub(in super::super) const INVALID_KEY: u8 = 7;
    pub(in super::super) const UNKNOWN_CHARGE: u8 = 8;
    pub(in super::super) const ACCOUNT_STATUS: u8 = 9;
    pub(in super::super) const CONFLICT: u8 = 10;
    pub(in super::super) const TOO_OLD: u8 = 11;
    pub(in super::super) const ENDED: u8 = 12;
    pub(in super::super) const RATE_LIMITED: u8 = 13;
    pub(in super::super) const SLOTS_FULL: u8 = 14;
    pub(in super::super) const CAP_EXCEEDED: u8 = 15;
    pub(in super::super) const INSUFFICIENT: u8 = 16;
    pub(in super::super) const EXISTS: u8 = 17;
    pub(in super::super) const TOO_MANY: u8 = 18;
    pub(in super::super) const INVALID: u8 = 19;
    pub(in super::super) const NEWER: u8 = 20;
    pub(in super::super) const ACCOUNT_RESTRICTED: u8 = 21;
    pub(in super::super) const UNKNOWN_JOB: u8 = 22;
}

/// How an error begins by which a script refuses a record that a newer program has written. Scripts raise
/// it before their first write.
const NEWER: &str = "script failed: NEWER ";

/// Which clock decides.
#[derive(Debug)]
enum Time {
    /// The server's own; this one is only compared with it.
    Server(Arc<dyn Clock>),
    /// A clock of tests, on a ledger that was made for tests.
    Test(Mutex<TestTime>),
}

#[derive(Debug)]
struct TestTime {
    watch: Watch,
    mark: Timestamp,
}

/// One core's way to the ledger.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) settings: Arc<Settings>,
    pub(super) keys: Keys,
    pub(super) link: Link,
    time: Time,
    /// What was last said about the ledger as a whole, so that it is said once.
    said: AtomicU8,
    known: Known,
    setbacks: OnceLock<Setbacks>,
}

/// What a script answered.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) status: u8,
    pub(super) now: Timestamp,
    pub(super) grace: bool,
    /// The number of the account's last entry; `None`: the account was not read.
    last: Option<u64>,
    pub(super) body: Vec<u8>,
    /// What came behind the reply, of scripts that answer a list.
    pub(super) more: Vec<Value>,
}

impl Heard {
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader::new(&self.body, "a script's reply")
    }

    /// What the rules decide with, for verbs that are decided here.
    pub(super) const fn context(&self, lease_ms: u64) -> Context {
        Context { now: self.now, grace: self.grace, lease_ms }
    }
}

impl Desk {
    /// On the current runtime.
    pub(super) fn open(settings: Arc<Settings>, clock: Arc<dyn Clock>) -> Self {
        Self::with(settings, clock.clone(), Time::Server(clock), scripts::AS_USED)
    }

    /// For a ledger that was made for tests: `clock` decides.
    pub(super) fn for_tests(
        settings: Arc<Settings>,
        clock: Arc<dyn Clock>,
        make: scripts::Make<'_>,
    ) -> Self {
        let watch = Watch::start(Arc::clone(&clock), settings.lease_ms);
        let time = Time::Test(Mutex::new(TestTime { watch, mark: Timestamp::default() }));
        Self::with(settings, clock, time, make)
    }

    fn with(
        settings: Arc<Settings>,
        clock: Arc<dyn Clock>,
        time: Time,
        make: scripts::Make<'_>,
    ) -> Self {
        let keys = Keys::new(&settings.prefix);
        let returned = returned(keys.clone(), settings.lease_ms, clock);
        let link = Link::open(settings.clone(), &scripts::all(make), returned);
        let said = AtomicU8::new(status::APPLIED);
        let (known, setbacks) = (Known::new(), OnceLock::new());
        Self { settings, keys, link, time, said, known, setbacks }
    }

    /// Setbacks are told there from now on; only the first call counts.
    pub(super) fn tell(&self, setbacks: &Setbacks) {
        drop(self.setbacks.set(setbacks.clone()));
    }

    /// Where setbacks are told.
    pub(super) fn setbacks(&self) -> &Setbacks {
        self.setbacks.get_or_init(Setbacks::default)
    }

    /// On a ledger made for tests, does what a restart does.
    pub(super) fn restart(&self, clock: Arc<dyn Clock>) {
        if let Time::Test(time) = &self.time {
            let mut time = time.lock().unwrap_or_else(PoisonError::into_inner);
            time.watch = Watch::start(clock, self.settings.lease_ms);
        }
    }

    /// Now, as far as it is known here; only good for hints.
    pub(super) fn about_now(&self) -> Result<Timestamp, Stop> {
        let frame = self.frame("")?;
        Ok(frame.test.map_or(frame.clock, |(now, _)| now))
    }

    fn frame<'a>(&self, account: &'a str) -> Result<Frame<'a>, Stop> {
        match &self.time {
            Time::Server(clock) => Ok(Frame { clock: clock.now(), test: None, account }),
            Time::Test(time) => {
                let mut time = time.lock().unwrap_or_else(PoisonError::into_inner);
                let mark = time.mark;
                let context = time.watch.context(mark).ok_or(Refusal::ClockJump)?;
                let test = Some((context.now, context.grace));
                Ok(Frame { clock: context.now, test, account })
            }
        }
    }

    /// Asks about an account. `more` are the keys behind those that every verb has.
    pub(super) fn ask(
        self: &Arc<Self>,
        verb: Verb,
        account: &AccountId,
        more: Vec<Vec<u8>>,
        arg: Result<Vec<u8>, Stop>,
    ) -> BoxFuture<'static, Result<Heard, Stop>> {
        let mut keys = self.keys.all(account);
        keys.extend(more);
        let before = self.known.before(account);
        let heard = self.ask_with(verb, Partition::of(account), keys, account.as_str(), arg);
        let (desk, account) = (Arc::clone(self), account.clone());
        async move {
            let heard = heard.await?;
            desk.compare(before, account, &heard);
            Ok(heard)
        }
        .boxed()
    }

    /// Whether the ledger still knows what it had told of an account before it was asked.
    fn compare(&self, before: Before, account: AccountId, heard: &Heard) {
        let found = match heard.status {
            status::UNKNOWN_ACCOUNT => None,
            _ if heard.last.is_none() => return,
            _ => heard.last,
        };
        if let Some(known) = self.known.found(before, found.unwrap_or_default()) {
            self.setbacks().note(Setback { account, known, found, at: heard.now });
        }
    }

    /// Asks with keys of the caller's choice.
    pub(super) fn ask_with(
        self: &Arc<Self>,
        verb: Verb,
        partition: Partition,
        keys: Vec<Vec<u8>>,
        account: &str,
        arg: Result<Vec<u8>, Stop>,
    ) -> BoxFuture<'static, Result<Heard, Stop>> {
        let framed = self.frame(account).and_then(|frame| Ok(vec![frame.bytes()?, arg?]));
        let args = match framed {
            Ok(args) => args,
            Err(stop) => return std::future::ready(Err(stop)).boxed(),
        };
        let deadlines = &self.settings.deadlines;
        let deadline_ms = match verb {
            Verb::Reserve | Verb::Quote => deadlines.reserve_ms,
            _ => deadlines.other_ms,
        };
        let what = What::Script { script: verb.place(), keys, args };
        let outcome = self.link.run(Call { what, partition, deadline_ms });
        let desk = Arc::clone(self);
        async move { desk.hear(told(outcome.await)?) }.boxed()
    }

    /// Runs a plain command.
    pub(super) fn command(
        &self,
        partition: Partition,
        words: Vec<Vec<u8>>,
    ) -> BoxFuture<'static, Result<Value, Stop>> {
        if let Err(stop) = self.about_now() {
            return std::future::ready(Err(stop)).boxed();
        }
        let deadline_ms = self.settings.deadlines.other_ms;
        let outcome = self.link.run(Call { what: What::Command(words), partition, deadline_ms });
        async move { told(outcome.await) }.boxed()
    }

    fn hear(&self, value: Value) -> Result<Heard, Stop> {
        let (head, more) = match value {
            Value::Array(list) => {
                let mut list = list.into_iter();
                (list.next().unwrap_or(Value::Nil), list.collect())
            }
            other => (other, Vec::new()),
        };
        let Value::BulkString(bytes) = head else { return Err(nonsense(&head)) };
        let mut r = Reader::new(&bytes, "a script's reply");
        let (version, status, now, flags) = (r.byte()?, r.byte()?, r.time()?, r.byte()?);
        let last = r.maybe()?;
        if version != super::records::VERSION {
            return Err(Stop::Broken(format!("a script answers in version {version}")));
        }
        if flags & 1 != 0 {
            self.mark(now);
        }
        let body = r.rest().to_vec();
        let heard = Heard { status, now, grace: flags & 2 != 0, last, body, more };
        self.say(&heard);
        self.whole(&heard)?;
        Ok(heard)
    }

    fn mark(&self, now: Timestamp) {
        if let Time::Test(time) = &self.time {
            time.lock().unwrap_or_else(PoisonError::into_inner).mark = now;
        }
    }

    /// Refusals that are about the whole ledger.
    fn whole(&self, heard: &Heard) -> Result<(), Stop> {
        match heard.status {
            status::LOST => Err(Refusal::Unavailable(lost()).into()),
            status::CLOCK_JUMP => Err(Refusal::ClockJump.into()),
            status::NEWER => Err(Stop::Newer(newer(heard))),
            _ => Ok(()),
        }
    }

    /// The refusal of readers who have found a partition without its record: its data was lost.
    pub(super) fn gone(&self) -> Stop {
        if self.said.swap(status::LOST, Ordering::Relaxed) != status::LOST {
            say_lost();
        }
        Refusal::Unavailable(lost()).into()
    }

    /// Says aloud, once, what has become of the ledger as a whole.
    fn say(&self, heard: &Heard) {
        let now = match heard.status {
            whole @ (status::LOST | status::CLOCK_JUMP | status::NEWER) => whole,
            _ => status::APPLIED,
        };
        if self.said.swap(now, Ordering::Relaxed) == now {
            return;
        }
        match now {
            status::LOST => say_lost(),
            status::CLOCK_JUMP => tracing::error!(
                server = %heard.now,
                "the server's clock and ours are more than five minutes apart; nothing is decided"
            ),
            status::NEWER => tracing::error!(why = newer(heard), "this program is too old"),
            _ => tracing::info!("the ledger decides again"),
        }
    }
}

fn lost() -> String {
    "there is no ledger where one was: its data was lost. Restore it; if it never was there, make one with \
     `tollgate ledger create`"
        .to_owned()
}

fn say_lost() {
    tracing::error!(why = lost(), "the ledger is lost; nothing is decided");
}

fn newer(heard: &Heard) -> String {
    let what = heard.reader().text().map(|text| String::from_utf8_lossy(text).into_owned());
    written_by_newer(&what.unwrap_or_default())
}

/// Why a record is left alone that this program cannot read yet.
pub(super) fn written_by_newer(what: &str) -> String {
    format!("{what} was written by a newer tollgate: update this one")
}

/// The record's name in `charge chg_… script: 0a1b…, on …`.
fn what_of(told: &str) -> &str {
    told.split_once(" script: ").map_or(told, |(what, _)| what)
}

/// An outcome as the rules' stops.
pub(super) fn told(outcome: Outcome) -> Result<Value, Stop> {
    match outcome {
        Outcome::Done(value) => Ok(value),
        Outcome::NotDone(why) => Err(Refusal::Unavailable(why).into()),
        Outcome::Broken(why) => Err(match why.split_once(NEWER) {
            Some((_, told)) => Stop::Newer(written_by_newer(what_of(told))),
            None => Stop::Broken(why),
        }),
        Outcome::Unknown(why) => Err(Stop::Failed(why)),
    }
}

/// An answer that no script gives.
pub(super) fn nonsense(value: &Value) -> Stop {
    let short: String = format!("{value:?}").chars().take(80).collect();
    Stop::Broken(format!("the server answers {short}"))
}

/// The call that gives every lease of a partition time to be renewed after an outage.
fn returned(
    keys: Keys,
    lease_ms: u64,
    clock: Arc<dyn Clock>,
) -> Arc<dyn Fn(Partition) -> Call + Send + Sync> {
    Arc::new(move |partition| {
        let frame = Frame { clock: clock.now(), test: None, account: "" };
        // An empty text is never too long.
        let args =
            vec![frame.bytes().unwrap_or_default(), Writer::default().number(lease_ms).done()];
        let keys = vec![keys.epoch(partition)];
        let what = What::Script { script: Verb::Returned.place(), keys, args };
        Call { what, partition, deadline_ms: RETURNED_MS }
    })
}
