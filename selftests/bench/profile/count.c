// SPDX-License-Identifier: GPL-2.0-only
/* Owns a plugin of the emulator that counts executed instructions by guest address, between two marks of the guest. */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The part of QEMU's plugin interface (version 4) that is used; Debian packages no header for it. A mark is the
 * instruction "nopl 0x5a17RRRR(%rax)": region RRRR begins, or with 0 none is counted.
 */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
typedef void (*tb_trans_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_cb)(unsigned int cpu, void *data);
typedef void (*exit_cb)(qemu_plugin_id_t id, void *data);

__attribute__((visibility("default"))) int qemu_plugin_version = 4;
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_cb cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_cb cb, int flags, void *data);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_cb cb, int flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_cb cb, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *dest, size_t len);

#define REGIONS 8
#define MARK 0x5a17

/* A stretch of code, counted whole: an exception in it is rare. */
struct block {
	struct block *next;
	uint64_t addr;
	uint32_t insns;
	uint64_t runs[REGIONS];
};

static struct block *blocks;
static unsigned int region;
static const char *path;

static void ran(unsigned int cpu, void *data)
{
	struct block *b = data;

	(void)cpu;
	if (region)
		b->runs[region]++;
}

static void marked(unsigned int cpu, void *data)
{
	(void)cpu;
	region = (uintptr_t)data % REGIONS;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct block *b = calloc(1, sizeof(*b));
	uint8_t code[8];
	size_t i;

	(void)id;
	if (!b)
		return;
	b->addr = qemu_plugin_tb_vaddr(tb);
	b->insns = qemu_plugin_tb_n_insns(tb);
	b->next = blocks;
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, ran, 0, b);
	for (i = 0; i < b->insns; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (qemu_plugin_insn_data(insn, code, sizeof(code)) < 7 || code[0] != 0x0f || code[1] != 0x1f ||
		    code[2] != 0x80 || code[5] != (MARK & 0xff) || code[6] != MARK >> 8)
			continue;
		qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, 0, (void *)(uintptr_t)(code[3] | code[4] << 8));
	}
}

static void finish(qemu_plugin_id_t id, void *data)
{
	FILE *out = fopen(path, "w");
	const struct block *b;
	unsigned int r;

	(void)id;
	(void)data;
	for (b = blocks; out && b; b = b->next)
		for (r = 1; r < REGIONS; r++)
			if (b->runs[r])
				fprintf(out, "%u %" PRIx64 " %" PRIu64 "\n", r, b->addr, b->runs[r] * b->insns);
	if (!out || fclose(out))
		perror(path);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info,
							       int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return -1;
	path = strdup(argv[0] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
