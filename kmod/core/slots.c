// SPDX-License-Identifier: GPL-2.0-only
/* Slot states and free lists: reserve, publish, check an answer, free. */
#include "slots.h"

/**
 * sluice_slots_init() - all slots free
 * @s: zeroed or uninitialised
 * @conf: sizes ascending, every count at least 1, the sum fits u32
 *
 * Context: may sleep.
 * Return: 0, -EINVAL or -ENOMEM; nothing is held after an error.
 */
int sluice_slots_init(struct sluice_slots *s, const struct sluice_slots_conf *conf)
{
	u64 total = 0;
	u32 c, i;

	memset(s, 0, sizeof(*s));
	if (!conf->nclasses || conf->nclasses > SLUICE_SLOTS_CLASSES)
		return -EINVAL;
	for (c = 0; c < conf->nclasses; c++) {
		if (!conf->count[c] || (c && conf->size[c] <= conf->size[c - 1]))
			return -EINVAL;
		total += conf->count[c];
	}
	if (total + conf->reply_count > U32_MAX / 2)
		return -EINVAL;
	s->nclasses = conf->nclasses;
	s->total = total;
	s->window = total;
	s->reply_first = total;
	s->reply_count = conf->reply_count;
	s->reply_size = conf->reply_size;
	s->state = sluice_port_alloc(total, sizeof(*s->state));
	s->class_of = sluice_port_alloc(total, sizeof(*s->class_of));
	s->gen = sluice_port_alloc(total, sizeof(*s->gen));
	if (!s->state || !s->class_of || !s->gen)
		goto nomem;
	total = 0;
	for (c = 0; c < conf->nclasses; c++) {
		struct sluice_slots_class *k = &s->class[c];

		k->first = total;
		k->count = conf->count[c];
		k->size = conf->size[c];
		k->free = sluice_port_alloc(k->count, sizeof(*k->free));
		if (!k->free)
			goto nomem;
		for (i = 0; i < k->count; i++) {
			k->free[i] = k->first + k->count - 1 - i;
			s->class_of[k->first + i] = c;
		}
		k->nfree = k->count;
		total += k->count;
	}
	return 0;
nomem:
	sluice_slots_fini(s);
	return -ENOMEM;
}

void sluice_slots_fini(struct sluice_slots *s)
{
	u32 c;

	for (c = 0; c < SLUICE_SLOTS_CLASSES; c++)
		sluice_port_free(s->class[c].free);
	sluice_port_free(s->state);
	sluice_port_free(s->class_of);
	sluice_port_free(s->gen);
	memset(s, 0, sizeof(*s));
}
