//! Puts a policy in force, or says why the program does not start.

use confine_bundle::{Broken, Bundle, Entry, REFUSED, probe};
use confine_sys::{Errno, Start, exit, install_filter, set_no_new_privileges, write_error};

/// Why a program does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its policy cannot be read.
    Bundle(Broken),
    /// It has no policy, and the bundle refuses those.
    Unknown,
    /// The kernel does not install a filter.
    Kernel(Errno),
}

/// Installs the only policy that there is.
///
/// # Errors
/// As [`install`], and when there is none.
pub fn install_only(bundle: &Bundle<'_>) -> Result<(), Refusal> {
    let entry = bundle.entries().next().ok_or(Refusal::Bundle(Broken::Cut))?;
    install(bundle, &entry)
}

/// What happens to a program that no entry is for.
///
/// # Errors
/// When the bundle refuses such programs.
pub fn unknown(bundle: &Bundle<'_>) -> Result<(), Refusal> {
    if bundle.denies_unknown() {
        return Err(Refusal::Unknown);
    }
    Ok(())
}

/// Installs the filters of an entry, unless they are in force already.
///
/// # Errors
/// When they cannot be read or the kernel does not take them.
pub fn install(bundle: &Bundle<'_>, entry: &Entry) -> Result<(), Refusal> {
    let filters = bundle.filters(entry).map_err(Refusal::Bundle)?;
    // A program that starts as it is gives nothing up, not even privileges.
    if filters.clone().next().is_none() || is_in_force(entry.mark) {
        return Ok(());
    }
    let has_others = is_any_in_force();
    // A process that may administer the system needs no promise, and a filter around may deny this call: whether
    // it had to work is for the kernel to say, by EACCES below.
    let _ = set_no_new_privileges();
    for filter in filters {
        match install_filter(filter) {
            Ok(()) => (),
            // All filters of a process have a common limit. What started this program is under a policy that allows
            // what this program needs, so it may start without yet another one; where none is in force, it may not.
            Err(Errno::NOMEM) if has_others => return Ok(()),
            Err(errno) => return Err(Refusal::Kernel(errno)),
        }
    }
    Ok(())
}

/// Tells why a program does not start, and ends the process.
pub fn refuse(start: &Start, refusal: Refusal) -> ! {
    write_error(b"confine: ");
    if let Some(path) = start.executed() {
        write_error(path.bytes());
    }
    write_error(b" is not started: ");
    match refusal {
        Refusal::Bundle(Broken::Magic) => write_error(b"its policies are damaged, expected a bundle"),
        Refusal::Bundle(Broken::Version) => {
            write_error(b"its policies are of another version than this loader")
        }
        Refusal::Bundle(Broken::Cut) => write_error(b"its policies are damaged, expected more bytes"),
        Refusal::Bundle(Broken::Checksum) => write_error(b"its policy is damaged, expected another checksum"),
        Refusal::Bundle(Broken::Filters) => write_error(b"its policy is damaged, expected whole filters"),
        Refusal::Unknown => write_error(b"there is no policy for it"),
        Refusal::Kernel(Errno::NOSYS | Errno::INVAL) => {
            write_error(b"this kernel, or a filter around it, does not take seccomp filters");
        }
        Refusal::Kernel(Errno::ACCES) => {
            write_error(b"prctl(PR_SET_NO_NEW_PRIVS) is denied, and without it no filter can be installed");
        }
        Refusal::Kernel(Errno::PERM) => {
            write_error(b"a filter around it denies seccomp(SECCOMP_SET_MODE_FILTER)")
        }
        Refusal::Kernel(Errno::NOMEM) => write_error(b"there is no memory for its filter"),
        Refusal::Kernel(_) => write_error(b"its filter could not be installed"),
    }
    write_error(b"\n");
    exit(REFUSED)
}

/// Whether the policy of a mark is in force: [`confine_bundle::probe`].
fn is_in_force(mark: u32) -> bool {
    let (argument, bit) = probe::bit(mark);
    let mut arguments = [0; 4];
    if let Some(value) = arguments.get_mut(argument.wrapping_sub(1)) {
        *value = bit;
    }
    denies(arguments)
}

/// Whether any policy is in force.
fn is_any_in_force() -> bool {
    denies([u64::MAX; 4])
}

/// Whether a mark answers. Only a policy lets the empty question through and denies this one; whoever denies both has
/// never heard of marks, and then nothing is known to be in force.
fn denies(arguments: [u64; 4]) -> bool {
    let asked = |arguments| probe_kernel(arguments) == Err(Errno::INVAL);
    asked([0; 4]) && !asked(arguments)
}

fn probe_kernel(arguments: [u64; 4]) -> Result<(), Errno> {
    confine_sys::probe(probe::OPTION, arguments)
}
