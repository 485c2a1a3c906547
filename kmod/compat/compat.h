/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that Sluice supports; the only place where their versions are
 * looked at.
 */
#ifndef SLUICE_COMPAT_H
#define SLUICE_COMPAT_H

#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/shmem_fs.h>
#include <linux/version.h>
#include <net/genetlink.h>
#include <net/ndisc.h>
#include <net/sock.h>
#include <net/xdp.h>

/*
 * struct netdev_rx_queue: 49e47a5b6145 ("net: move struct netdev_rx_queue out of netdevice.h"),
 * 6.6
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#include <net/netdev_rx_queue.h>
#endif

#if BITS_PER_LONG != 64
#error "Sluice reads its counters as single 64-bit words: build it for a 64-bit kernel"
#endif

/* From 6.18 on, PREEMPT_RT can be built so that two tasks of a CPU are in such sections at once. */
#if IS_ENABLED(CONFIG_PREEMPT_RT) && LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0) && \
	!IS_ENABLED(CONFIG_PREEMPT_RT_NEEDS_BH_LOCK)
#error "Sluice keeps memory per CPU with bottom halves disabled: PREEMPT_RT needs its BH lock"
#endif

/* vm_flags_mod(): bc292ab00f6c ("mm: introduce vma->vm_flags wrapper functions"), 6.3 */
static inline void sluice_vm_flags(struct vm_area_struct *vma, unsigned long set,
				   unsigned long clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

/*
 * genl_info_dump(): 5c670a010de4 ("genetlink: allow families to use split ops directly, with info
 * in dumps"), 6.6
 */
static inline struct nlattr **sluice_dump_attrs(struct netlink_callback *cb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	return genl_info_dump(cb)->attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

/*
 * __bpf_kfunc: 57e7c169cd6a ("bpf: Add __bpf_kfunc tag for marking kernel functions as kfuncs"),
 * 6.3
 */
#ifndef __bpf_kfunc
#define __bpf_kfunc __used noinline
#endif

/* BTF_KFUNCS_START(): 6f3189f38a3e ("bpf: treewide: Annotate BPF kfuncs in BTF"), 6.9 */
#ifndef BTF_KFUNCS_START
#define BTF_KFUNCS_START(name) BTF_SET8_START(name)
#define BTF_KFUNCS_END(name)   BTF_SET8_END(name)
#endif

/* hrtimer_setup(): 908a1d775422 ("hrtimers: Introduce hrtimer_setup()"), 6.13 */
static inline void sluice_hrtimer_setup(struct hrtimer *timer,
					enum hrtimer_restart (*function)(struct hrtimer *),
					clockid_t clock, enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, function, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = function;
#endif
}

/* dev->xdp_features: d3d854fd6a1d ("netdev-genl: create a simple family for netdev stuff"), 6.3 */
static inline bool sluice_xdp_can_xmit(const struct net_device *dev)
{
	if (!dev->netdev_ops->ndo_xdp_xmit)
		return false;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	return READ_ONCE(dev->xdp_features) & NETDEV_XDP_ACT_NDO_XMIT;
#else
	return true;
#endif
}

/*
 * struct sockaddr_unsized: "net: Convert proto_ops bind() callbacks to use sockaddr_unsized", with
 * it kernel_bind(), 6.19
 */
static inline int sluice_kernel_bind(struct socket *sock, void *addr, int len)
{
	return kernel_bind(sock, addr, len);
}

/*
 * A socket without a reference on its namespace counts in net->passive: 5c70eb5c593d ("net: better
 * track kernel sockets lifetime"), 6.14 and stable trees before it, which all have this function.
 * Its refcounted trackers: b6d7c0eb2dcb ("net: add notrefcnt support to ref_tracker"), 6.2
 */
extern void sk_net_refcnt_upgrade(struct sock *sk) __weak;

/*
 * Make a socket that a process's listening socket was asked for like one of the kernel's own: it
 * does not hold its namespace. Somebody else does, until this returns.
 */
static inline void sluice_sock_let_net(struct sock *sk)
{
	struct net *net = sock_net(sk);

	if (!sk->sk_net_refcnt)
		return;
	if (sk_net_refcnt_upgrade)
		refcount_inc(&net->passive);
	sk->sk_net_refcnt = 0;
	sock_inuse_add(net, -1);
	put_net_track(net, &sk->ns_tracker);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	if (sk_net_refcnt_upgrade)
		__netns_tracker_alloc(net, &sk->ns_tracker, false, GFP_KERNEL);
#endif
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
typedef struct sockaddr_unsized sluice_sockaddr;
#else
typedef struct sockaddr sluice_sockaddr;
#endif

/* struct proto_accept_arg: 92ef0fd55ac8 ("net: change proto and proto_ops accept type"), 6.10 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define SLUICE_ACCEPT_ARGS struct proto_accept_arg *arg
#else
#define SLUICE_ACCEPT_ARGS int flags, bool kern
#endif

/* vma_flags_t: "mm: update shmem_[kernel]_file_*() functions to use vma_flags_t", 7.0 */
static inline struct file *sluice_shmem_create(const char *name, loff_t size)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
	return shmem_file_setup(name, size, mk_vma_flags(VMA_NORESERVE_BIT));
#else
	return shmem_file_setup(name, size, VM_NORESERVE);
#endif
}

/*
 * vfs_mmap(): c84bf6dd2b83 ("mm: introduce new .mmap_prepare() file callback"), usable with it from
 * 6.17 on: a file has one of two operations
 */
static inline int sluice_mmap_file(struct file *file, struct vm_area_struct *vma)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
	return vfs_mmap(file, vma);
#else
	return call_mmap(file, vma);
#endif
}

/* Its memory is that of pages. mem_type: "xdp: get rid of xdp_frame::mem.id", 6.14 */
static inline void sluice_xdp_frame_shared(struct xdp_frame *f)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
	f->mem_type = MEM_TYPE_PAGE_SHARED;
#else
	f->mem.type = MEM_TYPE_PAGE_SHARED;
	f->mem.id = 0;
#endif
}

/* ipv6_stub went away when IPv6 could be no module any more. Context: RCU, no bottom halves. */
static inline struct neighbour *sluice_neighbour_v6(struct net_device *dev,
						    const struct in6_addr *hop)
{
#if IS_BUILTIN(CONFIG_IPV6)
	return __ipv6_neigh_lookup_noref(dev, hop);
#else
	return __ipv6_neigh_lookup_noref_stub(dev, hop);
#endif
}

#endif /* SLUICE_COMPAT_H */
