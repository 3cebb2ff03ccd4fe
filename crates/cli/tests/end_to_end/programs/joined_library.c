// Opens a module of a kind that its caller names, below a folder that is in its own search path, too: Samba's libraries do.
#include <dlfcn.h>
#include <stdio.h>

int open_module(const char *kind, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s/%s.so", "/usr/lib/own", kind, name);
    return dlopen(path, RTLD_NOW) != NULL;
}
