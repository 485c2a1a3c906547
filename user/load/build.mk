# SPDX-License-Identifier: GPL-2.0-only
# sluice-load, the open-loop load generator.

ifneq ($(wildcard load/main.c),)
PROGS += sluice-load
COMPLETED += sluice-load
MANS += docs/man/sluice-load.1
sluice-load-objs := $(patsubst %,load/%.o,main options worker flight schedule datagram stream proto_raw proto_memcached \
	proto_resp keyed preload_udp preload_tcp report) core/hist.o
sluice-load-ldlibs := -lm
endif
