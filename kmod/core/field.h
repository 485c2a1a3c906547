/* SPDX-License-Identifier: GPL-2.0-only */
/* What a rule reads from its messages: how long the sender waits, and which request it is. */
#ifndef SLUICE_CORE_FIELD_H
#define SLUICE_CORE_FIELD_H

#include "classify.h"

#define SLUICE_ID_LEN_MAX 32 /* bytes of an id */

/* A number in the message: the time that is left until nobody waits for the answer. */
struct sluice_time_field {
	u16 offset;
	u8 width;    /* 1, 2, 4 or 8 bytes; 0: there is no such field */
	bool little; /* least significant byte first */
	u32 unit;    /* ns of one */
	u64 max;     /* ns; what is more is taken for this */
};

/* Bytes of the message that tell the requests of one peer apart. */
struct sluice_id_field {
	u16 offset;
	u8 len; /* 1..SLUICE_ID_LEN_MAX; 0: there is no such field */
};

int sluice_time_field_check(const struct sluice_time_field *f, const char **text);
u64 sluice_time_field_ns(const struct sluice_time_field *f, const struct sluice_msg *msg);
int sluice_id_field_check(const struct sluice_id_field *f, const char **text);
bool sluice_id_field_read(const struct sluice_id_field *f, const struct sluice_msg *msg, u8 *id);

#endif /* SLUICE_CORE_FIELD_H */
