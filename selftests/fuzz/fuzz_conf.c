// SPDX-License-Identifier: GPL-2.0-only
/* Owns the fuzzing of the command's file parser and values: what is read and printed reads back as the same. */
#include "cli/config.h"
#include "fuzz.h"

static char *printed(const struct config *conf)
{
	size_t len;
	char *text;
	FILE *f = open_memstream(&text, &len);

	MUST(f);
	config_print(f, conf);
	fclose(f);
	return text;
}

static void values(const char *text)
{
	struct vec words = { 0 };
	struct blob blob = { 0 };
	struct addr addr;
	uint64_t v;
	uint32_t ch;
	uint16_t port;
	char buf[128];

	parse_u64(text, UINT64_MAX, &v);
	if (!parse_ns(text, &v))
		format_ns(buf, sizeof(buf), v);
	if (!parse_size(text, &v))
		format_size(buf, sizeof(buf), v);
	if (!parse_char(text, &ch))
		format_char(buf, sizeof(buf), ch);
	parse_addr_port(text, &addr, &port);
	if (!parse_addr(text, &addr)) {
		struct addr again;

		format_addr(buf, sizeof(buf), &addr);
		MUST(!parse_addr(buf, &again) && addr.len == again.len &&
		     !memcmp(addr.bytes, again.bytes, addr.len));
	}
	parse_bytes(text, &blob);
	free(blob.data);
	parse_words(text, &words);
	for (uint32_t i = 0; i < words.n; i++)
		free(((struct blob *)words.items)[i].data);
	free(words.items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config conf = { 0 }, again = { 0 };
	struct cli c = { 0 };
	char *text = calloc(1, size + 1), *once, *twice;

	MUST(text);
	memcpy(text, data, size);
	values(text);
	if (config_parse(&c, "file", text, size, &conf)) {
		MUST(c.err[0]);
	} else {
		once = printed(&conf);
		MUST(!config_parse(&c, "printed", once, strlen(once), &again));
		twice = printed(&again);
		MUST(!strcmp(once, twice));
		free(once);
		free(twice);
		config_free(&again);
	}
	config_free(&conf);
	free(text);
	return 0;
}
