//! Long-running processes that end when their handle is dropped, and when we are killed.

use crate::process::POLL;
use anyhow::{bail, Context, Result};
use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
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
) 2>/dev/null &
watcher=$!
exec 3<&-
wait "$child"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
"#;

/// How long a process may take to end by itself when it is told to.
const GRACE: Duration = Duration::from_secs(15);

/// How much of a log an error shows.
const TAIL_LINES: usize = 25;

/// A running process. Dropping it ends the process.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    log: PathBuf,
    keeper: Child,
    lifeline: Option<ChildStdin>,
}

impl Daemon {
    /// Starts `program` with `arguments`; what it prints is appended to `<logs>/<name>.log`.
    pub fn start(name: &str, program: &Path, arguments: &[String], logs: &Path) -> Result<Self> {
        fs::create_dir_all(logs).with_context(|| format!("cannot make {}", logs.display()))?;
        let log = logs.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper", &GRACE.as_secs().to_string()])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            // Ctrl-C in a terminal then reaches us alone, and we end the others in order
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let lifeline = keeper.stdin.take();
        Ok(Self {
            name: name.into(),
            log,
            keeper,
            lifeline,
        })
    }

    /// The name it was started under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// An error that shows the end of the log, if it has ended.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.keeper.try_wait()? {
            bail!(
                "{} ended ({status}); the end of {}:\n{}",
                self.name,
                self.log.display(),
                self.tail()
            );
        }
        Ok(())
    }

    /// Waits until `done` gives something, looking again and again for `limit` at most, and as long
    /// as the process runs.
    pub fn wait_for<T>(&mut self, what: &str, limit: Duration, mut done: impl FnMut() -> Option<T>) -> Result<T> {
        let end = Instant::now() + limit;
        loop {
            if let Some(value) = done() {
                return Ok(value);
            }
            self.check()?;
            if Instant::now() > end {
                let (name, log, secs) = (&self.name, self.log.display(), limit.as_secs());
                bail!("{name}: no {what} after {secs} s; the end of {log}:\n{}", self.tail());
            }
            thread::sleep(POLL);
        }
    }

    /// Asks it to end and waits until it has.
    pub fn stop(mut self) -> Result<ExitStatus> {
        drop(self.lifeline.take());
        self.keeper.wait().with_context(|| format!("waiting for {}", self.name))
    }

    /// Ends it at once with SIGKILL, as a power failure would.
    pub fn kill(mut self) -> Result<()> {
        let group = self.keeper.id().to_string();
        crate::process::run(Command::new("sh").args(["-c", "kill -s KILL -- \"-$1\"", "sh", &group]))?;
        self.keeper
            .wait()
            .with_context(|| format!("waiting for {}", self.name))?;
        Ok(())
    }

    /// The last lines it printed.
    pub fn tail(&self) -> String {
        let text = fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // Nobody is left to be told of a failure to wait
        let _ = self.keeper.wait();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn logs(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("assay-daemon-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    /// A program that writes its process id and sleeps.
    fn sleeper(logs: &Path) -> (Daemon, PathBuf) {
        let script = "echo $$; exec sleep 600".to_string();
        let mut daemon = Daemon::start("sleeper", Path::new("/bin/sh"), &["-c".into(), script], logs).unwrap();
        let log = daemon.log().to_path_buf();
        let pid = daemon
            .wait_for("process id", Duration::from_secs(10), || {
                fs::read_to_string(&log).ok().filter(|text| text.ends_with('\n'))
            })
            .unwrap();
        (daemon, Path::new("/proc").join(pid.trim()))
    }

    fn is_gone(process: &Path) -> bool {
        let end = Instant::now() + Duration::from_secs(10);
        while process.exists() && Instant::now() < end {
            thread::sleep(POLL);
        }
        !process.exists()
    }

    #[test]
    fn daemon_should_end_when_dropped() {
        let logs = logs("dropped");
        let (daemon, process) = sleeper(&logs);
        assert!(process.exists());
        drop(daemon);
        assert!(!process.exists());
        fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn daemon_should_be_gone_at_once_when_killed() {
        let logs = logs("killed");
        let (daemon, process) = sleeper(&logs);
        daemon.kill().unwrap();
        assert!(is_gone(&process));
        fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn check_should_show_the_log_when_the_program_has_ended() {
        let logs = logs("ended");
        let script = "echo out of cheese; exit 7".to_string();
        let mut daemon = Daemon::start("cook", Path::new("/bin/sh"), &["-c".into(), script], &logs).unwrap();
        let error = daemon
            .wait_for("cheese", Duration::from_secs(10), || None::<()>)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("cook ended") && error.contains("out of cheese"),
            "{error}"
        );
        fs::remove_dir_all(logs).unwrap();
    }
}
