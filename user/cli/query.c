// SPDX-License-Identifier: GPL-2.0-only
/* Asking the kernel about whole objects, and telling it to change them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define TRIES 20	/* of a dump that objects changed under */

static int build(struct cli *c, uint8_t cmd, uint16_t flags, const void *obj, struct request **out)
{
	struct request *r = request_new(c, cmd, flags);
	int ret;

	if (!r)
		return fail_memory(c);
	ret = obj ? obj_encode(r, schema_set(cmd), obj) : 0;
	if (ret) {
		request_free(r);
		return ret == -EMSGSIZE ? fail(c, ret, "a value or a rule is too long for a netlink attribute") :
					  fail_memory(c);
	}
	*out = r;
	return 0;
}

struct one {
	const struct attr_set *set;
	void *obj;
	bool seen;
};

static int on_one(struct cli *c, const struct nlmsghdr *nlh, void *data)
{
	struct one *one = data;

	if (!one->obj || one->seen)
		return 0;
	one->seen = true;
	return msg_decode(c, one->set, nlh, one->obj);
}

/**
 * kernel_do() - one request
 * @c: the command's context
 * @cmd: SLUICE_CMD_*
 * @obj: what to send, a structure of the command's set
 * @reply: zeroed structure for the answer, or NULL
 */
int kernel_do(struct cli *c, uint8_t cmd, const void *obj, void *reply)
{
	struct one one = { .set = schema_set(cmd), .obj = reply };
	struct request *r;
	int ret = build(c, cmd, 0, obj, &r);

	if (ret)
		return ret;
	ret = request_send(c, r, on_one, &one);
	request_free(r);
	if (!ret && reply && !one.seen && !c->dump)
		ret = fail(c, -EBADMSG, "the kernel answered %s with nothing", schema_command(cmd));
	return ret;
}

static int on_object(struct cli *c, const struct nlmsghdr *nlh, void *data)
{
	struct objects *o = data;
	void *obj = vec_add(&o->items, o->set->size);

	if (!obj)
		return fail_memory(c);
	return msg_decode(c, o->set, nlh, obj);
}

void objects_free(struct objects *o)
{
	uint32_t i;

	for (i = 0; i < o->items.n; i++)
		obj_free(o->set, (char *)o->items.items + i * o->set->size);
	free(o->items.items);
	memset(&o->items, 0, sizeof(o->items));
}

/* All objects of a dump; @filter may be NULL. @out is freed by the caller only if 0 is returned. */
int kernel_dump(struct cli *c, uint8_t cmd, const void *filter, struct objects *out)
{
	struct request *r;
	int ret, i;

	out->set = schema_set(cmd);
	memset(&out->items, 0, sizeof(out->items));
	ret = build(c, cmd, NLM_F_DUMP, filter, &r);
	if (ret)
		return ret;
	for (i = 0; i < TRIES; i++) {
		ret = request_send(c, r, on_object, out);
		if (!ret)
			break;
		objects_free(out);
		if (ret != -EINTR)
			break;
	}
	request_free(r);
	return ret;
}

/* The rule set of a listener, in the kernel's order, with its generation. */
int kernel_rules(struct cli *c, const char *listener, struct rules *out)
{
	struct rules filter = { .given = GIVEN(SLUICE_A_RULES_LISTENER) }, *part;
	struct objects o;
	struct rule *r;
	uint32_t i, j;
	int ret;

	memset(out, 0, sizeof(*out));
	strcpy(filter.listener, listener);
	strcpy(out->listener, listener);
	ret = kernel_dump(c, SLUICE_CMD_RULES_GET, &filter, &o);
	if (ret)
		return ret;
	out->given = GIVEN(SLUICE_A_RULES_LISTENER) | GIVEN(SLUICE_A_RULES_RULE);
	for (i = 0; i < o.items.n; i++) {
		part = (struct rules *)o.items.items + i;
		out->generation = part->generation;
		out->given |= part->given & GIVEN(SLUICE_A_RULES_GENERATION);
		for (j = 0; j < part->rules.n; j++) {
			r = vec_add(&out->rules, sizeof(*r));
			if (!r) {
				ret = fail_memory(c);
				goto out;
			}
			*r = *rules_at(part, j);
			rule_defaults(r);
		}
		/* the rules themselves moved over */
		part->rules.n = 0;
	}
out:
	objects_free(&o);
	if (ret)
		obj_free(&set_rules, out);
	return ret;
}
