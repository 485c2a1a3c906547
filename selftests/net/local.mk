# SPDX-License-Identifier: GPL-2.0-only
# Programs that the tests call.
HELPERS := udp_probe ring_client tcp_client udp_adopt hostile
