/* SPDX-License-Identifier: GPL-2.0-only */
/* BPF programs from object files. */
#ifndef SLUICE_CLI_BPF_H
#define SLUICE_CLI_BPF_H

#include "cli.h"

struct bpf_object;

bool bpf_is_file(const char *name);
int bpf_load_named(struct cli *c, const char *name, struct bpf_object **obj);
int bpf_load(struct cli *c, const char *path, struct bpf_object **obj);

#endif /* SLUICE_CLI_BPF_H */
