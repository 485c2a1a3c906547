# SPDX-License-Identifier: GPL-2.0-only
# The table of commands and attributes is made from the specification. lib.mk would compile it if it were more than an order.
CFLAGS += -I$(OUTPUT)
SPEC := $(TOP)/docs/netlink/sluice.yaml

$(OUTPUT)/kfuzz: | $(OUTPUT)/schema.h

$(OUTPUT)/schema.h: make-schema $(SPEC)
	@/usr/bin/python3 make-schema $(SPEC) >$@.new && mv $@.new $@
	@rm -f $(OUTPUT)/kfuzz
