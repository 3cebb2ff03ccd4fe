// Looks up functions of the C library by constant names, of which it calls one, as libudev does since systemd 258 for what it
// asks whether there is any.
#include <dlfcn.h>

int main(void) {
    dlsym(RTLD_DEFAULT, "getpgid");
    dlsym(RTLD_DEFAULT, "fsopen");
    int (*own)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "getppid");
    dlsym(RTLD_DEFAULT, "fsmount");
    return own();
}
