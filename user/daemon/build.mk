# SPDX-License-Identifier: GPL-2.0-only
# sluiced, the daemon. Plug-ins find the library that it was linked with.

DAEMON_PARTS := main daemon reload group instance worker serve nap conf conf_group log notify pidfile

PROGS += sluiced
COMPLETED += sluiced
sluiced-objs := $(patsubst %,daemon/%.o,$(DAEMON_PARTS)) $(HANDLER_OBJS)
sluiced-cflags := -DPLUGIN_DIR='"$(LIBDIR)/sluice"'
# the store's small functions are called across its files with every request
ifeq ($(SAN),)
sluiced-cflags += -flto -fno-strict-aliasing
sluiced-ldflags := -flto=auto -fno-strict-aliasing $(CFLAGS)
endif
sluiced-ldlibs := $(LIBSLUICE_SO) -lsystemd -ldl

FILES += daemon/install/sluiced.service.in:$(PREFIX)/lib/systemd/system/sluiced.service \
	daemon/install/sysusers.conf:$(PREFIX)/lib/sysusers.d/sluice.conf \
	daemon/install/sluiced.conf:$(PREFIX)/share/doc/sluice/sluiced.conf.example
MANS += docs/man/sluiced.8 docs/man/sluiced.conf.5
