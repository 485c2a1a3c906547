/* SPDX-License-Identifier: GPL-2.0-only */
/* Our XDP program on a device: put there, taken away, looked for. */
#ifndef SLUICE_CLI_XDP_H
#define SLUICE_CLI_XDP_H

#include "cli.h"

enum xdp_mode { XDP_MODE_NONE, XDP_MODE_IS_GENERIC, XDP_MODE_IS_NATIVE, XDP_MODE_IS_HARDWARE };

extern const char *const xdp_mode_names[];

int listener_send(struct cli *c, uint8_t cmd, struct listener *l);
enum xdp_mode xdp_mode_of(unsigned int ifindex);
int xdp_put(struct cli *c, unsigned int ifindex);
int xdp_take(struct cli *c, unsigned int ifindex);

#endif /* SLUICE_CLI_XDP_H */
