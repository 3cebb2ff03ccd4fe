// Loads a module by a name that only its user knows, from the one folder of modules that it names.
#include <dlfcn.h>

const char *const folders[] = {"/modules/first"};

int main(int count, char **arguments) {
    void *module = dlopen(arguments[1], RTLD_NOW);
    void (*start)(const char *) = (void (*)(const char *))dlsym(module, arguments[2]);
    start(arguments[3]);
    return folders[count - 4][0];
}
