/* What stands for /bin/sh: wait4 (61). It never executes anything, so that nothing stays open. */
#include "call.h"

void _start(void) {
    call(61, -1);
    leave();
}
