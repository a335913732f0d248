//! Calendar periods in an account's own time zone: what a cap counts over and an allowance lasts for.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};
use serde::{Deserialize, Serialize};

use crate::seam::Timestamp;

/// How often something starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// With each day.
    Day,
    /// With each week; on the calendar it starts on Monday (ISO 8601).
    Week,
    /// With each month.
    Month,
}

/// Where periods begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// At midnight: of each day, of Mondays, of the first of the month.
    #[default]
    Calendar,
    /// At the account's billing anchor, and every so often after it.
    Anchor,
}

/// How long periods are and where they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cycle {
    /// How long they are.
    pub every: Every,
    /// Where they begin.
    pub start: Start,
}

/// One day, week or month of an account, from `start` until just before `end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// On the calendar `2026-11-22`, `2026-W47` or `2026-11`; from an anchor an ISO 8601 interval in local
    /// time, `2026-01-31T15:00/P1M`.
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
        moment(&zoned.map_err(|_| PeriodError::OutOfRange)?)
    }

    /// The moment at which clocks here show this; where they skip it, as much later as they skip; where they
    /// show it twice, the first time (RFC 5545, section 3.3.5).
    fn shows(&self, time: DateTime) -> Result<Timestamp, PeriodError> {
        moment(&time.to_zoned(self.0.clone()).map_err(|_| PeriodError::OutOfRange)?)
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

fn moment(zoned: &Zoned) -> Result<Timestamp, PeriodError> {
    let ms = zoned.timestamp().as_millisecond();
    u64::try_from(ms).map(Timestamp).map_err(|_| PeriodError::OutOfRange)
}

impl Every {
    /// The calendar's period in which `now` lies and the one after it.
    ///
    /// # Errors
    /// When `now` lies outside the calendar (year 9999).
    pub fn periods(self, zone: &Zone, now: Timestamp) -> Result<[Period; 2], PeriodError> {
        Cycle { every: self, start: Start::Calendar }.periods(zone, Timestamp(0), now)
    }

    /// So many of them.
    fn times(self, count: i64) -> Result<Span, PeriodError> {
        let span = Span::new();
        let span = match self {
            Self::Day => span.try_days(count),
            Self::Week => span.try_weeks(count),
            Self::Month => span.try_months(count),
        };
        span.map_err(|_| PeriodError::OutOfRange)
    }

    fn first_day(self, date: Date) -> Result<Date, PeriodError> {
        match self {
            Self::Day => Ok(date),
            Self::Week if date.weekday() == Weekday::Monday => Ok(date),
            Self::Week => {
                date.nth_weekday(-1, Weekday::Monday).map_err(|_| PeriodError::OutOfRange)
            }
            Self::Month => Ok(date.first_of_month()),
        }
    }

    /// How many of them lie between two days, give or take one.
    fn between(self, from: Date, to: Date) -> Result<i64, PeriodError> {
        let months = |date: Date| {
            i64::from(date.year()).saturating_mul(12).saturating_add(i64::from(date.month()))
        };
        let days = || from.until(to).map(|span| i64::from(span.get_days()));
        match self {
            Self::Day => days().map_err(|_| PeriodError::OutOfRange),
            Self::Week => {
                days().map(|days| days.div_euclid(7)).map_err(|_| PeriodError::OutOfRange)
            }
            Self::Month => Ok(months(to).saturating_sub(months(from))),
        }
    }

    const fn iso(self) -> &'static str {
        match self {
            Self::Day => "P1D",
            Self::Week => "P1W",
            Self::Month => "P1M",
        }
    }
}

impl Cycle {
    /// The period in which `now` lies and the one after it. Periods from an anchor are always counted from
    /// the anchor itself: 31 January, 28 February, 31 March.
    ///
    /// # Errors
    /// When `now` or the anchor lies outside the calendar.
    pub fn periods(
        self,
        zone: &Zone,
        anchor: Timestamp,
        now: Timestamp,
    ) -> Result<[Period; 2], PeriodError> {
        let origin = self.origin(zone, anchor, now)?;
        let at = self.place(zone, origin, now)?;
        Ok([self.nth(zone, origin, at)?, self.nth(zone, origin, at.saturating_add(1))?])
    }

    /// The end of the `later`-th period after the one in which `now` lies.
    ///
    /// # Errors
    /// As `periods`.
    pub fn end_of(
        self,
        zone: &Zone,
        anchor: Timestamp,
        now: Timestamp,
        later: u32,
    ) -> Result<Timestamp, PeriodError> {
        let origin = self.origin(zone, anchor, now)?;
        let at = self.place(zone, origin, now)?;
        let after = at.saturating_add(i64::from(later)).saturating_add(1);
        self.begins(zone, origin, after)
    }

    /// From where periods are counted, in local time.
    fn origin(
        self,
        zone: &Zone,
        anchor: Timestamp,
        now: Timestamp,
    ) -> Result<DateTime, PeriodError> {
        match self.start {
            Start::Anchor => Ok(zone.at(anchor)?.datetime()),
            Start::Calendar => {
                let first = self.every.first_day(zone.at(now)?.date())?;
                Ok(first.to_datetime(jiff::civil::Time::midnight()))
            }
        }
    }

    /// Which period, counted from the origin, contains `now`.
    fn place(self, zone: &Zone, origin: DateTime, now: Timestamp) -> Result<i64, PeriodError> {
        let mut at = self.every.between(origin.date(), zone.at(now)?.date())?;
        while self.begins(zone, origin, at)? > now {
            at = at.saturating_sub(1);
        }
        while self.begins(zone, origin, at.saturating_add(1))? <= now {
            at = at.saturating_add(1);
        }
        Ok(at)
    }

    fn nominal(self, origin: DateTime, at: i64) -> Result<DateTime, PeriodError> {
        origin.checked_add(self.every.times(at)?).map_err(|_| PeriodError::OutOfRange)
    }

    fn begins(self, zone: &Zone, origin: DateTime, at: i64) -> Result<Timestamp, PeriodError> {
        let nominal = self.nominal(origin, at)?;
        match self.start {
            Start::Calendar => zone.midnight(nominal.date()),
            Start::Anchor => zone.shows(nominal),
        }
    }

    fn nth(self, zone: &Zone, origin: DateTime, at: i64) -> Result<Period, PeriodError> {
        Ok(Period {
            id: self.name(self.nominal(origin, at)?),
            start: self.begins(zone, origin, at)?,
            end: self.begins(zone, origin, at.saturating_add(1))?,
        })
    }

    fn name(self, nominal: DateTime) -> String {
        match (self.start, self.every) {
            (Start::Anchor, every) => {
                format!("{}/{}", nominal.strftime("%Y-%m-%dT%H:%M"), every.iso())
            }
            (Start::Calendar, Every::Day) => nominal.date().to_string(),
            (Start::Calendar, Every::Week) => nominal.strftime("%G-W%V").to_string(),
            (Start::Calendar, Every::Month) => nominal.strftime("%Y-%m").to_string(),
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

    /// The anchor's day is clamped, never carried over, and its hour keeps its place on the clock.
    #[test]
    fn cycles_are_counted_from_the_anchor() {
        let zone: Zone = "Europe/Paris".parse().unwrap();
        let cycle = Cycle { every: Every::Month, start: Start::Anchor };
        let anchor = at("2026-01-31T14:00:00Z");
        let [february, march] = cycle.periods(&zone, anchor, at("2026-03-01T00:00:00Z")).unwrap();
        assert_eq!(
            (february.id.as_str(), march.id.as_str()),
            ("2026-02-28T15:00/P1M", "2026-03-31T15:00/P1M")
        );
        assert_eq!(
            (february.start, march.start),
            (at("2026-02-28T14:00:00Z"), at("2026-03-31T13:00:00Z"))
        );
        assert_eq!(cycle.end_of(&zone, anchor, at("2026-03-01T00:00:00Z"), 1).unwrap(), march.end);
        let [week, _] = Every::Week.periods(&Zone::UTC, at("2027-01-01T12:00:00Z")).unwrap();
        assert_eq!((week.id.as_str(), week.start), ("2026-W53", at("2026-12-28T00:00:00Z")));
    }

    #[test]
    fn what_is_no_zone() {
        for name in ["", "Mars/Olympus", "../etc/passwd", "UTC+3"] {
            assert!(name.parse::<Zone>().is_err(), "{name}");
        }
    }
}
