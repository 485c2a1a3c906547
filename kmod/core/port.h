/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The few kernel facilities that kmod/core/ uses, mapped to the kernel or to plain C for native
 * builds.
 */
#ifndef SLUICE_CORE_PORT_H
#define SLUICE_CORE_PORT_H

/*
 * A large variable of which only what was written is read. Kernels built to clear the stack
 * (INIT_STACK_ALL_ZERO, Debian's are) would else clear it all for each request.
 */
#ifdef __has_attribute
#if __has_attribute(uninitialized)
#define sluice_uninit __attribute__((uninitialized))
#endif
#endif
#ifndef sluice_uninit
#define sluice_uninit
#endif

#ifdef __KERNEL__

#include <linux/types.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/string.h>
#include <linux/slab.h>
#include <linux/mm.h>
#include <linux/sort.h>
#include <linux/sched.h>
#include <linux/random.h>
#include <linux/math64.h>
#include <net/checksum.h>
#include <asm/barrier.h>

/* May sleep: set-up only. Zeroed. */
static inline void *sluice_port_alloc(size_t n, size_t size)
{
	return kvcalloc(n, size, GFP_KERNEL_ACCOUNT);
}

static inline void sluice_port_free(const void *p)
{
	kvfree(p);
}

static inline void sluice_port_sort(void *base, size_t n, size_t size,
				    int (*cmp)(const void *a, const void *b))
{
	sort(base, n, size, cmp, NULL);
}

/* Now and then in long set-up loops. */
static inline void sluice_port_resched(void)
{
	cond_resched();
}

/* Seed of hash tables whose keys somebody else chooses. */
static inline u64 sluice_port_seed(void)
{
	return get_random_u64();
}

/* Sum of the words that @len bytes hold, carries added; each architecture's own way. */
static inline u32 sluice_port_sum(const void *data, u32 len)
{
	return (__force u32)csum_partial(data, len, 0);
}

/* Whether the sum of an IPv4 header without options, 20 bytes, is right. */
static inline bool sluice_port_ip4_sum_ok(const void *header)
{
	return !ip_fast_csum(header, 5);
}

#else /* native: unit tests, fuzzers, benchmarks, library */

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#ifndef likely
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#endif
#ifndef U32_MAX
#define U32_MAX		UINT32_MAX
#define U64_MAX		UINT64_MAX
#endif
#ifndef READ_ONCE
#define READ_ONCE(x)	__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#endif
#ifndef OPTIMIZER_HIDE_VAR
#define OPTIMIZER_HIDE_VAR(x)	__asm__("" : "+r"(x))
#endif
#ifndef smp_load_acquire
#define smp_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

#ifndef container_of
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#endif

/* The kernel's circular list, as far as the core uses it. */
struct list_head {
	struct list_head *next, *prev;
};

#define list_first_entry(head, type, member) container_of((head)->next, type, member)
#define list_last_entry(head, type, member)  container_of((head)->prev, type, member)

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_add(struct list_head *item, struct list_head *head)
{
	item->next = head->next;
	item->prev = head;
	head->next->prev = item;
	head->next = item;
}

static inline void list_add_tail(struct list_head *item, struct list_head *head)
{
	list_add(item, head->prev);
}

static inline void list_del(struct list_head *item)
{
	item->next->prev = item->prev;
	item->prev->next = item->next;
	item->next = NULL;
	item->prev = NULL;
}

static inline void list_move_tail(struct list_head *item, struct list_head *head)
{
	list_del(item);
	list_add_tail(item, head);
}

static inline void *sluice_port_alloc(size_t n, size_t size)
{
	return calloc(n ? n : 1, size ? size : 1);
}

static inline void sluice_port_free(const void *p)
{
	free((void *)(uintptr_t)p);
}

static inline void sluice_port_sort(void *base, size_t n, size_t size,
				    int (*cmp)(const void *a, const void *b))
{
	if (n)
		qsort(base, n, size, cmp);
}

static inline void sluice_port_resched(void)
{
}

/* The same each time: native runs are to be repeatable. */
static inline u64 sluice_port_seed(void)
{
	return 0x2545f4914f6cdd1dULL;
}

/* Sum of the words that @len bytes hold, carries added. */
static inline u32 sluice_port_sum(const void *data, u32 len)
{
	const u8 *at = data;
	u64 sum = 0;
	u32 word;

	for (; len >= 4; len -= 4, at += 4) {
		memcpy(&word, at, 4);
		sum += word;
	}
	word = 0;
	memcpy(&word, at, len);
	sum += word;
	sum = (sum & U32_MAX) + (sum >> 32);
	return (u32)(sum + (sum >> 32));
}

/* Whether the sum of an IPv4 header without options, 20 bytes, is right. */
static inline bool sluice_port_ip4_sum_ok(const void *header)
{
	u32 sum = sluice_port_sum(header, 20);

	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)(sum + (sum >> 16)) == 0xffff;
}

#endif /* __KERNEL__ */

#define SLUICE_COPY_SHORT 256

/*
 * Copy the bytes of a message: most are short, and processors take long to begin with the string
 * instructions that memcpy() is made of. Each byte of @from is read once.
 */
static inline void sluice_copy(void *to, const void *from, size_t len)
{
	const char *src = from;
	char *dst = to;
	u64 a, b, c, d;

	if (unlikely(len > SLUICE_COPY_SHORT)) {
		memcpy(to, from, len);
		return;
	}
	for (; len >= 32; len -= 32, src += 32, dst += 32) {
		__builtin_memcpy(&a, src, 8);
		__builtin_memcpy(&b, src + 8, 8);
		__builtin_memcpy(&c, src + 16, 8);
		__builtin_memcpy(&d, src + 24, 8);
		__builtin_memcpy(dst, &a, 8);
		__builtin_memcpy(dst + 8, &b, 8);
		__builtin_memcpy(dst + 16, &c, 8);
		__builtin_memcpy(dst + 24, &d, 8);
	}
	if (len & 16) {
		__builtin_memcpy(&a, src, 8);
		__builtin_memcpy(&b, src + 8, 8);
		__builtin_memcpy(dst, &a, 8);
		__builtin_memcpy(dst + 8, &b, 8);
		src += 16;
		dst += 16;
	}
	if (len & 8) {
		__builtin_memcpy(&a, src, 8);
		__builtin_memcpy(dst, &a, 8);
		src += 8;
		dst += 8;
	}
	for (len &= 7; len; len--)
		*dst++ = *src++;
}

#endif /* SLUICE_CORE_PORT_H */
