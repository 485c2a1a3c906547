// SPDX-License-Identifier: GPL-2.0-only
/* Connections that wait for room in a group, and who wakes them. */
#include "tcp.h"

#define RESUME 2 /* connections that one free place wakes */

/*
 * Which connections wait for room in which group. Room is told by sluice_conn_resume(), after the
 * counts or slots that make it have changed; a reader puts itself on the list before it asks for
 * room a last time. So either it finds the room, or it is found on the list. Each request that is
 * taken while others wait wakes the next: if there was room for it there may be more.
 */
static DEFINE_SPINLOCK(paused_lock);

/* Wait for room in a group. The socket lock is held; context: section. */
void sluice_conn_pause(struct sluice_conn *c, struct sluice_group *g)
{
	spin_lock_bh(&paused_lock);
	if (!c->paused_on) {
		sluice_conn_get(c);
		WRITE_ONCE(c->paused_on, g);
		/* who was woken and found the room gone stays ahead of those who used it */
		if (c->starved)
			list_add(&c->paused_node, &g->paused);
		else
			list_add_tail(&c->paused_node, &g->paused);
		c->starved = true;
	}
	spin_unlock_bh(&paused_lock);
	/* whoever is woken may not use the room, and then nobody tells of it: the sweep does */
	sluice_backlog_arm(g);
	sluice_conn_waits(); /* C1 */
}

/* paused_lock is held; the reference of the list is the caller's now. */
static void unlink(struct sluice_conn *c)
{
	list_del_init(&c->paused_node);
	WRITE_ONCE(c->paused_on, NULL);
}

/* Take a connection off the list of its group, if it is on one. */
void sluice_conn_unpause(struct sluice_conn *c)
{
	bool was;

	spin_lock_bh(&paused_lock);
	was = c->paused_on;
	if (was)
		unlink(c);
	spin_unlock_bh(&paused_lock);
	if (was)
		sluice_conn_put(c);
}

static void resume(struct sluice_group *g, u32 max)
{
	struct sluice_conn *c;

	spin_lock_bh(&paused_lock);
	while (max-- && (c = list_first_entry_or_null(&g->paused, struct sluice_conn,
						      paused_node))) {
		unlink(c);
		sluice_conn_kick(c);
		sluice_conn_put(c);
	}
	spin_unlock_bh(&paused_lock);
}

/* Wake those that have waited longest. Context: as sluice_conn_resume(). */
void __sluice_conn_resume(struct sluice_group *g)
{
	resume(g, RESUME);
}

/* The group goes away, and no section can see it any more: nothing waits for it. */
void sluice_conn_resume_all(struct sluice_group *g)
{
	resume(g, U32_MAX);
}
