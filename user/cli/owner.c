// SPDX-License-Identifier: GPL-2.0-only
/* Users and groups of users by name or number; apart from the rest since libc's struct group is another one. */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>

#include "owner.h"

static bool number(const char *text, uint32_t *id)
{
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end || v >= UINT32_MAX)
		return false;
	*id = v;
	return true;
}

int owner_uid(const char *text, uint32_t *uid)
{
	const struct passwd *pw;

	if (number(text, uid))
		return 0;
	pw = getpwnam(text);
	if (!pw)
		return -ENOENT;
	*uid = pw->pw_uid;
	return 0;
}

int owner_gid(const char *text, uint32_t *gid)
{
	const struct group *gr;

	if (number(text, gid))
		return 0;
	gr = getgrnam(text);
	if (!gr)
		return -ENOENT;
	*gid = gr->gr_gid;
	return 0;
}
