/* One system call with one argument, inlined wherever it stands. */
static inline __attribute__((always_inline)) long call(long number, long argument) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(argument) : "rcx", "r11", "memory");
    return result;
}

/* exit_group, which does not come back. */
static inline __attribute__((always_inline, noreturn)) void leave(void) {
    call(231, 0);
    __builtin_unreachable();
}
