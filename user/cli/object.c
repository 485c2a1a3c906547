// SPDX-License-Identifier: GPL-2.0-only
/* Copying, comparing and freeing the structures that the tables of attribute sets describe. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

/* Bytes that an attribute takes in its structure, or each of its items in their vector. */
size_t item_size(const struct attr_desc *d)
{
	switch (d->type) {
	case T_NONE:
		return 0;
	case T_FLAG:
		return sizeof(bool);
	case T_U16:
		return sizeof(uint16_t);
	case T_U32:
	case T_ENUM:
	case T_BITS:
		return sizeof(uint32_t);
	case T_U64:
		return sizeof(uint64_t);
	case T_ADDR:
		return sizeof(struct addr);
	case T_BLOB:
	case T_COUNTS:
	case T_BLOBS:
		return sizeof(struct blob);
	case T_NAME:
	case T_NAMES:
		return NAME_LEN;
	case T_NEST:
	case T_NESTS:
		return d->nest->size;
	}
	return 0;
}

static bool is_vec(const struct attr_desc *d)
{
	return d->type == T_NAMES || d->type == T_BLOBS || d->type == T_NEST || d->type == T_NESTS;
}

static bool is_blob(const struct attr_desc *d)
{
	return d->type == T_BLOB || d->type == T_COUNTS || d->type == T_BLOBS;
}

int blob_set(struct blob *b, const void *data, size_t len)
{
	uint8_t *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, len);
	copy[len] = 0;
	free(b->data);
	b->data = copy;
	b->len = len;
	return 0;
}

/* A new item at the end, zeroed; NULL if there is no memory. Room doubles, so adding stays cheap. */
void *vec_add(struct vec *v, size_t size)
{
	void *items;

	if (!(v->n & (v->n - 1))) {
		items = reallocarray(v->items, v->n ? 2 * (size_t)v->n : 1, size);
		if (!items)
			return NULL;
		v->items = items;
	}
	items = (char *)v->items + v->n++ * size;
	return memset(items, 0, size);
}

static int copy_item(const struct attr_desc *d, void *to, const void *from)
{
	const struct blob *b = from;

	if (is_blob(d))
		return blob_set(to, b->data ? (const void *)b->data : "", b->len);
	if (d->nest)
		return obj_copy(d->nest, to, from);
	memcpy(to, from, item_size(d));
	return 0;
}

static int copy_vec(const struct attr_desc *d, struct vec *to, const struct vec *from)
{
	size_t size = item_size(d);
	uint32_t i;
	void *item;
	int ret;

	for (i = 0; i < from->n; i++) {
		item = vec_add(to, size);
		if (!item)
			return -ENOMEM;
		ret = copy_item(d, item, (const char *)from->items + i * size);
		if (ret)
			return ret;
	}
	return 0;
}

/* @to is overwritten, not freed; after a failure it may be freed. */
int obj_copy(const struct attr_set *set, void *to, const void *from)
{
	const struct attr_desc *d;
	unsigned int a;
	int ret;

	memset(to, 0, set->size);
	*given_of(to) = *(const uint64_t *)from;
	for (a = 1; a <= set->max; a++) {
		d = &set->attrs[a];
		if (is_vec(d))
			ret = copy_vec(d, field_of(d, to), field_of(d, from));
		else
			ret = copy_item(d, field_of(d, to), field_of(d, from));
		if (ret)
			return ret;
	}
	return 0;
}

static bool equal_item(const struct attr_desc *d, const void *a, const void *b)
{
	const struct blob *ba = a, *bb = b;
	const struct addr *aa = a, *ab = b;

	if (is_blob(d))
		return ba->len == bb->len && (!ba->len || !memcmp(ba->data, bb->data, ba->len));
	if (d->nest)
		return obj_equal(d->nest, a, b);
	if (d->type == T_NAME || d->type == T_NAMES)
		return !strcmp(a, b);
	if (d->type == T_ADDR)
		return aa->len == ab->len && !memcmp(aa->bytes, ab->bytes, aa->len);
	return !memcmp(a, b, item_size(d));
}

static bool equal_vec(const struct attr_desc *d, const struct vec *a, const struct vec *b)
{
	size_t size = item_size(d);
	uint32_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (!equal_item(d, (char *)a->items + i * size, (char *)b->items + i * size))
			return false;
	return true;
}

/* Whether what one can configure is the same; the bits of what is given and what the kernel reports do not count. */
bool obj_equal(const struct attr_set *set, const void *a, const void *b)
{
	const struct attr_desc *d;
	unsigned int n;

	for (n = 1; n <= set->max; n++) {
		d = &set->attrs[n];
		if (d->flags & F_OUT)
			continue;
		if (is_vec(d) ? !equal_vec(d, field_of(d, a), field_of(d, b)) :
				!equal_item(d, field_of(d, a), field_of(d, b)))
			return false;
	}
	return true;
}

static void free_vec(const struct attr_desc *d, struct vec *v)
{
	size_t size = item_size(d);
	uint32_t i;
	void *item;

	for (i = 0; i < v->n; i++) {
		item = (char *)v->items + i * size;
		if (d->nest)
			obj_free(d->nest, item);
		else if (is_blob(d))
			free(((struct blob *)item)->data);
	}
	free(v->items);
}

/* Leaves @obj zeroed. */
void obj_free(const struct attr_set *set, void *obj)
{
	const struct attr_desc *d;
	unsigned int a;

	for (a = 1; a <= set->max; a++) {
		d = &set->attrs[a];
		if (is_vec(d))
			free_vec(d, field_of(d, obj));
		else if (is_blob(d))
			free(((struct blob *)field_of(d, obj))->data);
	}
	memset(obj, 0, set->size);
}
