//! The rules as pure functions of an account's state.
