# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest for `make xdp-million`: the test of kv over XDP, with as many requests as $SLUICE_REQUESTS says.
modprobe sluice
cd /selftests/net || exit
time ./xdp_kv.sh
