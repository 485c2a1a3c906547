// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device node: open, ioctl, mmap and poll of a ring, and the checks of what its consumer asks
 * for.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/user_namespace.h>

#include "route.h"
#include "sluice.h"
#include "udp.h"

#define RING_BYTES_MAX (1ULL << 30)
#define TX_IDLE_US     50
#define RING_FLOWS     64 /* sources told apart in a ring's backlog */

static_assert(sizeof(struct sluice_slot) == 64);
static_assert(sizeof(struct sluice_response) == 16);
static_assert(sizeof(struct sluice_ring_map) == 248);
static_assert(sizeof(struct sluice_ring_setup) == 344);

/* The consumer's and the kernel's words each have a cache line of their own within their page. */
enum {
	K_REQ_TAIL = 0,
	K_RESP_HEAD = 64,
	K_STATE = 128,
	U_RESP_TAIL = 0,
	U_REQ_HEAD = 64,
	U_NEED_WAKEUP = 128,
	U_HEARTBEAT = 192,
};

static int size_ok(u32 size)
{
	return size >= SLUICE_SLOT_MIN && size <= SLUICE_SLOT_MAX && size % SLUICE_SLOT_MIN == 0;
}

/* Check what the consumer asked for; @su is a private copy. */
static int setup_check(const struct sluice_ring_setup *su, struct sluice_slots_conf *conf)
{
	u32 tx = su->flags & SLUICE_RING_TX_MASK;
	u64 total = 0;
	u32 c;

	memset(conf, 0, sizeof(*conf));
	if (su->abi != SLUICE_RING_ABI || (su->flags & ~SLUICE_RING_FLAGS_ALL) || su->pad)
		return -EINVAL;
	if (hweight32(tx) != 1 || su->tx_cpu < -1 || su->tx_idle_us > USEC_PER_SEC)
		return -EINVAL;
	if (su->tx_cpu >= 0 && (su->tx_cpu >= nr_cpu_ids || !cpu_online(su->tx_cpu)))
		return -EINVAL;
	if (strnlen(su->group, sizeof(su->group)) == sizeof(su->group))
		return -EINVAL;
	for (c = 0; c < SLUICE_RING_CLASSES && su->classes[c].slots; c++) {
		if (!size_ok(su->classes[c].slot_size) ||
		    (c && su->classes[c].slot_size <= su->classes[c - 1].slot_size))
			return -EINVAL;
		conf->size[c] = su->classes[c].slot_size;
		conf->count[c] = su->classes[c].slots;
		total += su->classes[c].slots;
	}
	conf->nclasses = c;
	for (; c < SLUICE_RING_CLASSES; c++)
		if (su->classes[c].slots || su->classes[c].slot_size)
			return -EINVAL;
	if (!total || total > SLUICE_RING_SLOTS_MAX || su->reply_slots > SLUICE_RING_SLOTS_MAX)
		return -EINVAL;
	if (su->reply_slots ? !size_ok(su->reply_size) : su->reply_size)
		return -EINVAL;
	conf->reply_count = su->reply_slots;
	conf->reply_size = su->reply_size;
	return 0;
}

static void region(struct sluice_ring_region *r, u64 *at, u64 len)
{
	r->offset = *at;
	r->len = PAGE_ALIGN(len);
	*at += r->len;
}

/*
 * Lay the regions out, those that the consumer only reads first. Return: bytes of all of them;
 * cannot overflow after setup_check().
 */
static u64 map_layout(struct sluice_ring_map *m, const struct sluice_slots_conf *conf)
{
	u64 at = 0, off = 0;
	u32 total = 0, c;

	memset(m, 0, sizeof(*m));
	for (c = 0; c <= SLUICE_RING_CLASSES; c++) {
		bool reply = c == SLUICE_RING_CLASSES;
		u32 size = reply ? conf->reply_size : conf->size[c];

		m->slot_offset[c] = off;
		m->slot_first[c] = total;
		m->slot_count[c] = reply ? conf->reply_count : conf->count[c];
		m->slot_stride[c] = m->slot_count[c] ? size + sizeof(struct sluice_slot) : 0;
		off += (u64)m->slot_stride[c] * m->slot_count[c];
		total += m->slot_count[c];
	}
	m->req_entries = roundup_pow_of_two(m->slot_first[SLUICE_RING_CLASSES]);
	m->resp_entries = roundup_pow_of_two(2 * total);
	region(&m->kernel, &at, PAGE_SIZE);
	region(&m->requests, &at, (u64)m->req_entries * SLUICE_RING_PRIOS * sizeof(u32));
	region(&m->user, &at, PAGE_SIZE);
	region(&m->responses, &at, (u64)m->resp_entries * sizeof(struct sluice_response));
	region(&m->slots, &at, off);
	for (c = 0; c < SLUICE_RING_PRIOS; c++) {
		m->req_tail[c] = K_REQ_TAIL + c * sizeof(u32);
		m->req_head[c] = U_REQ_HEAD + c * sizeof(u32);
	}
	m->resp_head = K_RESP_HEAD;
	m->state = K_STATE;
	m->resp_tail = U_RESP_TAIL;
	m->need_wakeup = U_NEED_WAKEUP;
	m->heartbeat = U_HEARTBEAT;
	return at;
}

static void map_pointers(struct sluice_ring *ring)
{
	const struct sluice_ring_map *m = &ring->map;
	void *k = ring->mem.base + m->kernel.offset, *u = ring->mem.base + m->user.offset;
	u32 *q = ring->mem.base + m->requests.offset;
	u32 i;

	for (i = 0; i < SLUICE_RING_PRIOS; i++) {
		ring->k_req_tail[i] = k + m->req_tail[i];
		ring->u_req_head[i] = u + m->req_head[i];
		ring->queue[i] = q + (size_t)i * m->req_entries;
	}
	ring->k_resp_head = k + m->resp_head;
	ring->k_state = k + m->state;
	ring->u_resp_tail = u + m->resp_tail;
	ring->u_need_wakeup = u + m->need_wakeup;
	ring->u_heartbeat = u + m->heartbeat;
	ring->resp = ring->mem.base + m->responses.offset;
}

/* Allocate all that the ring needs; on error setup_undo() undoes what was done. */
static int setup_memory(struct sluice_ring *ring, const struct sluice_ring_setup *su,
			const struct sluice_slots_conf *conf)
{
	u64 bytes;
	int err;

	bytes = map_layout(&ring->map, conf);
	if (bytes > RING_BYTES_MAX)
		return -EINVAL;
	ring->flags = su->flags;
	ring->tx_idle_us = su->tx_idle_us ?: TX_IDLE_US;
	err = sluice_ring_mem_init(&ring->mem, bytes, ring->map.user.offset);
	if (err)
		return err;
	map_pointers(ring);
	err = sluice_slots_init(&ring->slots, conf);
	if (err)
		return err;
	err = sluice_queue_init(&ring->waiting.q, RING_FLOWS);
	if (err)
		return err;
	ring->req = kvcalloc(ring->slots.total, sizeof(*ring->req), GFP_KERNEL_ACCOUNT);
	ring->use = kvcalloc(ring->slots.total, sizeof(*ring->use), GFP_KERNEL_ACCOUNT);
	ring->cnt = alloc_percpu_gfp(struct sluice_counters, GFP_KERNEL_ACCOUNT);
	ring->routes = sluice_routes_create();
	ring->together = sluice_together_create();
	return ring->req && ring->use && ring->cnt ? 0 : -ENOMEM;
}

static void setup_undo(struct sluice_ring *ring)
{
	sluice_slots_fini(&ring->slots);
	sluice_queue_fini(&ring->waiting.q);
	kvfree(ring->req);
	ring->req = NULL;
	kvfree(ring->use);
	ring->use = NULL;
	free_percpu(ring->cnt);
	ring->cnt = NULL;
	kvfree(ring->routes);
	ring->routes = NULL;
	kfree(ring->together);
	ring->together = NULL;
	sluice_ring_mem_fini(&ring->mem);
}

/* May the caller serve this group: its owner by uid or gid, or who may configure the namespace. */
static bool may_serve(const struct sluice_group_conf *conf, const struct net *net)
{
	if (uid_eq(current_euid(), conf->uid))
		return true;
	if (conf->has_gid && in_egroup_p(conf->gid))
		return true;
	return ns_capable(net->user_ns, CAP_NET_ADMIN);
}

/* The group that the caller asks to serve. Return: ERR_PTR if it may not, or cannot. */
static struct sluice_group *setup_group(const char *name)
{
	struct sluice_net *sn = sluice_net(current->nsproxy->net_ns);
	const struct sluice_group_conf *conf;
	struct sluice_group *g;

	g = sluice_group_find(sn, name);
	if (!g)
		return ERR_PTR(-ENOENT);
	conf = sluice_group_conf(g);
	if (!may_serve(conf, sn->net))
		return ERR_PTR(-EPERM);
	if (g->nmembers >= conf->max_rings)
		return ERR_PTR(-ENOSPC);
	return g;
}

static void setup_join(struct sluice_ring *ring, struct sluice_group *g)
{
	const struct sluice_group_conf *conf = sluice_group_conf(g);

	ring->sn = g->sn;
	ring->id = ++g->sn->next_id;
	sluice_ring_window_set(ring, conf->window);
	ring->pid = get_pid(task_tgid(current));
	get_task_comm(ring->comm, current);
	WRITE_ONCE(ring->group, g);
	g->nmembers++;
	g->users++;
	list_add_tail(&ring->member, &g->members);
	list_add_tail(&ring->all, &g->sn->rings);
}

/*
 * A ring is set up once. Who may not serve the group is refused before any memory is allocated. The
 * transmit thread starts before the ring joins its group, and finds nothing to do.
 */
static int setup(struct sluice_ring *ring, struct sluice_ring_setup *su)
{
	struct sluice_slots_conf conf;
	struct sluice_group *g;
	int err;

	lockdep_assert_held(&sluice_mutex);
	if (ring->ready)
		return -EEXIST;
	err = setup_check(su, &conf);
	if (err)
		return err;
	g = setup_group(su->group);
	if (IS_ERR(g))
		return PTR_ERR(g);
	err = setup_memory(ring, su, &conf);
	if (err)
		goto err_undo;
	ring->state = 0;
	if (su->flags & SLUICE_RING_TX_KICK)
		sluice_ring_state(ring, SLUICE_STATE_NEED_KICK, 0);
	err = sluice_tx_start(ring, su->tx_cpu);
	if (err)
		goto err_undo;
	setup_join(ring, g);
	su->ring = ring->id;
	su->map = ring->map;
	sluice_flag_set(&ring->ready);
	return 0;

err_undo:
	setup_undo(ring);
	return err;
}

/*
 * No user memory is touched under the mutex: a page fault takes the lock under which mmap is
 * called.
 */
static int ioc_setup(struct sluice_ring *ring, struct sluice_ring_setup __user *arg)
{
	struct sluice_ring_setup su;
	int err;

	if (copy_from_user(&su, arg, sizeof(su)))
		return -EFAULT;
	mutex_lock(&sluice_mutex);
	err = setup(ring, &su);
	mutex_unlock(&sluice_mutex);
	if (!err && copy_to_user(arg, &su, sizeof(su)))
		err = -EFAULT;
	return err;
}

static long ring_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct sluice_ring *ring = file->private_data;
	int err;

	switch (cmd) {
	case SLUICE_IOC_SETUP:
		return ioc_setup(ring, (void __user *)arg);
	case SLUICE_IOC_KICK:
		return sluice_tx_kick(ring);
	case SLUICE_IOC_ATTACH:
		mutex_lock(&sluice_mutex);
		err = sluice_ring_attach(ring);
		mutex_unlock(&sluice_mutex);
		return err;
	case SLUICE_IOC_DRAIN:
		mutex_lock(&sluice_mutex);
		err = sluice_ring_drain(ring, true);
		mutex_unlock(&sluice_mutex);
		return err;
	case SLUICE_IOC_WAIT:
		return sluice_nap_wait(ring, arg);
	case SLUICE_IOC_INTERRUPT:
		return sluice_nap_interrupt(ring);
	default:
		return -ENOTTY;
	}
}

/*
 * fsync() and fdatasync() hand over what was answered, as SLUICE_IOC_KICK does, and cost less than
 * an ioctl: no security module looks at them. Return: 0; errors as sluice_tx_kick().
 */
static int ring_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	return min(sluice_tx_kick(file->private_data), 0);
}

/* The region at this offset and of this length; @writable is set. */
static bool region_find(const struct sluice_ring_map *m, u64 offset, u64 len, bool *writable)
{
	const struct {
		const struct sluice_ring_region *r;
		bool writable;
	} regions[] = {
		{&m->kernel, false},   {&m->requests, false}, {&m->user, true},
		{&m->responses, true}, {&m->slots, true},
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regions); i++) {
		if (regions[i].r->offset == offset && regions[i].r->len == len) {
			*writable = regions[i].writable;
			return true;
		}
	}
	return false;
}

/*
 * The mapping is made shmem's own: it holds a memory file instead of the ring's, so that closing
 * the ring is not put off by a mapping, and the module can go while one is left.
 */
static int ring_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sluice_ring *ring = file->private_data;
	struct file *mem;
	bool writable;
	int err;

	/* once set up, memory and map are there until the file is released */
	if (!sluice_flag_test(&ring->ready) || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (!region_find(&ring->map, (u64)vma->vm_pgoff << PAGE_SHIFT, vma->vm_end - vma->vm_start,
			 &writable))
		return -EINVAL;
	if ((vma->vm_flags & VM_EXEC) || (!writable && (vma->vm_flags & VM_WRITE)))
		return -EPERM;
	mem = writable ? ring->mem.writable : ring->mem.readable;
	err = sluice_mmap_file(mem, vma);
	if (err)
		return err;
	vma_set_file(vma, mem);
	sluice_vm_flags(vma, VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP,
			(writable ? 0 : VM_MAYWRITE) | VM_MAYEXEC);
	return 0;
}

static __poll_t ring_poll(struct file *file, poll_table *wait)
{
	struct sluice_ring *ring = file->private_data;
	__poll_t mask = 0;
	u32 state, prio;

	if (!sluice_flag_test(&ring->ready))
		return EPOLLERR;
	poll_wait(file, &ring->wq, wait);
	sluice_rq_wake_spent(&ring->woken);
	for (prio = 0; prio < SLUICE_RING_PRIOS; prio++)
		if (READ_ONCE(*ring->k_req_tail[prio]) != READ_ONCE(*ring->u_req_head[prio]))
			mask |= EPOLLIN | EPOLLRDNORM;
	state = READ_ONCE(ring->state);
	if (state & SLUICE_STATE_BROKEN)
		mask |= EPOLLERR;
	if (state & SLUICE_STATE_GONE)
		mask |= EPOLLHUP;
	if (state & SLUICE_STATE_DRAINING)
		mask |= EPOLLRDHUP;
	return mask;
}

static void broken_work(struct work_struct *work)
{
	struct sluice_ring *ring = container_of(work, struct sluice_ring, broken_work);

	mutex_lock(&sluice_mutex);
	sluice_ring_detach(ring);
	mutex_unlock(&sluice_mutex);
}

static int ring_open(struct inode *inode, struct file *file)
{
	struct sluice_ring *ring = kzalloc(sizeof(*ring), GFP_KERNEL_ACCOUNT);

	if (!ring)
		return -ENOMEM;
	spin_lock_init(&ring->lock);
	spin_lock_init(&ring->state_lock);
	mutex_init(&ring->tx_lock);
	init_waitqueue_head(&ring->wq);
	sluice_nap_init(&ring->nap);
	INIT_WORK(&ring->broken_work, broken_work);
	INIT_LIST_HEAD(&ring->member);
	INIT_LIST_HEAD(&ring->all);
	ring->closed = true;
	file->private_data = ring;
	return 0;
}

/* Last close: detach does the work; then nothing but this function can reach the ring. */
static int ring_release(struct inode *inode, struct file *file)
{
	struct sluice_ring *ring = file->private_data;

	mutex_lock(&sluice_mutex);
	sluice_ring_detach(ring);
	mutex_unlock(&sluice_mutex);
	/* publishers wake the thread: only now is there none any more */
	sluice_tx_stop(ring);
	/* queued by a transmit context, of which there is none any more */
	cancel_work_sync(&ring->broken_work);
	/* started by a sleeping consumer, of which there is none without an open file */
	sluice_nap_fini(&ring->nap);
	if (ring->ready)
		setup_undo(ring);
	put_pid(ring->pid);
	kfree(ring);
	return 0;
}

static const struct file_operations ring_fops = {
	.owner = THIS_MODULE,
	.open = ring_open,
	.release = ring_release,
	.unlocked_ioctl = ring_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.fsync = ring_fsync,
	.mmap = ring_mmap,
	.poll = ring_poll,
	.llseek = noop_llseek,
};

/*
 * Anyone may open the node: an open file can do nothing until it joins a group, and that is the
 * group owner's right.
 */
static struct miscdevice ring_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sluice",
	.fops = &ring_fops,
	.mode = 0666,
};

int sluice_ring_file_init(void)
{
	return misc_register(&ring_dev);
}

void sluice_ring_file_fini(void)
{
	misc_deregister(&ring_dev);
}
