//! How requests name their account: keys in every place and shape, imported keys, tokens, a trusted header;
//! what of it reaches the service, and what is never told.

mod attacks;
mod header;
mod keys;
mod rig;
mod signer;
mod tokens;
mod upward;
