# SPDX-License-Identifier: GPL-2.0-only
# The sluice command.

CLI_PARTS := args value schema object genl codec query json owner listener listener_tcp group rule rules ring conn cancel \
	stats check config apply explain monitor top doctor complete bpf xdp

PROGS += sluice
COMPLETED += sluice
MANS += $(patsubst %,docs/man/sluice-%.8,apply cancel conn explain group listener ring rule stats) docs/man/sluice.8 docs/man/sluice-outcomes.7
sluice-objs := cli/main.o $(patsubst %,cli/%.o,$(CLI_PARTS)) core/hist.o core/match.o
sluice-cflags := -DPROGRAM_DIR='"$(LIBDIR)/sluice/bpf"'
sluice-ldlibs := -lxdp -lbpf -lmnl -ljson-c

# BPF programs are embedded as skeletons.
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Werror -I../include/uapi -I/usr/include/$(shell gcc -print-multiarch)
BPFTOOL ?= /usr/sbin/bpftool

$(OUT)/obj/bpf/%.bpf.o: bpf/%.bpf.c bpf/bounded.h ../include/uapi/linux/sluice_bpf.h
	@mkdir -p $(@D)
	clang $(BPF_CFLAGS) -c -o $@ $<

.SECONDARY: $(patsubst %,$(OUT)/obj/bpf/%.bpf.o,sluice_xdp memcached resp)
$(OUT)/obj/bpf/%.skel.h: $(OUT)/obj/bpf/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $*_bpf >$@.new
	mv $@.new $@

# Programs that are loaded by their name.
PROGRAMS += $(patsubst %,$(OUT)/lib/sluice/bpf/%.bpf.o,memcached resp)
$(OUT)/lib/sluice/bpf/%.bpf.o: $(OUT)/obj/bpf/%.bpf.o
	@mkdir -p $(@D)
	cp $< $@

$(OUT)/obj/cli/xdp.o: $(OUT)/obj/bpf/sluice_xdp.skel.h
$(OUT)/obj/cli/xdp.o: private override CPPFLAGS += -I$(OUT)/obj
