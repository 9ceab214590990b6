//! Long-running processes that end when their handle is dropped, and when we are killed.

use crate::process::{Tied, POLL};
use anyhow::{bail, Context, Result};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

/// How much of a log an error shows.
const TAIL_LINES: usize = 25;

/// A running process. Dropping it ends the process.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    log: PathBuf,
    process: Tied,
}

impl Daemon {
    /// Starts `command`; what it prints is appended to `<logs>/<name>.log`.
    pub fn start(name: &str, command: &Command, logs: &Path) -> Result<Self> {
        fs::create_dir_all(logs).with_context(|| format!("cannot make {}", logs.display()))?;
        let log = logs.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        let process = Tied::spawn(command, file.try_clone()?.into(), file.into())?;
        Ok(Self {
            name: name.into(),
            log,
            process,
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
        if let Some(status) = self.process.ended()? {
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
        self.process.stop().with_context(|| format!("stopping {}", self.name))
    }

    /// Ends it at once with SIGKILL, as a power failure would.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill().with_context(|| format!("killing {}", self.name))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn logs(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("assay-daemon-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// A program that writes its process id and sleeps.
    fn sleeper(logs: &Path) -> (Daemon, PathBuf) {
        let mut daemon = Daemon::start("sleeper", &shell("echo $$; exec sleep 600"), logs).unwrap();
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
        let mut daemon = Daemon::start("cook", &shell("echo out of cheese; exit 7"), &logs).unwrap();
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
