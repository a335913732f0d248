//! Calendar periods in an account's own time zone: what a cap counts over and an allowance lasts for.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use serde::{Deserialize, Serialize};

use crate::seam::Timestamp;

/// How often something starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// With each calendar day.
    Day,
    /// With each calendar month.
    Month,
}

/// One day or month of an account, from `start` until just before `end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// `2026-11-22` or `2026-11`.
    pub id: String,
    /// Its first moment.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
}

impl Period {
    /// Whether `now` lies in it.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        self.start <= now && now < self.end
    }
}

/// A time zone by its IANA name.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// Why there is no such period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// No zone of this name.
    #[error("{0:?} is not an IANA time zone such as America/Sao_Paulo")]
    UnknownZone(String),
    /// The moment lies outside the calendar.
    #[error("the moment lies outside the calendar")]
    OutOfRange,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// A moment as RFC 3339 with this zone's offset, for people.
    #[must_use]
    pub fn show(&self, moment: Timestamp) -> String {
        match self.at(moment) {
            Ok(zoned) => zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            Err(_) => moment.to_string(),
        }
    }

    fn at(&self, moment: Timestamp) -> Result<Zoned, PeriodError> {
        let ms = i64::try_from(moment.0).map_err(|_| PeriodError::OutOfRange)?;
        let instant = jiff::Timestamp::from_millisecond(ms).map_err(|_| PeriodError::OutOfRange)?;
        Ok(instant.to_zoned(self.0.clone()))
    }

    /// The first moment of a day; where the clock skips midnight, the first moment there is.
    fn midnight(&self, date: Date) -> Result<Timestamp, PeriodError> {
        let zoned = date.to_zoned(self.0.clone()).and_then(|noonless| noonless.start_of_day());
        let ms = zoned.map_err(|_| PeriodError::OutOfRange)?.timestamp().as_millisecond();
        u64::try_from(ms).map(Timestamp).map_err(|_| PeriodError::OutOfRange)
    }
}

impl FromStr for Zone {
    type Err = PeriodError;

    fn from_str(name: &str) -> Result<Self, PeriodError> {
        TimeZone::get(name).map(Self).map_err(|_| PeriodError::UnknownZone(name.to_owned()))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Every {
    /// The period in which `now` lies and the one after it.
    ///
    /// # Errors
    /// When `now` lies outside the calendar (year 9999).
    pub fn periods(self, zone: &Zone, now: Timestamp) -> Result<[Period; 2], PeriodError> {
        let first = self.first_day(zone.at(now)?.date());
        let second = self.after(first)?;
        let third = self.after(second)?;
        let moments = [zone.midnight(first)?, zone.midnight(second)?, zone.midnight(third)?];
        let [start, middle, end] = moments;
        Ok([
            Period { id: self.name(first), start, end: middle },
            Period { id: self.name(second), start: middle, end },
        ])
    }

    fn first_day(self, date: Date) -> Date {
        match self {
            Self::Day => date,
            Self::Month => date.first_of_month(),
        }
    }

    fn after(self, date: Date) -> Result<Date, PeriodError> {
        let span = match self {
            Self::Day => 1.day(),
            Self::Month => 1.month(),
        };
        date.checked_add(span).map_err(|_| PeriodError::OutOfRange)
    }

    fn name(self, date: Date) -> String {
        match self {
            Self::Day => date.to_string(),
            Self::Month => date.strftime("%Y-%m").to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Every, zone, now, then the period's id, start and end; the moments are those of Python's `zoneinfo`.
    const TABLE: &str = "
day   UTC               2026-11-22T10:00:00Z 2026-11-22 2026-11-22T00:00:00Z 2026-11-23T00:00:00Z
day   America/Sao_Paulo 2026-11-22T02:59:59Z 2026-11-21 2026-11-21T03:00:00Z 2026-11-22T03:00:00Z
day   America/Sao_Paulo 2026-11-22T03:00:00Z 2026-11-22 2026-11-22T03:00:00Z 2026-11-23T03:00:00Z
day   Asia/Kathmandu    2026-01-01T00:00:00Z 2026-01-01 2025-12-31T18:15:00Z 2026-01-01T18:15:00Z
day   Europe/Paris      2026-03-29T12:00:00Z 2026-03-29 2026-03-28T23:00:00Z 2026-03-29T22:00:00Z
day   Europe/Paris      2026-10-25T12:00:00Z 2026-10-25 2026-10-24T22:00:00Z 2026-10-25T23:00:00Z
day   America/Sao_Paulo 2018-11-04T12:00:00Z 2018-11-04 2018-11-04T03:00:00Z 2018-11-05T02:00:00Z
day   America/Havana    2026-11-01T12:00:00Z 2026-11-01 2026-11-01T04:00:00Z 2026-11-02T05:00:00Z
month UTC               2028-02-29T23:59:59Z 2028-02    2028-02-01T00:00:00Z 2028-03-01T00:00:00Z
month America/Sao_Paulo 2026-12-01T02:00:00Z 2026-11    2026-11-01T03:00:00Z 2026-12-01T03:00:00Z
month Europe/Paris      2026-03-31T12:00:00Z 2026-03    2026-02-28T23:00:00Z 2026-03-31T22:00:00Z
month Pacific/Auckland  2026-12-31T11:00:00Z 2027-01    2026-12-31T11:00:00Z 2027-01-31T11:00:00Z
";

    /// Days of 23 and 25 hours, a midnight that did not happen and one that happened twice among them.
    #[test]
    fn periods_begin_where_people_say_they_do() {
        let rows = TABLE.lines().filter(|line| !line.is_empty());
        assert_eq!(rows.clone().count(), 12);
        for row in rows {
            let words: Vec<_> = row.split_whitespace().collect();
            let [every, zone, now, id, start, end] = words[..] else { panic!("{row}") };
            let every = if every == "day" { Every::Day } else { Every::Month };
            let [current, next] = every.periods(&zone.parse().unwrap(), at(now)).unwrap();
            let expected = Period { id: id.to_owned(), start: at(start), end: at(end) };
            assert_eq!(current, expected, "{row}");
            assert!(current.contains(at(now)) && next.start == current.end, "{row}");
        }
    }

    /// A day that a zone left out altogether: Samoa went from 29 to 31 December 2011.
    #[test]
    fn a_day_that_never_was_is_empty() {
        let zone: Zone = "Pacific/Apia".parse().unwrap();
        let [last, next] = Every::Day.periods(&zone, at("2011-12-30T09:59:59Z")).unwrap();
        assert_eq!((last.id.as_str(), last.end), ("2011-12-29", at("2011-12-30T10:00:00Z")));
        assert_eq!((next.start, next.end), (last.end, last.end));
        let [first, _] = Every::Day.periods(&zone, at("2011-12-30T10:00:00Z")).unwrap();
        assert_eq!((first.id.as_str(), first.start), ("2011-12-31", at("2011-12-30T10:00:00Z")));
    }

    #[test]
    fn what_is_no_zone() {
        for name in ["", "Mars/Olympus", "../etc/passwd", "UTC+3"] {
            assert!(name.parse::<Zone>().is_err(), "{name}");
        }
    }
}
