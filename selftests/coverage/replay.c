// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives a fuzzer's kept inputs to it, in the place of libFuzzer, whose compiler counts lines in a form that gcov does not
 * read. Options are libFuzzer's, and of no use here.
 */
#include <stdint.h>
#include <stdio.h>

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int main(int argc, char **argv)
{
	static uint8_t data[INPUT_MAX];
	size_t len;
	FILE *f;
	int i;

	for (i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			continue;
		f = fopen(argv[i], "re");
		if (!f) {
			perror(argv[i]);
			return 1;
		}
		len = fread(data, 1, sizeof(data), f);
		fclose(f);
		LLVMFuzzerTestOneInput(data, len);
	}
	return 0;
}
