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
