# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced in the guest after bench-net.sh: servers over TCP, each with cost-tcp as its client.

modprobe sch_plug
modprobe -q kcm || true
# who goes ahead may do so for as long as it likes; a message of 64 kB and its reply fit into what is in flight;
# what is sent is not kept back because a plug holds what was sent before, nor is a plug's delay taken for congestion
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
for ns in "" "ip netns exec bench"; do
	$ns sysctl -qw net.ipv4.tcp_rmem="4096 4194304 6291456" net.ipv4.tcp_wmem="4096 4194304 4194304" \
		net.ipv4.tcp_slow_start_after_idle=0 net.ipv4.tcp_autocorking=0 \
		net.ipv4.tcp_congestion_control=reno net.ipv4.tcp_pacing_ss_ratio=1000 net.ipv4.tcp_pacing_ca_ratio=1000
done

# free: the port is
free() { while ss -Htln 'sport = :7000' | grep -q .; do sleep 0.1; done; }
listening() { until ss -Htln 'sport = :7000' | grep -q .; do sleep 0.1; done; }

with_sluice() { # FRAMING COMMAND...
	local status=0
	free
	sluice group add echo steer hash backlog 0
	sluice listener add bench tcp 10.9.0.1:7000 framing "$1" default group echo
	"${@:2}" || status=$?
	sluice check -q || status=1
	sluice listener del bench
	sluice group del echo
	return $status
}

# outside PROTOCOL NAME ARGUMENTS COMMAND...: a server in a process of its own; what it says goes to /tmp/server.log
outside() {
	local status=0 pid
	rm -f /tmp/server.log
	"${@:4}" >/tmp/server.log 2>&1 &
	pid=$!
	case $2 in
	sluiced*) until grep -qs serving /tmp/server.log; do sleep 0.1; done ;;
	*) listening ;;
	esac
	# shellcheck disable=SC2086
	cost-tcp "$2" "$1" $3 $pid || status=$?
	kill $pid
	wait $pid || true
	return $status
}

sluiced_conf() { # HANDLER
	printf 'group echo handler %s workers 1 tx kick spin 0us {\n\tmemory 32M\n}\n' "$1" >/tmp/sluiced.conf
}

# tcp_cost SERVER "ROUNDS SIZE CONNECTIONS PIPELINED": one measurement
tcp_cost() {
	free
	case $1 in
	sluice)
		# shellcheck disable=SC2086
		with_sluice length cost-tcp sluice sluice $2
		;;
	memcached) outside memcached memcached "$2" memcached -u root -t 1 -l 10.9.0.1 -p 7000 -U 0 ;;
	sluiced)
		sluiced_conf kv
		with_sluice memcached outside memcached sluiced "$2" sluiced -c /tmp/sluiced.conf
		;;
	redis)
		outside redis redis "$2" redis-server --port 7000 --bind 10.9.0.1 --protected-mode no --save '' \
			--appendonly no --io-threads 1
		;;
	sluiced-redis)
		sluiced_conf redis
		with_sluice resp outside redis sluiced-redis "$2" sluiced -c /tmp/sluiced.conf
		;;
	*)
		# shellcheck disable=SC2086
		cost-tcp "$1" "$1" $2
		;;
	esac
}
