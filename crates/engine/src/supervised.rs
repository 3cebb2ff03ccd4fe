//! A command of this host under a filter that asks: each call that the filter hands over is written down and let through.
//!
//! The filter is installed in a thread of ours, which then starts the command, so that the command and all that it starts
//! are under it and its other end is here. The kernel holds the calling thread until it is answered: no call is lost however
//! many there are, its arguments are those that it was made with, and its process is there to be looked at. Neither root
//! nor the kernel's log is needed.
//!
//! Signals to us that are not the terminal's, which the command gets itself, are passed on to it.
//!
//! Misses: calls of a command that is this very program, which are taken for ours, made to start it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, OnceLock};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use confine_kernel::{ArgumentKind, arguments};
use confine_sys::{Errno, Heard, Listener};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::error::Error;
use crate::process::{self, Mapped};

pub use confine_sys::Asked;

/// How long a wait for the next call lasts before it is looked whether to go on, in milliseconds.
const TURN: u32 = 100;

/// How often it is looked whether the filter is there: whoever installs it cannot say so by a call that it may hand over.
const INSTALLATION: Duration = Duration::from_millis(1);

/// What the terminal sends to us and to the command alike: it is the command's affair.
const OF_THE_TERMINAL: [i32; 3] = [SIGINT, SIGQUIT, SIGHUP];

/// What is passed on.
const PASSED_ON: [(i32, Signal); 3] = [
    (SIGTERM, Signal::TERM),
    (SIGUSR1, Signal::USR1),
    (SIGUSR2, Signal::USR2),
];

/// How many places are remembered with the file that they lie in, before all are forgotten.
const REMEMBERED: usize = 1 << 16;

/// A call that was handed over, with what tells what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOver {
    /// The executable.
    pub program: String,
    /// The number of the call, in the numbering of `architecture`.
    pub number: u32,
    /// The architecture as the kernel's audit code names it.
    pub architecture: u32,
    /// Its arguments; those of the first of several that differ in addresses, sizes and descriptors alone.
    pub arguments: [u64; 6],
    /// Where the process goes on after the call; `None` if that lies in no file.
    pub mapped: Option<Mapped>,
    /// How often it was made.
    pub times: usize,
}

/// How the command ended, once all that it started has ended as well, and every call that was handed over and is `wanted`.
///
/// # Errors
/// When the command cannot be started, or the kernel does not hand calls over.
pub fn supervise(
    mut command: Command,
    filter: &[u8],
    wanted: impl Fn(&Asked) -> bool,
) -> Result<(ExitStatus, Vec<HandedOver>), Error> {
    let handled = PASSED_ON.map(|(number, _)| number);
    let mut signals =
        Signals::new(OF_THE_TERMINAL.iter().chain(&handled)).map_err(hand_over("handle signals"))?;
    let mut log = Log::new(wanted)?;
    let hatch = Hatch::default();
    let child = OnceLock::new();
    let ended = std::thread::scope(|scope| {
        let handle = signals.handle();
        scope.spawn(|| pass_on(&mut signals, &child));
        let starter = scope.spawn(|| start(&mut command, filter, &hatch, &child));
        let heard = listen(&starter, &hatch, &mut log);
        handle.close();
        let ended = starter.join().map_err(|_| Error::HandOver {
            step: "start the command",
            source: std::io::ErrorKind::Other.into(),
        })?;
        heard.and(ended)
    })?;
    Ok((ended, log.calls()))
}

/// Installs the filter and runs the command to its end; every call that the filter asks about is let through by
/// [`listen`] meanwhile.
fn start(
    command: &mut Command,
    filter: &[u8],
    hatch: &Hatch,
    child: &OnceLock<u32>,
) -> Result<ExitStatus, Error> {
    confine_sys::set_no_new_privileges().map_err(refused("give up new privileges"))?;
    let installed = Listener::install(filter).map_err(refused(
        "hand over calls, for which Linux 5.19 or later and no other such filter are needed",
    ))?;
    hatch.hand(installed);
    let mut started = command.spawn().map_err(|source| Error::Spawn {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })?;
    let _ = child.set(started.id());
    started.wait().map_err(hand_over("wait for the command"))
}

/// Where the one thread gives the listener to the other without a call, which nobody would hear yet: neither ever waits in
/// the kernel.
#[derive(Default)]
struct Hatch(Mutex<Option<Listener>>);

impl Hatch {
    fn hand(&self, listener: Listener) {
        let mut given = Some(listener);
        // The other thread never holds it for long.
        while given.is_some() {
            if let Ok(mut place) = self.0.try_lock() {
                *place = given.take();
            }
            std::hint::spin_loop();
        }
    }

    fn take(&self) -> Option<Listener> {
        self.0.try_lock().ok()?.take()
    }
}

/// Hears calls until nobody is left who is under the filter. After an error nobody listens any more, which lets the calls
/// that wait fail.
fn listen(
    starter: &ScopedJoinHandle<'_, Result<ExitStatus, Error>>,
    hatch: &Hatch,
    log: &mut Log<impl Fn(&Asked) -> bool>,
) -> Result<(), Error> {
    // Ends with the filter's being there, or with whoever should have installed it.
    let listener = loop {
        match hatch.take() {
            Some(listener) => break listener,
            None if starter.is_finished() => return Ok(()),
            None => std::thread::sleep(INSTALLATION),
        }
    };
    // Ends with the last of the processes.
    loop {
        match listener.hear(TURN).map_err(refused("hand over a call"))? {
            Heard::Call(asked) => {
                log.note(&asked);
                match listener.let_through(&asked) {
                    // Killed meanwhile.
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(error) => return Err(refused("let a call through")(error)),
                }
            }
            Heard::Nothing => {}
            Heard::End => return Ok(()),
        }
    }
}

/// Passes signals on to the command until they are no longer listened to.
fn pass_on(signals: &mut Signals, child: &OnceLock<u32>) {
    for number in signals.forever() {
        let passed_on = PASSED_ON.iter().find(|(known, _)| *known == number);
        let child = child.get().and_then(|child| i32::try_from(*child).ok());
        if let (Some((_, signal)), Some(process)) = (passed_on, child.and_then(Pid::from_raw)) {
            // It may have ended.
            let _ = kill_process(process, *signal);
        }
    }
}

/// What makes calls one: the executable, the architecture and number, the place, and the arguments that tell them apart.
type Kind = (String, u32, u32, Option<Mapped>, [u64; 6]);

/// Calls as they are handed over.
struct Log<W> {
    wanted: W,
    ours: Executable,
    calls: BTreeMap<Kind, HandedOver>,
    /// Places by thread, executable and address.
    places: BTreeMap<(u32, String, u64), Option<Mapped>>,
}

impl<W: Fn(&Asked) -> bool> Log<W> {
    fn new(wanted: W) -> Result<Self, Error> {
        let own = Path::new("/proc/self/exe");
        Ok(Self {
            wanted,
            ours: Executable::at(own).map_err(Error::file("look at", own))?,
            calls: BTreeMap::new(),
            places: BTreeMap::new(),
        })
    }

    /// The thread waits, so that what is asked about it is as it was when it made the call.
    fn note(&mut self, asked: &Asked) {
        let link = PathBuf::from(format!("/proc/{}/exe", asked.thread));
        // It may have been killed: its call counts all the same.
        if !(self.wanted)(asked) || Executable::at(&link).is_ok_and(|executable| executable == self.ours) {
            return;
        }
        let program = std::fs::read_link(&link).map_or_else(
            |_| "a program that was killed".to_owned(),
            |path| path.to_string_lossy().into_owned(),
        );
        if self.places.len() >= REMEMBERED {
            self.places.clear();
        }
        let place = self
            .places
            .entry((asked.thread, program.clone(), asked.instruction));
        let mapped = place
            .or_insert_with(|| process::mapped(asked.thread, asked.instruction))
            .clone();
        let telling = telling(asked.number, asked.arguments);
        let kind = (
            program.clone(),
            asked.architecture,
            asked.number,
            mapped.clone(),
            telling,
        );
        let call = self.calls.entry(kind).or_insert_with(|| HandedOver {
            program,
            number: asked.number,
            architecture: asked.architecture,
            arguments: asked.arguments,
            mapped,
            times: 0,
        });
        call.times += 1;
    }

    fn calls(self) -> Vec<HandedOver> {
        self.calls.into_values().collect()
    }
}

/// The arguments that say what a call does; how many different ones there are does not grow with how often it is made.
fn telling(number: u32, passed: [u64; 6]) -> [u64; 6] {
    let mut telling = [0; 6];
    for ((told, passed), fact) in telling.iter_mut().zip(passed).zip(arguments(number)) {
        if matches!(fact.kind, ArgumentKind::Enumeration | ArgumentKind::Flags) {
            *told = passed & fact.mask();
        }
    }
    telling
}

/// A file, whatever it is called.
#[derive(Debug, PartialEq, Eq)]
struct Executable {
    device: u64,
    number: u64,
}

impl Executable {
    fn at(link: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(link)?;
        Ok(Self {
            device: metadata.dev(),
            number: metadata.ino(),
        })
    }
}

fn hand_over(step: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::HandOver { step, source }
}

fn refused(step: &'static str) -> impl FnOnce(Errno) -> Error {
    move |errno| hand_over(step)(std::io::Error::from_raw_os_error(errno.0))
}
