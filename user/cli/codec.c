// SPDX-License-Identifier: GPL-2.0-only
/* Structures to netlink attributes and back, by the tables; printing and naming raw attributes. */
#include <errno.h>
#include <inttypes.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int encode_item(struct request *r, unsigned int type, const struct attr_desc *d, const void *field)
{
	const struct blob *b = field;
	const struct addr *addr = field;
	size_t mark;
	int ret;

	switch (d->type) {
	case T_NONE:
		return 0;
	case T_FLAG:
		return *(const bool *)field ? request_put(r, type, NULL, 0) : 0;
	case T_NAME:
	case T_NAMES:
		return request_put(r, type, field, strlen(field) + 1);
	case T_ADDR:
		return request_put(r, type, addr->bytes, addr->len);
	case T_BLOB:
	case T_BLOBS:
	case T_COUNTS:
		return request_put(r, type, b->data, b->len);
	case T_NEST:
	case T_NESTS:
		ret = request_nest(r, type, &mark);
		if (!ret)
			ret = obj_encode(r, d->nest, field);
		return ret ? ret : request_nest_end(r, mark);
	case T_U16:
	case T_U32:
	case T_U64:
	case T_ENUM:
	case T_BITS:
		return request_put(r, type, field, item_size(d));
	}
	return 0;
}

static bool repeats(const struct attr_desc *d)
{
	return d->type == T_NAMES || d->type == T_BLOBS || d->type == T_NEST || d->type == T_NESTS;
}

/* Put every attribute that is given. */
int obj_encode(struct request *r, const struct attr_set *set, const void *obj)
{
	const struct attr_desc *d;
	const struct vec *v;
	unsigned int a;
	uint32_t i;
	int ret = 0;

	for (a = 1; a <= set->max && !ret; a++) {
		d = &set->attrs[a];
		if (!is_given(obj, a))
			continue;
		if (!repeats(d)) {
			ret = encode_item(r, a, d, field_of(d, obj));
			continue;
		}
		v = field_of(d, obj);
		for (i = 0; i < v->n && !ret; i++)
			ret = encode_item(r, a, d, (char *)v->items + i * item_size(d));
	}
	return ret;
}

static int decode_item(const struct attr_desc *d, const struct nlattr *attr, void *field)
{
	size_t len = mnl_attr_get_payload_len(attr);
	const void *data = mnl_attr_get_payload(attr);
	struct addr *addr = field;

	switch (d->type) {
	case T_NONE:
		return 0;
	case T_FLAG:
		*(bool *)field = true;
		return 0;
	case T_NAME:
	case T_NAMES:
		len = strnlen(data, len);
		if (len >= NAME_LEN)
			return -EBADMSG;
		memset(field, 0, NAME_LEN);
		memcpy(field, data, len);
		return 0;
	case T_ADDR:
		if (len != 4 && len != 16)
			return -EBADMSG;
		addr->len = len;
		memcpy(addr->bytes, data, len);
		return 0;
	case T_BLOB:
	case T_BLOBS:
	case T_COUNTS:
		return blob_set(field, data, len);
	case T_NEST:
	case T_NESTS:
		return obj_decode(d->nest, data, len, field);
	case T_U16:
	case T_U32:
	case T_U64:
	case T_ENUM:
	case T_BITS:
		if (len != item_size(d))
			return -EBADMSG;
		memcpy(field, data, len);
		return 0;
	}
	return 0;
}

/* @obj: zeroed by the caller. Attributes that are not known are skipped. */
int obj_decode(const struct attr_set *set, const struct nlattr *first, size_t len, void *obj)
{
	const struct nlattr *attr;
	const struct attr_desc *d;
	unsigned int type;
	void *field;
	int ret;

	mnl_attr_for_each_payload((void *)first, len) {
		type = mnl_attr_get_type(attr);
		if (!type || type > set->max)
			continue;
		d = &set->attrs[type];
		field = field_of(d, obj);
		if (repeats(d)) {
			field = vec_add(field, item_size(d));
			if (!field)
				return -ENOMEM;
		}
		ret = decode_item(d, attr, field);
		if (ret)
			return ret;
		*given_of(obj) |= GIVEN(type);
	}
	return 0;
}

int msg_decode(struct cli *c, const struct attr_set *set, const struct nlmsghdr *nlh, void *obj)
{
	const char *attrs = mnl_nlmsg_get_payload_offset(nlh, GENL_HDRLEN);
	int ret = obj_decode(set, (const void *)attrs, nlh->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN, obj);

	if (ret)
		return fail(c, ret, "the kernel sent a %s that this command cannot read: %s", set->name,
			    strerror(-ret));
	return 0;
}

static void dump_value(FILE *f, const struct attr_desc *d, const struct nlattr *attr)
{
	size_t len = mnl_attr_get_payload_len(attr);
	const uint8_t *data = mnl_attr_get_payload(attr);
	struct blob b = { .data = (uint8_t *)data, .len = len };
	struct addr addr = { .len = len };
	uint64_t v = 0;
	char buf[64];
	char *text;

	switch (d->type) {
	case T_U16:
	case T_U32:
	case T_U64:
	case T_BITS:
	case T_ENUM:
		memcpy(&v, data, len <= 8 ? len : 8);
		if (d->type == T_ENUM)
			fprintf(f, " %s", name_of(d->names, v));
		else
			fprintf(f, d->flags & F_HEX ? " 0x%" PRIx64 : " %" PRIu64, v);
		break;
	case T_ADDR:
		memcpy(addr.bytes, data, len <= 16 ? len : 16);
		format_addr(buf, sizeof(buf), &addr);
		fprintf(f, " %s", buf);
		break;
	case T_NAME:
	case T_NAMES:
		b.len = strnlen((const char *)data, len);
		/* fall through */
	default:
		text = len ? format_bytes(&b, NULL) : NULL;
		if (d->type != T_FLAG)
			fprintf(f, " \"%s\"", text ? text : "");
		free(text);
	}
}

/* Raw attributes, one a line, nests indented. */
void msg_dump(FILE *f, const struct attr_set *set, const void *attrs, size_t len, int indent)
{
	const struct nlattr *attr;
	const struct attr_desc *d;
	unsigned int type;

	mnl_attr_for_each_payload(attrs, len) {
		type = mnl_attr_get_type(attr);
		if (!type || type > set->max) {
			fprintf(f, "%*s%u\n", 2 * indent, "", type);
			continue;
		}
		d = &set->attrs[type];
		fprintf(f, "%*s%s", 2 * indent, "", d->name);
		if (!d->nest)
			dump_value(f, d, attr);
		fputc('\n', f);
		if (d->nest)
			msg_dump(f, d->nest, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr), indent + 1);
	}
}

/* Rules are called by their id: it is what the user wrote. */
static uint32_t rule_id_in(const struct nlattr *nest)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == SLUICE_A_RULE_ID && mnl_attr_get_payload_len(attr) == 4)
			return mnl_attr_get_u32(attr);
	return 0;
}

/* The path of the attribute that begins @off bytes into @attrs, as "rule 10 match 2 value"; NULL: there is none. */
const char *attr_at(const struct attr_set *set, const void *attrs, size_t len, size_t off, char *buf, size_t size)
{
	unsigned int count[64] = { 0 };
	const struct nlattr *attr;
	const struct attr_desc *d;
	size_t at, n = 0;
	unsigned int type;

	mnl_attr_for_each_payload(attrs, len) {
		at = (const char *)attr - (const char *)attrs;
		type = mnl_attr_get_type(attr);
		if (!type || type > set->max)
			continue;
		count[type]++;
		if (off < at || off >= at + attr->nla_len)
			continue;
		d = &set->attrs[type];
		if (d->nest == &set_rule && rule_id_in(attr))
			n = snprintf(buf, size, "%s %u", d->name, rule_id_in(attr));
		else if (repeats(d))
			n = snprintf(buf, size, "%s %u", d->name, count[type]);
		else
			n = snprintf(buf, size, "%s", d->name);
		if (d->nest && off >= at + NLA_HDRLEN && n + 1 < size) {
			buf[n] = ' ';
			if (!attr_at(d->nest, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr),
				     off - at - NLA_HDRLEN, buf + n + 1, size - n - 1))
				buf[n] = 0;
		}
		return buf;
	}
	return NULL;
}
