//! Functions of other objects, of which only the name is known here: standards say what a name does.

use confine_elf::{Address, Object, RelocationValue};

/// Functions that do not come back to their call: ISO C (7.13.2, 7.22.4), POSIX, the Linux Standard Base's helpers of
/// `assert` and of stack protection, the Itanium C++ ABI (1.6, 2.4 to 2.6), how glibc's loader fails
/// (`sysdeps/generic/ldsodefs.h`), and what glibc up to 2.33 has its library of threads call (`include/stdio.h`,
/// `include/setjmp.h`). Compilers put other code behind calls of them. A program that defines one of these
/// names otherwise breaks the C library itself.
const NEVER_RETURN: [&str; 28] = [
    "_Exit",
    "_Unwind_Resume",
    "_ZSt9terminatev",
    "__assert",
    "__assert_fail",
    "__assert_perror_fail",
    "__chk_fail",
    "__cxa_bad_cast",
    "__cxa_bad_typeid",
    "__cxa_rethrow",
    "__cxa_throw",
    "__fortify_fail",
    "__libc_fatal",
    "__libc_longjmp",
    "__libc_siglongjmp",
    "__longjmp_chk",
    "__stack_chk_fail",
    "_dl_signal_error",
    "_dl_signal_exception",
    "_exit",
    "_longjmp",
    "abort",
    "exit",
    "longjmp",
    "pthread_exit",
    "quick_exit",
    "siglongjmp",
    "thrd_exit",
];

/// The name of the symbol that the loader binds a slot to, if it binds it to one.
pub(crate) fn name(object: &Object, slot: Address) -> Option<&str> {
    let relocations = &object.relocations;
    let index = relocations.partition_point(|relocation| relocation.at < slot);
    let bound = relocations
        .get(index)
        .filter(|relocation| relocation.at == slot)?;
    let RelocationValue::Symbol { symbol, .. } = bound.value else {
        return None;
    };
    let symbol = object.dynamic_symbols.get(symbol as usize)?;
    Some(&symbol.name)
}

/// Whether what a slot is bound to does not come back.
pub(crate) fn never_returns(object: &Object, slot: Address) -> bool {
    name(object, slot).is_some_and(|name| NEVER_RETURN.contains(&name))
}
