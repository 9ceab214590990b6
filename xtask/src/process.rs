//! Running other programs: what they were called with is in every error, and those that could go on
//! for ever end with us.

use anyhow::{bail, Context, Result};
use std::{
    io::Read,
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Starts the program given as its arguments and ends it when standard input closes, which happens
/// at the latest when the process that holds the other end dies, of whatever cause.
const KEEPER: &str = r#"
grace=$1
shift
exec 3<&0
"$@" 3<&- </dev/null &
child=$!
(
    read -r _ <&3
    kill -TERM "$child"
    while [ "$grace" -gt 0 ] && kill -0 "$child"; do
        sleep 1
        grace=$((grace - 1))
    done
    kill -KILL "$child"
) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$child"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
"#;

/// How long a process may take to end by itself when it is told to.
const GRACE: Duration = Duration::from_secs(15);

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

/// Runs `command`, which may hang, for `limit` at most, and returns what it printed to standard
/// output. An error carries all that it printed.
pub fn output_within(command: &Command, limit: Duration) -> Result<String> {
    let mut child = Tied::spawn(command, Stdio::piped(), Stdio::piped())?;
    let stdout = collect(child.process.stdout.take().expect("stdout is piped; qed"));
    let stderr = collect(child.process.stderr.take().expect("stderr is piped; qed"));
    let end = Instant::now() + limit;
    let ended = loop {
        match child.ended()? {
            Some(status) => break Some(status),
            None if Instant::now() > end => break None,
            None => thread::sleep(POLL),
        }
    };
    let text = |reader: JoinHandle<String>| reader.join().unwrap_or_default();
    match ended {
        Some(status) if status.success() => Ok(text(stdout)),
        Some(status) => {
            let printed = text(stdout) + &text(stderr);
            bail!("`{}` failed ({status}):\n{}", display(command), printed.trim_end())
        }
        None => {
            drop(child);
            let printed = text(stdout) + &text(stderr);
            bail!(
                "`{}` was not done after {} s:\n{}",
                display(command),
                limit.as_secs(),
                printed.trim_end()
            )
        }
    }
}

/// Reads everything, beside us, so that the other side never waits for a full pipe.
pub fn collect(mut source: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What could not be read is only missing from messages
        let _ = source.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A process that ends when this is dropped, and when we die. It runs in a group of its own, so that
/// Ctrl-C in a terminal reaches us alone, and we end the others in order.
#[derive(Debug)]
pub struct Tied {
    /// Who keeps it; has its output.
    pub process: Child,
    lifeline: Option<ChildStdin>,
}

impl Tied {
    /// Starts `command`, with nothing as its standard input.
    pub fn spawn(command: &Command, stdout: Stdio, stderr: Stdio) -> Result<Self> {
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "keeper", &GRACE.as_secs().to_string()])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0);
        if let Some(dir) = command.get_current_dir() {
            keeper.current_dir(dir);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => keeper.env(name, value),
                None => keeper.env_remove(name),
            };
        }
        let mut process = keeper
            .spawn()
            .with_context(|| format!("cannot start `{}`", display(command)))?;
        let lifeline = process.stdin.take();
        Ok(Self { process, lifeline })
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        // `Child::wait` would close its standard input, and so end it
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
    }

    /// Asks it to end and waits until it has.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        drop(self.lifeline.take());
        Ok(self.process.wait()?)
    }

    /// Ends it at once with SIGKILL, as a power failure would.
    pub fn kill(&mut self) -> Result<()> {
        let group = self.process.id().to_string();
        run(Command::new("sh").args(["-c", "kill -s KILL -- \"-$1\"", "sh", &group]))?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        // Nobody is left to be told of a failure to wait
        let _ = self.stop();
    }
}
