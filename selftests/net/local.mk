# SPDX-License-Identifier: GPL-2.0-only
# Programs that the tests call.
HELPERS := udp_probe ring_client tcp_client tcp_adopt tcp_late udp_adopt hostile xdp_frames streams own_xdp.bpf.o \
	classify.bpf.o frame.bpf.o length.bpf.o odd.bpf.o late_attach.so

BPF_CC := clang -O2 -g -target bpf -mcpu=v3 -Wall -Werror -I$(TOP)/include/uapi -I/usr/include/$(shell gcc -print-multiarch)

$(OUTPUT)/%.bpf.o: $(TOP)/user/examples/%.bpf.c $(TOP)/include/uapi/linux/sluice_bpf.h
	$(BPF_CC) -c -o $@ $<

$(OUTPUT)/%.bpf.o: bpf/%.bpf.c $(TOP)/include/uapi/linux/sluice_bpf.h
	$(BPF_CC) -c -o $@ $<

$(OUTPUT)/%.so: preload/%.c
	$(CC) $(CFLAGS) -shared -fPIC -o $@ $<
