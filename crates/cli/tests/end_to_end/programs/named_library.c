/* A library that is opened for some of its functions. */
#include <unistd.h>

void wanted_group(void) { getpgid(0); }
void unit_start_up(void) { getppid(); }
void other_session(void) { getsid(0); }
