//! A filter that asks: the calls that it hands over, and the answer that they may go on.

use crate::Errno;
use crate::calls::{self, FilterProgram};

const POLL: u64 = 7;
const IOCTL: u64 = 16;

/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`.
const NEW_LISTENER: u64 = 1 << 3;
/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`, from Linux 5.19 on: while a call is looked at, only a deadly signal ends
/// it, so that no signal makes a call fail that would not have failed by itself.
const WAIT_KILLABLE: u64 = 1 << 5;
/// `SECCOMP_IOCTL_NOTIF_RECV`: reads and writes `struct seccomp_notif`, of 80 bytes.
const RECEIVE: u64 = 0xc050_2100;
/// `SECCOMP_IOCTL_NOTIF_SEND`: reads and writes `struct seccomp_notif_resp`, of 24 bytes.
const ANSWER: u64 = 0xc018_2101;
/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`.
const CONTINUE: u32 = 1;

const POLLIN: i16 = 1;
const POLLHUP: i16 = 16;

/// A call that a filter hands over, whose thread waits for the answer: `struct seccomp_notif`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Asked {
    /// By which it is answered.
    id: u64,
    /// The thread that makes it, by the number that it has here.
    pub thread: u32,
    flags: u32,
    /// The call's number, in the numbering of its architecture.
    pub number: u32,
    /// The architecture as the kernel's audit code names it.
    pub architecture: u32,
    /// Where the thread goes on after the call.
    pub instruction: u64,
    /// The call's arguments.
    pub arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// `struct pollfd`.
#[repr(C)]
struct Polled {
    descriptor: i32,
    wanted: i16,
    happened: i16,
}

/// What came of waiting for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// This call.
    Call(Asked),
    /// Nothing in that time.
    Nothing,
    /// There is nobody left who could make one.
    End,
}

/// The other end of a filter that asks. When it is closed, the calls that the filter hands over fail with ENOSYS.
#[derive(Debug)]
pub struct Listener(u64);

impl Listener {
    /// Installs a filter for this thread, and all that it starts, of which the calls that get the answer
    /// `SECCOMP_RET_USER_NOTIF` are heard here.
    ///
    /// # Errors
    /// EINVAL if the kernel is older than 5.19 or does not take the filter, EACCES without no-new-privileges, EBUSY if
    /// the calls of this thread are heard already.
    pub fn install(instructions: &[u8]) -> Result<Self, Errno> {
        let program = FilterProgram::of(instructions)?;
        program.install(NEW_LISTENER | WAIT_KILLABLE).map(Self)
    }

    /// Waits for the next call, for so many milliseconds.
    ///
    /// # Errors
    /// Those of `poll` and of `ioctl`.
    pub fn hear(&self, milliseconds: u32) -> Result<Heard, Errno> {
        let mut polled = Polled {
            descriptor: self.0 as i32,
            wanted: POLLIN,
            happened: 0,
        };
        let address = (&raw mut polled).expose_provenance() as u64;
        // SAFETY: the kernel reads and writes the one structure that there is.
        let ready = calls::result(unsafe { calls::call(POLL, [address, 1, u64::from(milliseconds), 0, 0]) });
        match ready {
            Ok(0) | Err(Errno::INTR) => return Ok(Heard::Nothing),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        if polled.happened & POLLIN == 0 {
            return Ok(match polled.happened & POLLHUP {
                0 => Heard::Nothing,
                _ => Heard::End,
            });
        }
        // All zero, as the kernel demands.
        let mut asked = Asked::default();
        let address = (&raw mut asked).expose_provenance() as u64;
        // SAFETY: the kernel writes one structure of the size that the request names.
        match calls::result(unsafe { calls::call(IOCTL, [self.0, RECEIVE, address, 0, 0]) }) {
            Ok(_) => Ok(Heard::Call(asked)),
            // Whoever made it was killed before it was received.
            Err(Errno::NOENT | Errno::INTR) => Ok(Heard::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Lets a call go on.
    ///
    /// # Errors
    /// ENOENT if the thread was killed meanwhile.
    pub fn let_through(&self, asked: &Asked) -> Result<(), Errno> {
        let mut answer = Answer {
            id: asked.id,
            value: 0,
            error: 0,
            flags: CONTINUE,
        };
        let address = (&raw mut answer).expose_provenance() as u64;
        // SAFETY: the kernel reads one structure of the size that the request names.
        calls::result(unsafe { calls::call(IOCTL, [self.0, ANSWER, address, 0, 0]) }).map(drop)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        calls::close(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;

    const GETPPID: u32 = 110;

    /// Asks about `getppid`, allows everything else.
    const FILTER: [[u8; 8]; 4] = [
        // BPF_LD | BPF_W | BPF_ABS: the number.
        [0x20, 0, 0, 0, 0, 0, 0, 0],
        // BPF_JMP | BPF_JEQ | BPF_K.
        [0x15, 0, 0, 1, GETPPID as u8, 0, 0, 0],
        // SECCOMP_RET_USER_NOTIF.
        [6, 0, 0, 0, 0, 0, 0xc0, 0x7f],
        // SECCOMP_RET_ALLOW.
        [6, 0, 0, 0, 0, 0, 0xff, 0x7f],
    ];

    #[test]
    fn a_call_is_heard_and_goes_on() {
        static LISTENER: OnceLock<Listener> = OnceLock::new();
        let parent = std::os::unix::process::parent_id();
        let asking = std::thread::spawn(|| {
            crate::set_no_new_privileges().unwrap();
            LISTENER
                .set(Listener::install(FILTER.as_flattened()).unwrap())
                .unwrap();
            std::os::unix::process::parent_id()
        });
        let listener = loop {
            match LISTENER.get() {
                Some(listener) => break listener,
                None => std::thread::yield_now(),
            }
        };
        let mut heard = Vec::new();
        loop {
            match listener.hear(1000).unwrap() {
                Heard::Call(asked) => {
                    listener.let_through(&asked).unwrap();
                    heard.push((asked.number, asked.architecture));
                }
                Heard::Nothing => {}
                Heard::End => break,
            }
        }
        assert_eq!(asking.join().unwrap(), parent);
        assert_eq!(heard, [(GETPPID, 0xc000_003e)]);
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        std::thread::spawn(|| {
            crate::set_no_new_privileges().unwrap();
            assert_eq!(Listener::install(&[]).err(), Some(Errno::INVAL));
        })
        .join()
        .unwrap();
    }
}
