//! Panics in libraries of others, which our code catches and makes errors.
//!
//! libFuzzer's hook ends the process before a panic can be caught.

use std::{
    panic::{catch_unwind, set_hook, AssertUnwindSafe},
    sync::{Mutex, PoisonError},
};

/// What the last panic said, for one that nobody catches.
static LAST: Mutex<String> = Mutex::new(String::new());

/// Lets panics be caught. To be called once, before the first input.
pub fn allow_caught() {
    set_hook(Box::new(|panic| {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
}

/// Runs a target for which panics [may be caught](allow_caught), and ends the process if one is not.
pub fn run(target: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(target)).is_err() {
        eprintln!("{}", LAST.lock().unwrap_or_else(PoisonError::into_inner));
        std::process::abort();
    }
}
