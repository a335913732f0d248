//! Floor 0: what is owed. Amounts, quantities, prices, plans, periods and buckets.
//!
//! Invariant: pure and total. No I/O, no clock (`now` is an argument), no HTTP, no store, no configuration
//! format, and never a float: money is an integer number of micro-credits, quantities are exact decimals.

#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

mod amount;
mod decimal;
mod grant;
mod id;
mod period;
mod plan;
mod price;
mod rights;

pub use amount::{Amount, AmountError};
pub use decimal::{Decimal, DecimalError};
pub use grant::{Bucket, Class, Leg, Pack, Paid, Ranks, Standing};
pub use id::{
    AccountId, AliasId, BucketId, ChargeId, IdError, KeyId, Kind, Name, PARTITIONS, Partition,
};
pub(crate) use id::{decode, encode};
pub use period::{Cycle, Every, Period, PeriodError, Start, Zone};
pub use plan::{Allowance, Cap, Measure, Plan, RateLimit, Rollover, ScopeKind, SlotLimit, When};
pub use price::{
    Facts, Line, Price, PriceError, Priced, PricedLine, PricedOverride, Rate, Rounding, Row, Table,
    Value,
};
pub use rights::{OptionRight, Rights};
