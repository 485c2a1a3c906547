// SPDX-License-Identifier: GPL-2.0-only
/* Rule sets of a listener: parse, compile, swap atomically, keep counters across swaps. */
#include <linux/sort.h>
#include <net/genetlink.h>

#include "policy.h"
#include "sluice.h"

struct sluice_rule_stats *sluice_rule_stats_create(struct sluice_listener *l, u32 id)
{
	struct sluice_rule_stats *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->cnt = alloc_percpu_gfp(struct sluice_rule_counters, GFP_KERNEL_ACCOUNT);
	if (!s->cnt) {
		kfree(s);
		return ERR_PTR(-ENOMEM);
	}
	s->listener = l;
	s->id = id;
	return s;
}

void sluice_rule_stats_free(struct sluice_rule_stats *s)
{
	free_percpu(s->cnt);
	kfree(s);
}

/* Release a set that no section can see any more. */
void sluice_rules_free(struct sluice_rules *rules)
{
	u32 i;

	if (!rules)
		return;
	for (i = 0; i < rules->n; i++) {
		if (rules->rule[i].to.class)
			rules->rule[i].to.class->group->users--;
		kfree(rules->rule[i].attr);
	}
	sluice_ruleset_free(rules->core);
	kvfree(rules->by_id);
	kvfree(rules);
}

/**
 * sluice_rules_match() - which rule takes a message
 * @rules: may be NULL
 * @msg: message
 * @conf: the listener's, whose default applies if no rule does
 * @index: set to the rule's place in the set, -1: the default
 *
 * Context: RCU reader.
 */
const struct sluice_verdict_to *sluice_rules_match(const struct sluice_rules *rules,
						   const struct sluice_msg *msg,
						   const struct sluice_listener_conf *conf,
						   int *index)
{
	*index = rules && rules->core ? sluice_ruleset_match(rules->core, msg) : -1;
	return *index < 0 ? &conf->to : &rules->rule[*index].to;
}

static int parse_addr(const struct nlattr *a, struct sluice_match *m,
		      struct netlink_ext_ack *extack)
{
	int len = a ? nla_len(a) : 0;

	if (len != 4 && len != 16) {
		NL_SET_ERR_MSG_ATTR(extack, a, "src match needs an address of 4 or 16 bytes");
		return -EINVAL;
	}
	m->src.family = len == 4 ? 4 : 6;
	memcpy(m->src.addr, nla_data(a), len);
	return 0;
}

static int parse_words(const struct nlattr *nest, struct sluice_match *m, struct sluice_word *words,
		       int max, struct netlink_ext_ack *extack)
{
	const struct nlattr *a;
	int rem, n = 0;

	nla_for_each_nested(a, nest, rem) {
		if (nla_type(a) != SLUICE_A_MATCH_WORD)
			continue;
		if (n == max || !nla_len(a) || nla_len(a) > SLUICE_WORD_LEN_MAX) {
			NL_SET_ERR_MSG_ATTR(extack, a,
					    "words are 1 to 32 bytes; a text has 1, a token up to 16");
			return -EINVAL;
		}
		words[n].len = nla_len(a);
		memcpy(words[n++].bytes, nla_data(a), nla_len(a));
	}
	if (!n) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "text and token matches need a word");
		return -EINVAL;
	}
	return n;
}

static u32 get_u32(struct nlattr *a, u32 def)
{
	return a ? nla_get_u32(a) : def;
}

static int parse_bytes(struct nlattr **tb, const struct nlattr *nest, struct sluice_match *m,
		       struct netlink_ext_ack *extack)
{
	u32 width = get_u32(tb[SLUICE_A_MATCH_WIDTH], 1);
	u64 ones;

	if (width != 1 && width != 2 && width != 4 && width != 8) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_MATCH_WIDTH],
				    "width is 1, 2, 4 or 8 bytes");
		return -EINVAL;
	}
	if (!tb[SLUICE_A_MATCH_VALUE]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "bytes match needs a value");
		return -EINVAL;
	}
	ones = width == 8 ? U64_MAX : (1ULL << (8 * width)) - 1;
	m->bytes.offset = get_u32(tb[SLUICE_A_MATCH_OFFSET], 0);
	m->bytes.width = width;
	m->bytes.mask = tb[SLUICE_A_MATCH_MASK] ? nla_get_u64(tb[SLUICE_A_MATCH_MASK]) : ones;
	m->bytes.value = nla_get_u64(tb[SLUICE_A_MATCH_VALUE]);
	return 0;
}

/* Fill @m from a match nest. @words: where its words go, room for SLUICE_WORDS_MAX. */
static int parse_match(const struct nlattr *nest, struct sluice_match *m, struct sluice_word *words,
		       struct netlink_ext_ack *extack)
{
	struct nlattr *tb[SLUICE_A_MATCH_MAX + 1];
	int n;

	n = nla_parse_nested(tb, SLUICE_A_MATCH_MAX, nest, sluice_match_policy, extack);
	if (n)
		return n;
	if (!tb[SLUICE_A_MATCH_KIND]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "match has no kind");
		return -EINVAL;
	}
	m->type = nla_get_u32(tb[SLUICE_A_MATCH_KIND]);
	switch (m->type) {
	case SLUICE_MATCH_SRC:
		m->src.prefix =
			get_u32(tb[SLUICE_A_MATCH_PREFIX],
				tb[SLUICE_A_MATCH_ADDR] ? nla_len(tb[SLUICE_A_MATCH_ADDR]) * 8 : 0);
		return parse_addr(tb[SLUICE_A_MATCH_ADDR] ?: NULL, m, extack);
	case SLUICE_MATCH_LENGTH:
		m->length.min = get_u32(tb[SLUICE_A_MATCH_MIN], 0);
		m->length.max = get_u32(tb[SLUICE_A_MATCH_MAX_LEN], U32_MAX);
		return 0;
	case SLUICE_MATCH_BYTES:
		return parse_bytes(tb, nest, m, extack);
	case SLUICE_MATCH_TEXT:
		n = parse_words(nest, m, words, 1, extack);
		if (n < 0)
			return n;
		m->text.offset = get_u32(tb[SLUICE_A_MATCH_OFFSET], 0);
		m->text.len = words[0].len;
		memcpy(m->text.bytes, words[0].bytes, words[0].len);
		return 0;
	default: /* SLUICE_MATCH_TOKEN: the policy admits no other */
		n = parse_words(nest, m, words, SLUICE_WORDS_MAX, extack);
		if (n < 0)
			return n;
		m->token.token.offset = get_u32(tb[SLUICE_A_MATCH_OFFSET], 0);
		m->token.token.index = get_u32(tb[SLUICE_A_MATCH_INDEX], 0);
		m->token.token.delim = get_u32(tb[SLUICE_A_MATCH_DELIM], ' ');
		m->token.words = words;
		m->token.nwords = n;
		return 0;
	}
}

/* A rule on its way into a set: what the compiler needs, freed afterwards. */
struct draft {
	struct sluice_match *matches;
	struct sluice_word *words;
	u32 nmatches;
};

static void draft_free(struct draft *d)
{
	kvfree(d->matches);
	kvfree(d->words);
}

static int parse_matches(const struct nlattr *nest, struct draft *d, struct netlink_ext_ack *extack)
{
	const struct nlattr *a;
	u32 n = 0, i = 0;
	int rem, err;

	nla_for_each_nested(a, nest, rem)
		n += nla_type(a) == SLUICE_A_RULE_MATCH;
	if (!n)
		return 0;
	if (n > SLUICE_MATCHES_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "a rule has up to 8 matches");
		return -EINVAL;
	}
	d->matches = kvcalloc(n, sizeof(*d->matches), GFP_KERNEL);
	d->words = kvcalloc(n, SLUICE_WORDS_MAX * sizeof(*d->words), GFP_KERNEL);
	if (!d->matches || !d->words)
		return -ENOMEM;
	nla_for_each_nested(a, nest, rem) {
		if (nla_type(a) != SLUICE_A_RULE_MATCH)
			continue;
		err = parse_match(a, &d->matches[i], d->words + i * SLUICE_WORDS_MAX, extack);
		if (err)
			return err;
		i++;
	}
	d->nmatches = n;
	return 0;
}

/*
 * Find or make the counters of a rule id; a new one is in l->stats at once, unused until the set is
 * installed.
 */
static int rule_stats_get(struct sluice_listener *l, u32 id, struct sluice_rule_stats **out)
{
	struct sluice_rule_stats *s = xa_load(&l->stats, id);
	int err;

	if (!s) {
		s = sluice_rule_stats_create(l, id);
		if (IS_ERR(s))
			return PTR_ERR(s);
		err = xa_err(xa_store(&l->stats, id, s, GFP_KERNEL_ACCOUNT));
		if (err) {
			sluice_rule_stats_free(s);
			return err;
		}
	}
	*out = s;
	return 0;
}

static int parse_target(struct sluice_listener *l, struct nlattr **tb, const struct nlattr *nest,
			struct sluice_verdict_to *to, struct netlink_ext_ack *extack)
{
	const char *name = tb[SLUICE_A_RULE_CLASS] ? nla_data(tb[SLUICE_A_RULE_CLASS]) : "default";
	struct sluice_group *g;
	u32 nclasses;
	int err;

	if (!tb[SLUICE_A_RULE_ACTION]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "rule has no action");
		return -EINVAL;
	}
	to->action = nla_get_u32(tb[SLUICE_A_RULE_ACTION]);
	to->prio = get_u32(tb[SLUICE_A_RULE_PRIO], 1);
	to->deadline = tb[SLUICE_A_RULE_DEADLINE] ? nla_get_u64(tb[SLUICE_A_RULE_DEADLINE]) : 0;
	if (to->deadline > SLUICE_DEADLINE_NS_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_RULE_DEADLINE], "deadline is over an hour");
		return -ERANGE;
	}
	err = sluice_fields_parse(l, tb, to, extack);
	if (err)
		return err;
	if (to->action == SLUICE_ACTION_PASS && !sluice_listener_passes(l)) {
		NL_SET_ERR_MSG_ATTR(extack, nest,
				    "pass needs sockets that a process has: nobody reads these");
		return -EINVAL;
	}
	if (to->action != SLUICE_ACTION_GROUP)
		return 0;
	if (!tb[SLUICE_A_RULE_GROUP]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "action group needs the group's name");
		return -EINVAL;
	}
	g = sluice_group_find(l->sn, nla_data(tb[SLUICE_A_RULE_GROUP]));
	if (!g) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_RULE_GROUP], "no such group: add it first");
		return -ENOENT;
	}
	nclasses = g->nclasses;
	to->class = sluice_group_class_get(g, name, extack);
	if (IS_ERR(to->class)) {
		err = PTR_ERR(to->class);
		to->class = NULL;
		return err;
	}
	if (g->nclasses > nclasses)
		to->class->draft = true;
	g->users++;
	return 0;
}

static int parse_rule(struct sluice_listener *l, const struct nlattr *nest,
		      struct sluice_rule *rule, struct draft *d, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[SLUICE_A_RULE_MAX + 1];
	int err;

	err = nla_parse_nested(tb, SLUICE_A_RULE_MAX, nest, sluice_rule_policy, extack);
	if (err)
		return err;
	if (!tb[SLUICE_A_RULE_ID]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "rule has no id");
		return -EINVAL;
	}
	rule->id = nla_get_u32(tb[SLUICE_A_RULE_ID]);
	rule->order = get_u32(tb[SLUICE_A_RULE_ORDER], 0);
	err = parse_target(l, tb, nest, &rule->to, extack);
	if (err)
		return err;
	err = parse_matches(nest, d, extack);
	if (err)
		return err;
	rule->attr = kmemdup(nest, nest->nla_len, GFP_KERNEL_ACCOUNT);
	if (!rule->attr)
		return -ENOMEM;
	err = rule_stats_get(l, rule->id, &rule->to.stats);
	if (err)
		return err;
	if (rule->to.stats->keep) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_RULE_ID], "two rules with this id");
		return -EEXIST;
	}
	rule->to.stats->keep = true;
	return 0;
}

/* The attribute to blame for what the compiler refused: a match of the rule, or the rule. */
static const struct nlattr *blamed(const struct nlattr *rule, int match)
{
	const struct nlattr *a;
	int rem;

	nla_for_each_nested(a, rule, rem)
		if (nla_type(a) == SLUICE_A_RULE_MATCH && match-- == 0)
			return a;
	return rule;
}

static int compile(struct sluice_rules *rules, const struct draft *drafts,
		   const struct nlattr *const *nests, struct netlink_ext_ack *extack)
{
	struct sluice_compile_error cerr = {};
	struct sluice_rule_spec *specs;
	u32 i;
	int err;

	specs = kvcalloc(rules->n, sizeof(*specs), GFP_KERNEL);
	if (!specs)
		return -ENOMEM;
	for (i = 0; i < rules->n; i++) {
		specs[i].order = rules->rule[i].order;
		specs[i].nmatches = drafts[i].nmatches;
		specs[i].matches = drafts[i].matches;
	}
	err = sluice_ruleset_compile(&rules->core, specs, rules->n, &cerr);
	if (err && cerr.text && extack) {
		extack->_msg = cerr.text;
		if (cerr.rule < rules->n)
			NL_SET_BAD_ATTR(extack, blamed(nests[cerr.rule], cerr.match));
	}
	if (!err)
		rules->depth = sluice_ruleset_depth(rules->core);
	kvfree(specs);
	return err;
}

static int by_id(const void *a, const void *b)
{
	const struct sluice_rule_ref *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int index_ids(struct sluice_rules *rules)
{
	u32 i;

	rules->by_id = kvcalloc(rules->n, sizeof(*rules->by_id), GFP_KERNEL_ACCOUNT);
	if (!rules->by_id)
		return -ENOMEM;
	for (i = 0; i < rules->n; i++) {
		rules->by_id[i].id = rules->rule[i].id;
		rules->by_id[i].index = i;
	}
	sort(rules->by_id, rules->n, sizeof(*rules->by_id), by_id, NULL);
	return 0;
}

/* The place of a rule in the set, -1: there is none with this number. Context: RCU reader. */
int sluice_rules_find(const struct sluice_rules *rules, u32 id)
{
	u32 low = 0, high = rules ? rules->n : 0, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (rules->by_id[mid].id == id)
			return rules->by_id[mid].index;
		if (rules->by_id[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

static struct sluice_rules *rules_create(struct sluice_listener *l, const struct nlmsghdr *nlh,
					 int hdrlen, u32 n, struct netlink_ext_ack *extack)
{
	const struct nlattr **nests = NULL;
	struct sluice_rules *rules;
	struct draft *drafts = NULL;
	const struct nlattr *a;
	int rem, err = -ENOMEM;
	u32 i = 0;

	rules = kvzalloc(struct_size(rules, rule, n), GFP_KERNEL_ACCOUNT);
	if (!rules)
		return ERR_PTR(-ENOMEM);
	rules->n = n;
	if (!n)
		return rules;
	drafts = kvcalloc(n, sizeof(*drafts), GFP_KERNEL);
	nests = kvcalloc(n, sizeof(*nests), GFP_KERNEL);
	if (!drafts || !nests)
		goto out;
	nlmsg_for_each_attr(a, nlh, hdrlen, rem) {
		if (nla_type(a) != SLUICE_A_RULES_RULE)
			continue;
		nests[i] = a;
		err = parse_rule(l, a, &rules->rule[i], &drafts[i], extack);
		if (err)
			goto out;
		i++;
		cond_resched();
	}
	err = index_ids(rules);
	if (!err)
		err = compile(rules, drafts, nests, extack);
out:
	for (i = 0; drafts && i < n; i++)
		draft_free(&drafts[i]);
	kvfree(drafts);
	kvfree(nests);
	if (err) {
		sluice_rules_free(rules);
		return ERR_PTR(err);
	}
	return rules;
}

static bool repoint(struct sluice_req *req, struct sluice_ring *ring, void *arg)
{
	if (req->rule->retired)
		req->rule = req->rule->listener->retired;
	return false;
}

static void fold(struct sluice_rule_stats *s, struct sluice_rule_stats *into)
{
	int cpu, i;

	for_each_possible_cpu(cpu) {
		const struct sluice_rule_counters *from = per_cpu_ptr(s->cnt, cpu);

		local_bh_disable();
		this_cpu_add(into->cnt->received, from->received);
		for (i = 0; i < SLUICE_KINDS_N; i++)
			this_cpu_add(into->cnt->kind[i], from->kind[i]);
		local_bh_enable();
	}
}

/*
 * Counters of rules that the current set does not name: see the lifetime of rule counters in
 * sluice.h.
 */
static void stats_retire(struct sluice_listener *l)
{
	struct sluice_rule_stats *s;
	unsigned long id;
	bool any = false;

	xa_for_each(&l->stats, id, s) {
		if (s->keep || s == l->fallback)
			continue;
		WRITE_ONCE(s->retired, true);
		any = true;
	}
	if (!any)
		return;
	synchronize_rcu();
	sluice_net_visit(l->sn, repoint, NULL);
	synchronize_rcu();
	xa_for_each(&l->stats, id, s) {
		if (!s->retired)
			continue;
		fold(s, l->retired);
		xa_erase(&l->stats, id);
		sluice_rule_stats_free(s);
	}
}

static void stats_unkeep(struct sluice_listener *l, const struct sluice_rules *current_set)
{
	struct sluice_rule_stats *s;
	unsigned long id;
	u32 i;

	xa_for_each(&l->stats, id, s)
		s->keep = false;
	for (i = 0; current_set && i < current_set->n; i++)
		current_set->rule[i].to.stats->keep = true;
}

/**
 * sluice_rules_install() - replace all rules of a listener by those of a netlink message
 * @l: listener; sluice_mutex is held
 * @nlh: message, of which the family has checked the attributes
 * @hdrlen: what precedes its attributes
 * @expect: with @has_expect: generation that must be the current one
 * @has_expect: see @expect
 * @extack: why not
 *
 * Either the whole new set takes effect, between two messages, or nothing changes.
 *
 * Context: may sleep. Return: 0, -EAGAIN, -EINVAL, -EEXIST, -ENOENT, -E2BIG, -ENOMEM.
 */
int sluice_rules_install(struct sluice_listener *l, const struct nlmsghdr *nlh, int hdrlen,
			 u32 expect, bool has_expect, struct netlink_ext_ack *extack)
{
	struct sluice_rules *old =
		rcu_dereference_protected(l->rules, lockdep_is_held(&sluice_mutex));
	u32 generation = old ? old->generation : 0;
	struct sluice_rules *rules;
	const struct nlattr *a;
	int rem;
	u32 n = 0;

	if (has_expect && expect != generation) {
		NL_SET_ERR_MSG(extack, "the rules have changed meanwhile: read them again");
		return -EAGAIN;
	}
	nlmsg_for_each_attr(a, nlh, hdrlen, rem)
		n += nla_type(a) == SLUICE_A_RULES_RULE;
	if (n > SLUICE_RULES_MAX) {
		NL_SET_ERR_MSG(extack, "a listener has up to 65536 rules");
		return -E2BIG;
	}
	stats_unkeep(l, NULL);
	rules = rules_create(l, nlh, hdrlen, n, extack);
	sluice_group_drafts(l->sn, !IS_ERR(rules));
	if (IS_ERR(rules)) {
		stats_unkeep(l, old);
		stats_retire(l);
		return PTR_ERR(rules);
	}
	rules->generation = generation + 1;
	rcu_assign_pointer(l->rules, rules);
	synchronize_rcu();
	sluice_rules_free(old);
	stats_retire(l);
	return 0;
}
