//! What cannot happen fails the test in which it happens.
//!
//! `defensive!` and its kind panic in debug builds, but tests run in release builds, where they only
//! write to the log. So the log panics.

use frame_support::defensive;
use log::{LevelFilter, Log, Metadata, Record};

struct PanicOnDefensive;

impl Log for PanicOnDefensive {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.target() == "runtime::defensive"
    }

    fn log(&self, record: &Record) {
        assert!(!self.enabled(record.metadata()), "{}", record.args());
    }

    fn flush(&self) {}
}

/// From now on, defensive code that is reached panics, in all tests of this program.
pub(crate) fn panic_when_reached() {
    // Another test may have been first.
    let _ = log::set_logger(&PanicOnDefensive);
    log::set_max_level(LevelFilter::Error);
}

#[test]
#[should_panic(expected = "cannot happen")]
fn defensive_code_should_panic_when_it_is_reached() {
    panic_when_reached();
    defensive!("cannot happen");
}
