// SPDX-License-Identifier: GPL-2.0-only
/* Structures to JSON and back, by the tables: keys are the attributes' names with _ for -, values are exact. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void json_key(const struct attr_desc *d, char *key, size_t size)
{
	size_t i;

	snprintf(key, size, "%s", d->name);
	for (i = 0; key[i]; i++)
		if (key[i] == '-')
			key[i] = '_';
}

static json_object *bytes_to_json(const struct blob *b)
{
	char *text = format_bytes(b, NULL);
	json_object *js = text ? json_object_new_string(text) : NULL;

	free(text);
	return js;
}

static json_object *bits_to_json(const struct attr_desc *d, uint32_t bits)
{
	json_object *js = json_object_new_array();
	uint32_t i;

	for (i = 0; d->names[i]; i++)
		if (bits & (1U << i))
			json_object_array_add(js, json_object_new_string(d->names[i]));
	return js;
}

static json_object *counts_to_json(const struct blob *b)
{
	json_object *js = json_object_new_array();
	uint64_t v;
	uint32_t i;

	for (i = 0; i + sizeof(v) <= b->len; i += sizeof(v)) {
		memcpy(&v, b->data + i, sizeof(v));
		json_object_array_add(js, json_object_new_uint64(v));
	}
	return js;
}

static json_object *item_to_json(const struct attr_desc *d, const void *field)
{
	uint64_t v = 0;
	char buf[64];

	switch (d->type) {
	case T_NONE:
		return NULL;
	case T_FLAG:
		return json_object_new_boolean(*(const bool *)field);
	case T_NAME:
	case T_NAMES:
		return json_object_new_string(field);
	case T_ADDR:
		format_addr(buf, sizeof(buf), field);
		return json_object_new_string(buf);
	case T_BLOB:
	case T_BLOBS:
		return bytes_to_json(field);
	case T_COUNTS:
		return counts_to_json(field);
	case T_NEST:
	case T_NESTS:
		return obj_to_json(d->nest, field);
	case T_BITS:
		return bits_to_json(d, *(const uint32_t *)field);
	case T_ENUM:
		return json_object_new_string(name_of(d->names, *(const uint32_t *)field));
	case T_U16:
		v = *(const uint16_t *)field;
		break;
	case T_U32:
		v = *(const uint32_t *)field;
		break;
	case T_U64:
		v = *(const uint64_t *)field;
		break;
	}
	if (d->flags & (F_HEX | F_CHAR)) {
		if (d->flags & F_HEX)
			snprintf(buf, sizeof(buf), "0x%" PRIx64, v);
		else
			format_char(buf, sizeof(buf), v);
		return json_object_new_string(buf);
	}
	return json_object_new_uint64(v);
}

static bool is_list(const struct attr_desc *d)
{
	return d->type == T_NAMES || d->type == T_BLOBS || d->type == T_NESTS;
}

/* What is given of @obj. */
json_object *obj_to_json(const struct attr_set *set, const void *obj)
{
	json_object *js = json_object_new_object(), *value;
	const struct attr_desc *d;
	const struct vec *v;
	unsigned int a;
	char key[32];
	uint32_t i;

	for (a = 1; a <= set->max; a++) {
		d = &set->attrs[a];
		if (!is_given(obj, a) || d->type == T_NONE)
			continue;
		v = field_of(d, obj);
		if (is_list(d)) {
			value = json_object_new_array();
			for (i = 0; i < v->n; i++)
				json_object_array_add(value, item_to_json(d, (char *)v->items + i * item_size(d)));
		} else if (d->type == T_NEST) {
			value = v->n ? item_to_json(d, v->items) : NULL;
		} else {
			value = item_to_json(d, v);
		}
		json_key(d, key, sizeof(key));
		json_object_object_add(js, key, value);
	}
	return js;
}

static int bad(struct cli *c, const char *key, const char *want)
{
	return fail_usage(c, "\"%s\" must be %s", key, want);
}

static int number_from_json(json_object *js, uint64_t max, uint64_t *v)
{
	if (json_object_is_type(js, json_type_string))
		return parse_u64(json_object_get_string(js), max, v);
	if (!json_object_is_type(js, json_type_int))
		return -EINVAL;
	/* what does not fit is clamped by the library: only its own text tells */
	if (json_object_get_string(js)[0] == '-')
		return -EINVAL;
	*v = json_object_get_uint64(js);
	return *v > max ? -ERANGE : 0;
}

static int unit_from_json(const struct attr_desc *d, json_object *js, uint64_t *v)
{
	const char *text = json_object_get_string(js);

	if (json_object_is_type(js, json_type_string) && d->flags & F_NS)
		return parse_ns(text, v);
	if (json_object_is_type(js, json_type_string) && d->flags & F_BYTES)
		return parse_size(text, v);
	return number_from_json(js, UINT64_MAX, v);
}

static int enum_from_json(struct cli *c, const char *key, const struct attr_desc *d, json_object *js, uint32_t *v)
{
	const char *text = json_object_get_string(js);
	uint32_t i;

	for (i = 0; d->names[i]; i++) {
		if (strcmp(d->names[i], text))
			continue;
		*v = i;
		return 0;
	}
	return fail_usage(c, "\"%s\" cannot be \"%s\"", key, text);
}

static int char_from_json(json_object *js, uint32_t *v)
{
	uint64_t n;

	if (json_object_is_type(js, json_type_string))
		return parse_char(json_object_get_string(js), v);
	if (number_from_json(js, 255, &n))
		return -EINVAL;
	*v = n;
	return 0;
}

static int item_from_json(struct cli *c, const char *key, const struct attr_desc *d, json_object *js, void *field)
{
	bool is_text = json_object_is_type(js, json_type_string);
	const char *text = json_object_get_string(js);
	uint64_t v;

	switch (d->type) {
	case T_NONE:
	case T_COUNTS:
	case T_BITS:
		return 0;
	case T_FLAG:
		if (!json_object_is_type(js, json_type_boolean))
			return bad(c, key, "true or false");
		*(bool *)field = json_object_get_boolean(js);
		return 0;
	case T_NAME:
	case T_NAMES:
		if (!is_text || check_name(text))
			return bad(c, key, "a name: 1 to 31 letters, digits, _ . or -");
		strcpy(field, text);
		return 0;
	case T_ADDR:
		if (!is_text || parse_addr(text, field))
			return bad(c, key, "an IPv4 or IPv6 address");
		return 0;
	case T_BLOB:
	case T_BLOBS:
		if (!is_text || parse_bytes(text, field))
			return bad(c, key, "text, with \\xHH (in JSON \"\\\\xHH\") for what is not printable");
		return 0;
	case T_NEST:
	case T_NESTS:
		return obj_from_json(c, d->nest, js, field);
	case T_ENUM:
		return is_text ? enum_from_json(c, key, d, js, field) : bad(c, key, "text");
	case T_U16:
		if (number_from_json(js, UINT16_MAX, &v))
			return bad(c, key, "a number from 0 to 65535");
		*(uint16_t *)field = v;
		return 0;
	case T_U32:
		if (d->flags & F_CHAR)
			return char_from_json(js, field) ? bad(c, key, "one character") : 0;
		if (number_from_json(js, UINT32_MAX, &v))
			return bad(c, key, "a number from 0 to 4294967295");
		*(uint32_t *)field = v;
		return 0;
	case T_U64:
		if (unit_from_json(d, js, field))
			return bad(c, key, d->flags & F_NS ? "nanoseconds, or text as \"5ms\"" : "a number from 0");
		return 0;
	}
	return 0;
}

static int list_from_json(struct cli *c, const char *key, const struct attr_desc *d, json_object *js, struct vec *v)
{
	size_t i, n;
	void *item;
	int ret;

	if (!json_object_is_type(js, json_type_array))
		return bad(c, key, "a list");
	n = json_object_array_length(js);
	for (i = 0; i < n; i++) {
		item = vec_add(v, item_size(d));
		if (!item)
			return fail_memory(c);
		ret = item_from_json(c, key, d, json_object_array_get_idx(js, i), item);
		if (ret)
			return ret;
	}
	return 0;
}

static unsigned int attr_of_key(const struct attr_set *set, const char *key)
{
	unsigned int a;
	char name[32];

	for (a = 1; a <= set->max; a++) {
		json_key(&set->attrs[a], name, sizeof(name));
		if (set->attrs[a].type != T_NONE && !strcmp(name, key))
			return a;
	}
	return 0;
}

/* Keys that only the kernel writes are skipped, so that what was printed can be read back; unknown ones are refused. */
int obj_from_json(struct cli *c, const struct attr_set *set, json_object *js, void *obj)
{
	const struct attr_desc *d;
	unsigned int a;
	int ret;

	if (!json_object_is_type(js, json_type_object))
		return fail_usage(c, "a %s must be an object", set->name);
	json_object_object_foreach(js, key, value) {
		a = attr_of_key(set, key);
		if (!a)
			return fail_usage(c, "\"%s\" is no property of a %s", key, set->name);
		d = &set->attrs[a];
		if (d->flags & F_OUT)
			continue;
		if (is_list(d))
			ret = list_from_json(c, key, d, value, field_of(d, obj));
		else
			ret = item_from_json(c, key, d, value, field_of(d, obj));
		if (ret)
			return ret;
		*given_of(obj) |= GIVEN(a);
	}
	return 0;
}

/* Takes @js over. */
int print_json(struct cli *c, json_object *js)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
	const char *text;

	if (c->pretty)
		flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	text = json_object_to_json_string_ext(js, flags);
	if (text)
		puts(text);
	json_object_put(js);
	return text ? 0 : fail_memory(c);
}
