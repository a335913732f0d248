//! Moving amounts between the columns of a bucket, and telling of it.
//!
//! Invariant: an amount leaves a column of a bucket only by `post`, which puts it into another column of
//! the same bucket; so the equation of the five columns cannot be broken by forgetting one side.

use serde::{Deserialize, Serialize};

use super::state::Purse;
use super::stop::Stop;
use crate::credit::{Amount, Bucket, BucketId, Class, Kind};
use crate::seam::Timestamp;

/// An amount that went from one column of a bucket to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Which bucket.
    pub bucket: BucketId,
    /// From where; `None`: it was granted.
    pub from: Option<Column>,
    /// Where to.
    pub to: Column,
    /// How much.
    pub amount: Amount,
}

/// A column of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Column {
    /// What may still be reserved.
    Available,
    /// What open charges hold.
    Held,
    /// What was charged.
    Spent,
    /// What ended unused.
    Expired,
    /// What was taken back.
    Voided,
}

impl Purse {
    /// A new bucket, all of it available.
    pub(super) const fn new(bucket: Bucket, fresh: bool, now: Timestamp) -> Self {
        Self { bucket, fresh, touched: now, hold: Amount::ZERO, repaid_by: Vec::new(), carry: None }
    }

    /// Moves `amount` from one column to another, and says so.
    pub(super) fn post(
        &mut self,
        (from, to): (Column, Column),
        amount: Amount,
        now: Timestamp,
        told: &mut Vec<Posting>,
    ) -> Result<(), Stop> {
        if amount.is_zero() {
            return Ok(());
        }
        self.shift(from, to, amount, now)?;
        told.push(Posting { bucket: self.bucket.id.clone(), from: Some(from), to, amount });
        Ok(())
    }

    /// More is granted into a column, and it is said so.
    pub(super) fn grow(
        &mut self,
        to: Column,
        amount: Amount,
        now: Timestamp,
        told: &mut Vec<Posting>,
    ) -> Result<(), Stop> {
        let granted = self.bucket.granted.checked_add(amount);
        self.bucket.granted = granted.ok_or_else(|| self.short_of(to))?;
        let more = self.column(to).checked_add(amount);
        *self.column(to) = more.ok_or_else(|| self.short_of(to))?;
        self.touched = now;
        told.push(Posting { bucket: self.bucket.id.clone(), from: None, to, amount });
        Ok(())
    }

    fn shift(
        &mut self,
        from: Column,
        to: Column,
        amount: Amount,
        now: Timestamp,
    ) -> Result<(), Stop> {
        let less = self.column(from).checked_sub(amount);
        *self.column(from) = less.ok_or_else(|| self.short_of(from))?;
        let more = self.column(to).checked_add(amount);
        *self.column(to) = more.ok_or_else(|| self.short_of(to))?;
        self.touched = now;
        Ok(())
    }

    const fn column(&mut self, column: Column) -> &mut Amount {
        match column {
            Column::Available => &mut self.bucket.available,
            Column::Held => &mut self.bucket.held,
            Column::Spent => &mut self.bucket.spent,
            Column::Expired => &mut self.bucket.expired,
            Column::Voided => &mut self.bucket.voided,
        }
    }

    fn short_of(&self, column: Column) -> Stop {
        Stop::Broken(format!("{column:?} of bucket {} does not allow a posting", self.bucket.id))
    }

    /// Whether it is a debt that is not wholly repaid.
    pub(super) fn owes(&self, kind: &Kind) -> bool {
        self.bucket.class == Class::Debt
            && self.bucket.kind == *kind
            && !self.bucket.spent.is_zero()
    }
}
