//! Tests of the market: one file a call, the hook, attacks, and random sequences of calls.

#![allow(clippy::unwrap_used)]

mod acknowledge;
mod attacks;
mod bad_input;
mod cancel;
mod commit;
mod draw;
mod expire;
mod invariants;
mod on_idle;
mod queries;
mod report_unavailable;
mod reveal;
mod settle;
mod submit;
mod try_state;
