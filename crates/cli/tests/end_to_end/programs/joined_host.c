// Opens a module below a folder that is in its own search path, too: Samba has its modules by kind so.
#include <dlfcn.h>
#include <stdio.h>

const char *volatile kind = "kind";

int main(int count, char **arguments) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s/%s.so", "/usr/lib/own", kind, arguments[count - 1]);
    return dlopen(path, RTLD_NOW) == NULL;
}
