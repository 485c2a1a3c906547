# SPDX-License-Identifier: GPL-2.0-only
"""A memcached client over UDP for tests: one request datagram, all datagrams of the response put together."""
import socket
import struct

WAIT = 20.0     # for a response that must come


class Kv:
    def __init__(self, host, port):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.connect((host, port))
        self.id = 0
        self.datagrams = 0

    def send(self, commands, sequence=0, count=1):
        self.id = (self.id + 1) & 0xffff
        self.sock.send(struct.pack("!HHHH", self.id, sequence, count, 0) + commands)
        return self.id

    def receive(self, ident, wait=WAIT):
        """The response to one request, or None. Datagrams may come in any order."""
        parts = {}
        self.sock.settimeout(wait)
        while True:
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                return None
            got, sequence, count, zero = struct.unpack("!HHHH", data[:8])
            if got != ident:
                continue
            if zero or sequence >= count or len(data) > 1400:
                raise ValueError("a malformed frame header")
            parts[sequence] = data[8:]
            if len(parts) == count:
                self.datagrams = count
                return b"".join(parts[i] for i in range(count))

    def ask(self, commands, wait=WAIT):
        return self.receive(self.send(commands), wait)

    def tell(self, commands):
        """For noreply: the next question's answer says that nothing came in between."""
        self.send(commands)


class Memcached(Kv):
    """
    memcached 1.6 numbers the datagrams of each item of a get apart and sends an empty one of 0 for a missing item, against
    its own protocol.txt. So: whatever comes for the request until another one is answered, in the order in which it comes.
    """

    def receive(self, ident, wait=WAIT):
        end = self.send(b"mn\r\n")
        data = b""
        self.datagrams = 0
        self.sock.settimeout(wait)
        while True:
            try:
                datagram = self.sock.recv(65536)
            except TimeoutError:
                return None
            got = struct.unpack("!H", datagram[:2])[0]
            if got == end:
                return data
            if got == ident:
                data += datagram[8:]
                self.datagrams += 1
