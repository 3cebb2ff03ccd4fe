//! System calls with types.

use core::arch::asm;
use core::marker::PhantomData;

use crate::Text;

const WRITE: u64 = 1;
const CLOSE: u64 = 3;
const PREAD64: u64 = 17;
const PRCTL: u64 = 157;
const EXIT_GROUP: u64 = 231;
const OPENAT: u64 = 257;
const SECCOMP: u64 = 317;

const STANDARD_ERROR: u64 = 2;
const AT_FDCWD: u64 = -100i64 as u64;
const O_RDONLY: u64 = 0;
const O_CLOEXEC: u64 = 0o2_000_000;
const PR_SET_NO_NEW_PRIVS: u64 = 38;
const SECCOMP_SET_MODE_FILTER: u64 = 1;
/// `sizeof(struct sock_filter)`.
const INSTRUCTION_BYTES: usize = 8;

/// Why the kernel did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// Not permitted.
    pub const PERM: Self = Self(1);
    /// No such file.
    pub const NOENT: Self = Self(2);
    /// A signal came in between.
    pub const INTR: Self = Self(4);
    /// No memory, or one of the kernel's limits.
    pub const NOMEM: Self = Self(12);
    /// Access denied.
    pub const ACCES: Self = Self(13);
    /// It makes no sense.
    pub const INVAL: Self = Self(22);
    /// There is no such call.
    pub const NOSYS: Self = Self(38);
}

/// `struct sock_fprog`.
#[repr(C)]
pub(crate) struct FilterProgram<'a> {
    length: u16,
    instructions: *const u8,
    borrowed: PhantomData<&'a [u8]>,
}

impl<'a> FilterProgram<'a> {
    /// The program of these instructions.
    pub(crate) fn of(instructions: &'a [u8]) -> Result<Self, Errno> {
        let count = instructions.len() / INSTRUCTION_BYTES;
        Ok(Self {
            length: u16::try_from(count).map_err(|_| Errno::INVAL)?,
            instructions: instructions.as_ptr(),
            borrowed: PhantomData,
        })
    }

    /// Installs it as a filter, with these flags of the kernel's.
    pub(crate) fn install(&self, flags: u64) -> Result<u64, Errno> {
        let address = (&raw const *self).expose_provenance() as u64;
        // SAFETY: the kernel copies the structure and as many instructions as it says, which are there, and writes nothing.
        result(unsafe { call(SECCOMP, [SECCOMP_SET_MODE_FILTER, flags, address, 0, 0]) })
    }
}

/// A file that is open for reading, closed in the end.
#[derive(Debug)]
pub struct File(u64);

impl File {
    /// Opens a file.
    ///
    /// # Errors
    /// Those of `openat`.
    pub fn open(path: Text) -> Result<Self, Errno> {
        let path = path.pointer().expose_provenance() as u64;
        // SAFETY: a zero byte ends the path, by its type; the kernel only reads it.
        let descriptor = unsafe { call(OPENAT, [AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0, 0]) };
        result(descriptor).map(Self)
    }

    /// Fills the buffer with the file's bytes from an offset on; `false` if there are fewer.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> bool {
        let mut done = 0;
        // Bounded: each turn fills at least one byte of the buffer.
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let address = rest.as_mut_ptr().expose_provenance() as u64;
            let from = offset.wrapping_add(done as u64);
            // SAFETY: the kernel writes at most as many bytes as the rest of the buffer has.
            let got = unsafe { call(PREAD64, [self.0, address, rest.len() as u64, from, 0]) };
            match result(got) {
                Ok(got @ 1..) => done += got as usize,
                _ => return false,
            }
        }
        true
    }
}

impl Drop for File {
    fn drop(&mut self) {
        close(self.0);
    }
}

/// Closes a descriptor of ours that nobody has any more.
pub(crate) fn close(descriptor: u64) {
    // SAFETY: the call touches no memory.
    unsafe { call(CLOSE, [descriptor, 0, 0, 0, 0]) };
}

/// Writes text to the standard error; whoever does not read it does not get it.
pub fn write_error(text: &[u8]) {
    let address = text.as_ptr().expose_provenance() as u64;
    // SAFETY: the kernel only reads the text.
    unsafe { call(WRITE, [STANDARD_ERROR, address, text.len() as u64, 0, 0]) };
}

/// Ends the process.
pub fn exit(code: i32) -> ! {
    // SAFETY: the call touches no memory.
    unsafe { call(EXIT_GROUP, [code as u64, 0, 0, 0, 0]) };
    // A filter that was there before may deny even this. There is no other way on.
    // SAFETY: an instruction that is undefined on purpose raises a signal and does nothing else.
    unsafe { asm!("ud2", options(noreturn, nomem, nostack)) }
}

/// From here on, executing a file gives no privileges: neither set-user-ID nor file capabilities count.
///
/// # Errors
/// Those of `prctl`, or of a filter that denies it.
pub fn set_no_new_privileges() -> Result<(), Errno> {
    // SAFETY: the call touches no memory.
    result(unsafe { call(PRCTL, [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]) }).map(drop)
}

/// Calls `prctl` with an option that the kernel does not have.
///
/// # Errors
/// EINVAL from the kernel, something else from a filter.
pub fn probe(option: u32, arguments: [u64; 4]) -> Result<(), Errno> {
    let [second, third, fourth, fifth] = arguments;
    // SAFETY: the kernel has no such option, so nothing is done with the arguments.
    result(unsafe { call(PRCTL, [u64::from(option), second, third, fourth, fifth]) }).map(drop)
}

/// Installs a filter for this thread, the only one, and all that it executes and forks.
///
/// # Errors
/// EINVAL if the kernel has no filters or does not take this one, EACCES without no-new-privileges, ENOMEM when all
/// filters of the process together would be too long, ENOSYS on a kernel without the call.
pub fn install_filter(instructions: &[u8]) -> Result<(), Errno> {
    FilterProgram::of(instructions)?.install(0).map(drop)
}

/// A system call with up to five arguments.
///
/// # Safety
/// What the call does to memory must be sound.
pub(crate) unsafe fn call(number: u64, arguments: [u64; 5]) -> i64 {
    let [first, second, third, fourth, fifth] = arguments;
    let result;
    // SAFETY: by the kernel's convention a call changes rax, rcx, r11 and the memory that its arguments name, which is
    // for the caller to answer for.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            in("r8") fifth,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// The kernel returns errors as small negative numbers.
pub(crate) fn result(returned: i64) -> Result<u64, Errno> {
    match u64::try_from(returned) {
        Ok(value) => Ok(value),
        Err(_) => Err(Errno(returned.wrapping_neg() as i32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_where_they_are_asked() {
        let file = File::open(Text::from_static(c"/proc/self/exe")).unwrap();
        let mut magic = [0; 4];
        assert!(file.read_at(&mut magic, 0));
        assert_eq!(&magic, b"\x7fELF");
        assert!(!file.read_at(&mut magic, 1 << 40));
        assert!(file.read_at(&mut [], 1 << 40));
        let descriptor = file.0;
        drop(file);
        assert!(!std::path::Path::new(&format!("/proc/self/fd/{descriptor}")).exists());
        let absent = File::open(Text::from_static(c"/absent"));
        assert_eq!(absent.err(), Some(Errno::NOENT));
    }

    #[test]
    fn the_kernel_does_not_know_the_option() {
        assert_eq!(probe(0x4346_4e45, [0; 4]), Err(Errno::INVAL));
    }

    #[test]
    fn filters_that_the_kernel_does_not_take_are_refused() {
        set_no_new_privileges().unwrap();
        for instructions in [vec![], vec![0xff; 8], vec![0; 8 * 4097], vec![0; 8 << 16]] {
            assert_eq!(
                install_filter(&instructions),
                Err(Errno::INVAL),
                "{}",
                instructions.len()
            );
        }
        // BPF_RET | BPF_K with SECCOMP_RET_ALLOW.
        let allow = [6, 0, 0, 0, 0, 0, 0xff, 0x7f];
        std::thread::spawn(move || assert_eq!(install_filter(&allow), Ok(())))
            .join()
            .unwrap();
    }
}
