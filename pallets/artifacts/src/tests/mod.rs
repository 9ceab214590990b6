//! Tests: one file a call, what others ask of the pallet, and the invariants under random calls.
#![allow(clippy::unwrap_used)]

mod invariants;
mod models;
mod register_model;
mod retire;
mod set_terms;
mod try_state;
