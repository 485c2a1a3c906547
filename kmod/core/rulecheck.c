// SPDX-License-Identifier: GPL-2.0-only
/* Which rule specs are refused, and what the refusal says. */
#include "ruleset.h"

/* Bits of @mask that a field of @width bytes has not. */
static u64 bits_beyond(u64 mask, u32 width)
{
	return width < 8 ? mask >> (8 * width) : 0;
}

static const char *check_src(const struct sluice_match *m)
{
	u32 bits = m->src.family == 4 ? 32 : 128;
	u32 i;

	if (m->src.family != 4 && m->src.family != 6)
		return "source family must be 4 or 6";
	if (m->src.prefix > bits)
		return "source prefix is longer than the address";
	for (i = m->src.prefix; i < bits; i++)
		if (m->src.addr[i / 8] & (0x80 >> i % 8))
			return "source address has bits outside its prefix: clear them";
	return NULL;
}

static const char *check_bytes(const struct sluice_match *m)
{
	u32 w = m->bytes.width;

	if (w != 1 && w != 2 && w != 4 && w != 8)
		return "width must be 1, 2, 4 or 8 bytes";
	if (m->bytes.offset + w > SLUICE_DEPTH_MAX)
		return "bytes end behind the first 512 of a message, where rules end";
	if (!m->bytes.mask)
		return "mask is 0: use a length match to require that bytes exist";
	if (bits_beyond(m->bytes.mask, w))
		return "mask is wider than the bytes it is for";
	if (m->bytes.value & ~m->bytes.mask)
		return "value has bits outside the mask, so no message could match";
	return NULL;
}

static const char *check_text(const struct sluice_match *m)
{
	if (!m->text.len)
		return "text is empty";
	if (m->text.len > SLUICE_WORD_LEN_MAX)
		return "text is longer than 32 bytes: split it in two matches";
	if (m->text.offset + m->text.len > SLUICE_DEPTH_MAX)
		return "text ends behind the first 512 bytes of a message, where rules end";
	return NULL;
}

static const char *check_token_place(const struct sluice_token *t)
{
	if (t->offset >= SLUICE_DEPTH_MAX)
		return "token begins behind the first 512 bytes of a message";
	if (t->delim == '\r' || t->delim == '\n')
		return "delimiter is an end of line, where the tokens stop: choose another";
	return NULL;
}

static const char *check_word(const struct sluice_word *w, u8 delim)
{
	u32 i;

	if (!w->len)
		return "word is empty";
	if (w->len > SLUICE_WORD_LEN_MAX)
		return "word is longer than 32 bytes";
	for (i = 0; i < w->len; i++)
		if (w->bytes[i] == delim || w->bytes[i] == '\r' || w->bytes[i] == '\n')
			return "word holds its delimiter or a line end: no token could equal it";
	return NULL;
}

static const char *check_token(const struct sluice_match *m)
{
	const char *text = check_token_place(&m->token.token);
	u32 i;

	if (text)
		return text;
	if (!m->token.nwords || !m->token.words)
		return "token match has no word";
	if (m->token.nwords > SLUICE_WORDS_MAX)
		return "token match has more than 16 words: split it in two rules";
	for (i = 0; i < m->token.nwords && !text; i++)
		text = check_word(&m->token.words[i], m->token.token.delim);
	return text;
}

static const char *check_match(const struct sluice_match *m)
{
	switch (m->type) {
	case SLUICE_MATCH_SRC:
		return check_src(m);
	case SLUICE_MATCH_LENGTH:
		if (m->length.min > m->length.max)
			return "length range is empty: min is above max";
		return NULL;
	case SLUICE_MATCH_BYTES:
		return check_bytes(m);
	case SLUICE_MATCH_TEXT:
		return check_text(m);
	case SLUICE_MATCH_TOKEN:
		return check_token(m);
	}
	return "unknown kind of match";
}

static const char *check_bytes_pair(const struct sluice_match *a, const struct sluice_match *b)
{
	u64 common = a->bytes.mask & b->bytes.mask;

	if (a->bytes.offset != b->bytes.offset || a->bytes.width != b->bytes.width)
		return NULL;
	if (a->bytes.mask == b->bytes.mask)
		return "the same bytes under the same mask are matched twice in one rule";
	if ((a->bytes.value ^ b->bytes.value) & common)
		return "two matches of one rule ask different values of the same bits";
	return NULL;
}

static bool same_token(const struct sluice_token *a, const struct sluice_token *b)
{
	return a->offset == b->offset && a->index == b->index && a->delim == b->delim;
}

/* Two matches of one rule, each right by itself. */
static const char *check_pair(const struct sluice_match *a, const struct sluice_match *b)
{
	if (a->type != b->type)
		return NULL;
	switch (a->type) {
	case SLUICE_MATCH_SRC:
		return "a rule takes one source match: use two rules";
	case SLUICE_MATCH_BYTES:
		return check_bytes_pair(a, b);
	case SLUICE_MATCH_TEXT:
		if (a->text.offset == b->text.offset && a->text.len == b->text.len)
			return "two texts of one length at one offset: use two rules";
		return NULL;
	case SLUICE_MATCH_TOKEN:
		if (same_token(&a->token.token, &b->token.token))
			return "one token is matched twice in a rule: put all words in one match";
		return NULL;
	}
	return NULL;
}

/* Properties of a rule that no single match has. */
static int check_rule(const struct sluice_rule_spec *spec, u64 *keys,
		      struct sluice_compile_error *err)
{
	u32 min = 0, max = U32_MAX, combos = 1;
	u32 i, j;

	for (i = 0; i < spec->nmatches; i++) {
		const struct sluice_match *m = &spec->matches[i];

		err->match = i;
		err->text = check_match(m);
		for (j = 0; j < i && !err->text; j++)
			err->text = check_pair(&spec->matches[j], m);
		if (err->text)
			return -EINVAL;
		if (m->type == SLUICE_MATCH_TOKEN)
			combos *= m->token.nwords;
		if (combos > SLUICE_EXPAND_MAX) {
			err->text = "words of the rule make more than 256 combinations: split it";
			return -E2BIG;
		}
		if (m->type != SLUICE_MATCH_LENGTH)
			continue;
		min = m->length.min > min ? m->length.min : min;
		max = m->length.max < max ? m->length.max : max;
		if (min > max) {
			err->text = "length ranges of one rule do not meet: nothing could match";
			return -EINVAL;
		}
	}
	*keys += combos;
	return 0;
}

/**
 * sluice_rules_check() - refuse what cannot be compiled or could never match
 * @specs: rules
 * @n: number of @specs
 * @err: filled if refused
 *
 * What depends on several rules (shapes, distinct tokens) is left to the compiler.
 *
 * Return: 0, -EINVAL, or -E2BIG.
 */
int sluice_rules_check(const struct sluice_rule_spec *specs, u32 n,
		       struct sluice_compile_error *err)
{
	u64 keys = 0;
	u32 r;
	int ret;

	for (r = 0; r < n; r++) {
		err->rule = r;
		err->match = -1;
		if (r == SLUICE_RULES_MAX) {
			err->text = "more than 65536 rules in one set";
			return -E2BIG;
		}
		if (specs[r].nmatches > SLUICE_MATCHES_MAX) {
			err->text = "more than 8 matches in one rule";
			return -E2BIG;
		}
		if (specs[r].nmatches && !specs[r].matches) {
			err->text = "rule without its matches";
			return -EINVAL;
		}
		ret = check_rule(&specs[r], &keys, err);
		if (ret)
			return ret;
		if (keys > SLUICE_KEYS_MAX) {
			err->match = -1;
			err->text = "words of all rules make more than 1048576 combinations";
			return -E2BIG;
		}
	}
	return 0;
}

/**
 * sluice_key_check() - refuse a steering key that no message could hold
 * @key: key
 * @text: set to the reason, if refused; may be NULL
 *
 * Return: 0 or -EINVAL.
 */
int sluice_key_check(const struct sluice_key *key, const char **text)
{
	const char *why = NULL;

	switch (key->type) {
	case SLUICE_KEY_FLOW:
		break;
	case SLUICE_KEY_BYTES:
		if (!key->len)
			why = "key has no bytes";
		else if (key->offset >= SLUICE_DEPTH_MAX)
			why = "key begins behind the first 512 bytes of a message";
		break;
	case SLUICE_KEY_TOKEN:
		why = check_token_place(&key->token);
		break;
	default:
		why = "unknown kind of key";
	}
	if (!why)
		return 0;
	if (text)
		*text = why;
	return -EINVAL;
}
