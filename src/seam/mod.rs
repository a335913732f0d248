//! Floor 0: what the world does to us, behind traits: time, randomness, disk, tasks.
//!
//! Every read of a clock, every random byte, every spawned task and thread goes through here, so that a
//! test can simulate time and faults, and so that shutdown knows what it has to wait for.
//!
//! Invariant: this module knows nothing of credits, HTTP or configuration.

mod clock;
mod disk;
mod entropy;
mod tasks;
mod vault;

pub use clock::{Clock, SimulatedClock, SystemClock, TestClock, Timestamp};
pub use disk::{AppendFile, Disk, ScratchFile, SystemDisk};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use tasks::{Tasks, thread};
pub use vault::{LastingFile, SystemVault, Vault};
