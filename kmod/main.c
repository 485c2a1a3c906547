// SPDX-License-Identifier: GPL-2.0-only
/* Brings the module up and down: namespaces, netlink family, device node. */
#include <linux/module.h>
#include <net/netns/generic.h>

#include "sluice.h"
#include "xdp.h"

/* all control state of all namespaces: see sluice.h */
DEFINE_MUTEX(sluice_mutex);
unsigned int sluice_net_id;

struct sluice_net *sluice_net(const struct net *net)
{
	return net_generic(net, sluice_net_id);
}

static int __net_init net_init(struct net *net)
{
	struct sluice_net *sn = sluice_net(net);

	sn->net = net;
	INIT_LIST_HEAD(&sn->listeners);
	INIT_LIST_HEAD(&sn->groups);
	INIT_LIST_HEAD(&sn->rings);
	INIT_DELAYED_WORK(&sn->reap, sluice_conn_reap);
	return 0;
}

/*
 * Runs before the namespace's devices and sockets go, at its exit and at module unload. Listeners
 * first: with them every request in flight is cancelled and nothing refers to a class any more.
 * Then the rings leave their groups; their files may stay open and see SLUICE_STATE_GONE. At module
 * unload no ring exists: an open file holds the module.
 */
static void __net_exit net_pre_exit(struct net *net)
{
	struct sluice_net *sn = sluice_net(net);
	struct sluice_listener *l, *ln;
	struct sluice_ring *r, *rn;
	struct sluice_group *g, *gn;

	mutex_lock(&sluice_mutex);
	list_for_each_entry_safe(l, ln, &sn->listeners, list)
		sluice_listener_destroy(l);
	list_for_each_entry_safe(r, rn, &sn->rings, all)
		sluice_ring_detach(r);
	list_for_each_entry_safe(g, gn, &sn->groups, list)
		sluice_group_destroy(g);
	mutex_unlock(&sluice_mutex);
	/* no connection is left that could queue it */
	cancel_delayed_work_sync(&sn->reap);
}

static struct pernet_operations net_ops = {
	.init = net_init,
	.pre_exit = net_pre_exit,
	.id = &sluice_net_id,
	.size = sizeof(struct sluice_net),
};

static int __init sluice_init(void)
{
	int err;

	err = sluice_req_cache_init();
	if (err)
		return err;
	err = sluice_conn_init();
	if (err)
		goto err_cache;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto err_conn;
	err = sluice_ring_file_init();
	if (err)
		goto err_pernet;
	err = sluice_xdp_init();
	if (err)
		goto err_file;
	err = sluice_netlink_init();
	if (err)
		goto err_xdp;
	return 0;

err_xdp:
	sluice_xdp_fini();
err_file:
	sluice_ring_file_fini();
err_pernet:
	unregister_pernet_subsys(&net_ops);
err_conn:
	sluice_conn_fini();
err_cache:
	sluice_req_cache_fini();
	return err;
}

/*
 * The family goes first so that nothing can be made any more, then all namespaces let go of what
 * they have.
 */
static void __exit sluice_exit(void)
{
	sluice_netlink_fini();
	sluice_ring_file_fini();
	unregister_pernet_subsys(&net_ops);
	sluice_xdp_fini();
	sluice_conn_fini();
	sluice_owner_fini();
	sluice_view_fini();
	rcu_barrier();
	sluice_req_cache_fini();
}

module_init(sluice_init);
module_exit(sluice_exit);

MODULE_DESCRIPTION("In-kernel request demux with shared-memory rings");
MODULE_AUTHOR("The Sluice authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
