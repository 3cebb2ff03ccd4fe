//! The loader as code that stands alone: its first instruction, its last one, and what both need of a library.
//!
//! `build.rs` of confine-harden compiles this file, and the linker script beside it makes one piece of code without data of it that
//! works wherever it lies.
#![no_std]
#![no_main]

mod support;

use core::arch::global_asm;
use core::slice;

use confine_bundle::{PROLOGUE_BYTES, Prologue, REFUSED};
use confine_sys::{Start, exit, write_error};

// The kernel jumps here, or to be exact to where the graft has put it. Everything that is known is on the stack; rbp
// survives the call by the C convention, and at the end the registers are zero again, as the kernel leaves them, but
// for r11, which the kernel itself may leave with anything.
global_asm!(
    ".section .text.start, \"ax\", @progbits",
    ".globl _start",
    "_start:",
    "endbr64",
    "mov rdi, rsp",
    "lea rsi, [rip + _start]",
    "mov rbp, rsp",
    "and rsp, -16",
    "call {main}",
    "mov rsp, rbp",
    "mov r11, rax",
    "xor eax, eax",
    "xor ebx, ebx",
    "xor ecx, ecx",
    "xor edx, edx",
    "xor esi, esi",
    "xor edi, edi",
    "xor ebp, ebp",
    "xor r8d, r8d",
    "xor r9d, r9d",
    "xor r10d, r10d",
    "jmp r11",
    main = sym main,
);

/// Everything between the kernel and the file's own entry point, which is returned.
extern "sysv64" fn main(stack: *mut u64, own_entry: u64) -> u64 {
    // SAFETY: the first instruction has handed on the stack pointer before anything changed.
    let mut start = unsafe { Start::new(stack) };
    let prologue_address = own_entry.wrapping_sub(PROLOGUE_BYTES as u64);
    // SAFETY: the graft puts a prologue right in front of this code, in the same segment.
    let bytes = unsafe { slice::from_raw_parts(pointer(prologue_address), PROLOGUE_BYTES) };
    let Some(prologue) = Prologue::read(bytes) else {
        write_error(b"confine: the code that installs policies is damaged, expected a prologue in front of it\n");
        exit(REFUSED)
    };
    let bundle_address = prologue_address.wrapping_add(prologue.bundle);
    // SAFETY: the graft has made a segment of these bytes, of the same file, which the kernel has mapped for reading.
    let bundle = unsafe { slice::from_raw_parts(pointer(bundle_address), prologue.bundle_bytes as usize) };
    confine_loader::run(&mut start, &prologue, prologue_address, own_entry, bundle)
}

fn pointer(address: u64) -> *const u8 {
    core::ptr::with_exposed_provenance(address as usize)
}
