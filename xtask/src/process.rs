//! Running other programs: what they were called with is in every error.

use anyhow::{bail, Context, Result};
use std::{
    io::Read,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How often a process or a port is looked at while waiting for it.
pub const POLL: Duration = Duration::from_millis(100);

/// The command line, for messages.
pub fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Runs `command` with our output; an error if it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", display(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", display(command));
    }
    Ok(())
}

/// Runs `command` quietly and returns its output; an error, with what it printed, if it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start `{}`", display(command)))?;
    if !output.status.success() {
        let printed = [output.stdout, output.stderr].concat();
        bail!(
            "`{}` failed ({}):\n{}",
            display(command),
            output.status,
            String::from_utf8_lossy(&printed).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether `command` can be started and succeeds. What it prints is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs `command`, which may hang on a network that drops packets, for `limit` at most. The error
/// carries what it printed.
pub fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // What it says of its own innards is of no use here
        .env_remove("RUST_BACKTRACE")
        .spawn()
        .with_context(|| format!("cannot start `{}`", display(command)))?;
    let mut stderr = child.stderr.take().expect("stderr is piped; qed");
    let printed = thread::spawn(move || {
        let mut text = String::new();
        // Text that is not UTF-8 is only missing from the message
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            bail!("`{}` was not done after {} s", display(command), limit.as_secs());
        }
        thread::sleep(POLL);
    };
    if !status.success() {
        let printed = printed.join().unwrap_or_default();
        bail!("`{}` failed ({status}): {}", display(command), printed.trim_end());
    }
    Ok(())
}
