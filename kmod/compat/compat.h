/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that Sluice supports; the only place where their versions are
 * looked at.
 */
#ifndef SLUICE_COMPAT_H
#define SLUICE_COMPAT_H

#include <linux/mm.h>
#include <linux/version.h>
#include <net/genetlink.h>

#if BITS_PER_LONG != 64
#error "Sluice reads its counters as single 64-bit words: build it for a 64-bit kernel"
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

#endif /* SLUICE_COMPAT_H */
