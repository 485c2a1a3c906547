/* SPDX-License-Identifier: GPL-2.0-only */
/* Which requests an administrator wants cancelled. */
#ifndef SLUICE_CANCEL_H
#define SLUICE_CANCEL_H

#include "sluice.h"

/* All of these must hold; what is 0 or NULL says nothing. */
struct sluice_cancel {
	struct sluice_group *group;
	struct sluice_class *class;
	struct sluice_listener *listener;
	u64 conn;
	struct sluice_from from; /* without a port: any */
	u64 before;		 /* arrived until then */
	/* how many there were */
	u64 waiting;
	u64 published;
};

void sluice_cancel(struct sluice_net *sn, struct sluice_cancel *c);

#endif /* SLUICE_CANCEL_H */
