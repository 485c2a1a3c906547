// SPDX-License-Identifier: GPL-2.0-only
/* From rule specs to a rule set: ranks, shapes, tokens, and the keys that each rule expands to. */
#include "ruleset.h"
#include "token.h"

/* One rule as fields and values. */
struct plan {
	struct sluice_field fields[SLUICE_MATCHES_MAX];
	u8 match[SLUICE_MATCHES_MAX];	/* index of the match behind each field */
	u32 nfields;
	u32 combos;	/* of words */
	u32 min;	/* length */
	u32 max;
};

struct builder {
	struct sluice_ruleset *rs;
	const struct sluice_rule_spec *specs;
	struct sluice_compile_error *err;
	struct sluice_shape *shapes;	/* [SLUICE_SHAPES_MAX] */
	u8 *shape_of;			/* [nrules] by rank */
	u32 nkeys[SLUICE_SHAPES_MAX];
	struct sluice_token tokens[SLUICE_TOKENS_MAX];	/* by offset, delimiter, index */
	u32 ntokens;
};

static int refuse(struct builder *b, u32 rank, int code, const char *text)
{
	b->err->rule = b->rs->rules[rank];
	b->err->match = -1;
	b->err->text = text;
	return code;
}

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Fill rs->rules: indices of the specs by (order, index). */
static int rank_rules(struct builder *b)
{
	u32 n = b->rs->nrules, i;
	u64 *sorted;

	sorted = sluice_port_alloc(n, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		sorted[i] = (u64)b->specs[i].order << 32 | i;
	sluice_port_sort(sorted, n, sizeof(*sorted), compare_u64);
	for (i = 0; i < n; i++)
		b->rs->rules[i] = (u32)sorted[i];
	sluice_port_free(sorted);
	return 0;
}

/* The word whose bytes in memory are @v in network order in @width bytes. */
static u64 as_loaded(u64 v, u32 width)
{
	u8 bytes[8] = { 0 };
	u32 i;

	for (i = 0; i < width; i++)
		bytes[i] = v >> (8 * (width - 1 - i));
	return sluice_load64(bytes);
}

/* 64 bits of a prefix mask, from bit @from on, as loaded from memory. */
static u64 prefix_mask(u32 prefix, u32 from)
{
	u32 bits = prefix > from ? prefix - from : 0;

	return as_loaded(!bits ? 0 : bits >= 64 ? U64_MAX : ~(U64_MAX >> bits), 8);
}

static void field_of_src(struct sluice_field *f, const struct sluice_match *m)
{
	f->type = m->src.family == 4 ? SLUICE_FIELD_SRC4 : SLUICE_FIELD_SRC6;
	f->width = m->src.prefix;
	f->words = m->src.family == 6 && m->src.prefix > 64 ? 2 : 1;
	f->mask[0] = prefix_mask(m->src.prefix, 0);
	f->mask[1] = prefix_mask(m->src.prefix, 64);
}

static void field_of_token(struct sluice_field *f, const struct sluice_match *m)
{
	u32 i;

	f->type = SLUICE_FIELD_TOKEN;
	f->offset = m->token.token.offset;
	f->delim = m->token.token.delim;
	f->width = m->token.token.index;
	for (i = 0; i < m->token.nwords; i++)
		if (m->token.words[i].len > f->longest)
			f->longest = m->token.words[i].len;
	f->words = SLUICE_TOKEN_WORDS(f->longest);
}

static void field_of(struct sluice_field *f, const struct sluice_match *m)
{
	memset(f, 0, sizeof(*f));
	switch (m->type) {
	case SLUICE_MATCH_SRC:
		field_of_src(f, m);
		break;
	case SLUICE_MATCH_BYTES:
		f->type = SLUICE_FIELD_BYTES;
		f->offset = m->bytes.offset;
		f->width = m->bytes.width;
		f->words = 1;
		f->mask[0] = as_loaded(m->bytes.mask, m->bytes.width);
		break;
	case SLUICE_MATCH_TEXT:
		f->type = SLUICE_FIELD_TEXT;
		f->offset = m->text.offset;
		f->width = m->text.len;
		f->words = (m->text.len + 7) / 8;
		break;
	case SLUICE_MATCH_TOKEN:
		field_of_token(f, m);
		break;
	}
}

#define BY(member)	do {						\
	if (a->member != b->member)					\
		return a->member < b->member ? -1 : 1;			\
} while (0)

/* Order by what a field looks at, not by what the rule wants there. */
static int compare_fields(const struct sluice_field *a, const struct sluice_field *b)
{
	BY(type);
	BY(offset);
	BY(delim);
	BY(width);
	BY(mask[0]);
	BY(mask[1]);
	return 0;
}

static int compare_tokens(const struct sluice_token *a, const struct sluice_token *b)
{
	BY(offset);
	BY(delim);
	BY(index);
	return 0;
}

#undef BY

static void plan_field(struct plan *p, const struct sluice_match *m, u32 match)
{
	struct sluice_field field;
	u32 at = p->nfields++;

	field_of(&field, m);
	for (; at && compare_fields(&field, &p->fields[at - 1]) < 0; at--) {
		p->fields[at] = p->fields[at - 1];
		p->match[at] = p->match[at - 1];
	}
	p->fields[at] = field;
	p->match[at] = match;
}

static void plan_rule(struct plan *p, const struct sluice_rule_spec *spec)
{
	u32 i;

	p->nfields = 0;
	p->combos = 1;
	p->min = 0;
	p->max = U32_MAX;
	for (i = 0; i < spec->nmatches; i++) {
		const struct sluice_match *m = &spec->matches[i];

		if (m->type != SLUICE_MATCH_LENGTH) {
			plan_field(p, m, i);
			if (m->type == SLUICE_MATCH_TOKEN)
				p->combos *= m->token.nwords;
			continue;
		}
		if (m->length.min > p->min)
			p->min = m->length.min;
		if (m->length.max < p->max)
			p->max = m->length.max;
	}
}

static bool shape_fits(const struct sluice_shape *shape, const struct plan *p)
{
	u32 i;

	if (shape->nfields != p->nfields)
		return false;
	for (i = 0; i < p->nfields; i++)
		if (compare_fields(&shape->fields[i], &p->fields[i]))
			return false;
	return true;
}

/* Take up a token that some shape looks at. */
static int add_token(struct builder *b, const struct sluice_field *f, u32 rank)
{
	struct sluice_token token = { .offset = f->offset, .delim = f->delim, .index = f->width };
	u32 at = 0, streams = 1, i;

	while (at < b->ntokens && compare_tokens(&b->tokens[at], &token) < 0)
		at++;
	if (at < b->ntokens && !compare_tokens(&b->tokens[at], &token))
		return 0;
	if (b->ntokens == SLUICE_TOKENS_MAX)
		return refuse(b, rank, -E2BIG, "the set looks at more than 64 distinct tokens");
	for (i = b->ntokens++; i > at; i--)
		b->tokens[i] = b->tokens[i - 1];
	b->tokens[at] = token;
	for (i = 1; i < b->ntokens; i++)
		streams += b->tokens[i].offset != b->tokens[i - 1].offset ||
			   b->tokens[i].delim != b->tokens[i - 1].delim;
	if (streams > SLUICE_STREAMS_MAX)
		return refuse(b, rank, -E2BIG,
			      "tokens of the set have more than 8 pairs of offset and delimiter");
	return 0;
}

static int add_shape(struct builder *b, const struct plan *p, u32 rank)
{
	struct sluice_shape *shape;
	u32 i;
	int ret;

	if (b->rs->nshapes == SLUICE_SHAPES_MAX)
		return refuse(b, rank, -E2BIG,
			      "the set has more than 64 combinations of fields and masks");
	shape = &b->shapes[b->rs->nshapes++];
	shape->best = rank;
	shape->nfields = p->nfields;
	shape->seed = sluice_port_seed();
	for (i = 0; i < p->nfields; i++) {
		const struct sluice_field *f = &p->fields[i];

		shape->fields[i] = *f;
		if (f->type == SLUICE_FIELD_SRC4 || f->type == SLUICE_FIELD_SRC6) {
			shape->family = f->type == SLUICE_FIELD_SRC4 ? 4 : 6;
		} else if (f->type == SLUICE_FIELD_TOKEN) {
			b->rs->depth = SLUICE_DEPTH_MAX;
			ret = add_token(b, f, rank);
			if (ret)
				return ret;
		} else if (f->offset + f->width > shape->need) {
			shape->need = f->offset + f->width;
		}
	}
	if (shape->need > b->rs->depth)
		b->rs->depth = shape->need;
	return 0;
}

/* Find the shape of each rule. Rules come by rank, so shapes stand by their best rank. */
static int shape_rules(struct builder *b)
{
	struct plan p;
	u32 rank, s, i;
	int ret;

	for (rank = 0; rank < b->rs->nrules; rank++) {
		sluice_port_resched();
		plan_rule(&p, &b->specs[b->rs->rules[rank]]);
		for (s = 0; s < b->rs->nshapes && !shape_fits(&b->shapes[s], &p); s++)
			;
		if (s == b->rs->nshapes) {
			ret = add_shape(b, &p, rank);
			if (ret)
				return ret;
		}
		for (i = 0; i < p.nfields; i++)
			if (p.fields[i].longest > b->shapes[s].fields[i].longest) {
				b->shapes[s].fields[i].longest = p.fields[i].longest;
				b->shapes[s].fields[i].words = p.fields[i].words;
			}
		b->shape_of[rank] = s;
		b->nkeys[s] += p.combos;
	}
	return 0;
}

/* Number the tokens by stream, and tell the fields. */
static void number_tokens(struct builder *b)
{
	struct sluice_ruleset *rs = b->rs;
	u32 i, s, t;

	rs->ntokens = b->ntokens;
	for (t = 0; t < b->ntokens; t++) {
		const struct sluice_token *token = &b->tokens[t];

		if (!t || token->offset != token[-1].offset || token->delim != token[-1].delim) {
			rs->streams[rs->nstreams].offset = token->offset;
			rs->streams[rs->nstreams].delim = token->delim;
			rs->streams[rs->nstreams++].first = t;
		}
		rs->token_stream[t] = rs->nstreams - 1;
		rs->token_index[t] = token->index;
		for (s = 0; s < rs->nshapes; s++)
			for (i = 0; i < b->shapes[s].nfields; i++) {
				struct sluice_field *f = &b->shapes[s].fields[i];

				if (f->type == SLUICE_FIELD_TOKEN && f->offset == token->offset &&
				    f->delim == token->delim && f->width == token->index)
					f->token = t;
			}
	}
}

static int size_keys(struct builder *b)
{
	u64 bytes = 0;
	u32 s, i;

	for (s = 0; s < b->rs->nshapes; s++) {
		for (i = 0; i < b->shapes[s].nfields; i++)
			b->shapes[s].words += b->shapes[s].fields[i].words;
		bytes += (u64)b->nkeys[s] * b->shapes[s].words * sizeof(u64);
	}
	if (bytes > SLUICE_KEYS_BYTES_MAX)
		return refuse(b, 0, -E2BIG,
			      "keys of the set take more than 32 MiB: use fewer rules");
	return 0;
}

static void put_bytes(u64 *key, const u8 *bytes, u32 len)
{
	u32 pos;

	for (pos = 0; pos + 8 <= len; pos += 8)
		*key++ = sluice_load64(bytes + pos);
	if (pos < len)
		*key = sluice_load_part(bytes, len, pos, len - pos);
}

/* What @m wants, as the lookup reads it; @combo counts the words, the last match's fastest. */
static void put_match(u64 *key, const struct sluice_field *f, const struct sluice_match *m,
		      u32 *combo)
{
	const struct sluice_word *word;

	switch (f->type) {
	case SLUICE_FIELD_SRC4:
		key[0] = sluice_load32(m->src.addr);
		break;
	case SLUICE_FIELD_SRC6:
		put_bytes(key, m->src.addr, 8 * f->words);
		break;
	case SLUICE_FIELD_BYTES:
		key[0] = as_loaded(m->bytes.value, f->width);
		break;
	case SLUICE_FIELD_TEXT:
		put_bytes(key, m->text.bytes, f->width);
		break;
	case SLUICE_FIELD_TOKEN:
		word = &m->token.words[*combo % m->token.nwords];
		*combo /= m->token.nwords;
		put_bytes(key, word->bytes, word->len);
		key[f->words - 1] |= (u64)word->len << 56;
		break;
	}
}

/* All keys of one rule. @keys are zero. Return their number. */
static u32 put_rule(const struct sluice_shape *shape, const struct sluice_rule_spec *spec,
		    u32 rank, u64 *keys, struct sluice_entry *entries)
{
	struct plan p;
	u32 c, i, combo;

	plan_rule(&p, spec);
	for (c = 0; c < p.combos; c++) {
		combo = c;
		for (i = 0; i < shape->nfields; i++) {
			put_match(keys, &shape->fields[i], &spec->matches[p.match[i]], &combo);
			keys += shape->fields[i].words;
		}
		entries[c].rank = rank;
		entries[c].min = p.min;
		entries[c].max = p.max;
	}
	return p.combos;
}

static int fill_shape(struct builder *b, u32 s)
{
	struct sluice_shape *shape = &b->shapes[s];
	struct sluice_entry *entries;
	u32 rank, used = 0;
	int ret = -ENOMEM;
	u64 *keys;

	keys = sluice_port_alloc(b->nkeys[s], (shape->words ? shape->words : 1) * sizeof(*keys));
	entries = sluice_port_alloc(b->nkeys[s], sizeof(*entries));
	if (!keys || !entries)
		goto out;
	for (rank = shape->best; rank < b->rs->nrules; rank++) {
		sluice_port_resched();
		if (b->shape_of[rank] == s)
			used += put_rule(shape, &b->specs[b->rs->rules[rank]], rank,
					 keys + (size_t)used * shape->words, entries + used);
	}
	ret = sluice_table_build(shape, keys, entries, used);
out:
	sluice_port_free(entries);
	sluice_port_free(keys);
	return ret;
}

static int alloc_set(struct builder *b, u32 n)
{
	b->rs = sluice_port_alloc(1, sizeof(*b->rs));
	if (!b->rs)
		return -ENOMEM;
	b->rs->nrules = n;
	b->rs->rules = sluice_port_alloc(n ? n : 1, sizeof(*b->rs->rules));
	b->shapes = sluice_port_alloc(SLUICE_SHAPES_MAX, sizeof(*b->shapes));
	b->rs->shapes = b->shapes;
	b->shape_of = sluice_port_alloc(n ? n : 1, sizeof(*b->shape_of));
	return b->rs->rules && b->shapes && b->shape_of ? 0 : -ENOMEM;
}

/* Keep no more shapes than there are. */
static int trim_shapes(struct builder *b)
{
	u32 n = b->rs->nshapes;
	struct sluice_shape *shapes;

	shapes = sluice_port_alloc(n ? n : 1, sizeof(*shapes));
	if (!shapes)
		return -ENOMEM;
	memcpy(shapes, b->shapes, n * sizeof(*shapes));
	sluice_port_free(b->shapes);
	b->shapes = shapes;
	b->rs->shapes = shapes;
	return 0;
}

static int build_set(struct builder *b, u32 n)
{
	int ret;
	u32 s;

	ret = alloc_set(b, n);
	if (!ret)
		ret = rank_rules(b);
	if (!ret)
		ret = shape_rules(b);
	if (!ret)
		ret = size_keys(b);
	if (!ret)
		ret = trim_shapes(b);
	if (ret)
		return ret;
	number_tokens(b);
	for (s = 0; s < b->rs->nshapes && !ret; s++)
		ret = fill_shape(b, s);
	return ret;
}

/**
 * sluice_ruleset_compile() - compile rule specs into an immutable set
 * @out: set to the new set, for sluice_ruleset_free(); nothing of @specs is kept
 * @specs: rules; hostile
 * @n: number of @specs; none is a set that takes no message
 * @err: filled after an error; may be NULL
 *
 * Context: may sleep. Time is n log n.
 * Return: 0; -EINVAL for what makes no sense, -E2BIG for what is beyond a limit, -ENOMEM.
 */
int sluice_ruleset_compile(struct sluice_ruleset **out, const struct sluice_rule_spec *specs, u32 n,
			   struct sluice_compile_error *err)
{
	struct sluice_compile_error unseen;
	struct builder *b;
	int ret;

	*out = NULL;
	err = err ? err : &unseen;
	memset(err, 0, sizeof(*err));
	ret = sluice_rules_check(specs, n, err);
	if (ret)
		return ret;
	err->match = -1;
	b = sluice_port_alloc(1, sizeof(*b));
	if (!b) {
		err->text = "not enough memory for the rule set";
		return -ENOMEM;
	}
	b->specs = specs;
	b->err = err;
	ret = build_set(b, n);
	if (ret == -ENOMEM) {
		err->rule = 0;
		err->match = -1;
		err->text = "not enough memory for the rule set";
	}
	if (ret)
		sluice_ruleset_free(b->rs);
	else
		*out = b->rs;
	sluice_port_free(b->shape_of);
	sluice_port_free(b);
	return ret;
}
