# SPDX-License-Identifier: MIT
# Examples: whole consumers that fit on a page.

PROGS += sluice-echo
sluice-echo-objs := examples/echo.o
sluice-echo-ldlibs := $(LIBSLUICE_SO)
