/* A dynamic program: everything but its end is in the library. */
#include "call.h"

long tiny_work(long value);

void _start(void) {
    tiny_work(7);
    leave();
}
