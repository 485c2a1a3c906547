# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Owns what every host-side script here shares: where things lie, messages, locks.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VM=$TOP/selftests/vm
BUILD=$TOP/build
CACHE=${SLUICE_CACHE:-$HOME/.cache/sluice}
JOBS=${JOBS:-$(nproc)}
# One kernel build must not take the whole machine from whoever else works on it.
[ "$JOBS" -le 4 ] || JOBS=4
export TOP VM BUILD CACHE JOBS

KERNELS="6.1 6.1-cloud 6.12 6.12-cloud 6.12-rt next debug kcsan gcov"

say() {
	printf '%s\n' "# $*" >&2
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Run the rest of the calling script alone among those that name the same lock.
hold_lock() {
	mkdir -p "$CACHE/locks"
	exec 9>"$CACHE/locks/$1"
	flock 9
}

check_kernel_name() {
	local name
	for name in $KERNELS; do
		[ "$name" != "$1" ] || return 0
	done
	die "no kernel named '$1'; K is one of: $KERNELS"
}

# Set $logs to the directory for the logs of a run on a kernel, held until the caller ends: the
# usual one, or one of its own if another run is going on.
claim_logs() {
	mkdir -p "$BUILD/vm/$1"
	exec 6>"$BUILD/vm/$1/.run"
	logs=$BUILD/vm/$1
	flock -n 6 || {
		logs=$BUILD/vm/$1/run-$$
		mkdir -p "$logs"
		say "another run is going on; this one's logs are in ${logs#"$TOP/"}"
	}
	export logs
}
