/* What holds an interpreter of PHP without being called like one: getpid (39). */
#include "call.h"

void php_module_startup(void) {
    leave();
}

void _start(void) {
    call(39, 0);
    leave();
}
