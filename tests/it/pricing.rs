//! Requests and their prices.
