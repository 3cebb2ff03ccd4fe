/* Opens a library and looks up functions by names that are not constants where it does: texts of its own, and what it puts
   together of one. */
#include <dlfcn.h>
#include <stdio.h>

static const char *const names[] = {"wanted_group", "absent"};

int main(int count, char **arguments)
{
    char name[64];
    void *library = dlopen("libnamed.so", RTLD_NOW);
    if (library == 0)
        return 1;
    snprintf(name, sizeof name, "%s_start_up", arguments[0]);
    const char *wanted = count > 1 ? names[count % 2] : name;
    void (*function)(void) = (void (*)(void))dlsym(library, wanted);
    if (function != 0)
        function();
    return 0;
}
