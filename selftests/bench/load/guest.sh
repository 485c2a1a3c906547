# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest, on its ordinary clock: an open-loop client against each server, rate by rate; then the kernel's packet
# generator as fast as it can. Prints a line of JSON for each run.
#
# $SERVERS, $RATES (a second, or flood), $REPEATS, $SECONDS_EACH, $GROUP (options of Sluice's)
set -e
# shellcheck source=selftests/bench/bench-net.sh
. /bench-net.sh

# ticks in which the processors were not idle, of all of them
busy() { awk '$1 == "cpu" { print $2 + $3 + $4 + $7 + $8 }' /proc/stat; }
udp_errors() { awk '$1 == "Udp:" && $2 ~ /^[0-9]/ { print $6 }' /proc/net/snmp; }

# The echo servers recvmmsg and sluice over UDP, epoll-tcp and sluice-tcp; memcached and sluiced over -tcp or -udp: one thread, one worker.
begin() {
	local name=${1%-*} transport=udp options
	case $1 in
	sluice-tcp) transport=tcp options="framing length" ;;
	*-tcp) transport=tcp options="framing memcached" ;;
	esac
	# shellcheck disable=SC2086
	[[ $1 != sluice* ]] || {
		sluice group add echo steer hash $GROUP
		sluice listener add bench $transport 10.9.0.1:7000 $options default group echo
	}
	rm -f /tmp/server
	case $name in
	memcached)
		[ $transport = tcp ] && options="-p 7000 -U 0" || options="-p 0 -U 7000"
		# shellcheck disable=SC2086
		taskset 2 memcached -u root -t 1 -l 10.9.0.1 $options -R 1000 >/tmp/server 2>&1 &
		;;
	sluiced)
		printf 'group echo handler kv workers 1 {\n\tmemory 32M\n}\n' >/tmp/sluiced.conf
		taskset 2 sluiced -c /tmp/sluiced.conf >/tmp/server 2>&1 &
		;;
	*) taskset 2 cost-serve "$name" >/tmp/server 2>&1 & ;;
	esac
	server=$!
	until grep -qs 'ready\|serving' /tmp/server || { [ "$name" = memcached ] && ss -Hltun 'sport = :7000' | grep -q .; }; do
		kill -0 $server
		sleep 0.1
	done
}

client() { # SERVER
	case $1 in
	epoll-tcp | sluice-tcp) echo --protocol raw --transport tcp ;;
	*-tcp) echo --protocol memcached --keys 1000 --transport tcp ;;
	*-udp) echo --protocol memcached --keys 1000 --transport udp ;;
	esac
}

# what the server's side let go, by its own counters, as members of an object
reasons() {
	if [[ $1 = sluice* ]]; then
		sluice stats listener | awk '/^    / { printf ",\"%s\":%d", $1, $2 }'
	else
		echo ",\"receive_buffer\":$(($(udp_errors) - errors))"
	fi
}

end() {
	kill -KILL $server
	wait $server 2>/dev/null || true
	[[ $1 != sluice* ]] || {
		sluice check -q
		sluice listener del bench
		sluice group del echo
	}
}

pktgen() { # FILE LINE
	ip netns exec bench tee "/proc/net/pktgen/$1" <<<"$2" >/dev/null
}
replies() { ip netns exec bench cat /sys/class/net/v1/statistics/rx_packets; }

# 64 bytes each, of 64 flows in turn; nobody waits for the replies
flood() { # SERVER
	local before ticks errors sent
	modprobe pktgen
	ip netns exec bench nft -f - <<-NFT
		table netdev replies { chain in { type filter hook ingress device v1 priority 0; udp sport 7000 drop; }; }
	NFT
	begin "$1"
	pktgen kpktgend_0 rem_device_all
	pktgen kpktgend_0 "add_device v1"
	for line in "count 0" "pkt_size 106" "dst 10.9.0.1" "src_min 10.9.0.2" "dst_mac $(cat /sys/class/net/v0/address)" \
		"udp_dst_min 7000" "udp_dst_max 7000" "udp_src_min 20000" "udp_src_max 20063"; do
		pktgen v1 "$line"
	done
	errors=$(udp_errors) before=$(replies) ticks=$(busy)
	pktgen pgctrl start &
	sleep "$SECONDS_EACH"
	pktgen pgctrl stop
	wait $!
	sleep 0.5
	ticks=$(($(busy) - ticks))
	sent=$(ip netns exec bench sed -n 's/.*pkts-sofar: \([0-9]*\).*/\1/p' /proc/net/pktgen/v1)
	echo "{\"server\":\"$1\",\"flood\":true,\"busy_s\":$ticks.0e-2,\"seconds\":$SECONDS_EACH,\"offered\":$sent,$(
		)\"answered\":$(($(replies) - before)),\"let_go\":{\"by\":\"its counters\"$(reasons "$1")}}"
	end "$1"
	ip netns exec bench nft delete table netdev replies
}

echo "kernel $(uname -r)"
for _ in $(seq "$REPEATS"); do
	for rate in $RATES; do
		for server_name in $SERVERS; do
			[ "$rate" != flood ] || {
				# what it sends is a request of the echo servers over UDP alone
				[[ $server_name = *-* ]] || flood "$server_name"
				continue
			}
			begin "$server_name"
			errors=$(udp_errors)
			ticks=$(busy)
			# shellcheck disable=SC2046
			run=$(ip netns exec bench sluice-load $(client "$server_name") --target 10.9.0.1:7000 --rate "$rate" --duration "${SECONDS_EACH}s" \
				--warmup 0s --timeout 500ms --max-loss 1 --allow-late --cpu 0 --json 2>/dev/null) || true
			ticks=$(($(busy) - ticks))
			echo "{\"server\":\"$server_name\",\"rate\":$rate,\"busy_s\":$ticks.0e-2,\"let_go\":{\"by\":\"its counters\"$(reasons \
				"$server_name")},\"run\":$run}"
			end "$server_name"
		done
	done
done
