//! What is read is written again byte by byte, and what is written is read again field by field.

use super::*;
use crate::credit::{Bucket, KeyId, Paid, Standing};
use crate::ledger::model::{Adjustment, Counted, Ended, Kept, Open};
use crate::ledger::{ChargeState, OnUnknown, OverRun, RefundPart};

fn amount(micro: u64) -> Amount {
    Amount::from_micro(micro).unwrap()
}

fn leg_of(bucket: &str, micro: u64) -> Leg {
    Leg { bucket: bucket.parse().unwrap(), amount: amount(micro) }
}

fn full_purse(id: &str, class: Class) -> Purse {
    let bucket = Bucket {
        id: id.parse().unwrap(),
        kind: "credits".parse().unwrap(),
        class,
        priority: 3,
        effective: Timestamp(1),
        expires: Some(Timestamp(300)),
        granted: amount(15),
        available: amount(1),
        held: amount(2),
        spent: amount(3),
        expired: amount(4),
        voided: amount(5),
        only: vec!["image".parse().unwrap(), "audio".parse().unwrap()],
        standing: Standing::Frozen,
        parent: Some("pay_0".parse().unwrap()),
        paid: Some(Paid { amount: amount(9), currency: "USD".into() }),
    };
    Purse {
        bucket,
        fresh: true,
        touched: Timestamp(2),
        hold: amount(6),
        repaid_by: vec![leg_of("x", 7), leg_of("y", 8)],
        carry: Some(Kept { min: amount(1), max: Amount::MAX, percent: 50, until: Timestamp(3) }),
    }
}

fn plain_purse(id: &str) -> Purse {
    let full = full_purse(id, Class::Plan);
    let bucket = Bucket {
        only: Vec::new(),
        standing: Standing::Voided,
        parent: None,
        paid: None,
        expires: None,
        ..full.bucket
    };
    Purse { bucket, fresh: false, repaid_by: Vec::new(), carry: None, ..full }
}

fn full_money() -> Money {
    let span = |period: &str| Span { period: period.into(), end: Timestamp(9), used: 8 };
    let scopes = [
        Scope::Account,
        Scope::Key(KeyId::from_bytes([7; 16])),
        Scope::Route("image".into()),
        Scope::Feature("audio".into()),
        Scope::Member("ana".into()),
    ];
    let counters = scopes.iter().enumerate().map(|(at, scope)| Counter {
        name: "cap".into(),
        scope: scope.clone(),
        measure: if at % 2 == 0 { Measure::Credits } else { Measure::Requests },
        spans: vec![span("2026-10"), span("2026-11")],
    });
    let paces =
        scopes.iter().map(|scope| Pace { name: "p".into(), scope: scope.clone(), tat_us: 11 });
    let state = AllowanceState {
        name: "gift".into(),
        period: "2026-11".into(),
        end: Timestamp(4),
        amount: amount(5),
    };
    let sums = [amount(10), amount(4), amount(3), amount(3)];
    let kinds = ["credits", "scans"].map(|kind| (kind.parse().unwrap(), sums));
    Money {
        purses: vec![plain_purse("a"), full_purse("b", Class::Purchased), plain_purse("c")],
        counters: counters.collect(),
        paces: paces.collect(),
        archived: kinds.into(),
        ranks: Ranks([5, 4, 3, 2, 1, 0]),
        allowances: vec![state],
        postings: Vec::new(),
    }
}

fn full_head() -> Head {
    let id = |text: &str| text.parse::<BucketId>().unwrap();
    Head {
        sequence: 1,
        mark: Timestamp(2),
        document_version: 3,
        status: 1,
        restricted_until: Some(Timestamp(4)),
        lease_next: Some(Timestamp(5)),
        wake_next: None,
        open: 6,
        next_number: 12,
        dead_next: Some(Timestamp(8)),
        lapsed_at: Some(Timestamp(9)),
        keys: [[1; 16], [2; 16]].concat(),
        numbers: [(id("a"), 1), (id("b"), 7), (id("c"), 11)].into(),
        live: vec![id("b"), id("a")],
        dead: vec![id("c")],
        slots: vec![(b"key:\xff".to_vec(), 2), (b"account".to_vec(), 3)],
        rest: b"later".to_vec(),
    }
}

fn full_open() -> Open {
    Open {
        account: "acct_a".parse().unwrap(),
        charge: ChargeId::from_bytes([1; 16]),
        fingerprint: [2; 32],
        key: KeyId::from_bytes([3; 16]),
        kind: "credits".parse().unwrap(),
        held: amount(5),
        legs: vec![leg_of("b", 5), leg_of("c", 6)],
        route: "image".into(),
        feature: Some("audio".into()),
        member: Some("ana".into()),
        revision: "r".into(),
        instance: "i".into(),
        begun: Timestamp(1),
        lease_end: Timestamp(2),
        timeout_ms: 3,
        reconcile_ms: 4,
        on_unknown: OnUnknown::Hold,
        over_run: OverRun::Debt,
        max_debt: Some(amount(9)),
        unknown: true,
        deadline: Some(Timestamp(5)),
        counted: vec![Counted {
            name: "cap".into(),
            scope: Scope::Member("ana".into()),
            measure: Measure::Requests,
            period: "p".into(),
            amount: 1,
            refundable: true,
        }],
        adjusts: vec![Adjustment {
            id: "adj".parse().unwrap(),
            wanted: Amount::MAX,
            short: amount(2),
        }],
    }
}

fn full_ended() -> Ended {
    let part = |id: &str| RefundPart {
        id: id.parse().unwrap(),
        amount: amount(1),
        at: Timestamp(7),
        reason: "late\n".into(),
    };
    Ended {
        account: "acct_a".parse().unwrap(),
        charge: ChargeId::from_bytes([1; 16]),
        open: Some(full_open()),
        state: ChargeState::Settled,
        actual: amount(1),
        charged: amount(2),
        returned: amount(3),
        debt: amount(4),
        absorbed: amount(5),
        legs: vec![leg_of("b", 2)],
        refunds: vec![part("rf_1"), part("rf_2")],
        at: Timestamp(6),
        by_deadline: true,
        late: true,
    }
}

#[test]
fn an_account_with_every_field_is_read_as_it_was_written() {
    let (wanted, wanted_head) = (full_money(), full_head());
    let bytes = write_money(&wanted, &wanted_head).unwrap();
    let (read, head) = money(&bytes, &"acct_a".parse().unwrap()).unwrap();
    assert_eq!((&read, &head), (&wanted, &wanted_head));
    assert_eq!(write_money(&read, &head).unwrap(), bytes);
    // An account of which there is nothing yet.
    let none = Head {
        numbers: BTreeMap::new(),
        live: Vec::new(),
        dead: Vec::new(),
        slots: Vec::new(),
        rest: Vec::new(),
        restricted_until: None,
        ..wanted_head.clone()
    };
    let bytes = write_money(&Money::default(), &none).unwrap();
    assert_eq!(money(&bytes, &"acct_a".parse().unwrap()).unwrap(), (Money::default(), none));
    // A head that forgets a bucket, or names one that is not there, is not written.
    let forgets = Head { dead: Vec::new(), ..wanted_head.clone() };
    assert!(matches!(write_money(&wanted, &forgets), Err(Stop::Broken(_))));
    let strange = Head { dead: vec!["d".parse().unwrap()], ..wanted_head };
    assert!(matches!(write_money(&wanted, &strange), Err(Stop::Broken(_))));
}

#[test]
fn an_open_charge_with_every_field_is_read_as_it_was_written() {
    let texts = [b"note".to_vec(), b"said".to_vec()];
    let bare = Open {
        feature: None,
        member: None,
        max_debt: None,
        deadline: None,
        legs: Vec::new(),
        counted: Vec::new(),
        adjusts: Vec::new(),
        ..full_open()
    };
    for (wanted, later) in [(full_open(), &b"later"[..]), (bare, b"")] {
        let beside = Beside { texts: texts.clone(), later: later.to_vec() };
        let bytes = write_open(&wanted, &beside).unwrap();
        let (read, said) = open(&wanted.account, wanted.charge, &bytes).unwrap();
        assert_eq!((&read, &said), (&wanted, &beside));
        assert_eq!(write_open(&read, &said).unwrap(), bytes);
    }
}

#[test]
fn a_tombstone_with_every_field_is_read_as_it_was_written() {
    let bare = Ended { open: None, refunds: Vec::new(), legs: Vec::new(), ..full_ended() };
    let said = Some([b"note".to_vec(), Vec::new()]);
    for (ended, texts) in [(full_ended(), said), (full_ended(), None), (bare, None)] {
        let wanted = Tomb { ended, texts };
        let bytes = write_tomb(&wanted).unwrap();
        let read = tomb(wanted.ended.charge, &bytes).unwrap();
        assert_eq!(read, wanted);
        assert_eq!(write_tomb(&read).unwrap(), bytes);
    }
}

/// Numbers and texts as the scripts' formats have them.
mod packed {
    /// Seven bytes.
    pub(super) fn number(number: i64) -> Vec<u8> {
        number.to_le_bytes()[..7].to_vec()
    }

    pub(super) fn long(number: u32) -> Vec<u8> {
        number.to_le_bytes().to_vec()
    }

    pub(super) fn short(number: u16) -> Vec<u8> {
        number.to_le_bytes().to_vec()
    }

    pub(super) fn word(text: &[u8]) -> Vec<u8> {
        [&[u8::try_from(text.len()).unwrap()], text].concat()
    }

    pub(super) fn text(text: &[u8]) -> Vec<u8> {
        [&u16::try_from(text.len()).unwrap().to_le_bytes(), text].concat()
    }
}

use packed::{long, number, short, text, word};

/// `<Bi7i7i7I4HHi7Bi7i7i7i7I4i7c6HHI4`
fn packed_head() -> Vec<u8> {
    [
        vec![4],
        [1, 2, 5].map(number).concat(),
        long(6),
        short(1),
        short(9),
        number(3),
        vec![1],
        [4, -1, 12, 8].map(number).concat(),
        long(0),
        number(9),
        vec![5, 4, 3, 2, 1, 0],
        short(2),
        short(32),
        long(u32::try_from(packed_names().len()).unwrap()),
    ]
    .concat()
}

/// `<i7i7i7i7i7i7i7BBBI4` of each bucket, and the keys.
fn packed_numbers() -> Vec<u8> {
    [
        // Purchased, fresh, with more, with rare numbers, frozen; of the first kind, and only for some.
        [1, 2, 3, 2, 15, 1, 300].map(number).concat(),
        vec![4 + 8 + 16 + 32 + 64, 3, 128],
        long(7),
        // Of a plan, with rare numbers, voided; of the first kind.
        [1, 2, 3, 2, 15, 1, -1].map(number).concat(),
        vec![1 + 32 + 128, 3, 0],
        long(1),
        full_head().keys,
    ]
    .concat()
}

/// Kinds, ids, and what few have.
fn packed_names() -> Vec<u8> {
    let most = i64::try_from(Amount::MAX.micro()).unwrap();
    let names = [vec![2], word(b"image"), word(b"audio"), word(b"pay_0")].concat();
    let paid = [vec![1], number(9), b"USD".to_vec()].concat();
    let carry = [vec![1], number(1), number(most), vec![50], number(3)].concat();
    [
        [vec![1], word(b"credits"), word(b"b"), word(b"a")].concat(),
        [4, 5, 6].map(number).concat(),
        text(&[names, paid, carry].concat()),
        [short(2), word(b"x"), number(7), word(b"y"), number(8)].concat(),
        [4, 5, 6].map(number).concat(),
    ]
    .concat()
}

fn packed_tail() -> Vec<u8> {
    let (now, before) = ([number(9), number(8)].concat(), [number(7), number(6)].concat());
    let now = [word(b"2026-11"), now, vec![1]].concat();
    let counter = [text(b"rcap\0"), now, word(b"2026-10"), before].concat();
    let gift = [word(b"gift"), word(b"2026-11"), number(4), number(5)].concat();
    [
        [text(b"account"), long(3)].concat(),
        [long(u32::try_from(counter.len()).unwrap()), short(1), counter].concat(),
        [short(1), text(b"p\0route:image"), number(11)].concat(),
        [short(1), text(&gift)].concat(),
        long(0),
        [short(1), word(b"scans"), [10, 4, 3, 3].map(number).concat()].concat(),
    ]
    .concat()
}

#[test]
fn the_layout_is_the_scripts() {
    let bytes = [packed_head(), packed_numbers(), packed_names(), packed_tail()].concat();
    let (read, kept) = money(&bytes, &"acct_a".parse().unwrap()).unwrap();
    assert_eq!(read.purses, [plain_purse("a"), full_purse("b", Class::Purchased)]);
    assert_eq!(read.allowances, full_money().allowances);
    assert_eq!((read.ranks, kept.restricted_until), (full_money().ranks, Some(Timestamp(4))));
    assert_eq!(write_money(&read, &kept).unwrap(), bytes);
}

#[test]
fn an_earlier_version_is_told_apart_from_a_newer_one() {
    let mut bytes = write_money(&full_money(), &full_head()).unwrap();
    bytes[0] = 3;
    let Err(Stop::Broken(why)) = money(&bytes, &"acct_a".parse().unwrap()) else { panic!() };
    assert!(why.contains("was made by an earlier version"), "{why}");
    bytes[0] = 5;
    assert!(matches!(money(&bytes, &"acct_a".parse().unwrap()), Err(Stop::Newer(_))));
}
