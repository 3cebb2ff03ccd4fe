/* A static program that an image does not start by itself: getpgrp (111). */
#include "call.h"

void _start(void) {
    call(111, 0);
    leave();
}
