// SPDX-License-Identifier: MIT
/* What each error of the library means, and what to do about it. */
#include <errno.h>

#include "lib/ring.h"

static const struct {
	int err;
	const char *text;
} texts[] = {
	{ 0, "success" },
	{ EACCES, "no permission to open the device: give the user access to /dev/sluice" },
	{ EAGAIN, "the response queue or the reply slots are used up for now: call sluice_ring_flush() and try again" },
	{ EBUSY, "the ring is attached already" },
	{ EEXIST, "this file of the device has a ring already: open the device once more" },
	{ EINTR, "a signal came" },
	{ EINVAL, "a value is out of range: slot sizes are multiples of 64 up to 65536, ascending, at most 65536 slots; "
		  "the group's name has 1 to 31 characters; a request is answered once" },
	{ EMSGSIZE, "the reply is longer than its slot: use larger slots, or reply slots" },
	{ ENOBUFS, "the ring's memory exceeds the locked-memory limit: raise it (ulimit -l, LimitMEMLOCK=) "
		   "or ask for fewer slots" },
	{ ENODEV, "no such device, or the group is gone: load the module (modprobe sluice), see /dev/sluice" },
	{ ENOENT, "no such group in this network namespace: create it (sluice group add); "
		  "or the ring was opened without reply slots" },
	{ ENOMEM, "out of memory: ask for fewer or smaller slots" },
	{ ENOSPC, "the group has its limit of rings: raise it (sluice group set) or close another consumer" },
	{ ENOTTY, "this device is not Sluice's: check the path" },
	{ ENXIO, "the device is there but the module is not: load it (modprobe sluice)" },
	{ EPERM, "only the group's owner, or CAP_NET_ADMIN, may serve this group: set the owner (sluice group set)" },
	{ EPROTO, "the ring is broken: its memory holds what cannot be; close it and open another" },
	{ ESHUTDOWN, "the ring is drained, or was detached: close it" },
};

EXPORT const char *sluice_strerror(int err)
{
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].err == -err)
			return texts[i].text;
	}
	return "unexpected error of a system call: see the errno value";
}
