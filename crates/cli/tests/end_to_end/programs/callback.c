/* A function whose address only unreachable code holds makes swapoff (168); a pointer call is reachable. */
#include "call.h"

static __attribute__((noipa)) void reached(void) { call(162, 0); }

static __attribute__((noipa)) void unreached(void) { call(168, 0); }

static void (*volatile chosen)(void);

__attribute__((noipa, used)) void never_called(void) { chosen = unreached; }

void _start(void) {
    chosen = reached;
    chosen();
    leave();
}
