/* Says what a program sees of how it was started, and which of a few calls are denied. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Makes programs of the same source differ. */
#ifndef NUMBER
#define NUMBER -1
#endif
volatile const int number = NUMBER;

static int constructed;
__attribute__((constructor)) static void construct(void) { constructed = 1; }

static _Thread_local int local = 5;

static void *in_thread(void *argument)
{
    local += 1;
    errno = 0;
    long result = syscall(SYS_getppid);
    return (void *)(long)(local * 1000 + (result < 0 ? errno : 0));
}

static int count;
static int each(struct dl_phdr_info *info, size_t size, void *data)
{
    count += 1;
    return 0;
}

int main(int argc, char **argv, char **envp)
{
    char path[4096] = "";
    if (argc > 2 && !strcmp(argv[1], "exec")) {
        execv(argv[2], argv + 2);
        printf("execv: %s\n", strerror(errno));
        return 1;
    }
    errno = 0;
    long parent = syscall(SYS_getppid);
    printf("getppid %s\n", parent < 0 ? strerror(errno) : "allowed");
    errno = 0;
    long group = syscall(SYS_getpgid, 0);
    printf("getpgid %s\n", group < 0 ? strerror(errno) : "allowed");
    printf("executed %s\n", (char *)getauxval(AT_EXECFN));
    printf("name %s\n", argv[0]);
    if (readlink("/proc/self/exe", path, sizeof path - 1) < 0)
        strcpy(path, "?");
    printf("exe %s\n", path);
    printf("arguments %d %s\n", argc, argc > 1 ? argv[argc - 1] : "");
    printf("variable %s\n", getenv("PROBE"));
    printf("constructed %d\n", constructed);
    printf("no_new_privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    printf("secure %lu\n", getauxval(AT_SECURE));
    dl_iterate_phdr(each, 0);
    printf("objects %s\n", count > 0 ? "some" : "none");
    pthread_t thread;
    void *result = 0;
    if (pthread_create(&thread, 0, in_thread, 0) || pthread_join(thread, &result))
        return 1;
    printf("thread %ld\n", (long)result);
    /* How many filters there are, where the kernel tells. */
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(path, sizeof path, status))
        if (!strncmp(path, "Seccomp_filters:", 16))
            printf("filters %d\n", atoi(path + 16));
    return 0;
}
