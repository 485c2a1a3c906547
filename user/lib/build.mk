# SPDX-License-Identifier: MIT
# libsluice: shared and static from the same objects.

SLUICE_SONAME := libsluice.so.0
libsluice-objs := lib/ring.o lib/peek.o lib/respond.o lib/wait.o lib/map.o lib/io.o lib/error.o
LIBS += $(LIBSLUICE_A) $(LIBSLUICE_SO) $(OUT)/lib/$(SLUICE_SONAME) $(OUT)/lib/libsluice.so.$(VERSION)

$(addprefix $(OUT)/obj/,$(libsluice-objs)): private CFLAGS += -fPIC -fvisibility=hidden -fno-semantic-interposition
DEPS += $(patsubst %.o,$(OUT)/obj/%.d,$(libsluice-objs))

$(LIBSLUICE_A): $(addprefix $(OUT)/obj/,$(libsluice-objs))
	@mkdir -p $(@D)
	rm -f $@
	$(AR) rcs $@ $^

$(OUT)/lib/libsluice.so.$(VERSION): $(addprefix $(OUT)/obj/,$(libsluice-objs)) lib/libsluice.map
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-soname,$(SLUICE_SONAME) -Wl,-Bsymbolic-functions -Wl,--version-script=lib/libsluice.map $(if $(SAN),,-Wl$(comma)-z$(comma)defs) $(LDFLAGS) \
		-o $@ $(addprefix $(OUT)/obj/,$(libsluice-objs))

$(OUT)/lib/$(SLUICE_SONAME): $(OUT)/lib/libsluice.so.$(VERSION)
	ln -sf libsluice.so.$(VERSION) $@

$(LIBSLUICE_SO): $(OUT)/lib/$(SLUICE_SONAME)
	ln -sf $(SLUICE_SONAME) $@

MANS += docs/man/libsluice.3 docs/man/sluice.4
