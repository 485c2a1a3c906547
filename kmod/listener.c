// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listeners: where requests enter. Creation, default action, reject reply, and the order of their
 * removal.
 */
#include <net/genetlink.h>

#include "ids.h"
#include "policy.h"
#include "sluice.h"
#include "udp.h"
#include "xdp.h"

struct sluice_listener *sluice_listener_find(struct sluice_net *sn, const char *name)
{
	struct sluice_listener *l;

	lockdep_assert_held(&sluice_mutex);
	list_for_each_entry(l, &sn->listeners, list)
		if (!strcmp(l->name, name))
			return l;
	return NULL;
}

static void conf_free(struct sluice_listener_conf *conf)
{
	if (conf && conf->group)
		conf->group->users--;
	kfree(conf);
}

static int conf_action(struct sluice_listener *l, struct sluice_listener_conf *conf,
		       struct nlattr **tb, struct netlink_ext_ack *extack)
{
	struct nlattr *name = tb[SLUICE_A_LISTENER_GROUP];
	struct sluice_class *class;
	struct sluice_group *g;

	if (!tb[SLUICE_A_LISTENER_ACTION]) {
		if (name) {
			NL_SET_ERR_MSG_ATTR(extack, name,
					    "a default group needs action group beside it");
			return -EINVAL;
		}
		return 0;
	}
	if (conf->group)
		conf->group->users--;
	conf->group = NULL;
	memset(&conf->to, 0, sizeof(conf->to));
	conf->to.action = nla_get_u32(tb[SLUICE_A_LISTENER_ACTION]);
	conf->to.prio = 1;
	conf->to.stats = l->fallback;
	if (conf->to.action == SLUICE_ACTION_PASS && !sluice_listener_passes(l)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_LISTENER_ACTION],
				    "pass needs sockets that a process has: nobody reads these");
		return -EINVAL;
	}
	if (conf->to.action == SLUICE_ACTION_CANCEL) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_LISTENER_ACTION],
				    "cancel is for rules, which say where the request's id is");
		return -EINVAL;
	}
	if (conf->to.action != SLUICE_ACTION_GROUP)
		return 0;
	if (!name) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_LISTENER_ACTION],
				    "action group needs the group's name");
		return -EINVAL;
	}
	g = sluice_group_find(l->sn, nla_data(name));
	if (!g) {
		NL_SET_ERR_MSG_ATTR(extack, name, "no such group: add it first");
		return -ENOENT;
	}
	class = sluice_group_class_get(g, "default", extack);
	if (IS_ERR(class))
		return PTR_ERR(class);
	conf->to.class = class;
	conf->group = g;
	g->users++;
	return 0;
}

/**
 * sluice_listener_configure() - set default action and reject reply; what @tb does not name stays
 * @l: listener; sluice_mutex is held
 * @tb: attributes
 * @extack: why not
 *
 * Context: may sleep. Return: 0 or -errno, nothing changed then.
 */
int sluice_listener_configure(struct sluice_listener *l, struct nlattr **tb,
			      struct netlink_ext_ack *extack)
{
	struct sluice_listener_conf *old =
		rcu_dereference_protected(l->conf, lockdep_is_held(&sluice_mutex));
	struct nlattr *data = tb[SLUICE_A_LISTENER_REJECT_DATA];
	u32 len = data ? nla_len(data) : old ? old->reject_len : 0;
	struct sluice_listener_conf *conf;
	struct sluice_framer *framer;
	int err;

	conf = kzalloc(struct_size(conf, reject, len), GFP_KERNEL_ACCOUNT);
	if (!conf)
		return -ENOMEM;
	if (old) {
		conf->to = old->to;
		conf->group = old->group;
		conf->reject_copy = old->reject_copy;
	} else {
		conf->to.action = SLUICE_ACTION_REJECT;
		conf->to.prio = 1;
		conf->to.stats = l->fallback;
	}
	if (conf->group)
		conf->group->users++;
	conf->reject_len = len;
	if (len)
		memcpy(conf->reject, data ? nla_data(data) : old->reject, len);
	if (tb[SLUICE_A_LISTENER_REJECT_COPY])
		conf->reject_copy = nla_get_u32(tb[SLUICE_A_LISTENER_REJECT_COPY]);
	else if (data && conf->reject_copy > len)
		conf->reject_copy = len;
	err = -EINVAL;
	if (conf->reject_copy > len) {
		NL_SET_ERR_MSG(extack, "reject reply is shorter than the bytes to copy into it");
		goto err;
	}
	err = conf_action(l, conf, tb, extack);
	if (err)
		goto err;
	framer = sluice_framer_create(l, tb, extack);
	if (IS_ERR(framer)) {
		err = PTR_ERR(framer);
		goto err;
	}
	if (tb[SLUICE_A_LISTENER_CLASSIFIER_FD]) {
		err = sluice_classifier_set(l, nla_get_u32(tb[SLUICE_A_LISTENER_CLASSIFIER_FD]),
					    extack);
		if (err)
			goto err_framer;
	}
	sluice_framer_install(l, framer);
	rcu_assign_pointer(l->conf, conf);
	if (old) {
		synchronize_rcu();
		conf_free(old);
	}
	return 0;
err_framer:
	sluice_framer_destroy(framer);
err:
	conf_free(conf);
	return err;
}

static void closed_work(struct work_struct *work)
{
	struct sluice_listener *l = container_of(work, struct sluice_listener, closed_work);

	if (l->tcp)
		sluice_tcp_let_go(l);
	else
		sluice_udp_let_go(l);
	sluice_event(l->sn, SLUICE_EVENT_LISTENER_CLOSED, l->name, NULL, 0);
}

static struct sluice_listener *listener_alloc(struct sluice_net *sn, const char *name)
{
	struct sluice_listener *l = kzalloc(sizeof(*l), GFP_KERNEL_ACCOUNT);
	struct sluice_rule_stats *s;

	if (!l)
		return NULL;
	l->sn = sn;
	strscpy(l->name, name, sizeof(l->name));
	xa_init(&l->stats);
	INIT_LIST_HEAD(&l->list);
	mutex_init(&l->sk_mutex);
	INIT_WORK(&l->closed_work, closed_work);
	l->cnt = alloc_percpu_gfp(struct sluice_counters, GFP_KERNEL_ACCOUNT);
	if (!l->cnt)
		return l;
	s = sluice_rule_stats_create(l, U32_MAX);
	if (IS_ERR(s))
		return l;
	l->retired = s;
	s = sluice_rule_stats_create(l, 0);
	if (IS_ERR(s))
		return l;
	if (xa_err(xa_store(&l->stats, 0, s, GFP_KERNEL_ACCOUNT)))
		sluice_rule_stats_free(s);
	else
		l->fallback = s;
	return l;
}

/* Release what listener_alloc() and later steps made; no section can see @l any more. */
static void listener_free(struct sluice_listener *l)
{
	struct sluice_rule_stats *s;
	unsigned long id;

	sluice_classifier_release(l);
	sluice_rules_free(rcu_dereference_protected(l->rules, true));
	conf_free(rcu_dereference_protected(l->conf, true));
	xa_for_each(&l->stats, id, s)
		sluice_rule_stats_free(s);
	xa_destroy(&l->stats);
	if (l->retired)
		sluice_rule_stats_free(l->retired);
	sluice_ids_destroy(l);
	free_percpu(l->cnt);
	kfree(l);
}

/* Refuse what goes with TCP only. Return: 0 or -EINVAL. */
static int check_udp(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	int i;

	if (tb[SLUICE_A_LISTENER_FRAMING] &&
	    nla_get_u32(tb[SLUICE_A_LISTENER_FRAMING]) != SLUICE_FRAMING_DATAGRAM) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_LISTENER_FRAMING],
				    "each datagram is a message: this framing is for TCP");
		return -EINVAL;
	}
	for (i = SLUICE_A_LISTENER_FRAME_OFFSET; i <= SLUICE_A_LISTENER_KEEPALIVE_NS; i++) {
		if (!tb[i])
			continue;
		NL_SET_ERR_MSG_ATTR(extack, tb[i], "this is for TCP listeners");
		return -EINVAL;
	}
	return 0;
}

/*
 * Of a buffer that holds many datagrams none can be left to an adopted socket's owner; a device's
 * frames come before anybody gathers them.
 */
static int check_gro(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	struct nlattr *transport = tb[SLUICE_A_LISTENER_TRANSPORT];

	if (!tb[SLUICE_A_LISTENER_GRO])
		return 0;
	if ((!transport || nla_get_u32(transport) == SLUICE_TRANSPORT_UDP) &&
	    !tb[SLUICE_A_LISTENER_XDP] && !tb[SLUICE_A_LISTENER_SOCKET_FD])
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_LISTENER_GRO],
			    "gro is for UDP listeners with an address of their own");
	return -EINVAL;
}

/**
 * sluice_may_adopt() - may the calling process have a socket of its own adopted?
 * @extack: is told why not
 *
 * While its owner reads or writes a socket, from memory that may be as slow as the owner likes, the
 * socket is locked, and changes to any configuration wait. Who is root of a user namespace only
 * shall not do that to the machine.
 *
 * Return: 0 or -EPERM.
 */
int sluice_may_adopt(struct netlink_ext_ack *extack)
{
	if (capable(CAP_NET_ADMIN))
		return 0;
	NL_SET_ERR_MSG(extack, "adopting takes CAP_NET_ADMIN in the initial user namespace");
	return -EPERM;
}

static int open_tcp(struct sluice_listener *l, struct nlattr **tb, struct netlink_ext_ack *extack)
{
	if (tb[SLUICE_A_LISTENER_XDP]) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_LISTENER_XDP],
				    "XDP takes datagrams: it has no connections");
		return -EOPNOTSUPP;
	}
	return sluice_tcp_open(l, tb, extack);
}

static int open_ingress(struct sluice_listener *l, struct nlattr **tb,
			struct netlink_ext_ack *extack)
{
	struct nlattr *transport = tb[SLUICE_A_LISTENER_TRANSPORT];
	int err;

	if (tb[SLUICE_A_LISTENER_SOCKET_FD]) {
		err = sluice_may_adopt(extack);
		if (err)
			return err;
	}
	err = check_gro(tb, extack);
	if (err)
		return err;
	if (transport && nla_get_u32(transport) == SLUICE_TRANSPORT_TCP)
		return open_tcp(l, tb, extack);
	err = check_udp(tb, extack);
	if (err)
		return err;
	if (tb[SLUICE_A_LISTENER_HANDED]) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_LISTENER_HANDED],
				    "only connections can be handed over one by one: it is for TCP");
		return -EINVAL;
	}
	if (tb[SLUICE_A_LISTENER_SOCKET_FD]) {
		if (tb[SLUICE_A_LISTENER_XDP]) {
			NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_LISTENER_XDP],
					    "XDP takes frames of a device, not of a socket");
			return -EINVAL;
		}
		return sluice_udp_adopt(l, nla_get_u32(tb[SLUICE_A_LISTENER_SOCKET_FD]), extack);
	}
	err = sluice_bind_address(l, tb, extack);
	if (err)
		return err;
	if (tb[SLUICE_A_LISTENER_XDP])
		return sluice_xdp_open(l, extack);
	l->gro = tb[SLUICE_A_LISTENER_GRO];
	return sluice_udp_open(l, extack);
}

static void release_ingress(struct sluice_listener *l)
{
	if (l->tcp) {
		sluice_tcp_release(l);
		return;
	}
	if (l->xdp)
		sluice_xdp_release(l);
	sluice_udp_release(l);
}

static bool cancel_dead(struct sluice_req *req, struct sluice_ring *ring, void *arg)
{
	if (req->rule->listener != arg)
		return false;
	sluice_req_finish(req, ring, SLUICE_OUTCOME_CANCELLED_LISTENER);
	return true;
}

/*
 * Cancel what is in flight of a listener that lets no message in any more; nobody refers to it
 * afterwards, but for connections. sluice_mutex is held. Context: may sleep.
 */
static void end_requests(struct sluice_listener *l)
{
	struct sluice_group *g;

	WRITE_ONCE(l->dead, true);
	synchronize_rcu();
	sluice_net_visit(l->sn, cancel_dead, l);
	/* what waited behind them */
	list_for_each_entry(g, &l->sn->groups, list)
		sluice_backlog_run(g);
	synchronize_rcu();
}

static void detach_udp(struct sluice_listener *l)
{
	if (l->gro)
		sluice_gro_remove(l);
	sluice_udp_detach(l);
}

/* Arm the socket or device, then let messages in. */
static int arm_ingress(struct sluice_listener *l, struct netlink_ext_ack *extack)
{
	int err;

	if (l->tcp)
		return sluice_tcp_attach(l, extack);
	if (l->xdp)
		return sluice_xdp_attach(l, extack);
	err = sluice_udp_attach(l, extack);
	if (err)
		return err;
	err = l->gro ? sluice_gro_add(l, extack) : 0;
	if (err) {
		l->gro = false;
		sluice_udp_detach(l);
		return err;
	}
	err = sluice_udp_bind(l, extack);
	if (err) {
		detach_udp(l);
		/* a program may refuse a socket that was reachable for a moment */
		end_requests(l);
	}
	return err;
}

/**
 * sluice_listener_create() - bind or adopt a socket and start taking its messages
 * @sn: namespace; sluice_mutex is held
 * @tb: attributes
 * @extack: why not
 *
 * Messages arrive once an adopted socket is armed, or one of the kernel's own bound: that comes
 * last.
 *
 * Context: may sleep, in the process that asks (an adopted socket is one of its files).
 * Return: the listener, listed, or ERR_PTR.
 */
struct sluice_listener *sluice_listener_create(struct sluice_net *sn, struct nlattr **tb,
					       struct netlink_ext_ack *extack)
{
	const char *name = nla_data(tb[SLUICE_A_LISTENER_NAME]);
	struct sluice_listener *l;
	int err;

	if (sluice_listener_find(sn, name)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_LISTENER_NAME],
				    "a listener of this name exists");
		return ERR_PTR(-EEXIST);
	}
	l = listener_alloc(sn, name);
	if (!l)
		return ERR_PTR(-ENOMEM);
	err = -ENOMEM;
	if (!l->fallback)
		goto err_free;
	err = open_ingress(l, tb, extack);
	if (err)
		goto err_sock;
	err = sluice_listener_configure(l, tb, extack);
	if (err)
		goto err_sock;
	l->id = ++sn->next_id;
	err = arm_ingress(l, extack);
	if (err)
		goto err_sock;
	list_add_tail(&l->list, &sn->listeners);
	return l;

err_sock:
	release_ingress(l);
err_free:
	listener_free(l);
	return ERR_PTR(err);
}

/**
 * sluice_listener_destroy() - take a listener out of the network, cancel its requests, free it
 * @l: listener; sluice_mutex is held
 *
 * Steps, and who may still hold it after each:
 *  1. socket or device lets go  sections that began before, requests. Of TCP, each connection is
 *                          released; requests, and sends that have begun, hold it yet
 *  2. dead, grace period   requests in lists and slots; sections that move one now cancel it
 *  3. walk                 sections that took a request out before the walk came by
 *  4. grace period         nobody; slots of cancelled requests no longer refer to it
 *     TCP: last connection freed, by whoever was sending for it
 *  5. closed_work          queued when the owner closes the socket: not after step 1
 *
 * Context: may sleep.
 */
void sluice_listener_destroy(struct sluice_listener *l)
{
	lockdep_assert_held(&sluice_mutex);
	list_del(&l->list);
	if (l->tcp)
		sluice_tcp_detach(l);
	else if (l->xdp)
		sluice_xdp_detach(l);
	else
		detach_udp(l);
	end_requests(l);
	if (l->tcp)
		sluice_tcp_wait(l);
	cancel_work_sync(&l->closed_work);
	release_ingress(l);
	listener_free(l);
}
