// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of frames, and of replies that leave together: pieces of a few pages that each CPU keeps
 * and cuts anew when all pieces of one have come back. Who lets go of a piece need not know: it is
 * a fragment of a page as of any other driver. Kernels that clear what they allocate would clear a
 * small frame's 768 bytes each time.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>

#include "pool.h"

#define SHEETS 8
#define ORDER  get_order(SLUICE_FRAME_MEMORY_MAX)

struct sheet {
	struct page *page; /* one reference is ours, one each frame's */
	u32 size;
	u32 used;
};

struct sheets {
	struct sheet sheet[SHEETS];
	u32 at;
};

static DEFINE_PER_CPU(struct sheets, sheets);

static void fetch(struct sheet *s)
{
	gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN | __GFP_NOMEMALLOC;

	if (s->page)
		put_page(s->page);
	s->size = SLUICE_FRAME_MEMORY_MAX;
	s->page = alloc_pages(gfp | __GFP_COMP | __GFP_NORETRY, ORDER);
	if (unlikely(!s->page)) {
		s->size = PAGE_SIZE;
		s->page = alloc_pages(gfp, 0);
	}
	if (unlikely(!s->page))
		s->size = 0;
}

/* Whether only our reference is left: who dropped the others no longer looks at the pages. */
static bool came_back(const struct sheet *s)
{
	return s->page && atomic_read_acquire(&s->page->_refcount) == 1;
}

/* Go on to the next sheet. */
static noinline struct sheet *turn(struct sheets *all)
{
	struct sheet *s;

	all->at = (all->at + 1) % SHEETS;
	s = &all->sheet[all->at];
	if (!came_back(s) || s->size < SLUICE_FRAME_MEMORY_MAX)
		fetch(s);
	s->used = 0;
	return s;
}

/**
 * sluice_frame_memory() - memory for a frame
 * @size: bytes, aligned as an skb's data
 *
 * Context: bottom halves disabled. Return: memory, not cleared, to be let go of by
 * page_frag_free(); NULL.
 */
void *sluice_frame_memory(u32 size)
{
	struct sheets *all;
	struct sheet *s;
	void *memory;

	if (unlikely(size > SLUICE_FRAME_MEMORY_MAX))
		return NULL;
	/* disabled bottom halves need not keep others off this CPU's sheets */
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return napi_alloc_frag(size);
	all = this_cpu_ptr(&sheets);
	s = &all->sheet[all->at];
	if (unlikely(s->size - s->used < size))
		s = turn(all);
	if (unlikely(s->size < size))
		return NULL;
	memory = page_address(s->page) + s->used;
	s->used += size;
	get_page(s->page);
	return memory;
}

/* Frames that are still out keep their pages. Context: nobody asks for memory any more. */
void sluice_frame_memory_fini(void)
{
	struct sheets *all;
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		all = per_cpu_ptr(&sheets, cpu);
		for (i = 0; i < SHEETS; i++)
			if (all->sheet[i].page)
				put_page(all->sheet[i].page);
	}
}
