//! Many calls of the rare verbs are under way at the moment when primaries die: who does not hear an answer asks again,
//! and each call counts once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tollgate::credit::{AccountId, Amount, BucketId, Class, Paid, Partition, Standing};
use tollgate::ledger::redis::{Deadlines, RedisLedger, Settings};
use tollgate::ledger::*;
use tollgate::seam::thread;

use crate::ledger_cluster::{Caller, caller, slot_of};
use crate::ledger_redis::{cluster_settings, make, open_served, sentinel_settings};
use crate::ledger_world::{credits, kind, ok, wait};
use crate::redis_server::cluster::RedisCluster;
use crate::redis_server::sentinels::Sentinels;
use crate::redis_server::wait_until;

/// How many accounts there are.
const ACCOUNTS: usize = 12;
/// How many calls of each verb each of them makes.
const EACH: usize = 8;
/// How many calls are under way at once.
const AT_ONCE: usize = 96;
/// How long a call waits for its answer, and how many are to wait in vain.
const WAITS_MS: u64 = 200;
const IN_VAIN: usize = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// What is asked again until there is an answer.
#[derive(Clone)]
enum Call {
    Grant(Grant),
    Refund(Refund),
    Adjust(Adjust),
    Withdraw(Withdraw),
    Freeze(Freeze),
    Claim(FreeClaim),
    Change(AccountChange),
}

impl Call {
    /// The answer as text, without what may differ between a call and its repetition.
    fn ask(&self, ledger: &RedisLedger) -> BoxFuture<'static, Answer<String>> {
        fn told<T: Send + 'static>(
            reply: Reply<T>,
            text: fn(T) -> String,
        ) -> BoxFuture<'static, Answer<String>> {
            async move { reply.await.map(text) }.boxed()
        }
        match self.clone() {
            Self::Grant(call) => told(ledger.grant(call), |it| it.bucket.granted.to_string()),
            Self::Refund(call) => told(ledger.refund(call), |it| format!("refunded {}", it.amount)),
            Self::Adjust(call) => told(ledger.adjust(call), |it| format!("held {}", it.held)),
            Self::Withdraw(call) => {
                told(ledger.withdraw(call), |it| format!("{:?} {}", it.money, it.bucket.voided))
            }
            Self::Freeze(call) => told(ledger.freeze(call), |it| format!("{:?}", it.standing)),
            Self::Claim(call) => told(ledger.claim_free(call), |it| format!("claimed {it}")),
            Self::Change(call) => told(ledger.change_account(call), |it| it.label),
        }
    }
}

/// How far the crowd has come.
#[derive(Debug, Default)]
struct Counts {
    done: AtomicUsize,
    unknown: AtomicUsize,
    unavailable: AtomicUsize,
}

impl Counts {
    fn of(count: &AtomicUsize) -> usize {
        count.load(Ordering::Relaxed)
    }
}

fn id(text: &str) -> BucketId {
    text.parse().unwrap()
}

/// A pack that has been paid for.
fn pack(account: &AccountId, id: BucketId) -> Grant {
    Grant {
        bonus: Some(Bonus { amount: credits(2), expires: None }),
        only: Vec::new(),
        paid: Some(Paid { amount: credits(10), currency: "USD".into() }),
        account: account.clone(),
        id,
        kind: kind(),
        class: Class::Purchased,
        amount: credits(10),
        // Behind the credits that charges are paid with.
        priority: 9,
        effective: None,
        expires: None,
        reason: String::new(),
    }
}

/// An account's calls; what they speak of is there already.
fn calls(caller: &Caller, all: &mut Vec<Call>) {
    let account = &caller.account;
    // Before there are packs: their bonuses would pay first.
    let charged = |_| {
        let (settled, open) = (caller.reserve(), caller.reserve());
        ok(wait(caller.ledger.reserve(settled.clone())));
        ok(wait(caller.ledger.reserve(open.clone())));
        let (charge, explanation) = (settled.charge, Vec::new());
        let end = Settle { account: account.clone(), charge, actual: credits(5), explanation };
        ok(wait(caller.ledger.settle(end)));
        (settled.charge, open.charge)
    };
    let charges: Vec<_> = (0..EACH).map(charged).collect();
    for (n, (charge, open)) in charges.into_iter().enumerate() {
        let given = |what: &str| id(&format!("{what}-{account}-{n}"));
        for what in ["taken", "frozen"] {
            ok(wait(caller.ledger.grant(pack(account, given(what)))));
        }
        let (reason, account) = (String::new(), account.clone());
        all.push(Call::Grant(pack(&account, given("new"))));
        all.push(Call::Refund(Refund {
            account: account.clone(),
            charge,
            id: id("r1"),
            amount: credits(2),
            reason: reason.clone(),
        }));
        all.push(Call::Adjust(Adjust {
            account: account.clone(),
            charge: open,
            id: id("j1"),
            held: credits(3),
        }));
        let how = [Withdrawal::Void, Withdrawal::Refund, Withdrawal::Reversal, Withdrawal::Expire];
        all.push(Call::Withdraw(Withdraw {
            account: account.clone(),
            bucket: given("taken"),
            how: how[n % how.len()],
            reason: reason.clone(),
        }));
        all.push(Call::Freeze(Freeze {
            account: account.clone(),
            bucket: given("frozen"),
            frozen: true,
            expires: None,
            reason,
        }));
        let person = format!("person {}", n % 3);
        all.push(Call::Claim(FreeClaim { person, account: account.clone(), limit: 2 }));
        let label = Some(format!("label {n}"));
        all.push(Call::Change(AccountChange { label, ..AccountChange::of(account) }));
    }
}

/// Asks all, many at once, each until it has an answer.
async fn ask_all(ledger: &RedisLedger, calls: &[Call], counts: &Counts) -> Vec<String> {
    let mut answers = vec![String::new(); calls.len()];
    let mut left: Vec<usize> = (0..calls.len()).rev().collect();
    while !left.is_empty() {
        let some = left.split_off(left.len().saturating_sub(AT_ONCE));
        let before = left.len();
        let asked = some.iter().map(|place| calls[*place].ask(ledger));
        for (place, answer) in some.iter().zip(join_all(asked).await) {
            let count = match answer {
                Answer::Applied(text) => {
                    answers[*place] = text;
                    &counts.done
                }
                Answer::Refused(Refusal::Unavailable(_)) => &counts.unavailable,
                Answer::Unknown(_) => &counts.unknown,
                Answer::Refused(other) => panic!("{other:?}"),
            };
            count.fetch_add(1, Ordering::Relaxed);
            if answers[*place].is_empty() {
                left.push(*place);
            }
        }
        if left.len() > before {
            std::thread::sleep(PAUSE);
        }
    }
    answers
}

/// The sums of an account's buckets by what they are: granted, spent, voided, expired.
fn sums(caller: &Caller) -> BTreeMap<String, [Amount; 4]> {
    let view = ok(wait(caller.ledger.view(caller.account.clone(), Gates::default())));
    let mut all: BTreeMap<String, [Amount; 4]> = BTreeMap::new();
    for bucket in view.buckets {
        let what = bucket.id.as_str().split('-').next().unwrap().to_owned();
        let bonus = if bucket.parent.is_some() { "'s bonus" } else { "" };
        let own = [bucket.granted, bucket.spent, bucket.voided, bucket.expired];
        for (sum, more) in all.entry(format!("{what}{bonus}")).or_default().iter_mut().zip(own) {
            *sum = sum.checked_add(more).unwrap();
        }
        assert!(what != "frozen" || !bonus.is_empty() || bucket.standing == Standing::Frozen);
    }
    all
}

/// What one account must have in the end, in whole credits.
fn judge(caller: &Caller) {
    let all = sums(caller);
    let each = EACH as u64;
    let is = |what: &str, wanted: [u64; 4]| {
        assert_eq!(
            all.get(what),
            Some(&wanted.map(credits)),
            "{what} of {}: {all:?}",
            caller.account
        );
    };
    // Each charge took 5 and gave back 2.
    is("for", [1_000_000, 3 * each, 0, 0]);
    is("new", [10 * each, 0, 0, 0]);
    is("new's bonus", [2 * each, 0, 0, 0]);
    is("frozen", [10 * each, 0, 0, 0]);
    // A quarter of the packs ended, the others are void, with their bonuses.
    is("taken", [10 * each, 0, 10 * each * 3 / 4, 10 * each / 4]);
    is("taken's bonus", [2 * each, 0, 2 * each * 3 / 4, 0]);
    let view = ok(wait(caller.ledger.view(caller.account.clone(), Gates::default())));
    assert!(view.open.iter().all(|open| open.held == credits(3)), "{:?}", view.open);
    assert_eq!(view.open.len(), EACH);
    let found = ok(wait(audit(&caller.ledger, caller.account.clone()))).books.breaches;
    assert_eq!(found, []);
    ok(wait(caller.ledger.audit(caller.account.clone())));
}

/// What is done to the servers.
enum Act {
    /// One stands still from now on, and nobody takes its place yet.
    Stop,
    /// It goes on, with all that it was asked meanwhile.
    GoOn,
    /// It dies, and another takes its place.
    Kill,
}

/// Makes the calls while a primary hangs, so that calls are applied whose answers nobody hears, and then dies.
fn through(settings: &Settings, names: &[AccountId], mut act: impl FnMut(Act)) {
    make(settings, false);
    let callers: Vec<_> = names.iter().map(|name| caller(settings, name, 7)).collect();
    let mut all = Vec::new();
    callers.iter().for_each(|caller| calls(caller, &mut all));
    let deadlines = Deadlines { other_ms: WAITS_MS, ..Deadlines::default() };
    let hasty = Settings { deadlines, ..settings.clone() };
    let (all, counts, setbacks) = (Arc::new(all), Arc::<Counts>::default(), Setbacks::default());
    let (asked, counted, seen) = (all.clone(), counts.clone(), setbacks.clone());
    let crowd = thread("crowd", move || {
        wait(ask_all(&open_served(&hasty).telling(&seen), &asked, &counted))
    });
    let crowd = crowd.unwrap();
    let upto = |part: usize| {
        wait_until("the crowd is under way", || {
            crowd.is_finished() || Counts::of(&counts.done) >= all.len() * part / 4
        });
    };
    upto(1);
    act(Act::Stop);
    wait_until("answers are missed", || Counts::of(&counts.unknown) >= IN_VAIN);
    act(Act::GoOn);
    upto(2);
    act(Act::Kill);
    let first = crowd.join().unwrap_or_else(|why| std::panic::resume_unwind(why));
    println!("{} calls, {counts:?}", all.len());
    assert!(Counts::of(&counts.unavailable) > 0, "no failover was noticed");
    assert_eq!(setbacks.count(), 0, "nothing that was acknowledged is lost");
    callers.iter().for_each(judge);
    // All of it again, by somebody who knows nothing of it: the same answers, and nothing more is moved.
    let again = wait(ask_all(&open_served(settings), &all, &counts));
    for (call, (one, other)) in all.iter().zip(first.iter().zip(&again)) {
        assert!(one == other || matches!(call, Call::Freeze(_)), "{one} {other}");
    }
    callers.iter().for_each(judge);
    // Of each person two accounts have free credits.
    let mut has: BTreeMap<&str, std::collections::BTreeSet<&AccountId>> = BTreeMap::new();
    for (call, answer) in all.iter().zip(&first) {
        if let (Call::Claim(call), "claimed true") = (call, answer.as_str()) {
            has.entry(&call.person).or_default().insert(&call.account);
        }
    }
    assert!(has.len() == 3 && has.values().all(|accounts| accounts.len() == 2), "{has:?}");
}

fn accounts() -> Vec<AccountId> {
    (0..ACCOUNTS).map(|n| format!("acct_crowd{n}").parse().unwrap()).collect()
}

#[test]
fn a_crowd_of_rare_verbs_while_a_primary_of_a_cluster_dies() {
    let mut all = RedisCluster::start_with(3, 3, &[]);
    let settings = cluster_settings(&all.ports());
    let names = accounts();
    let slot = slot_of(Partition::of(&names[0]));
    let primary = all.owner(slot);
    let patience = |all: &mut RedisCluster, ms: u32| {
        for node in all.nodes() {
            let _: String = node.say(&format!("CONFIG SET cluster-node-timeout {ms}"));
        }
    };
    through(&settings, &names, |act| match act {
        Act::Stop => {
            patience(&mut all, 30_000);
            all.nodes()[primary].stop_the_clock();
        }
        Act::GoOn => {
            all.nodes()[primary].go_on();
            patience(&mut all, 1_000);
        }
        Act::Kill => {
            all.nodes()[primary].kill_nine();
            all.wait_for_another(slot, primary);
        }
    });
}

#[test]
fn a_crowd_of_rare_verbs_while_a_primary_of_sentinels_dies() {
    let mut all = Sentinels::start();
    let settings = sentinel_settings(&all.ports());
    through(&settings, &accounts(), |act| match act {
        Act::Stop => {
            all.wait_before_death(30_000);
            all.primary().stop_the_clock();
        }
        Act::GoOn => {
            all.primary().go_on();
            all.wait_before_death(500);
        }
        Act::Kill => {
            let before = all.primary_port();
            all.primary().kill_nine();
            all.wait_for_another(before);
        }
    });
}
