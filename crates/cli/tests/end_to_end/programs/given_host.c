// Loads a module that has the run time look up functions for it.
#include <dlfcn.h>

void *look_up(const char *name);

int main(int count, char **arguments) {
    void *module = dlopen("/modules/given.so", RTLD_NOW);
    int (*start)(int) = (int (*)(int))dlsym(module, "start");
    return start(count - 1) + (look_up(arguments[1]) != 0);
}
