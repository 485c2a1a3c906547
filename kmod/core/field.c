// SPDX-License-Identifier: GPL-2.0-only
/* Reads what a rule wants to know from a message. */
#include "field.h"

/* Is there all of it, where it may be looked at? */
static bool readable(const struct sluice_msg *msg, u32 offset, u32 len)
{
	u32 limit = msg->len < msg->avail ? msg->len : msg->avail;

	return offset + len <= limit;
}

/**
 * sluice_time_field_check() - refuse a field that cannot be read, or means nothing
 * @f: field
 * @text: set to why not, static
 *
 * Return: 0 or -EINVAL.
 */
int sluice_time_field_check(const struct sluice_time_field *f, const char **text)
{
	if (f->width != 1 && f->width != 2 && f->width != 4 && f->width != 8) {
		*text = "the deadline's field is 1, 2, 4 or 8 bytes wide";
		return -EINVAL;
	}
	if (f->offset + f->width > SLUICE_DEPTH_MAX) {
		*text = "the deadline's field lies beyond the first 512 bytes";
		return -EINVAL;
	}
	if (!f->unit || !f->max) {
		*text = "a deadline's field needs a unit, and a maximum over 0";
		return -EINVAL;
	}
	return 0;
}

/**
 * sluice_time_field_ns() - how long the sender waits, by its own word
 * @f: field that was checked
 * @msg: message; hostile
 *
 * Context: any. Return: ns, at most the field's maximum; 0: it does not say: the message is too
 * short for the field, or the field is 0.
 */
u64 sluice_time_field_ns(const struct sluice_time_field *f, const struct sluice_msg *msg)
{
	const u8 *p = msg->data + f->offset;
	u64 value = 0, ns;
	u32 i;

	if (!readable(msg, f->offset, f->width))
		return 0;
	for (i = 0; i < f->width; i++)
		value = value << 8 | p[f->little ? f->width - 1 - i : i];
	if (__builtin_mul_overflow(value, (u64)f->unit, &ns) || ns > f->max)
		return f->max;
	return ns;
}

/* Refuse an id that cannot be read. @text: set to why not. Return: 0 or -EINVAL. */
int sluice_id_field_check(const struct sluice_id_field *f, const char **text)
{
	if (!f->len || f->len > SLUICE_ID_LEN_MAX) {
		*text = "a request's id has 1 to 32 bytes";
		return -EINVAL;
	}
	if (f->offset + f->len > SLUICE_DEPTH_MAX) {
		*text = "the request's id lies beyond the first 512 bytes";
		return -EINVAL;
	}
	return 0;
}

/**
 * sluice_id_field_read() - which request a message is, or is about
 * @f: field that was checked
 * @msg: message; hostile
 * @id: SLUICE_ID_LEN_MAX bytes, set to the id and zeroes behind it
 *
 * Context: any. Return: false if the message is too short to have one.
 */
bool sluice_id_field_read(const struct sluice_id_field *f, const struct sluice_msg *msg, u8 *id)
{
	if (!readable(msg, f->offset, f->len))
		return false;
	memcpy(id, msg->data + f->offset, f->len);
	memset(id + f->len, 0, SLUICE_ID_LEN_MAX - f->len);
	return true;
}
