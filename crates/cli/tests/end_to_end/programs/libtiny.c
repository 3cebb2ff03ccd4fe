/* A library whose exported function makes sync (162) in a function of its own. */
#include "call.h"

static __attribute__((noipa)) long write_back(long value) { return call(162, 0) + value; }

__attribute__((noipa)) long tiny_work(long value) { return write_back(value) + 1; }

/* Never called, so that its reboot (169) must not be allowed. */
long tiny_unused(long value) { return call(169, value); }
