# SPDX-License-Identifier: GPL-2.0-only
# The sluice command.

CLI_PARTS := args value schema object genl codec query json owner listener group rule rules ring stats check \
	config apply explain monitor top doctor complete

PROGS += sluice
COMPLETED += sluice
MANS += $(patsubst %,docs/man/sluice-%.8,apply explain group listener ring rule stats) docs/man/sluice.8 docs/man/sluice-outcomes.7
sluice-objs := cli/main.o $(patsubst %,cli/%.o,$(CLI_PARTS)) core/hist.o core/match.o
sluice-ldlibs := -lmnl -ljson-c
