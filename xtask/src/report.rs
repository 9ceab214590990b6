//! What a command says while it works: numbered steps with the time since the start.

use std::{
    cell::{Cell, RefCell},
    time::Instant,
};

/// Prints steps and what happens in them.
#[derive(Debug)]
pub(crate) struct Report {
    start: Instant,
    steps: Cell<u32>,
    said: RefCell<String>,
}

impl Report {
    /// Starts the clock.
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            steps: Cell::new(0),
            said: RefCell::default(),
        }
    }

    /// Announces the next step.
    pub(crate) fn step(&self, text: &str) {
        self.steps.set(self.steps.get() + 1);
        println!("\n[{}] {}. {text}", self.elapsed(), self.steps.get());
    }

    /// Says something within a step.
    pub(crate) fn say(&self, text: &str) {
        for line in text.lines() {
            println!("        {line}");
            *self.said.borrow_mut() += &format!("{line}\n");
        }
    }

    /// Everything that was said within steps so far.
    pub(crate) fn said(&self) -> String {
        self.said.borrow().clone()
    }

    /// Tells why all ended before its time.
    pub(crate) fn failed(&self, error: &anyhow::Error) {
        eprintln!("\nerror, after {}: {error:#}", self.elapsed().trim());
    }

    /// Time since the start, as minutes and seconds.
    pub(crate) fn elapsed(&self) -> String {
        let secs = self.start.elapsed().as_secs();
        format!("{:2}:{:02}", secs / 60, secs % 60)
    }
}
