// SPDX-License-Identifier: GPL-2.0-only
/* Owns the fuzzing of steering keys: a key that is accepted is found where a plain search finds it, and only there. */
#include "fuzz.h"

/*
 * The token by another road than the core's: cut the message at its first line end, then at delimiters. Blanks and tabs
 * that delimit may repeat. Returns its length or -1; @start is set.
 */
static int plain_token(const struct sluice_token *t, const u8 *data, u32 len, u32 *start)
{
	bool blank = t->delim == ' ' || t->delim == '\t';
	u32 at = t->offset, end, i;

	if (at > len)
		return -1;
	for (end = at; end < len && (data[end] == t->delim || (data[end] != '\r' && data[end] != '\n')); end++)
		;
	for (i = 0;; i++) {
		while (blank && at < end && data[at] == t->delim)
			at++;
		*start = at;
		while (at < end && data[at] != t->delim)
			at++;
		if (blank && at == *start)
			return -1;
		if (i == t->index)
			return at - *start;
		if (at == end)
			return -1;
		at++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct choices c = { .data = data, .left = size };
	struct sluice_msg msg = { 0 };
	u32 first, second, depth, len;
	struct sluice_key key;
	const char *text;
	u8 *exact;

	rulegen_key(&key, &c);
	if (sluice_key_check(&key, &text)) {
		MUST(text);
		return 0;
	}
	depth = sluice_key_depth(&key);
	exact = exact_copy(c.data, c.left);
	msg.data = exact;
	msg.len = c.left;
	msg.avail = msg.len;
	if (sluice_key_hash(&key, &msg, 7, &first)) {
		MUST(key.type != SLUICE_KEY_FLOW);
		/* no byte beyond the depth has a say */
		if (msg.len > depth) {
			free(exact);
			exact = exact_copy(c.data, depth);
			msg.data = exact;
			msg.avail = depth;
			MUST(sluice_key_hash(&key, &msg, 7, &second) && first == second);
		}
		/* a message that ends within the key has what is there as its key */
		len = msg.avail - key.offset < key.len ? msg.avail - key.offset : key.len;
		if (key.type == SLUICE_KEY_BYTES)
			MUST(first == sluice_hash_bytes(exact + key.offset, len, 7));
	}
	if (key.type == SLUICE_KEY_TOKEN && c.left < SLUICE_DEPTH_MAX) {
		u32 start;
		int n = plain_token(&key.token, c.data, c.left, &start);

		msg.data = c.data;
		msg.len = c.left;
		msg.avail = c.left;
		MUST(sluice_key_hash(&key, &msg, 7, &first) == (n > 0));
		if (n > 0)
			MUST(first == sluice_hash_bytes(c.data + start, n, 7));
	}
	free(exact);
	return 0;
}
