/* SPDX-License-Identifier: GPL-2.0-only */
/* BPF programs from object files. */
#ifndef SLUICE_CLI_BPF_H
#define SLUICE_CLI_BPF_H

#include "cli.h"

struct bpf_object;

int bpf_load(struct cli *c, const char *path, struct bpf_object **obj);

#endif /* SLUICE_CLI_BPF_H */
