# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest, on the instruction clock: cost of a memcached GET over UDP, nine of ten of them hits.
#
# $SERVERS, $SHAPES ("IN_FLIGHT ..."), $ROUNDS (with 64 in flight), $REPEATS
set -e
. /bench-net.sh
echo -1 >/proc/sys/kernel/sched_rt_runtime_us

drop_requests() {
	nft -f - <<-NFT
		table netdev requests { chain in { type filter hook ingress device v0 priority 0; udp dport 7000 drop; }; }
	NFT
}
drop_replies() {
	ip netns exec bench nft -f - <<-NFT
		table netdev replies { chain in { type filter hook ingress device v1 priority 0; udp sport 7000 drop; }; }
	NFT
}

# requests that were not served: the kernel's counter of its receive buffers, or Sluice's of all that it refused or let go
lost() {
	case $1 in
	memcached) awk '$1 == "Udp:" && $2 ~ /^[0-9]/ { print $6 }' /proc/net/snmp ;;
	*) sluice stats listener | awk '/^    / && $1 ~ /^(rejected|dropped|expired|cancelled)/ { n += $2 } END { print n + 0 }' ;;
	esac
}

# as many requests whatever is in flight: what the kernel does now and then falls on all alike
rounds() { echo $((ROUNDS * 64 / $1)); }

# ask NAME PID: the replies are right; then, with the client's device dropping them, what they cost
ask() {
	local before
	cost-kv check "$1" || return
	before=$(lost "$1")
	case $1 in
	*-xdp) ip netns exec bench cost drop v1 ;;
	*) drop_replies ;;
	esac
	for flight in $SHAPES; do
		cost-kv "$1" "$(rounds "$flight")" "$flight" "$2" || return
	done
	case $1 in
	*-xdp) ip -n bench link set v1 xdp off ;;
	*) ip netns exec bench nft delete table netdev replies ;;
	esac
	[ "$(lost "$1")" = "$before" ] || {
		echo "requests were refused or lost: $(lost "$1"), $before before" >>/tmp/server.log
		return 1
	}
}

serve() {
	local status=0 server
	rm -f /tmp/server.log
	case $1 in
	memcached)
		memcached -u root -t 1 -l 10.9.0.1 -p 0 -U 7000 -R 1000 >/tmp/server.log 2>&1 &
		server=$!
		until ss -Hlun 'sport = :7000' | grep -q .; do sleep 0.1; done
		ask "$1" $server || status=1
		kill $server
		wait $server || true
		;;
	*)
		# the client's device takes frames from a driver
		ip netns exec bench ethtool -K v1 gro on
		# a window that holds all that is in flight: nothing may be refused, nor wait elsewhere
		sluice group add echo steer hash backlog 0 window 256
		case $1 in
		*-xdp) sluice listener add bench xdp dev v0 udp 10.9.0.1:7000 default group echo ;;
		*) sluice listener add bench udp 10.9.0.1:7000 default group echo ;;
		esac
		printf 'group echo handler kv workers 1 tx kick spin 0us {\n\tmemory 32M\n}\n' >/tmp/sluiced.conf
		sluiced -c /tmp/sluiced.conf >/tmp/server.log 2>&1 &
		server=$!
		until grep -qs serving /tmp/server.log; do sleep 0.1; done
		ask "$1" $server || status=1
		kill $server
		wait $server || true
		sluice check -q || status=1
		sluice listener del bench
		sluice group del echo
		ip netns exec bench ethtool -K v1 gro off
		;;
	esac
	return $status
}

echo "kernel $(uname -r)"
drop_requests
for flight in $SHAPES; do
	cost-kv send "$(rounds "$flight")" "$flight"
done
nft delete table netdev requests
# the same where the driver has to make XDP frames of them, of which a program drops each
cost drop v0
for flight in $SHAPES; do
	cost-kv send-xdp "$(rounds "$flight")" "$flight"
done
ip link set v0 xdp off
for _ in $(seq "$REPEATS"); do
	for server in $SERVERS; do
		serve "$server" || {
			tail -n 3 /tmp/server.log >&2
			echo "unusable $server"
		}
	done
done
