// Makes filters with libseccomp, so that ours can be held against them.
//
// Standard input: lines of numbers.
//   optimize LEVEL                       1: a list, 2: a binary tree (SCMP_FLTATR_CTL_OPTIMIZE)
//   errno NUMBER                         what is denied fails with
//   allow CALL [INDEX MASK VALUE]...     masked comparisons that all must hold
// Standard output: the filter, as the kernel takes it. Exit code 1 and a message if the library refuses something.

#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, strerror(-result));
		exit(1);
	}
}

int main(void)
{
	char line[4096];
	int level = 1;
	scmp_filter_ctx filter = NULL;

	while (fgets(line, sizeof(line), stdin)) {
		char *word = strtok(line, " \n");
		if (!word)
			continue;
		if (!strcmp(word, "optimize")) {
			level = atoi(strtok(NULL, " \n"));
		} else if (!strcmp(word, "errno")) {
			filter = seccomp_init(SCMP_ACT_ERRNO(atoi(strtok(NULL, " \n"))));
			if (!filter)
				check(-ENOMEM, "seccomp_init");
			check(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, level), "optimize");
		} else if (!strcmp(word, "allow")) {
			struct scmp_arg_cmp conditions[6];
			unsigned int count = 0;
			int call = atoi(strtok(NULL, " \n"));
			while ((word = strtok(NULL, " \n")) && count < 6) {
				conditions[count].arg = strtoul(word, NULL, 10);
				conditions[count].op = SCMP_CMP_MASKED_EQ;
				conditions[count].datum_a = strtoull(strtok(NULL, " \n"), NULL, 10);
				conditions[count].datum_b = strtoull(strtok(NULL, " \n"), NULL, 10);
				count++;
			}
			int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, count, conditions);
			// The same rule twice is no error of ours.
			if (result != -EEXIST)
				check(result, "seccomp_rule_add_array");
		}
	}
	check(seccomp_export_bpf(filter, 1), "seccomp_export_bpf");
	return 0;
}
