// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a ring: two shmem files that its mappings hold, pinned and mapped for the kernel,
 * charged to a user.
 */
#include <linux/cred.h>
#include <linux/fcntl.h>
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

/*
 * A file of @bytes, of which the pages from @first to @end are needed. Return: 0 or -errno; what
 * was made is in @mem.
 */
static int file_setup(struct sluice_ring_mem *mem, struct file **file, unsigned int first,
		      unsigned int end)
{
	unsigned int i;

	*file = sluice_shmem_create("sluice-ring", (loff_t)end << PAGE_SHIFT);
	if (IS_ERR(*file)) {
		int err = PTR_ERR(*file);

		*file = NULL;
		return err;
	}
	mapping_set_unevictable((*file)->f_mapping);
	for (i = first; i < end; i++) {
		struct page *page = shmem_read_mapping_page((*file)->f_mapping, i);

		if (IS_ERR(page))
			return PTR_ERR(page);
		mem->pages[i] = page;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/**
 * sluice_ring_mem_init() - allocate zeroed ring memory
 * @mem: zeroed
 * @bytes: a multiple of the page size
 * @readable: so many bytes at its beginning are read only for the consumer; a multiple too
 *
 * The pages belong to shmem files and so to the caller's memory cgroup. A mapping holds its file,
 * not the ring nor the module. Punching a hole into it (MADV_REMOVE) parts consumer and kernel,
 * which keeps its pages: harmless here.
 *
 * What is read only for the consumer has a file of its own, sealed against writable mappings:
 * remap_file_pages() maps any part of the file behind a mapping with that mapping's protection, and
 * asks the file, not us. Both files have the same offsets; each lacks the other's pages.
 *
 * Context: may sleep. Return: 0, -ENOBUFS beyond RLIMIT_MEMLOCK, -ENOMEM, or shmem's error; nothing
 * is held then.
 */
int sluice_ring_mem_init(struct sluice_ring_mem *mem, u64 bytes, u64 readable)
{
	int err;

	mem->npages = bytes >> PAGE_SHIFT;
	err = charge(mem);
	if (err)
		return err;
	err = -ENOMEM;
	mem->pages = kvcalloc(mem->npages, sizeof(*mem->pages), GFP_KERNEL_ACCOUNT);
	if (!mem->pages)
		goto err;
	err = file_setup(mem, &mem->readable, 0, readable >> PAGE_SHIFT);
	if (err)
		goto err;
	SHMEM_I(file_inode(mem->readable))->seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
						    F_SEAL_FUTURE_WRITE;
	err = file_setup(mem, &mem->writable, readable >> PAGE_SHIFT, mem->npages);
	if (err)
		goto err;
	err = -ENOMEM;
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
	if (mem->readable)
		fput(mem->readable);
	if (mem->writable)
		fput(mem->writable);
	uncharge(mem);
	memset(mem, 0, sizeof(*mem));
}
