// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gathered datagrams: those of one flow that the device, or their sender, put into one buffer.
 *
 * The stack cuts a buffer up in front of a socket that has an encapsulation hook, unless the buffer
 * is said to be a tunnel's. In namespaces with listeners that take them whole, the last netfilter
 * hook before the socket says so of those for their ports. On the rest of the way only that very
 * test looks at it; what is cut for another socket after all, since the port is its too, is cut as
 * what it is, for it is not marked as encapsulated.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/udp.h>

#include "udp.h"

#if IS_ENABLED(CONFIG_NETFILTER)

#define PORTS 65536
/* datagrams of one buffer: what the stack's own gathering and UDP_SEGMENT make, for any kernel */
#define GATHERED_MAX 128

/*
 * Of one namespace; there while it has listeners that take buffers whole. Changed under
 * sluice_mutex; the hooks are gone, and a grace period too, before it is freed.
 */
struct sluice_gro {
	u32 users;
	struct nf_hook_ops ops[2];
	DECLARE_BITMAP(ports, PORTS);
};

static bool is_udp(const struct sk_buff *skb, u8 family)
{
	if (family == NFPROTO_IPV4)
		return ip_hdr(skb)->protocol == IPPROTO_UDP;
	return ipv6_hdr(skb)->nexthdr == IPPROTO_UDP;
}

/*
 * Others may look at a clone's bytes meanwhile, and a virtual machine's device may say anything of
 * a buffer: such are left to be cut up. Context: softirq.
 */
static unsigned int mark(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct sluice_gro *gro = priv;
	const struct udphdr *uh;
	struct udphdr copy;

	if (likely(!skb_is_gso(skb)))
		return NF_ACCEPT;
	if (!(skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4) || skb->encapsulation ||
	    skb_cloned(skb) || !is_udp(skb, state->pf) ||
	    skb->len > GATHERED_MAX * skb_shinfo(skb)->gso_size)
		return NF_ACCEPT;
	uh = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(copy), &copy);
	if (uh && test_bit(ntohs(uh->dest), gro->ports))
		skb_shinfo(skb)->gso_type |= SKB_GSO_UDP_TUNNEL;
	return NF_ACCEPT;
}

/* Whether some other listener with @gro has the port, or an adopted socket of UDP does. */
static bool port_shared(const struct sluice_listener *l, bool gro)
{
	const struct sluice_listener *o;

	list_for_each_entry(o, &l->sn->listeners, list)
		if (o != l && o->port == l->port &&
		    (gro ? o->gro : o->adopted && !o->tcp && !READ_ONCE(o->closed)))
			return true;
	return false;
}

/**
 * sluice_gro_conflict() - would an adopted socket get buffers that are marked for others?
 * @l: listener, its address was read; sluice_mutex is held
 * @extack: is told so
 *
 * Its owner may read what is passed, datagram by datagram: a buffer must not get there whole.
 *
 * Return: 0 or -EBUSY.
 */
int sluice_gro_conflict(const struct sluice_listener *l, struct netlink_ext_ack *extack)
{
	lockdep_assert_held(&sluice_mutex);
	if (!port_shared(l, !l->gro))
		return 0;
	NL_SET_ERR_MSG(extack, "an adopted socket and a listener with gro cannot have one port");
	return -EBUSY;
}

static struct sluice_gro *gro_create(struct net *net)
{
	struct sluice_gro *gro = kvzalloc(sizeof(*gro), GFP_KERNEL_ACCOUNT);
	int i, err;

	if (!gro)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < ARRAY_SIZE(gro->ops); i++) {
		gro->ops[i].hook = mark;
		gro->ops[i].priv = gro;
		gro->ops[i].pf = i ? NFPROTO_IPV6 : NFPROTO_IPV4;
		gro->ops[i].hooknum = NF_INET_LOCAL_IN;
		gro->ops[i].priority = INT_MAX;
	}
	err = nf_register_net_hooks(net, gro->ops, ARRAY_SIZE(gro->ops));
	if (!err)
		return gro;
	kvfree(gro);
	return ERR_PTR(err);
}

/**
 * sluice_gro_add() - have buffers for a listener's port left whole
 * @l: listener with a bound UDP socket; sluice_mutex is held
 * @extack: why not
 *
 * Context: may sleep. Return: 0 or -errno.
 */
int sluice_gro_add(struct sluice_listener *l, struct netlink_ext_ack *extack)
{
	struct sluice_net *sn = l->sn;
	struct sluice_gro *gro;
	int err = sluice_gro_conflict(l, extack);

	if (err)
		return err;
	if (!sn->gro) {
		gro = gro_create(sn->net);
		if (IS_ERR(gro)) {
			NL_SET_ERR_MSG(extack, "no netfilter hook for gathered datagrams");
			return PTR_ERR(gro);
		}
		sn->gro = gro;
	}
	sn->gro->users++;
	set_bit(l->port, sn->gro->ports);
	return 0;
}

/**
 * sluice_gro_remove() - the reverse
 * @l: listener of which sluice_gro_add() succeeded; sluice_mutex is held
 *
 * Context: may sleep.
 */
void sluice_gro_remove(struct sluice_listener *l)
{
	struct sluice_gro *gro = l->sn->gro;

	lockdep_assert_held(&sluice_mutex);
	if (!port_shared(l, true))
		clear_bit(l->port, gro->ports);
	if (--gro->users)
		return;
	l->sn->gro = NULL;
	nf_unregister_net_hooks(l->sn->net, gro->ops, ARRAY_SIZE(gro->ops));
	/* the hooks may still run on some CPU */
	synchronize_rcu();
	kvfree(gro);
}

#else

int sluice_gro_conflict(const struct sluice_listener *l, struct netlink_ext_ack *extack)
{
	return 0;
}

int sluice_gro_add(struct sluice_listener *l, struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG(extack, "this kernel has no netfilter: gro needs it");
	return -EOPNOTSUPP;
}

void sluice_gro_remove(struct sluice_listener *l)
{
}

#endif
