#include <unistd.h>

int work(void) { return getpgid(77); }
