/* Executes by paths that it joins, as compilers' drivers do: from a folder, the words of a specification and a table. */
#include "call.h"

__attribute__((noipa)) int execv(const char *path, char *const list[]) {
    __asm__ volatile("syscall" : : "a"(59), "D"(path), "S"(list), "d"(0) : "rcx", "r11", "memory");
    return -1;
}

const char *const texts[] = {"/usr/lib/driver/", "%{!E:present %(options) -o %o}", "script-x", "/bin/callback",
                             "server", "cannot probe - no such file"};

__attribute__((noipa, used)) static void start(long *stack) {
    execv((char *)stack[2], (char **)&stack[2]);
    leave();
}

__attribute__((naked)) void _start(void) { __asm__("mov %rsp, %rdi\n\tcall start"); }
