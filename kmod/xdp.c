// SPDX-License-Identifier: GPL-2.0-only
/*
 * XDP ingress: devices that frames are taken from and their listeners, the kfunc that XDP programs
 * offer frames with, and devices that come and go.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/etherdevice.h>
#include <linux/hashtable.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>
#include <uapi/linux/sluice_bpf.h>

#include "ingress.h"
#include "udp.h"
#include "xdp.h"

enum { FIT_BOTH = 1, FIT_WILDCARD, FIT_ADDRESS };

static DEFINE_HASHTABLE(ports, 6); /* RCU; changed under RTNL */
static LIST_HEAD(all);		   /* struct sluice_xdp with a device; RTNL */
static LIST_HEAD(gone);		   /* those without; RTNL */

static struct sluice_xdp_port *port_find(const struct net_device *dev)
{
	struct sluice_xdp_port *port;

	hash_for_each_possible_rcu(ports, port, node, (unsigned long)dev, lockdep_rtnl_is_held())
		if (port->dev == dev)
			return port;
	return NULL;
}

static u32 bucket(u16 dport)
{
	return dport % SLUICE_XDP_BUCKETS;
}

/* Addresses of a frame: the source, the destination behind it. */
static const u8 *addresses(const u8 *data, const struct sluice_packet *p)
{
	return data + p->l3 + (p->family == 4 ? 12 : 8);
}

static bool is_any4(const u8 *addr)
{
	return !get_unaligned((const u32 *)addr);
}

static bool is_any6(const u8 *addr)
{
	return !(get_unaligned((const u64 *)addr) | get_unaligned((const u64 *)(addr + 8)));
}

/*
 * How well a frame's destination fits a listener, as with sockets: its very address, a wildcard of
 * its family, one of both. 0: not at all.
 */
static u32 fit(const struct sluice_listener *l, const u8 *daddr, u8 family)
{
	if (family == 4 && l->addr_len == 4) {
		if (get_unaligned((const u32 *)l->addr) == get_unaligned((const u32 *)daddr))
			return FIT_ADDRESS;
		return is_any4(l->addr) ? FIT_WILDCARD : 0;
	}
	if (family == 6 && l->addr_len == 16) {
		if (!memcmp(l->addr, daddr, 16))
			return FIT_ADDRESS;
		return is_any6(l->addr) ? FIT_WILDCARD : 0;
	}
	return family == 4 && !l->v6only && is_any6(l->addr) ? FIT_BOTH : 0;
}

/* The listener that a frame is for. What a wildcard does not name must be the host's. */
static struct sluice_xdp *find(const struct sluice_xdp_port *port, const u8 *data,
			       const struct sluice_packet *p, u8 *hosts)
{
	const u8 *addr = addresses(data, p), *daddr = addr + (p->family == 4 ? 4 : 16);
	struct sluice_xdp *x, *best = NULL;
	const struct net_device *dev;
	u32 how, most = 0;
	u8 found;

	hlist_for_each_entry_rcu(x, &port->listeners[bucket(p->dport)], node) {
		if (x->listener->port != p->dport || x->tag != p->tag)
			continue;
		how = fit(x->listener, daddr, p->family);
		dev = rcu_dereference_bh(x->dev);
		if (how <= most || !dev)
			continue;
		found = sluice_xdp_hosts(x, dev, addr, p->family);
		if (how != FIT_ADDRESS && !(found & SLUICE_XDP_HOSTS_OURS))
			continue;
		best = x;
		most = how;
		*hosts = found;
	}
	return best;
}

/* One sender, and this host alone as receiver: what a reply can be turned round from. */
static bool host_to_host(const struct net_device *dev, const u8 *data,
			 const struct sluice_packet *p, u8 hosts)
{
	return (hosts & SLUICE_XDP_HOSTS_CLEAN) && p->sport &&
	       ether_addr_equal_unaligned(data, dev->dev_addr) &&
	       !is_multicast_ether_addr(data + ETH_ALEN);
}

/*
 * A sender on this machine may leave the checksum to a device: frames of devices without hardware,
 * and all that an skb was made of (the generic hook), may come with the sum of the pseudo header.
 */
static bool may_be_partial(const struct xdp_buff *xdp)
{
	const struct net_device *dev = xdp->rxq->dev;

	if (!dev->dev.parent)
		return true;
	return xdp->rxq->queue_index < dev->num_rx_queues &&
	       xdp->rxq == &dev->_rx[xdp->rxq->queue_index].xdp_rxq;
}

static bool take(struct sluice_listener *l, const struct net_device *dev,
		 const struct xdp_buff *xdp, const struct sluice_packet *p,
		 const struct sluice_hint *hint)
{
	struct xdp_frame frame = {.data = xdp->data, .len = p->off + p->len};
	struct sluice_msg msg = {
		.data = xdp->data + p->off,
		.avail = p->len,
		.len = p->len,
		.family = p->family,
	};
	const struct sluice_arrival from = {
		.len = p->len,
		.off = p->off,
		.ifindex = dev->ifindex,
		.truesize = sluice_xdp_truesize(p->off + p->len),
		.kind = SLUICE_REQ_KIND_XDP,
		.l3 = p->l3,
		.frame = &frame,
	};

	memcpy(msg.saddr, addresses(xdp->data, p), p->family == 4 ? 4 : 16);
	return sluice_ingress(l, &msg, hint, &from);
}

static int pass(const struct sluice_xdp_port *port, struct sluice_xdp_opts *opts,
		enum sluice_xdp_pass why)
{
	if (port)
		this_cpu_inc(port->passed[why]);
	opts->passed = 1 + why;
	return XDP_PASS;
}

static_assert((int)SLUICE_PACKET_OTHER == (int)SLUICE_XDP_PASS_OTHER + 1);
static_assert((int)SLUICE_PACKET_CHECKSUM == (int)SLUICE_XDP_PASS_CHECKSUM + 1);

static int offer(struct xdp_buff *xdp, struct sluice_xdp_opts *opts,
		 const struct sluice_hint *hint)
{
	const struct sluice_xdp_port *port = port_find(xdp->rxq->dev);
	const struct net_device *dev;
	struct sluice_packet p;
	struct sluice_xdp *x;
	u8 hosts;
	int kind;

	opts->passed = 0;
	if (unlikely(!port || xdp_buff_has_frags(xdp)))
		return pass(port, opts, SLUICE_XDP_PASS_OTHER);
	kind = sluice_packet_parse(xdp->data, xdp->data_end - xdp->data, &p);
	if (unlikely(kind))
		return pass(port, opts, kind - 1);
	x = find(port, xdp->data, &p, &hosts);
	if (unlikely(!x))
		return pass(port, opts, SLUICE_XDP_PASS_OTHER);
	dev = rcu_dereference_bh(x->dev);
	if (unlikely(!dev || !host_to_host(dev, xdp->data, &p, hosts)))
		return pass(port, opts, SLUICE_XDP_PASS_HOST);
	if (unlikely(!sluice_packet_sum_ok(xdp->data, &p, may_be_partial(xdp))))
		return pass(port, opts, SLUICE_XDP_PASS_CHECKSUM);
	if (likely(take(x->listener, dev, xdp, &p, hint)))
		return XDP_DROP;
	return pass(port, opts, SLUICE_XDP_PASS_REQUEST);
}

/* What a program of a later day gives beyond what we know must be nothing. */
static bool opts_fit(const struct sluice_xdp_opts *opts, u32 size)
{
	return size >= SLUICE_XDP_OPTS_MIN && size % 4 == 0 &&
	       (size <= sizeof(*opts) || !memchr_inv(opts + 1, 0, size - sizeof(*opts)));
}

/**
 * sluice_xdp_request() - offer a frame to the XDP listeners of its device
 * @ctx: context of an XDP program
 * @opts: see linux/sluice_bpf.h
 * @opts__sz: its size, as the program knows it
 *
 * Context: an XDP program in a section; a test run of one on a kernel that lets it run outside is
 * refused. Return: XDP_DROP the frame was taken; XDP_PASS; XDP_ABORTED.
 */
__bpf_kfunc int sluice_xdp_request(struct xdp_md *ctx, struct sluice_xdp_opts *opts, u32 opts__sz)
{
	struct sluice_hint hint = {};

	if (unlikely(!opts_fit(opts, opts__sz) || opts->flags || !softirq_count()))
		return XDP_ABORTED;
	if (opts__sz < offsetofend(struct sluice_xdp_opts, key))
		return offer((struct xdp_buff *)ctx, opts, NULL);
	/* it may lie in a map that others write to */
	hint.verdict = READ_ONCE(opts->verdict);
	hint.key = READ_ONCE(opts->key);
	return offer((struct xdp_buff *)ctx, opts, hint.verdict ? &hint : NULL);
}

BTF_KFUNCS_START(xdp_kfuncs)
BTF_ID_FLAGS(func, sluice_xdp_request)
BTF_KFUNCS_END(xdp_kfuncs)

static const struct btf_kfunc_id_set xdp_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &xdp_kfuncs,
};

/**
 * sluice_xdp_open() - check what an XDP listener is asked for, make the socket that stands for it
 * @l: listener being made, with address and device
 * @extack: why not
 *
 * The socket is not bound: routes of replies are asked for with it, and whatever does not leave by
 * the driver. Context: may sleep. Return: 0 or -errno.
 */
int sluice_xdp_open(struct sluice_listener *l, struct netlink_ext_ack *extack)
{
	int err;

	if (!l->ifindex) {
		NL_SET_ERR_MSG(extack, "an XDP listener needs a device");
		return -EINVAL;
	}
	err = sock_create_kern(l->sn->net, l->addr_len == 4 ? AF_INET : AF_INET6, SOCK_DGRAM,
			       IPPROTO_UDP, &l->sock);
	if (err)
		return err;
	sock_hold(l->sock->sk);
	l->sk = l->sock->sk;
	err = -ENOMEM;
	l->xdp = kzalloc(sizeof(*l->xdp), GFP_KERNEL_ACCOUNT);
	if (!l->xdp)
		goto err_sock;
	l->xdp->listener = l;
	INIT_LIST_HEAD(&l->xdp->list);
	l->xdp->ways = sluice_xdp_ways_create();
	if (!l->xdp->ways)
		goto err_xdp;
	return 0;

err_xdp:
	kfree(l->xdp);
	l->xdp = NULL;
err_sock:
	sluice_udp_release(l);
	return err;
}

static struct sluice_xdp_port *port_get(struct net_device *dev)
{
	struct sluice_xdp_port *port = port_find(dev);

	if (!port) {
		port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);
		if (!port)
			return NULL;
		port->passed = __alloc_percpu_gfp(sizeof(u64) * __SLUICE_XDP_PASS_MAX, sizeof(u64),
						  GFP_KERNEL_ACCOUNT);
		if (!port->passed) {
			kfree(port);
			return NULL;
		}
		port->dev = dev;
		dev_hold(dev);
		hash_add_rcu(ports, &port->node, (unsigned long)dev);
	}
	port->users++;
	return port;
}

/* Add to, or take from, a listener's counts what its device has left to the stack so far. */
static void port_count(const struct sluice_xdp_port *port, u64 *passed, s64 sign)
{
	int cpu, i;

	for_each_possible_cpu(cpu)
		for (i = 0; i < __SLUICE_XDP_PASS_MAX; i++)
			passed[i] += sign * READ_ONCE(per_cpu_ptr(port->passed, cpu)[i]);
}

/* Take a listener off its device. RTNL. Returns when no section sees the two together. */
static void unbind(struct sluice_xdp *x)
{
	struct sluice_xdp_port *port = rtnl_dereference(x->port);
	struct net_device *dev = rtnl_dereference(x->dev);

	ASSERT_RTNL();
	list_del_init(&x->list);
	if (!port)
		return;
	hlist_del_rcu(&x->node);
	RCU_INIT_POINTER(x->port, NULL);
	RCU_INIT_POINTER(x->dev, NULL);
	if (!--port->users)
		hash_del_rcu(&port->node);
	synchronize_net();
	port_count(port, x->passed, 1);
	dev_put(dev);
	if (port->users)
		return;
	dev_put(port->dev);
	free_percpu(port->passed);
	kfree(port);
}

static bool same_place(const struct sluice_listener *a, const struct sluice_listener *b)
{
	return a->port == b->port && a->addr_len == b->addr_len &&
	       !memcmp(a->addr, b->addr, a->addr_len);
}

/* Find what the stack receives on @dev where frames show it: the lowest device, and a tag. */
static struct net_device *resolve(struct net_device *dev, u32 *tag, struct netlink_ext_ack *extack)
{
	struct net_device *lower = dev;

	*tag = 0;
	if (dev->type != ARPHRD_ETHER || dev->addr_len != ETH_ALEN) {
		NL_SET_ERR_MSG(extack, "not an Ethernet device");
		return ERR_PTR(-EOPNOTSUPP);
	}
	if (is_vlan_dev(dev)) {
		lower = vlan_dev_real_dev(dev);
		*tag = sluice_packet_tag(ntohs(vlan_dev_vlan_proto(dev)), vlan_dev_vlan_id(dev));
	}
	if (netif_is_lag_master(lower)) {
		NL_SET_ERR_MSG(extack,
			       "frames of a bond or team arrive at its members: XDP does not see them here");
		return ERR_PTR(-EOPNOTSUPP);
	}
	if (is_vlan_dev(lower)) {
		NL_SET_ERR_MSG(extack, "a VLAN inside a VLAN: only one tag is understood");
		return ERR_PTR(-EOPNOTSUPP);
	}
	if (netdev_master_upper_dev_get(dev)) {
		NL_SET_ERR_MSG(extack,
			       "the device is part of a bridge or bond: its addresses are not its own");
		return ERR_PTR(-EOPNOTSUPP);
	}
	return lower;
}

static int bind(struct sluice_xdp *x, struct net_device *dev, struct netlink_ext_ack *extack)
{
	struct sluice_listener *l = x->listener;
	struct sluice_xdp_port *port;
	struct net_device *lower;
	struct sluice_xdp *other;

	ASSERT_RTNL();
	lower = resolve(dev, &x->tag, extack);
	if (IS_ERR(lower))
		return PTR_ERR(lower);
	list_for_each_entry(other, &all, list)
		if (rtnl_dereference(other->dev) == dev && same_place(other->listener, l)) {
			NL_SET_ERR_MSG(extack,
				       "an XDP listener with this device, address and port exists");
			return -EADDRINUSE;
		}
	port = port_get(lower);
	if (!port)
		return -ENOMEM;
	dev_hold(dev);
	port_count(port, x->passed, -1);
	strscpy(x->ifname, dev->name, sizeof(x->ifname));
	WRITE_ONCE(l->ifindex, dev->ifindex);
	WRITE_ONCE(l->closed, false);
	rcu_assign_pointer(x->dev, dev);
	rcu_assign_pointer(x->port, port);
	list_add_tail(&x->list, &all);
	hlist_add_head_rcu(&x->node, &port->listeners[bucket(l->port)]);
	return 0;
}

/**
 * sluice_xdp_attach() - let a listener have frames of its device
 * @l: complete but for this
 * @extack: why not
 *
 * The XDP program on the device is user space's. Context: may sleep, takes RTNL.
 * Return: 0 or -errno.
 */
int sluice_xdp_attach(struct sluice_listener *l, struct netlink_ext_ack *extack)
{
	struct net_device *dev;
	int err = -ENODEV;

	rtnl_lock();
	dev = __dev_get_by_index(l->sn->net, l->ifindex);
	if (dev && dev->reg_state == NETREG_REGISTERED)
		err = bind(l->xdp, dev, extack);
	else
		NL_SET_ERR_MSG(extack, "no such device");
	rtnl_unlock();
	return err;
}

/* Sections that began before may still be about to take a frame for it. Takes RTNL. */
void sluice_xdp_detach(struct sluice_listener *l)
{
	rtnl_lock();
	unbind(l->xdp);
	rtnl_unlock();
}

/* Let go of what sluice_xdp_open() made; no section sees the listener. May sleep. */
void sluice_xdp_release(struct sluice_listener *l)
{
	sluice_xdp_ways_destroy(l->xdp->ways);
	kfree(l->xdp);
	l->xdp = NULL;
}

/* How many frames its device left to the stack meanwhile, by enum sluice_xdp_pass. Takes RTNL. */
void sluice_xdp_counts(const struct sluice_listener *l, u64 *passed)
{
	const struct sluice_xdp_port *port;

	rtnl_lock();
	memcpy(passed, l->xdp->passed, sizeof(l->xdp->passed));
	port = rtnl_dereference(l->xdp->port);
	if (port)
		port_count(port, passed, 1);
	rtnl_unlock();
}

/*
 * A device goes, or moves to another namespace: its listeners stay, without a device, and say so.
 * One of that name comes to their namespace: they are bound to it.
 */
static void device_gone(struct net_device *dev)
{
	struct sluice_xdp_port *port;
	struct sluice_xdp *x, *next;

	list_for_each_entry_safe(x, next, &all, list) {
		port = rtnl_dereference(x->port);
		if (rtnl_dereference(x->dev) != dev && port->dev != dev)
			continue;
		unbind(x);
		list_add_tail(&x->list, &gone);
		WRITE_ONCE(x->listener->closed, true);
		schedule_work(&x->listener->closed_work);
	}
}

/* Is @dev, or lies on @lower, the device that an idle listener waits for? */
static struct net_device *awaited(const struct sluice_xdp *x, const struct net_device *came)
{
	struct net_device *dev = __dev_get_by_name(x->listener->sn->net, x->ifname);

	if (!dev || dev->reg_state != NETREG_REGISTERED)
		return NULL;
	if (dev != came && !(is_vlan_dev(dev) && vlan_dev_real_dev(dev) == came))
		return NULL;
	return dev;
}

static void device_came(struct net_device *came)
{
	struct sluice_xdp *x, *next;
	struct net_device *dev;

	list_for_each_entry_safe(x, next, &gone, list) {
		dev = awaited(x, came);
		if (!dev)
			continue;
		list_del_init(&x->list);
		if (bind(x, dev, NULL))
			list_add(&x->list, &gone);
	}
}

/* Listeners stay with a device that gets another name; it may be the name that others wait for. */
static void device_renamed(struct net_device *dev)
{
	struct sluice_xdp *x;

	list_for_each_entry(x, &all, list)
		if (rtnl_dereference(x->dev) == dev)
			strscpy(x->ifname, dev->name, sizeof(x->ifname));
	device_came(dev);
}

static int device_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (event == NETDEV_UNREGISTER)
		device_gone(dev);
	else if (event == NETDEV_REGISTER)
		device_came(dev);
	else if (event == NETDEV_CHANGENAME)
		device_renamed(dev);
	return NOTIFY_DONE;
}

static struct notifier_block device_notifier = {.notifier_call = device_event};

/*
 * Without BTF of the module (a build without the kernel's vmlinux) programs find no kfunc: user
 * space says so when it loads one. All else works.
 */
int sluice_xdp_init(void)
{
	int err;

	err = register_btf_kfunc_id_set(BPF_PROG_TYPE_XDP, &xdp_kfunc_set);
	if (err && err != -ENOENT)
		return err;
	return register_netdevice_notifier(&device_notifier);
}

void sluice_xdp_fini(void)
{
	unregister_netdevice_notifier(&device_notifier);
	sluice_frame_memory_fini();
}
