// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gathered datagrams: those of one flow that the device, or their sender, put into one buffer.
 *
 * The stack cuts a buffer up in front of a socket that has an encapsulation hook, unless the buffer
 * is said to be a tunnel's. In namespaces with listeners that take them whole, netfilter hooks at
 * the last priority say so of those that such a listener will get. It is not marked as
 * encapsulated: if another socket gets it after all, it is cut as what it is.
 */
#include <linux/hash.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/udp.h>
#include <net/ipv6.h>

#include "udp.h"

#if IS_ENABLED(CONFIG_NETFILTER)

/* datagrams of one buffer: what the stack's own gathering and UDP_SEGMENT make, on any kernel */
#define GATHERED_MAX 128
#define BUCKETS_BITS 6

/*
 * Of one namespace; there while it has listeners that take buffers whole. Changed under
 * sluice_mutex; the hooks are gone, and a grace period too, before it is freed.
 */
struct sluice_gro {
	struct nf_hook_ops ops[2];
	u32 users;
	struct hlist_head listeners[1 << BUCKETS_BITS]; /* by port; RCU */
};

/* Is a datagram for @daddr, of 4 or 16 bytes, one for the listener's address? */
static bool is_for(const struct sluice_listener *l, const void *daddr, u8 len)
{
	const struct in6_addr *a6 = (const void *)l->addr;

	if (l->addr_len == 4)
		return len == 4 && (!*(const u32 *)l->addr || !memcmp(l->addr, daddr, 4));
	if (len == 4 && ipv6_addr_v4mapped(a6))
		return !a6->s6_addr32[3] || !memcmp(&a6->s6_addr32[3], daddr, 4);
	if (len == 4)
		return ipv6_addr_any(a6) && !l->v6only;
	return ipv6_addr_any(a6) || !memcmp(l->addr, daddr, 16);
}

/*
 * A program that looks at each datagram is shown it with the skb that the stack cuts for it. Which
 * of several listeners, bound to devices, gets it, is left to the stack.
 */
static bool wanted(const struct sluice_gro *gro, u16 port, const void *daddr, u8 len)
{
	const struct sluice_listener *l;
	bool found = false;

	hlist_for_each_entry_rcu(l, &gro->listeners[hash_32(port, BUCKETS_BITS)], gro_node)
		if (l->port == port && is_for(l, daddr, len)) {
			if (rcu_access_pointer(l->classifier))
				return false;
			found = true;
		}
	return found;
}

static bool is_wanted(const struct sluice_gro *gro, const struct sk_buff *skb, u8 family)
{
	const struct udphdr *uh;
	struct udphdr copy;
	u16 port;

	uh = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(copy), &copy);
	if (!uh)
		return false;
	port = ntohs(uh->dest);
	if (family == NFPROTO_IPV4)
		return ip_hdr(skb)->protocol == IPPROTO_UDP &&
		       wanted(gro, port, &ip_hdr(skb)->daddr, 4);
	return ipv6_hdr(skb)->nexthdr == IPPROTO_UDP &&
	       wanted(gro, port, &ipv6_hdr(skb)->daddr, 16);
}

/* May the datagrams of a buffer, of @len bytes with a UDP header, be taken one by one? */
static bool whole(const struct sk_buff *skb, u32 len)
{
	const struct skb_shared_info *info = skb_shinfo(skb);

	return (info->gso_type & (SKB_GSO_UDP_L4 | SKB_GSO_FRAGLIST)) == SKB_GSO_UDP_L4 &&
	       !skb->encapsulation && len > SLUICE_UDP_HLEN &&
	       len - SLUICE_UDP_HLEN <= GATHERED_MAX * info->gso_size;
}

/**
 * sluice_gro_whole() - is this a buffer whose datagrams are requests?
 * @skb: from the UDP header on; the stack may have shortened it since it was marked
 *
 * Else it is a tunnel's in truth, or of a virtual machine's device, which says of it what it likes.
 * Context: softirq.
 */
bool sluice_gro_whole(const struct sk_buff *skb)
{
	return whole(skb, skb->len);
}

/* Others may look at a clone's bytes meanwhile: it is left to be cut up. Context: softirq. */
static unsigned int mark(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (unlikely(skb_is_gso(skb)) && !skb_cloned(skb) &&
	    whole(skb, skb->len - skb_transport_offset(skb)) && is_wanted(priv, skb, state->pf))
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
	struct sluice_gro *gro = kzalloc(sizeof(*gro), GFP_KERNEL_ACCOUNT);
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
	/* one of them may have been there for a moment */
	synchronize_rcu();
	kfree(gro);
	return ERR_PTR(err);
}

/**
 * sluice_gro_add() - have buffers for a listener left whole
 * @l: listener, its address was read; sluice_mutex is held
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
	hlist_add_head_rcu(&l->gro_node, &sn->gro->listeners[hash_32(l->port, BUCKETS_BITS)]);
	return 0;
}

/**
 * sluice_gro_remove() - the reverse
 * @l: listener of which sluice_gro_add() succeeded; sluice_mutex is held; not to be freed before
 *     a grace period has passed
 *
 * Context: may sleep.
 */
void sluice_gro_remove(struct sluice_listener *l)
{
	struct sluice_gro *gro = l->sn->gro;

	lockdep_assert_held(&sluice_mutex);
	hlist_del_rcu(&l->gro_node);
	if (--gro->users)
		return;
	l->sn->gro = NULL;
	nf_unregister_net_hooks(l->sn->net, gro->ops, ARRAY_SIZE(gro->ops));
	/* the hooks may still run on some CPU */
	synchronize_rcu();
	kfree(gro);
}

#else

bool sluice_gro_whole(const struct sk_buff *skb)
{
	return false;
}

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
