//! Running other programs: what they were called with is in every error, and those that could go on
//! for ever end with us.

use anyhow::{bail, Context, Result};
use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{channel, Receiver, RecvTimeoutError},
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

/// Runs `command` with our output and hands each line of its standard output to `seen` as well; an error if
/// it fails.
pub fn run_seen(command: &mut Command, mut seen: impl FnMut(&str)) -> Result<()> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", display(command)))?;
    let mut source = BufReader::new(child.stdout.take().expect("stdout is piped; qed"));
    let mut line = Vec::new();
    while source.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        seen(&text);
        line.clear();
    }
    let status = child.wait()?;
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

/// How a program ended, and what it printed.
#[derive(Debug)]
pub struct Finished {
    /// With which code.
    pub status: ExitStatus,
    /// What it printed to standard output.
    pub stdout: String,
    /// What it printed to standard error.
    pub stderr: String,
}

/// Runs `command`, which may hang, for `limit` at most. An error, with all that it printed, if it is not
/// done by then.
pub fn finish_within(command: &Command, limit: Duration) -> Result<Finished> {
    let mut child = Tied::spawn(command, Stdio::piped(), Stdio::piped())?;
    let stdout = collect(child.process.stdout.take().expect("stdout is piped; qed"));
    let stderr = collect(child.process.stderr.take().expect("stderr is piped; qed"));
    let ended = child.wait_before(Instant::now() + limit)?;
    drop(child);
    let text = |reader: JoinHandle<String>| reader.join().unwrap_or_default();
    let (stdout, stderr) = (text(stdout), text(stderr));
    match ended {
        Some(status) => Ok(Finished { status, stdout, stderr }),
        None => bail!(
            "`{}` was not done after {} s:\n{}",
            display(command),
            limit.as_secs(),
            (stdout + &stderr).trim_end()
        ),
    }
}

/// Runs `command`, which may hang, for `limit` at most, and returns what it printed to standard
/// output. An error carries all that it printed.
pub fn output_within(command: &Command, limit: Duration) -> Result<String> {
    let Finished { status, stdout, stderr } = finish_within(command, limit)?;
    if !status.success() {
        let printed = stdout + &stderr;
        bail!("`{}` failed ({status}):\n{}", display(command), printed.trim_end());
    }
    Ok(stdout)
}

/// Lines of what a process prints, read beside us, so that none is waited for without limit.
#[derive(Debug)]
pub struct Lines(Receiver<String>);

/// There was no line in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLate;

impl Lines {
    /// Those of `source`.
    pub fn of(source: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(source).lines();
            // Ends with the source, or when nobody wants more
            while let Some(Ok(line)) = lines.next() {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self(receiver)
    }

    /// The next one, waited for until `end`; none when there are no more.
    pub fn next_before(&mut self, end: Instant) -> Result<Option<String>, TooLate> {
        match self.0.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(TooLate),
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

    /// How it ended by itself, waited for until `end`; none if it has not by then.
    pub fn wait_before(&mut self, end: Instant) -> Result<Option<ExitStatus>> {
        // `Child::wait` would close its standard input, and so end it
        loop {
            match self.ended()? {
                None if Instant::now() < end => thread::sleep(POLL),
                ended => return Ok(ended),
            }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_should_be_handed_on_when_a_program_runs_and_its_failure_reported() {
        let mut seen = Vec::new();
        run_seen(&mut shell("echo one; echo two"), |line| seen.push(line.to_string())).unwrap();
        assert_eq!(seen, ["one\n", "two\n"]);
        assert!(run_seen(&mut shell("exit 3"), |_| ()).is_err());
    }

    #[test]
    fn code_and_output_should_be_told_when_a_program_fails() {
        let finished = finish_within(&shell("echo out; echo err >&2; exit 4"), Duration::from_secs(10)).unwrap();
        assert_eq!(finished.status.code(), Some(4));
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
    }

    #[test]
    fn program_should_be_ended_when_it_takes_too_long() {
        let error = finish_within(&shell("echo begun; exec sleep 60"), Duration::from_millis(200)).unwrap_err();
        assert!(error.to_string().contains("begun"), "{error}");
    }

    #[test]
    fn line_should_not_be_waited_for_when_its_time_is_over() {
        let mut child = Tied::spawn(&shell("echo one; exec sleep 60"), Stdio::piped(), Stdio::null()).unwrap();
        let mut lines = Lines::of(child.process.stdout.take().unwrap());
        let soon = || Instant::now() + Duration::from_secs(10);
        assert_eq!(lines.next_before(soon()), Ok(Some("one".into())));
        assert_eq!(
            lines.next_before(Instant::now() + Duration::from_millis(50)),
            Err(TooLate)
        );
        drop(child);
        assert_eq!(lines.next_before(soon()), Ok(None));
    }
}
