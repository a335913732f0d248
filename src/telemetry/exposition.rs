//! The text in which Prometheus reads metrics (format 0.0.4).
//!
//! Written here rather than by a library: the usual ones carry every value as a floating-point number and
//! keep registries of their own, where ours are exact decimals and the counters belong to the cores.
//!
//! Invariant: each family has one HELP and one TYPE, before its samples, and its samples stand together.

use std::fmt::{Display, Write};

use crate::count::Spread;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const US_PER_SECOND: u128 = 1_000_000;

/// A text that grows by families.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// What the numbers of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only ever more.
    Counter,
    /// More and less.
    Gauge,
    /// Counts within bounds.
    Histogram,
}

/// A family that is being written.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
}

/// A number of millionths, written as an exact decimal: `12.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Millionths(pub u128);

impl Display for Millionths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / US_PER_SECOND, self.0 % US_PER_SECOND);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:06}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl Exposition {
    /// Begins a family.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: Type, help: &str) -> Family<'a> {
        let kind = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        line(&mut self.0, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Family { text: &mut self.0, name }
    }

    /// The whole text.
    #[must_use]
    pub fn text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// One number. It must be written as a decimal.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.put("", labels, None, value);
    }

    /// Times, in seconds.
    pub fn times(&mut self, labels: &[(&str, &str)], times: &Spread) {
        let mut all = 0;
        for (bound, count) in times.up_to() {
            let bound = bound.map(|us| Millionths(us.into()).to_string());
            self.put("_bucket", labels, Some(bound.as_deref().unwrap_or("+Inf")), count);
            all = count;
        }
        self.put("_sum", labels, None, Millionths(times.sum_us.into()));
        self.put("_count", labels, None, all);
    }

    fn put(&mut self, part: &str, labels: &[(&str, &str)], le: Option<&str>, value: impl Display) {
        line(self.text, format_args!("{}{part}", self.name));
        let labels = labels.iter().copied().chain(le.map(|bound| ("le", bound)));
        let mut between = '{';
        for (name, value) in labels {
            line(self.text, format_args!("{between}{name}=\"{}\"", escaped(value)));
            between = ',';
        }
        let end = if between == ',' { "}" } else { "" };
        line(self.text, format_args!("{end} {value}\n"));
    }
}

/// Writing to a `String` cannot fail.
fn line(text: &mut String, more: std::fmt::Arguments<'_>) {
    _ = text.write_fmt(more);
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::Histogram;

    #[test]
    fn labels_are_escaped_and_numbers_exact() {
        let mut text = Exposition::default();
        let mut family = text.family("a_total", Type::Counter, "Back\\slash\nand line.");
        family.sample(&[("x", "a\"b\\c\nd"), ("y", "")], Millionths(12_500_000));
        family.sample(&[], Millionths((1 << 64) + 1));
        let expected = "# HELP a_total Back\\\\slash\\nand line.\n# TYPE a_total counter\n\
                        a_total{x=\"a\\\"b\\\\c\\nd\",y=\"\"} 12.5\na_total 18446744073709.551617\n";
        assert_eq!(text.text(), expected);
    }

    #[test]
    fn times_are_seconds_and_add_up() {
        let seen = Histogram::default();
        seen.took(1_000);
        seen.took(90_000_000);
        let mut times = Spread::default();
        times.add(&seen);
        let mut text = Exposition::default();
        text.family("a_seconds", Type::Histogram, "A.").times(&[("v", "w")], &times);
        let text = text.text();
        for line in [
            "a_seconds_bucket{v=\"w\",le=\"0.0005\"} 0",
            "a_seconds_bucket{v=\"w\",le=\"0.001\"} 1",
            "a_seconds_bucket{v=\"w\",le=\"60\"} 1",
            "a_seconds_bucket{v=\"w\",le=\"+Inf\"} 2",
            "a_seconds_sum{v=\"w\"} 90.001",
            "a_seconds_count{v=\"w\"} 2",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }
}
