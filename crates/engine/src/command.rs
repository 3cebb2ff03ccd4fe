//! External programs with a limit on their time, their output kept, and a way to stop early.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use wait4::{ResUse, Wait4};

use crate::error::Error;

/// How much of a program's output is kept, from its beginning.
const OUTPUT_LIMIT: u64 = 16 << 20;

/// How often a wait looks whether it was interrupted.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(50);

/// How long a program that has to end may take to do so by itself: one that runs containers removes them first.
const GRACE: Duration = Duration::from_secs(15);

/// A flag that ends every wait that holds it; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks every holder to stop.
    pub fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A program with its arguments, not yet started.
#[derive(Debug, Clone)]
pub struct Invocation {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    pub(crate) limit: Duration,
    interrupt: Interrupt,
}

impl Invocation {
    /// A program by name or path; it is given a minute unless [`limit`](Self::limit) says otherwise.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: None,
            limit: Duration::from_secs(60),
            interrupt: Interrupt::default(),
        }
    }

    /// A command line, which begins with the program; without a word it cannot be started.
    pub fn of(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut words = words.into_iter();
        let program = words.next();
        Self::new(program.as_ref().map_or(OsStr::new(""), AsRef::as_ref)).args(words)
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(self, argument: impl AsRef<OsStr>) -> Self {
        self.args([argument])
    }

    /// Sets a variable of its environment, on top of ours.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts it in a folder.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// How long it may take before it is killed.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What ends the wait early.
    #[must_use]
    pub fn interrupt(mut self, interrupt: &Interrupt) -> Self {
        self.interrupt = interrupt.clone();
        self
    }

    /// The command line as a person would type it, for messages.
    #[must_use]
    pub fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        words
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs it to its end, whatever that is.
    pub fn run(&self) -> Result<Finished, Error> {
        self.start()?.wait(self.limit)
    }

    /// Runs it and takes anything but exit code 0 for an error; its standard output, trimmed.
    pub fn output(&self) -> Result<String, Error> {
        let finished = self.run()?;
        if finished.code == Some(0) {
            return Ok(finished.stdout.trim().to_owned());
        }
        Err(Error::Failed {
            command: self.line(),
            outcome: finished.outcome(),
            message: tail(&finished.stderr, 2000).trim().to_owned(),
        })
    }

    /// Starts it and leaves it running.
    pub fn start(&self) -> Result<Running, Error> {
        let capture = |step| tempfile::tempfile().map_err(Error::file(step, std::env::temp_dir()));
        let (stdout, stderr) = (capture("capture output in")?, capture("capture output in")?);
        let inherit = |file: &File| {
            file.try_clone()
                .map_err(Error::file("share", std::env::temp_dir()))
        };
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(inherit(&stdout)?)
            .stderr(inherit(&stderr)?)
            // A group of its own: an interrupt from the terminal reaches us alone, and a kill reaches its children.
            .process_group(0);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let spawn_error = |source| Error::Spawn {
            program: self.program.to_string_lossy().into_owned(),
            source,
        };
        let child = command.spawn().map_err(spawn_error)?;
        let id = child.id();
        let started = Instant::now();
        let (sender, ended) = channel();
        std::thread::spawn(move || {
            let usage = child.wait4();
            // Nobody listens any more when the handle was dropped, which is fine: the child is reaped.
            let _ = sender.send((usage, started.elapsed()));
        });
        Ok(Running {
            line: self.line(),
            id,
            ended,
            stdout,
            stderr,
            finished: None,
            interrupt: self.interrupt.clone(),
        })
    }
}

/// A program that was started; killed, with its children, when dropped before its end.
#[derive(Debug)]
pub struct Running {
    line: String,
    id: u32,
    ended: Receiver<(std::io::Result<ResUse>, Duration)>,
    stdout: File,
    stderr: File,
    finished: Option<Finished>,
    interrupt: Interrupt,
}

impl Running {
    /// Waits for its end; past the limit, or when interrupted, it is killed and that is the error.
    pub fn wait(&mut self, limit: Duration) -> Result<Finished, Error> {
        let deadline = Instant::now() + limit;
        // Bounded by the deadline.
        loop {
            if let Some(finished) = self.poll(INTERRUPT_INTERVAL)? {
                return Ok(finished);
            }
            if self.interrupt.is_raised() {
                self.kill();
                return Err(Error::Interrupted);
            }
            if Instant::now() >= deadline {
                self.kill();
                return Err(Error::TimedOut {
                    command: self.line.clone(),
                    limit,
                });
            }
        }
    }

    /// Its end, if that comes within `patience`.
    pub fn poll(&mut self, patience: Duration) -> Result<Option<Finished>, Error> {
        if let Some(finished) = &self.finished {
            return Ok(Some(finished.clone()));
        }
        let (usage, elapsed) = match self.ended.recv_timeout(patience) {
            Ok((usage, elapsed)) => (usage, elapsed),
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::Answer {
                    command: self.line.clone(),
                    expected: "an exit status".to_owned(),
                });
            }
        };
        let usage = usage.map_err(|source| Error::Spawn {
            program: self.line.clone(),
            source,
        })?;
        let finished = Finished {
            code: usage.status.code(),
            signal: usage.status.signal(),
            stdout: self.stdout_so_far(),
            stderr: self.stderr_so_far(),
            elapsed,
            peak_memory: usage.rusage.maxrss,
        };
        self.finished = Some(finished.clone());
        Ok(Some(finished))
    }

    /// What it wrote to its standard output until now.
    #[must_use]
    pub fn stdout_so_far(&self) -> String {
        read_all(&self.stdout)
    }

    /// What it wrote to its standard error until now.
    #[must_use]
    pub fn stderr_so_far(&self) -> String {
        read_all(&self.stderr)
    }

    /// Asks it to end, with its children, so that it can give back what it holds; insists after a while.
    fn kill(&mut self) {
        self.signal(rustix::process::Signal::TERM);
        if matches!(self.poll(GRACE), Ok(None)) {
            self.signal(rustix::process::Signal::KILL);
        }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let group = i32::try_from(self.id)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            // It may have ended in the meantime, which is what we want.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.poll(Duration::ZERO), Ok(None)) {
            self.kill();
            // The waiting thread reaps it; give that a moment so that what it held is free.
            let _ = self.poll(Duration::from_secs(5));
        }
    }
}

/// A program that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// What it wrote to its standard output, bounded.
    pub stdout: String,
    /// What it wrote to its standard error, bounded.
    pub stderr: String,
    /// From start to end.
    pub elapsed: Duration,
    /// The largest resident set that it, or a child that it waited for, had, in bytes.
    pub peak_memory: u64,
}

impl Finished {
    /// How it ended, in words.
    #[must_use]
    pub fn outcome(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "no status".to_owned(),
        }
    }
}

/// The end of a text, at a character boundary.
fn tail(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    // At most three steps: a character has at most four bytes.
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..).unwrap_or_default()
}

/// The child shares the file's position, so reading goes through a second handle of our own making.
fn read_all(file: &File) -> String {
    let mut bytes = Vec::new();
    let read = File::open(descriptor_path(file)).and_then(|mut own| {
        own.seek(SeekFrom::Start(0))?;
        own.take(OUTPUT_LIMIT).read_to_end(&mut bytes)
    });
    match read {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("(output unreadable: {error})"),
    }
}

fn descriptor_path(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Invocation {
        Invocation::new("/bin/sh").args(["-c", script])
    }

    fn check(script: &str, code: Option<i32>, signal: Option<i32>, stdout: &str, stderr: &str) {
        let finished = shell(script).run().unwrap();
        assert_eq!(
            (
                finished.code,
                finished.signal,
                finished.stdout.as_str(),
                finished.stderr.as_str()
            ),
            (code, signal, stdout, stderr),
            "{script}"
        );
    }

    #[test]
    fn ends_are_told_apart() {
        check("echo out; echo err >&2", Some(0), None, "out\n", "err\n");
        check("exit 7", Some(7), None, "", "");
        check("kill -9 $$", None, Some(9), "", "");
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children() {
        let started = Instant::now();
        let outcome = shell("sleep 30 & wait").limit(Duration::from_millis(200)).run();
        assert!(matches!(outcome, Err(Error::TimedOut { .. })), "{outcome:?}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_that_is_ended_can_give_back_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("given-back");
        let script = format!("trap 'echo > {}; exit' TERM; sleep 30 & wait", place.display());
        let outcome = shell(&script).limit(Duration::from_millis(300)).run();
        assert!(matches!(outcome, Err(Error::TimedOut { .. })), "{outcome:?}");
        assert!(place.exists());
    }

    #[test]
    fn an_interrupt_ends_a_wait() {
        let interrupt = Interrupt::default();
        interrupt.raise();
        let outcome = shell("sleep 30").interrupt(&interrupt).run();
        assert!(matches!(outcome, Err(Error::Interrupted)), "{outcome:?}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Invocation::new("/not/there").run().unwrap_err();
        assert_eq!(error.to_string(), "cannot start `/not/there`");
    }

    #[test]
    fn failure_carries_the_end_of_standard_error() {
        let error = shell("echo first; echo why >&2; exit 2").output().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`/bin/sh -c echo first; echo why >&2; exit 2` ended with exit code 2: why"
        );
    }

    #[test]
    fn memory_is_measured() {
        let finished = shell("head -c 60000000 /dev/zero | tail -c 50000000 >/dev/null")
            .run()
            .unwrap();
        assert!(finished.peak_memory > 30_000_000, "{}", finished.peak_memory);
    }
}
