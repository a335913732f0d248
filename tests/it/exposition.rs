//! A strict reader of the text in which Prometheus reads metrics: what it does not know, it refuses.
//!
//! Stricter than the format on purpose: each family has its HELP, its TYPE and then its samples, all together;
//! names follow the conventions (prefix, `_total` for counters and for nothing else, base units); values are
//! plain decimals.

use std::collections::{BTreeMap, BTreeSet};

/// A text that was read.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    /// By family: its type.
    pub(crate) families: BTreeMap<String, String>,
    /// By series, labels in their order: its value as it was written.
    pub(crate) samples: BTreeMap<Series, String>,
}

/// A name with labels.
pub(crate) type Series = (String, Vec<(String, String)>);

/// The buckets of a histogram: bound in millionths, `None` for +Inf, and how many.
type Buckets = Vec<(Option<u128>, u128)>;

impl Scrape {
    /// Reads a text.
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        assert!(text.ends_with('\n') && !text.contains('\r'), "the last line has no end");
        let mut scrape = Self::default();
        let (mut family, mut helped) = (String::new(), String::new());
        for line in text.split_terminator('\n') {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                assert!(is_name(name, true) && name.starts_with("tollgate_"), "{line}");
                assert!(!help.is_empty() && help.trim() == help, "{line}");
                helped = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                assert_eq!(name, helped, "TYPE does not follow HELP");
                conventional(name, kind);
                let twice = scrape.families.insert(name.to_owned(), kind.to_owned());
                assert_eq!(twice, None, "{name} twice");
                family = name.to_owned();
            } else {
                let (name, labels, value) = sample(line);
                let part = name.strip_prefix(family.as_str()).unwrap_or_else(|| panic!("{line}"));
                let parts: &[&str] = match scrape.families[&family].as_str() {
                    "histogram" => &["_bucket", "_sum", "_count"],
                    _ => &[""],
                };
                assert!(parts.contains(&part), "{line}");
                let twice = scrape.samples.insert((name, labels), value);
                assert_eq!(twice, None, "twice: {line}");
            }
        }
        scrape.check_histograms();
        for family in scrape.families.keys() {
            let of = |(name, _): &Series| name.starts_with(family.as_str());
            assert!(scrape.samples.keys().any(of), "{family} is empty");
        }
        scrape
    }

    /// The value of one series.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> &str {
        let own = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        let series = (name.to_owned(), labels.iter().map(own).collect::<Vec<_>>());
        self.samples.get(&series).unwrap_or_else(|| panic!("no {series:?}"))
    }

    /// The series of a family that are not zero, as values of their labels.
    pub(crate) fn counted(&self, family: &str) -> BTreeMap<Vec<&str>, u64> {
        let of = self.samples.iter().filter(|((name, _), value)| name == family && *value != "0");
        of.map(|((_, labels), value)| {
            (labels.iter().map(|(_, v)| v.as_str()).collect(), value.parse().unwrap())
        })
        .collect()
    }

    /// The names of all series.
    pub(crate) fn series(&self) -> BTreeSet<&Series> {
        self.samples.keys().collect()
    }

    /// The series that must never go down.
    pub(crate) fn monotone(&self) -> impl Iterator<Item = (&Series, u128)> {
        let gauges: Vec<_> = self.families.iter().filter(|(_, kind)| *kind == "gauge").collect();
        let all = self.samples.iter();
        all.filter(move |((name, _), _)| !gauges.iter().any(|(gauge, _)| *gauge == name))
            .map(|(series, value)| (series, micro(value)))
    }

    fn check_histograms(&self) {
        let histograms = self.families.iter().filter(|(_, kind)| *kind == "histogram");
        for (family, _) in histograms {
            let mut all: BTreeMap<Vec<(String, String)>, Buckets> = BTreeMap::new();
            for ((name, labels), value) in &self.samples {
                if *name == format!("{family}_bucket") {
                    let (le, rest) = labels.split_last().unwrap();
                    assert_eq!(le.0, "le");
                    let bound = (le.1 != "+Inf").then(|| micro(&le.1));
                    all.entry(rest.to_vec()).or_default().push((bound, micro(value)));
                }
            }
            assert!(!all.is_empty(), "{family}");
            for (labels, mut buckets) in all {
                buckets.sort_by_key(|(bound, _)| bound.unwrap_or(u128::MAX));
                assert!(buckets.is_sorted_by_key(|(_, count)| *count), "{family} {labels:?}");
                let (last, count) = buckets.pop().unwrap();
                assert_eq!(last, None, "{family} {labels:?} has no +Inf");
                let of = |part: &str| &self.samples[&(format!("{family}{part}"), labels.clone())];
                assert_eq!(micro(of("_count")), count);
                assert!(micro(of("_sum")) > 0 || buckets.first().is_some_and(|b| b.1 == count));
            }
        }
    }
}

/// A decimal in millionths. Nothing but digits and a point is one.
#[track_caller]
pub(crate) fn micro(text: &str) -> u128 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    assert!(digits(whole) && digits(rest) && rest.len() <= 6, "{text:?}");
    format!("{whole}{rest:0<6}").parse().unwrap()
}

fn is_name(name: &str, colons: bool) -> bool {
    let ok = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || (colons && b == b':');
    !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(ok)
}

#[track_caller]
fn conventional(name: &str, kind: &str) {
    let total = name.ends_with("_total");
    match kind {
        "counter" => assert!(total, "{name}"),
        "gauge" => {
            assert!(!total && !name.ends_with("_count") && !name.ends_with("_sum"), "{name}")
        }
        "histogram" => assert!(name.ends_with("_seconds"), "{name}"),
        _ => panic!("{name} {kind}"),
    }
    for unit in ["_ms", "_millis", "_micro", "_us", "_kib"] {
        assert!(!name.contains(unit), "{name}: not a base unit");
    }
}

/// One line of a sample.
#[track_caller]
fn sample(line: &str) -> (String, Vec<(String, String)>, String) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line:?}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name, true), "{line:?}");
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line:?}"));
            assert!(is_name(label, false) && !label.starts_with("__"), "{line:?}");
            let (value, after) = quoted(after, line);
            assert!(labels.iter().all(|(other, _)| other != label), "{line:?}");
            labels.push((label.to_owned(), value));
            match after.split_at(1) {
                (",", after) => rest = after,
                ("}", after) => break rest = after,
                _ => panic!("{line:?}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line:?}"));
    micro(value);
    (name.to_owned(), labels, value.to_owned())
}

/// A value up to its closing quote, and what comes behind.
#[track_caller]
fn quoted<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match chars.next() {
                Some((_, 'n')) => '\n',
                Some((_, same @ ('\\' | '"'))) => same,
                _ => panic!("{line:?}"),
            }),
            other => value.push(other),
        }
    }
    panic!("{line:?}")
}

#[test]
fn the_reader_refuses_what_it_should() {
    let good = "# HELP tollgate_a_total A.\n# TYPE tollgate_a_total counter\ntollgate_a_total{x=\"a\\\"\\n\"} 1.5\n";
    let read = Scrape::read(good);
    assert_eq!(read.value("tollgate_a_total", &[("x", "a\"\n")]), "1.5");
    for (from, to) in [
        ("1.5\n", "1.5"),
        ("1.5", "1e3"),
        ("1.5", "NaN"),
        ("1.5", "-1"),
        (" 1.5", "  1.5"),
        ("# HELP tollgate_a_total A.\n", ""),
        ("counter", "gauge"),
        ("counter", "untyped"),
        ("\\n", "\\t"),
        ("{x=", "{1x="),
        ("\"} 1.5\n", "\"} 1.5\ntollgate_a_total{x=\"a\\\"\\n\"} 2\n"),
        ("\"}", "\",x=\"b\"}"),
        ("\ntollgate_a_total{", "\ntollgate_b_total{"),
        ("\ntollgate_a_total{", "\n\ntollgate_a_total{"),
        ("tollgate_", "proxy_"),
    ] {
        assert!(good.contains(from), "{from}");
        let bad = good.replace(from, to);
        let result = std::panic::catch_unwind(|| Scrape::read(&bad));
        assert!(result.is_err(), "it read {bad:?}");
    }
}
