# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced in the guest: rule sets of any size.

# a rule set of N rules of four shapes, of which only the last takes the message
ruleset() {
	awk -v n="$1" 'BEGIN {
		print "group echo steer hash backlog 0"
		print "listener bench udp 0.0.0.0:7000 default reject"
		for (i = 1; i < n; i++) {
			lo = i % 256; hi = int(i / 256)
			if (i % 4 == 0) printf "rule bench %d src 172.16.%d.%d/32 drop\n", i, hi, lo
			if (i % 4 == 1) printf "rule bench %d bytes 4/4 = %d drop\n", i, i
			if (i % 4 == 2) printf "rule bench %d token 0 0 = word%d drop\n", i, i
			if (i % 4 == 3) printf "rule bench %d text 8 text%05d drop\n", i, i
		}
		printf "rule bench %d order 1 group echo\n", n
	}'
}
