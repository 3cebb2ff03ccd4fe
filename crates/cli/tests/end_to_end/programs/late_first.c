// A module that loads modules itself, from a folder that nobody but it names.
#include <dlfcn.h>

const char *const own_folders[] = {"/modules/second"};

const char *start(const char *name) {
    void *module = dlopen(name, RTLD_NOW);
    void (*work)(void) = (void (*)(void))dlsym(module, name);
    work();
    return own_folders[0];
}
