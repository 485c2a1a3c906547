/* SPDX-License-Identifier: GPL-2.0-only */
/* Users and groups of users by name or number. */
#ifndef SLUICE_CLI_OWNER_H
#define SLUICE_CLI_OWNER_H

#include <stdint.h>

int owner_uid(const char *text, uint32_t *uid);
int owner_gid(const char *text, uint32_t *gid);

#endif /* SLUICE_CLI_OWNER_H */
