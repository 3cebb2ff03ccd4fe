// Looks up what it is told in everything that the program has.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

void *look_up(const char *name) {
    return dlsym(dlopen(0, RTLD_NOW), name);
}

int answer(void) {
    return getpgid(0);
}

int unasked(void) {
    return getsid(0);
}
