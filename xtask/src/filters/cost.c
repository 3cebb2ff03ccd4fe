// Times a system call under filters, in turn, so that what else the machine does hits all of them alike.
//
// Arguments: rounds, calls in a round, number, six arguments, then files with a filter each; `-` is no filter.
// Standard output: for each round a line with nanoseconds for one call under each.

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sock_filter instructions[4096];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int install(const char *path)
{
	struct sock_fprog program = { .filter = instructions };
	int file = open(path, O_RDONLY);
	ssize_t bytes = file < 0 ? -1 : read(file, instructions, sizeof(instructions));
	if (bytes <= 0)
		return -1;
	program.len = bytes / sizeof(struct sock_filter);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int main(int count, char **words)
{
	if (count < 11)
		return 2;
	long rounds = atol(words[1]), calls = atol(words[2]), number = atol(words[3]);
	long a[6];
	for (int i = 0; i < 6; i++)
		a[i] = (long)strtoull(words[4 + i], NULL, 10);
	double *result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (result == MAP_FAILED)
		die("mmap");
	for (long round = 0; round < rounds; round++) {
		for (int i = 10; i < count; i++) {
			*result = -1;
			pid_t child = fork();
			if (child < 0)
				die("fork");
			if (!child) {
				struct timespec before, after;
				if (strcmp(words[i], "-") && install(words[i])) {
					perror(words[i]);
					_exit(1);
				}
				clock_gettime(CLOCK_MONOTONIC, &before);
				for (long n = 0; n < calls; n++)
					syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
				clock_gettime(CLOCK_MONOTONIC, &after);
				// A filter that refuses the call would be measured for something else.
				long last = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
				if (!(last == -1 && errno == ENOSYS))
					*result = ((after.tv_sec - before.tv_sec) * 1e9 + (after.tv_nsec - before.tv_nsec)) / calls;
				_exit(0);
			}
			int status;
			waitpid(child, &status, 0);
			if (*result < 0) {
				fprintf(stderr, "%s: the call is refused\n", words[i]);
				return 1;
			}
			printf("%s%.2f", i > 10 ? " " : "", *result);
		}
		printf("\n");
	}
	return 0;
}
