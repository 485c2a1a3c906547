# SPDX-License-Identifier: GPL-2.0-only
# The rig of the network tests.
CFLAGS += -I../net
