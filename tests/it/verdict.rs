//! Responses and what they cost.
