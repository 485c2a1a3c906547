# SPDX-License-Identifier: GPL-2.0-only
# Owns the native tests of user space: the handlers' store, protocol, shards and datagrams, the daemon's configuration,
# how sluice-load cuts replies out of a stream. test_kv_threads runs the shards in threads of their own, under the thread sanitizer.

USER := $(TOP)/user
USER_FLAGS := -I$(TOP)/include -I$(TOP)/include/uapi -I$(TOP)/kmod -I$(USER) -DSLUICE_VERSION='"0.0.0"'
USER_HEADERS := $(HEADERS) $(wildcard $(USER)/handlers/*.h $(USER)/daemon/*.h $(USER)/lib/*.h $(USER)/load/*.h $(TOP)/include/sluice/*.h)

KV_OBJS := $(patsubst %,handlers/%.o,kv_cluster kv_session kv_proto kv_meta kv_resp kv_execute kv_stats kv_store kv_chunk) core/match.o
HANDLER_OBJS := $(KV_OBJS) $(patsubst %,handlers/%.o,kv option echo)
RING_OBJS := $(patsubst %,lib/%.o,ring peek respond wait map io error) core/slots.o ring_host.o

test_kv_store-objs := $(KV_OBJS)
test_kv_proto-objs := $(KV_OBJS)
test_kv_resp-objs := $(KV_OBJS)
test_kv_meta-objs := $(KV_OBJS)
test_kv_shards-objs := $(KV_OBJS)
test_kv_handler-objs := $(HANDLER_OBJS) $(RING_OBJS)
test_conf-objs := $(patsubst %,daemon/%.o,conf conf_group log) handlers/option.o
test_lib-objs := $(RING_OBJS)
test_load_cut-objs := $(patsubst %,load/%.o,proto_raw proto_memcached proto_resp keyed preload_udp preload_tcp datagram stream \
	flight worker schedule) core/hist.o
test_load_cut-ldlibs := -lm
USER_TESTS := test_lib test_kv_store test_kv_proto test_kv_meta test_kv_resp test_kv_shards test_kv_handler test_conf test_load_cut

PROGRAMS += $(USER_TESTS:%=$(OUT)/%) $(OUT)/test_kv_threads

$(OUT)/user/%.o: $(USER)/%.c $(USER_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(ASAN) $(USER_FLAGS) -c -o $@ $<

$(OUT)/user/%.o: %.c $(USER_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(ASAN) $(USER_FLAGS) -c -o $@ $<

$(OUT)/user/core/%.o: $(CORE)/%.c $(USER_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(ASAN) $(USER_FLAGS) -c -o $@ $<

define USER_TEST
$(OUT)/$(1): $(patsubst %,$(OUT)/user/%,$(1).o ktap.o $($(1)-objs))
	$$(Q)$$(CC) $$(CFLAGS) $$(ASAN) -o $$@ $$^ $$($(1)-ldlibs)
endef
$(foreach t,$(USER_TESTS),$(eval $(call USER_TEST,$(t))))

$(OUT)/test_kv_threads: test_kv_threads.c ktap.c $(patsubst %.o,$(USER)/%.c,$(filter handlers/%,$(KV_OBJS))) $(CORE)/match.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -O2 -fsanitize=thread $(USER_FLAGS) -o $@ $^
