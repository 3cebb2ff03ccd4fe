/* One attempt at something that a program which is no longer its own would try. Without a library, so that it needs
   nothing but the end of the process besides. Its exit code tells: 10 if the call was refused, 20 if the kernel saw
   it. A shell that was started says 99. */
typedef long word;

static word call(word number, word one, word two, word three)
{
    word result;
    register word fourth __asm__("r10") = 0;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(one), "S"(two), "d"(three), "r"(fourth)
                     : "rcx", "r11", "memory");
    return result;
}

static word attempt(char which)
{
    static char *shell[] = {"sh", "-c", "exit 99", 0}, *nothing[] = {0};
    static char parameters[120];
    int result;
    switch (which) {
    case 'e': return call(59, (word)"/bin/sh", (word)shell, (word)nothing);
    case 'p': return call(101, 0, 0, 0);          /* ptrace(PTRACE_TRACEME) */
    case 'u': return call(272, 0x10000000, 0, 0); /* unshare(CLONE_NEWUSER) */
    case 'i': return call(16, 0, 0x5412, (word)"x"); /* ioctl(TIOCSTI) */
    case 's': return call(41, 38, 5, 0);          /* socket(AF_ALG, SOCK_SEQPACKET) */
    case 'r': return call(425, 1, (word)parameters, 0); /* io_uring_setup */
    case '8': __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory"); return result; /* getpid */
    case 'x': return call(0x40000000 | 39, 0, 0, 0); /* getpid of x32 */
    }
    return 0;
}

void start(word *stack)
{
    word result = attempt(((char *)stack[2])[0]);
    call(231, result == -38 || result == -1 ? 10 : 20, 0, 0);
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start\n");
