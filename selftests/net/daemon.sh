# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the tests of sluiced: starting it, and waiting for what its log says.

# daemon: start sluiced with /tmp/sluiced.conf and $daemon_options in srv, behind the words in $run_as; its pid to
# $daemon, its log to /tmp/sluiced.log
run_as=
daemon_options=
daemon() {
	: >/tmp/sluiced.log
	# shellcheck disable=SC2086
	ip netns exec srv $run_as sluiced $daemon_options -c /tmp/sluiced.conf 2>>/tmp/sluiced.log &
	daemon=$!
	consumers="$consumers $daemon"
	until_true 30 sh -c "grep -q 'info: serving' /tmp/sluiced.log || ! kill -0 $daemon"
	grep -q 'info: serving' /tmp/sluiced.log || sed 's/^/# /' /tmp/sluiced.log
}

# ended SIGNAL: send it and wait; the status is the daemon's
ended() {
	kill "-$1" "$daemon"
	wait "$daemon"
}

# says TEXT [SECONDS]: wait until the log does
says() {
	until_true "${2:-30}" grep -q -- "$1" /tmp/sluiced.log || {
		cat /tmp/sluiced.log
		return 1
	}
}

# reload: SIGHUP, and wait until it has been acted upon
reload() {
	local before
	before=$(grep -cE 'configuration (has changed|stays as it was)' /tmp/sluiced.log)
	kill -HUP "$daemon"
	until_true 60 sh -c "[ \$(grep -cE 'configuration (has changed|stays as it was)' /tmp/sluiced.log) -gt $before ]"
}
