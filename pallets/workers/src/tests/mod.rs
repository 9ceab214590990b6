//! Tests: one file a call, what others ask of the pallet, and the invariants under random calls.
#![allow(clippy::unwrap_used)]

mod bond_extra;
mod candidates;
mod chill;
mod deregister;
mod invariants;
mod liveness;
mod locks;
mod queries;
mod register;
mod resume;
mod set_ask;
mod set_endpoint;
mod set_hot_key;
mod try_state;
mod validate_artifacts;
