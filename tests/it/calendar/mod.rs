//! Days, weeks and months of accounts, on the calendar and from an anchor: a table of named cases with the
//! instants written down, and random ones, each against Python's `zoneinfo` as a second source.
//!
//! `TOLLGATE_SEED` is the seed of the random cases, `TOLLGATE_CASES` their number.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use tollgate::credit::{Cycle, Every, Period, PeriodError, Start, Zone};
use tollgate::seam::Timestamp;

use crate::ledger_world::{DAY, HOUR};

const TABLE: &str = include_str!("periods.txt");
const ORACLE: &str = include_str!("oracle.py");
const RANDOM: u64 = 10_000;

/// Zones of all sorts: whole hours and parts of them, changes at midnight, a day left out.
const ZONES: [&str; 20] = [
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "America/Santiago",
    "America/St_Johns",
    "America/Asuncion",
    "America/Los_Angeles",
    "Europe/Paris",
    "Europe/Dublin",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Tehran",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Kwajalein",
];

#[derive(Clone, Debug)]
struct Case {
    cycle: Cycle,
    zone: String,
    anchor: Timestamp,
    now: Timestamp,
}

impl Case {
    fn periods(&self) -> Result<[Period; 2], PeriodError> {
        self.at(self.now)
    }

    fn at(&self, now: Timestamp) -> Result<[Period; 2], PeriodError> {
        self.cycle.periods(&self.zone.parse().unwrap(), self.anchor, now)
    }

    /// As the second source reads it.
    fn line(&self) -> String {
        let every = match self.cycle.every {
            Every::Day => "day",
            Every::Week => "week",
            Every::Month => "month",
        };
        let start = match self.cycle.start {
            Start::Calendar => "calendar",
            Start::Anchor => "anchor",
        };
        format!("{every} {start} {} {} {}\n", self.zone, self.anchor.0, self.now.0)
    }
}

fn shown([one, next]: &[Period; 2]) -> String {
    let part = |period: &Period| format!("{} {} {}", period.id, period.start.0, period.end.0);
    format!("{} {}", part(one), part(next))
}

/// What Python says of each case.
fn python(cases: &[Case]) -> Vec<String> {
    let mut child = Command::new("python3")
        .args(["-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3, which tests/run installs");
    let mut text = String::new();
    for case in cases {
        write!(text, "{}", case.line()).unwrap();
    }
    let mut input = child.stdin.take().unwrap();
    let writer = tollgate::seam::thread("cases", move || input.write_all(text.as_bytes())).unwrap();
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the oracle failed");
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().map(str::to_owned).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn table() -> Vec<(String, Case, Period)> {
    let row = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, every, start, zone, anchor, now, id, begins, ends] = words[..] else {
            panic!("{line}")
        };
        let every = match every {
            "day" => Every::Day,
            "week" => Every::Week,
            "month" => Every::Month,
            other => panic!("{other}"),
        };
        let start = if start == "anchor" { Start::Anchor } else { Start::Calendar };
        let anchor = if anchor == "-" { Timestamp(0) } else { at(anchor) };
        let (cycle, zone, now) = (Cycle { every, start }, zone.to_owned(), at(now));
        let period = Period { id: id.to_owned(), start: at(begins), end: at(ends) };
        (name.to_owned(), Case { cycle, zone, anchor, now }, period)
    };
    TABLE.lines().map(row).collect()
}

#[test]
fn every_named_case_is_as_written_and_as_python_says() {
    let rows = table();
    let names: BTreeSet<_> = rows.iter().map(|(name, ..)| name).collect();
    assert!(rows.len() >= 80 && names.len() == rows.len(), "{} cases", rows.len());
    let said = python(&rows.iter().map(|(_, case, _)| case.clone()).collect::<Vec<_>>());
    assert_eq!(said.len(), rows.len());
    for ((name, case, expected), said) in rows.iter().zip(said) {
        let periods = case.periods().unwrap();
        assert_eq!(periods[0], *expected, "{name}");
        assert!(periods[0].contains(case.now) && periods[1].start == periods[0].end, "{name}");
        assert_eq!(shown(&periods), said, "{name}");
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    /// Within 1985 and 2035, where zones have changed their minds most.
    fn moment(&mut self) -> Timestamp {
        let from = at("1985-01-01T00:00:00Z").0;
        Timestamp(from + self.below(50 * 365 * DAY) / 1_000 * 1_000)
    }

    fn case(&mut self) -> Case {
        let every = self.pick(&[Every::Day, Every::Week, Every::Month]);
        let start = self.pick(&[Start::Calendar, Start::Anchor, Start::Anchor]);
        let zone = self.pick(&ZONES);
        let (mut anchor, mut now) = (self.moment(), self.moment());
        if self.below(2) == 0 {
            // Near the end of a month, on a whole hour: where days are clamped and clocks change.
            anchor = Timestamp(anchor.0 / HOUR * HOUR);
            let month = Every::Month.periods(&zone.parse().unwrap(), anchor).unwrap();
            anchor = Timestamp(month[0].end.0 - self.below(5 * 24) * HOUR);
        }
        if self.below(3) == 0 {
            // On a boundary, or a moment before or after it.
            let case = Case { cycle: Cycle { every, start }, zone: zone.to_owned(), anchor, now };
            let boundary = case.periods().unwrap()[1].start;
            now = Timestamp(boundary.0 + self.below(3) * 1_000 - 1_000);
        }
        Case { cycle: Cycle { every, start }, zone: zone.to_owned(), anchor, now }
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn random_cases_are_as_python_says() {
    let seed = setting("TOLLGATE_SEED", 2_026);
    let count = setting("TOLLGATE_CASES", RANDOM).max(RANDOM);
    let mut random = Random(seed);
    let cases: Vec<Case> = (0..count).map(|_| random.case()).collect();
    let said = python(&cases);
    assert_eq!(said.len(), cases.len());
    for (case, said) in cases.iter().zip(said) {
        let ours = shown(&case.periods().unwrap());
        assert_eq!(ours, said, "seed {seed}: {case:?}");
    }
    println!("{count} cases from seed {seed}");
}

/// Whether a zone has left a day out, so that a period may have no moment at all.
fn leaves_a_day_out(zone: &str) -> bool {
    ["Pacific/Apia", "Pacific/Kiritimati", "Pacific/Kwajalein"].contains(&zone)
}

#[test]
fn every_moment_lies_in_one_period_and_periods_follow_each_other() {
    let seed = setting("TOLLGATE_SEED", 7);
    let (mut random, mut empty) = (Random(seed), 0);
    for _ in 0..4_000 {
        let case = random.case();
        let why = format!("seed {seed}: {case:?}");
        let [now, next] = case.periods().unwrap();
        assert!(now.contains(case.now) && !next.contains(case.now), "{why}");
        assert_eq!(now.end, next.start, "{why}");
        // The same period from its first and its last moment, and from any in it.
        let within = Timestamp(now.start.0 + random.below(now.end.0 - now.start.0));
        for moment in [now.start, Timestamp(now.end.0 - 1), within] {
            assert_eq!(case.at(moment).unwrap()[0], now, "{why}");
        }
        if next.start == next.end {
            assert!(leaves_a_day_out(&case.zone), "{why}: {next:?} is empty");
            empty += 1;
        } else {
            assert_eq!(case.at(next.start).unwrap()[0], next, "{why}");
        }
        let before = case.at(Timestamp(now.start.0 - 1)).unwrap()[0].clone();
        assert!(before.end == now.start && before.start < now.start, "{why}");
        assert_ne!(before.id, now.id, "{why}");
    }
    println!("seed {seed}: {empty} periods without a moment");
}

/// The k-th period is counted from the anchor, whatever was asked before: `end_of` k periods later is the end
/// that the k-th step finds.
#[test]
fn the_kth_period_is_counted_from_the_anchor() {
    let mut random = Random(setting("TOLLGATE_SEED", 31));
    let mut compared = 0;
    for _ in 0..300 {
        let case = Case { zone: random.pick(&ZONES[..16]).to_owned(), ..random.case() };
        let zone: Zone = case.zone.parse().unwrap();
        let mut walked = case.periods().unwrap();
        for later in 1..=13_u32 {
            walked = case.at(walked[1].start).unwrap();
            let counted = case.cycle.end_of(&zone, case.anchor, case.now, later).unwrap();
            assert_eq!(walked[0].end, counted, "{case:?} {later}");
            compared += 1;
        }
    }
    assert_eq!(compared, 3_900);
}

#[test]
fn what_lies_outside_the_calendar_is_an_error() {
    let far = at("9999-12-30T21:00:00Z");
    let cases =
        [(Every::Day, far), (Every::Month, Timestamp(u64::MAX)), (Every::Week, Timestamp(0))];
    for (every, now) in cases {
        for start in [Start::Calendar, Start::Anchor] {
            let cycle = Cycle { every, start };
            let periods = cycle.periods(&Zone::UTC, at("1970-01-02T00:00:00Z"), now);
            assert_eq!(periods, Err(PeriodError::OutOfRange), "{every:?} {start:?}");
        }
    }
}
