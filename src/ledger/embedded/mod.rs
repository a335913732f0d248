//! One file, no server.
