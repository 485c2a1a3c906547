# SPDX-License-Identifier: GPL-2.0-only
# Owns how a directory of tests becomes a kselftest collection, by the kernel's own lib.mk.
#
# Included by no test directory: selftests/Makefile runs it inside each one. Every *.c there is a
# test program, every executable *.sh or *.py a test script; the rest of *.sh and *.py is carried
# along. A file local.mk may set HELPERS (names of programs that tests call), CFLAGS and LDLIBS.

TOP := $(realpath $(dir $(lastword $(MAKEFILE_LIST)))/..)
USER_BUILD := $(TOP)/build/user

HELPERS :=
CFLAGS += -std=gnu11 -O2 -g -Wall -Wextra -Wno-unused-parameter -D_GNU_SOURCE -pthread
CFLAGS += -I$(KST) -I$(TOP)/include -I$(TOP)/include/uapi -I$(TOP)
LDFLAGS += -L$(USER_BUILD)/lib
LDLIBS += $(if $(wildcard $(USER_BUILD)/lib/libsluice.so),-lsluice) -lmnl

-include local.mk

SCRIPTS := $(wildcard *.sh *.py)
EXECUTABLE := $(shell find . -maxdepth 1 -type f -perm -u+x -printf '%f ')

TEST_GEN_PROGS := $(filter-out $(HELPERS),$(patsubst %.c,%,$(wildcard *.c)))
TEST_GEN_FILES := $(HELPERS)
TEST_PROGS := $(filter $(EXECUTABLE),$(SCRIPTS))
TEST_FILES := $(filter-out $(EXECUTABLE),$(SCRIPTS)) $(wildcard data)
LOCAL_HDRS := $(wildcard *.h $(TOP)/include/sluice/*.h $(TOP)/include/uapi/linux/*.h)

include $(KST)/lib.mk
