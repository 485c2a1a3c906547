# SPDX-License-Identifier: GPL-2.0-only
# Programs that the tests call.
HELPERS := udp_probe ring_client tcp_client tcp_adopt tcp_late udp_adopt hostile xdp_frames own_xdp.bpf.o classify.bpf.o

$(OUTPUT)/%.bpf.o: $(TOP)/user/examples/%.bpf.c $(TOP)/include/uapi/linux/sluice_bpf.h
	clang -O2 -g -target bpf -mcpu=v3 -Wall -Werror -I$(TOP)/include/uapi -I/usr/include/$(shell gcc -print-multiarch) -c -o $@ $<
