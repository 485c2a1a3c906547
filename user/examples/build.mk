# SPDX-License-Identifier: MIT
# Examples: whole consumers that fit on a page.

PROGS += sluice-echo
sluice-echo-objs := examples/echo.o
sluice-echo-ldlibs := $(LIBSLUICE_SO)

PLUGINS += letters
letters-objs := examples/letters.o
letters-ldlibs := $(LIBSLUICE_SO)
