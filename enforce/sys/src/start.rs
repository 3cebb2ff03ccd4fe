//! What the kernel leaves on the stack of a program that starts: arguments, environment, auxiliary vector.

use core::ptr;

/// `AT_PHDR`: where the program's headers are.
pub const AUXILIARY_HEADERS: u64 = 3;
/// `AT_PHENT`: bytes of one of them.
const AUXILIARY_HEADER_BYTES: u64 = 4;
/// `AT_PHNUM`: how many there are.
const AUXILIARY_HEADER_COUNT: u64 = 5;
/// `AT_ENTRY`: the program's entry point.
pub const AUXILIARY_ENTRY: u64 = 9;
/// `AT_EXECFN`: the path that was executed.
pub const AUXILIARY_EXECUTED: u64 = 31;
/// `AT_NULL`: the end.
const AUXILIARY_END: u64 = 0;
/// `sizeof(Elf64_Phdr)`.
const HEADER_BYTES: u64 = 56;
/// The kernel refuses a table of program headers that is larger than a page.
const MAXIMUM_TABLE_BYTES: u64 = 4096;

/// The stack of a program that was just started.
///
/// Whoever has one knows that it is what the kernel left: the constructor's caller says so.
#[derive(Debug)]
pub struct Start {
    argument_count: usize,
    arguments: *const *const u8,
    auxiliary: *mut u64,
}

/// A string that ends with a zero byte and stays where it is while the process lives.
#[derive(Debug, Clone, Copy)]
pub struct Text(*const u8);

impl Start {
    /// Reads the stack.
    ///
    /// # Safety
    /// `stack` is the stack pointer as the kernel left it when the program began, and nothing changed what lies above.
    #[must_use]
    pub unsafe fn new(stack: *mut u64) -> Self {
        // SAFETY: the kernel puts the number of arguments here, then that many pointers and a null pointer, then the
        // environment's pointers and a null pointer, then pairs of words until one is of the kind AT_NULL. Each of
        // these steps stays before the next part.
        unsafe {
            let argument_count = *stack as usize;
            let arguments = stack.add(1);
            let mut end = arguments.add(argument_count + 1);
            while *end != 0 {
                end = end.add(1);
            }
            Self {
                argument_count,
                arguments: arguments.cast(),
                auxiliary: end.add(1),
            }
        }
    }

    /// An argument of the command line; the program's name is the first.
    #[must_use]
    pub fn argument(&self, index: usize) -> Option<Text> {
        // SAFETY: below the count there are pointers to strings, as `new`'s caller says.
        (index < self.argument_count).then(|| unsafe { Text(*self.arguments.add(index)) })
    }

    /// A value of the auxiliary vector.
    #[must_use]
    pub fn auxiliary(&self, kind: u64) -> Option<u64> {
        let place = self.auxiliary_place(kind)?;
        // SAFETY: the place is that of a value, by `auxiliary_place`.
        Some(unsafe { *place })
    }

    /// Changes a value of the auxiliary vector, if it is there.
    pub fn set_auxiliary(&mut self, kind: u64, value: u64) {
        if let Some(place) = self.auxiliary_place(kind) {
            // SAFETY: the place is that of a value, by `auxiliary_place`; the stack can be written.
            unsafe { *place = value }
        }
    }

    /// The path that was executed, as it was given.
    #[must_use]
    pub fn executed(&self) -> Option<Text> {
        let address = self.auxiliary(AUXILIARY_EXECUTED)?;
        // SAFETY: the kernel has put a string there.
        (address != 0).then(|| Text(ptr::with_exposed_provenance(address as usize)))
    }

    /// The program's headers as they lie in memory, and their address.
    #[must_use]
    pub fn program_headers(&self) -> Option<(&'static [u8], u64)> {
        let address = self.auxiliary(AUXILIARY_HEADERS)?;
        let count = self.auxiliary(AUXILIARY_HEADER_COUNT)?;
        let bytes = count.checked_mul(HEADER_BYTES)?;
        if self.auxiliary(AUXILIARY_HEADER_BYTES)? != HEADER_BYTES
            || bytes > MAXIMUM_TABLE_BYTES
            || address == 0
        {
            return None;
        }
        // SAFETY: that many headers are there by the kernel's word, on which every C library relies as well; they lie
        // in the program's first segment, which nobody has unmapped or written yet.
        let table = unsafe {
            core::slice::from_raw_parts(ptr::with_exposed_provenance(address as usize), bytes as usize)
        };
        Some((table, address))
    }

    fn auxiliary_place(&self, kind: u64) -> Option<*mut u64> {
        let mut pair = self.auxiliary;
        // SAFETY: pairs of words follow each other until one of the kind AT_NULL, as `new`'s caller says.
        unsafe {
            while *pair != AUXILIARY_END {
                if *pair == kind {
                    return Some(pair.add(1));
                }
                pair = pair.add(2);
            }
        }
        None
    }
}

impl Text {
    /// A string of this program.
    #[must_use]
    pub const fn from_static(text: &'static core::ffi::CStr) -> Self {
        Self(text.as_ptr().cast())
    }

    /// Its bytes, without the zero byte.
    #[must_use]
    pub fn bytes(&self) -> &'static [u8] {
        let mut length = 0;
        // SAFETY: a zero byte ends the string, and nothing before it lies elsewhere.
        unsafe {
            while *self.0.add(length) != 0 {
                length += 1;
            }
            core::slice::from_raw_parts(self.0, length)
        }
    }

    /// Where it is.
    #[must_use]
    pub fn pointer(&self) -> *const u8 {
        self.0
    }
}

/// Copies bytes from an address.
///
/// # Safety
/// As many bytes as the buffer has can be read from there, and nobody writes them meanwhile.
pub unsafe fn copy_memory(address: u64, buffer: &mut [u8]) {
    let source: *const u8 = ptr::with_exposed_provenance(address as usize);
    // SAFETY: the caller says that the source can be read; the buffer is ours alone, so they do not overlap.
    unsafe { source.copy_to_nonoverlapping(buffer.as_mut_ptr(), buffer.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stack with two arguments, one variable and the given auxiliary vector.
    fn stack(auxiliary: &[(u64, u64)]) -> Vec<u64> {
        let text = |text: &'static core::ffi::CStr| text.as_ptr().expose_provenance() as u64;
        let mut stack = vec![2, text(c"program"), text(c""), 0, text(c"A=b"), 0];
        stack.extend(auxiliary.iter().flat_map(|(kind, value)| [*kind, *value]));
        stack.extend([0, 7]);
        stack
    }

    #[test]
    fn the_stack_is_read_and_changed() {
        let path = c"/bin/program".as_ptr().expose_provenance() as u64;
        let mut words = stack(&[(6, 4096), (9, 0x1000), (31, path)]);
        // SAFETY: the words are laid out as the kernel does it.
        let mut start = unsafe { Start::new(words.as_mut_ptr()) };
        let argument = |index| start.argument(index).map(|text| text.bytes().to_vec());
        assert_eq!(argument(0), Some(b"program".to_vec()));
        assert_eq!(argument(1), Some(Vec::new()));
        assert_eq!(argument(2), None);
        assert_eq!(start.executed().unwrap().bytes(), b"/bin/program");
        assert_eq!(start.auxiliary(6), Some(4096));
        // Behind the end nothing counts.
        assert_eq!(start.auxiliary(0), None);
        assert_eq!(start.auxiliary(7), None);
        start.set_auxiliary(9, 0x2000);
        start.set_auxiliary(10, 1);
        assert_eq!(start.auxiliary(9), Some(0x2000));
        assert_eq!(start.auxiliary(10), None);
        assert!(start.program_headers().is_none());
    }

    #[test]
    fn headers_are_taken_at_the_kernels_word_only_if_it_makes_sense() {
        let table = [5u8; 112];
        let address = table.as_ptr().expose_provenance() as u64;
        for (size, count, expected) in [
            (56, 2, Some(112)),
            (56, 0, Some(0)),
            (64, 2, None),
            (56, u64::MAX, None),
            (56, 74, None),
        ] {
            let mut words = stack(&[(3, address), (4, size), (5, count)]);
            // SAFETY: the words are laid out as the kernel does it.
            let start = unsafe { Start::new(words.as_mut_ptr()) };
            let found = start.program_headers();
            assert_eq!(found.map(|(table, _)| table.len()), expected, "{size} {count}");
        }
    }
}
