# SPDX-License-Identifier: GPL-2.0-only
# sluice-load, the open-loop load generator.

ifneq ($(wildcard load/main.c),)
PROGS += sluice-load
COMPLETED += sluice-load
MANS += docs/man/sluice-load.1
sluice-load-objs := load/main.o load/options.o load/worker.o load/schedule.o load/proto_raw.o load/proto_memcached.o \
	load/report.o core/hist.o
sluice-load-ldlibs := -lm
endif
