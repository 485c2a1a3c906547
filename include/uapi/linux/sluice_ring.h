/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * The mapped ABI: what one open file of /dev/sluice shares with its consumer, and the ioctls that
 * set it up.
 */
#ifndef _UAPI_LINUX_SLUICE_RING_H
#define _UAPI_LINUX_SLUICE_RING_H

#include <linux/types.h>
#include <linux/ioctl.h>

/*
 * Life of a ring
 *
 *	fd = open("/dev/sluice", O_RDWR | O_CLOEXEC)
 *	ioctl(fd, SLUICE_IOC_SETUP, &setup)	configure; memory is allocated and charged; join a
 *						group, idle
 *	mmap() of every region of setup.map	at the offsets the kernel gave; MAP_SHARED
 *	ioctl(fd, SLUICE_IOC_ATTACH)		arm: requests arrive from now on
 *	... peek, serve, respond ...
 *	ioctl(fd, SLUICE_IOC_DRAIN)		no new requests; what is published may still be
 *						answered
 *	close(fd)				leave; what is unanswered follows the group's crash
 *						policy
 *
 * Who writes what: the kernel writes the kernel page, the request queues, and header and payload of
 * a slot until it publishes the slot. The consumer writes the user page, the response queue, and
 * the slots that it owns. The kernel keeps its own copy of everything it must trust; a consumer
 * that writes garbage harms its own ring only.
 *
 * Indices are free-running u32; the entry of index i is entry[i & mask].
 */

#define SLUICE_RING_ABI		1
#define SLUICE_NAME_LEN		32	/* group and listener names, with the terminating zero */
#define SLUICE_RING_PRIOS	4	/* request queues, 0 is served first */
#define SLUICE_RING_CLASSES	4	/* size classes of slots */
/* smallest payload of a slot, bytes; sizes are multiples of this */
#define SLUICE_SLOT_MIN		64
#define SLUICE_SLOT_MAX		65536	/* largest payload of a slot, bytes */
#define SLUICE_RING_SLOTS_MAX	65536	/* request slots of a ring, all size classes together */

/* How responses leave, sluice_ring_setup.flags: exactly one of these */
#define SLUICE_RING_TX_KICK	(1U << 0)	/* only when the consumer calls SLUICE_IOC_KICK */
#define SLUICE_RING_TX_THREAD	(1U << 1)	/* a kernel thread polls; it never needs a kick */
/* the thread polls while there is traffic, then asks for a kick */
#define SLUICE_RING_TX_ADAPTIVE	(1U << 2)
#define SLUICE_RING_TX_MASK	(SLUICE_RING_TX_KICK | SLUICE_RING_TX_THREAD | \
				 SLUICE_RING_TX_ADAPTIVE)
#define SLUICE_RING_FLAGS_ALL	SLUICE_RING_TX_MASK

/* Bits of the u32 at sluice_ring_map.state in the kernel page (kernel writes) */
#define SLUICE_STATE_ATTACHED	(1U << 0)	/* requests may arrive */
#define SLUICE_STATE_DRAINING	(1U << 1)	/* no new requests; answers are still taken */
/* nobody polls the response queue: kick after storing its tail */
#define SLUICE_STATE_NEED_KICK	(1U << 2)
/* impossible response-queue tail: the ring was detached */
#define SLUICE_STATE_BROKEN	(1U << 3)
/* detached for good: ring removed, group or namespace gone */
#define SLUICE_STATE_GONE	(1U << 4)
/* nothing was taken or answered for the group's stall time: passed over until that changes */
#define SLUICE_STATE_STALLED	(1U << 5)

/**
 * struct sluice_ring_class - a size class of slots
 * @slot_size: payload bytes of each slot: a multiple of 64, 64 to 65536
 * @slots: number of slots; 0 ends the list
 */
struct sluice_ring_class {
	__u32 slot_size;
	__u32 slots;
};

/**
 * struct sluice_ring_region - one mapping
 * @offset: what to pass to mmap(2)
 * @len: bytes to map, a multiple of the page size; 0 if the region does not exist
 */
struct sluice_ring_region {
	__u64 offset;
	__u64 len;
};

/**
 * struct sluice_ring_map - where things are; all of it is written by the kernel
 * @kernel: the kernel page; read only for the consumer
 * @user: the user page
 * @requests: request queues, read only; SLUICE_RING_PRIOS arrays of @req_entries u32 slot indices,
 *	one after another
 * @responses: response queue; @resp_entries of struct sluice_response
 * @slots: all slots; header, then payload
 * @req_tail: byte offsets in the kernel page of the u32 tails of the request queues
 * @resp_head: byte offset in the kernel page of the u32 head of the response queue
 * @state: byte offset in the kernel page of the u32 of SLUICE_STATE_* bits
 * @req_head: byte offsets in the user page of the u32 heads of the request queues
 * @resp_tail: byte offset in the user page of the u32 tail of the response queue
 * @need_wakeup: byte offset in the user page of the u32 sleep ticket
 * @heartbeat: byte offset in the user page of a u32 that the consumer may count up
 * @req_entries: entries of each request queue, a power of two, not fewer than slots
 * @resp_entries: entries of the response queue, a power of two
 * @slot_offset: byte offset in @slots of the first slot of each size class; reply slots are entry
 *	SLUICE_RING_CLASSES
 * @slot_stride: bytes from one slot of the class to the next: 64 of header, then the payload
 * @slot_first: index of the first slot of the class; indices run through all classes, reply slots
 *	last
 * @slot_count: number of slots of the class
 */
struct sluice_ring_map {
	struct sluice_ring_region kernel;
	struct sluice_ring_region user;
	struct sluice_ring_region requests;
	struct sluice_ring_region responses;
	struct sluice_ring_region slots;
	__u32 req_tail[SLUICE_RING_PRIOS];
	__u32 resp_head;
	__u32 state;
	__u32 req_head[SLUICE_RING_PRIOS];
	__u32 resp_tail;
	__u32 need_wakeup;
	__u32 heartbeat;
	__u32 req_entries;
	__u32 resp_entries;
	__u32 pad;
	__u64 slot_offset[SLUICE_RING_CLASSES + 1];
	__u32 slot_stride[SLUICE_RING_CLASSES + 1];
	__u32 slot_first[SLUICE_RING_CLASSES + 1];
	__u32 slot_count[SLUICE_RING_CLASSES + 1];
	__u32 pad2;
};

/**
 * struct sluice_ring_setup - argument of SLUICE_IOC_SETUP
 * @abi: in: SLUICE_RING_ABI
 * @flags: in: SLUICE_RING_TX_*
 * @group: in: name of the group in the caller's network namespace
 * @classes: in: size classes in ascending slot_size
 * @reply_slots: in: extra slots that always belong to the consumer, for responses that do not fit
 *	in place
 * @reply_size: in: payload bytes of each, as slot_size
 * @tx_cpu: in: CPU to bind the ring's kernel thread to, or -1
 * @tx_idle_us: in: adaptive: microseconds without a response until the thread sleeps; 0: the
 *	default, 50
 * @ring: out: number of the ring in its namespace, as netlink and the CLI show it
 * @pad: must be 0
 * @map: out: where things are
 *
 * Errors: EINVAL a field is out of range; EEXIST already set up; ENOENT no such group; EPERM the
 * caller is neither the group's owner nor has CAP_NET_ADMIN; ENOBUFS the memory would exceed
 * RLIMIT_MEMLOCK; ENOMEM; ENOSPC the group has its limit of rings.
 */
struct sluice_ring_setup {
	__u32 abi;
	__u32 flags;
	char group[SLUICE_NAME_LEN];
	struct sluice_ring_class classes[SLUICE_RING_CLASSES];
	__u32 reply_slots;
	__u32 reply_size;
	__s32 tx_cpu;
	__u32 tx_idle_us;
	__u32 ring;
	__u32 pad;
	struct sluice_ring_map map;
};

/* Flags of a request, sluice_slot.flags (kernel writes) */
/* was taken by a consumer that went away: may have been served once */
#define SLUICE_REQ_REISSUED	(1U << 0)
/* was published before, to a consumer that went away without taking it */
#define SLUICE_REQ_REQUEUED	(1U << 1)
/* nobody waits for the answer, which is not sent; may appear at any time after publishing */
#define SLUICE_REQ_CANCELLED	(1U << 2)

/**
 * struct sluice_slot - header in front of each slot's payload
 * @len: payload bytes
 * @orig_len: bytes of the message as it arrived
 * @rule: id of the rule that took it, 0: the listener's default
 * @class_id: index of its class in the group
 * @prio: request queue it came by
 * @flags: SLUICE_REQ_*
 * @gen: generation of the slot; repeat it in the response
 * @gap_reason: enum sluice_outcome of the latest loss counted in @gap
 * @gap: requests meant for this ring, or its group, that were refused or lost since the request
 *	before this one
 * @hash: hash of the steering key, else of the flow
 * @listener: number of the listener
 * @conn: connection id; 0 for a datagram
 * @arrival_ns: CLOCK_MONOTONIC ns at which the kernel took the message
 * @deadline_ns: CLOCK_MONOTONIC ns after which nobody waits for the answer; 0: none
 * @pickup: consumer writes: ns from arrival to its taking the request, saturating; 0: not stamped
 * @service: consumer writes: ns from taking to answering; SLUICE_SERVICE_TAKEN
 *
 * All but the last two are written by the kernel before the slot is published; SLUICE_REQ_CANCELLED
 * may be set in @flags until the slot's request is answered. 64 bytes.
 */
struct sluice_slot {
	__u32 len;
	__u32 orig_len;
	__u32 rule;
	__u16 class_id;
	__u8 prio;
	__u8 flags;
	__u16 gen;
	__u16 gap_reason;
	__u32 gap;
	__u32 hash;
	__u32 listener;
	__u64 conn;
	__u64 arrival_ns;
	__u64 deadline_ns;
	__u32 pickup;
	__u32 service;
};

/* sluice_slot.service: until the kernel takes the answer */
#define SLUICE_SERVICE_TAKEN 0xffffffffU

/* sluice_response.flags (consumer writes); others must be 0 */
/* further entries for the same request follow; it stays unanswered */
#define SLUICE_RESP_MORE	(1U << 0)
#define SLUICE_RESP_NO_REPLY	(1U << 1)	/* done: nothing is sent */
/* send the listener's reject reply, if it has one */
#define SLUICE_RESP_REJECT	(1U << 2)
/* the deadline had passed when the consumer took it */
#define SLUICE_RESP_EXPIRED	(1U << 3)
#define SLUICE_RESP_ALL		(SLUICE_RESP_MORE | SLUICE_RESP_NO_REPLY | SLUICE_RESP_REJECT | \
				 SLUICE_RESP_EXPIRED)

/**
 * struct sluice_response - entry of the response queue; the consumer writes it
 * @slot: index of the request's slot
 * @data: index of the slot whose payload is the reply: @slot itself, a reply slot, or another slot
 *	it owns
 * @len: bytes of the reply, 0 to the payload size of @data
 * @flags: SLUICE_RESP_*
 * @gen: the request's generation, as its header says
 *
 * On a datagram listener each entry without NO_REPLY, REJECT or EXPIRED is sent as one datagram; on
 * a TCP listener its bytes follow those of the entry before it, and what belongs to one request
 * stays together.
 */
struct sluice_response {
	__u32 slot;
	__u32 data;
	__u32 len;
	__u16 flags;
	__u16 gen;
};

#define SLUICE_IOC_MAGIC	0xb5
#define SLUICE_IOC_SETUP	_IOWR(SLUICE_IOC_MAGIC, 0, struct sluice_ring_setup)
/* start receiving; EBUSY already attached, ENODEV the group is gone */
#define SLUICE_IOC_ATTACH	_IO(SLUICE_IOC_MAGIC, 1)
/* stop receiving; answers are still taken */
#define SLUICE_IOC_DRAIN	_IO(SLUICE_IOC_MAGIC, 2)
/* process the response queue now; returns the number of entries processed */
#define SLUICE_IOC_KICK		_IO(SLUICE_IOC_MAGIC, 3)
/*
 * process the response queue if the state asks for a kick, then sleep until there is a request, the
 * ring ends or begins to drain; the argument is microseconds at most (32 bits), 0: without a limit.
 * Returns SLUICE_WAIT_*; EINTR a signal; errors as SLUICE_IOC_KICK. Say in need_wakeup that the
 * consumer sleeps, and look at all tails, before
 */
#define SLUICE_IOC_WAIT		_IO(SLUICE_IOC_MAGIC, 4)
/* end the SLUICE_IOC_WAIT of this ring that goes on, else the next one */
#define SLUICE_IOC_INTERRUPT	_IO(SLUICE_IOC_MAGIC, 5)

#define SLUICE_WAIT_INTERRUPTED	0
#define SLUICE_WAIT_READY	1
#define SLUICE_WAIT_TIME	2	/* the time is up; may be early, once */

#endif /* _UAPI_LINUX_SLUICE_RING_H */
