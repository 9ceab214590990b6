//! Tests: one file a call, and the invariants under random calls.
