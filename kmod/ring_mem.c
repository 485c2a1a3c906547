// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a ring: a shmem file that its mappings hold, pinned and mapped for the kernel,
 * charged to a user.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/shmem_fs.h>
#include <linux/vmalloc.h>

#include "sluice.h"

/* Charge pages to the caller's RLIMIT_MEMLOCK, as locked memory is. Return: 0 or -ENOBUFS. */
static int charge(struct sluice_ring_mem *mem)
{
	unsigned long old, new, limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (capable(CAP_IPC_LOCK))
		return 0;
	mem->user = get_uid(current_user());
	old = atomic_long_read(&mem->user->locked_vm);
	do {
		new = old + mem->npages;
		if (new > limit) {
			free_uid(mem->user);
			mem->user = NULL;
			return -ENOBUFS;
		}
	} while (!atomic_long_try_cmpxchg(&mem->user->locked_vm, &old, new));
	return 0;
}

static void uncharge(struct sluice_ring_mem *mem)
{
	if (!mem->user)
		return;
	atomic_long_sub(mem->npages, &mem->user->locked_vm);
	free_uid(mem->user);
}

/**
 * sluice_ring_mem_init() - allocate zeroed ring memory
 * @mem: zeroed
 * @bytes: a multiple of the page size
 *
 * The pages belong to a shmem file and so to the caller's memory cgroup. A mapping holds that file,
 * not the ring nor the module. Punching a hole into it (MADV_REMOVE) parts consumer and kernel,
 * which keeps its pages: harmless here.
 *
 * Context: may sleep. Return: 0, -ENOBUFS beyond RLIMIT_MEMLOCK, -ENOMEM, or shmem's error; nothing
 * is held then.
 */
int sluice_ring_mem_init(struct sluice_ring_mem *mem, u64 bytes)
{
	unsigned int i;
	int err;

	mem->npages = bytes >> PAGE_SHIFT;
	err = charge(mem);
	if (err)
		return err;
	mem->file = shmem_file_setup("sluice-ring", bytes, VM_NORESERVE);
	if (IS_ERR(mem->file)) {
		err = PTR_ERR(mem->file);
		mem->file = NULL;
		goto err;
	}
	mapping_set_unevictable(mem->file->f_mapping);
	err = -ENOMEM;
	mem->pages = kvcalloc(mem->npages, sizeof(*mem->pages), GFP_KERNEL_ACCOUNT);
	if (!mem->pages)
		goto err;
	for (i = 0; i < mem->npages; i++) {
		struct page *page = shmem_read_mapping_page(mem->file->f_mapping, i);

		if (IS_ERR(page)) {
			err = PTR_ERR(page);
			goto err;
		}
		mem->pages[i] = page;
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			goto err;
		}
		cond_resched();
	}
	mem->base = vmap(mem->pages, mem->npages, VM_MAP, PAGE_KERNEL);
	if (mem->base)
		return 0;
err:
	sluice_ring_mem_fini(mem);
	return err;
}

/* Let go of the memory; mappings keep theirs until they are unmapped. May sleep. */
void sluice_ring_mem_fini(struct sluice_ring_mem *mem)
{
	unsigned int i;

	vunmap(mem->base);
	for (i = 0; mem->pages && i < mem->npages && mem->pages[i]; i++) {
		set_page_dirty(mem->pages[i]);
		put_page(mem->pages[i]);
	}
	kvfree(mem->pages);
	if (mem->file)
		fput(mem->file);
	uncharge(mem);
	memset(mem, 0, sizeof(*mem));
}
