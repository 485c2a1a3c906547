# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest, on the instruction clock: cost of an echoed request through each server, in turn.
#
# $SERVERS, $SHAPES ("SIZE/FLOWS ..."), $ROUNDS, $REPEATS, $GROWTH (0: leave the growths out)
set -e
. /bench-net.sh
. /bench-rules.sh

# what the server's device, or the client's, drops on arrival
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
# and no longer
keep_requests() { nft delete table netdev requests; }
keep_replies() { ip netns exec bench nft delete table netdev replies; }

# run NAME ARG...: cost with whatever its server needs around it
run() {
	local status=0
	# a socket that io_uring had may outlive its process for a moment
	while ss -Hlun 'sport = :7000' | grep -q .; do sleep 0.1; done
	case $1 in
	udp-gro)
		ethtool -K v0 gro on rx-udp-gro-forwarding on
		"${@:2}" || status=$?
		ethtool -K v0 gro off rx-udp-gro-forwarding off
		;;
	af_packet)
		# it sees copies: the stack must not answer that nobody listens
		drop_requests
		"${@:2}" || status=$?
		keep_requests
		;;
	sluice-xdp)
		# the client's device takes frames from a driver, and drops them before it makes anything of them
		ip netns exec bench ethtool -K v1 gro on
		[ "$replies" = kept ] || ip netns exec bench cost drop v1
		sluice group add echo steer hash backlog 0
		sluice listener add bench xdp dev v0 udp 0.0.0.0:7000 default group echo
		"${@:2}" || status=$?
		sluice check -q
		sluice listener del bench
		sluice group del echo
		ip -n bench link set v1 xdp off
		ip netns exec bench ethtool -K v1 gro off
		;;
	sluice*)
		local gro=
		[ "$1" != sluice-gro ] || gro=gro
		sluice group add echo steer hash backlog 0
		sluice listener add bench udp 0.0.0.0:7000 $gro default group echo
		"${@:2}" || status=$?
		sluice check -q || status=1
		sluice listener del bench
		sluice group del echo
		;;
	*) "${@:2}" || status=$? ;;
	esac
	return $status
}

replies=kept
BYTES="16 64 256 512 1024 1472"
bare=$SHAPES
[ "$GROWTH" = 0 ] || for n in $BYTES; do
	case " $bare " in
	*" $n/1 "*) ;;
	*) bare="$bare $n/1" ;;
	esac
done
echo "kernel $(uname -r)"
for server in $SERVERS; do
	run "$server" cost check "$server" 64 1 2>/tmp/why || {
		tail -n 3 /tmp/why
		echo "unusable $server"
	}
done >/tmp/checks
cat /tmp/checks
for server in $SERVERS; do
	grep -q "^unusable $server\$" /tmp/checks || usable="$usable $server"
done

drop_requests
for shape in $bare; do
	cost send "$ROUNDS" "${shape%/*}" "${shape#*/}"
done
keep_requests
# the same where the driver has to make XDP frames of them, of which a program drops each
cost drop v0
for shape in $SHAPES; do
	cost send "$ROUNDS" "${shape%/*}" "${shape#*/}" | sed 's/^cost send /cost send-xdp /'
done
ip link set v0 xdp off
drop_replies
replies=dropped
for _ in $(seq "$REPEATS"); do
	for shape in $SHAPES; do
		for server in $usable; do
			# some cannot take what arrives gathered; ours has to take everything
			run "$server" cost "$server" "$ROUNDS" "${shape%/*}" "${shape#*/}" || {
				[ "$server" != sluice ] && [ "$server" != sluice-gro ]
				echo "unusable $server $shape"
			}
		done
	done
done
[ "$GROWTH" = 0 ] || . /bench-growth.sh
