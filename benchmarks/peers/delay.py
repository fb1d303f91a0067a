"""A TCP proxy that puts a server far away: a delay in each direction, and a bandwidth cap.

    python -m benchmarks.peers.delay 5001 127.0.0.1:5000 --delay-ms 25 --rate-mib 20

It can also note the requests that pass, for servers that keep no access log. Throughput is not
limited by the delay, as it is not on a well-tuned link, unless each connection gets a cap of its
own. Opening a connection costs a round trip.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import re
import threading

REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|PATCH|DELETE) (/v2\S*) HTTP/1\.1\r\n")
# Bytes on the wire of one direction before its sender is paused.
WINDOW = 64 << 20


class End(asyncio.Protocol):
    """One side of a proxied connection; what it receives is written to its peer when due."""

    def __init__(self, proxy, direction):
        self.proxy, self.direction = proxy, direction
        self.peer = self.transport = self.timer = None
        self.wire, self.size, self.not_before, self.blocked = collections.deque(), 0, 0.0, False
        self.free = {"up": 0.0, "down": 0.0} if proxy.each else proxy.free

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(high=4 << 20)

    def data_received(self, data):
        self.size += len(data)
        self.proxy.bytes[self.direction] += len(data)
        if self.proxy.requests is not None and self.direction == "up":
            self.proxy.requests += [(m[1].decode(), m[2].decode()) for m in REQUEST.finditer(data)]
        self.send(data)
        if self.size > WINDOW:
            self.transport.pause_reading()

    def eof_received(self):
        self.send(None)
        return True

    def connection_lost(self, exc):
        self.send(None)

    def send(self, data):
        loop = self.proxy.loop
        leaves = loop.time()
        if self.proxy.rate and data:
            free = self.free
            leaves = max(leaves, free[self.direction]) + len(data) / self.proxy.rate
            free[self.direction] = leaves
        self.wire.append((max(leaves + self.proxy.delay, self.not_before), data))
        if not self.timer:
            self.timer = loop.call_at(self.wire[0][0], self.arrive)

    def arrive(self):
        self.timer = None
        out = self.peer and self.peer.transport
        if not out or self.peer.blocked:
            return  # goes on at connection_made or resume_writing of the peer
        if out.is_closing():  # the reader left before the end
            self.wire.clear()
            self.transport.close()
            return
        now = self.proxy.loop.time() + 0.0005
        while self.wire and self.wire[0][0] <= now and not self.peer.blocked:
            data = self.wire.popleft()[1]
            if data is None:
                # Registries and their clients do not use half-closed connections.
                out.close()
                self.transport.close()
                self.wire.clear()
                return
            self.size -= len(data)
            out.write(data)
        if self.size <= WINDOW // 2 and not self.transport.is_closing():
            self.transport.resume_reading()
        if self.wire and not self.peer.blocked:
            self.timer = self.proxy.loop.call_at(self.wire[0][0], self.arrive)

    def pause_writing(self):
        self.blocked = True

    def resume_writing(self):
        self.blocked = False
        if not self.peer.timer:
            self.peer.arrive()


class DelayProxy:
    """Runs in a thread of its own.

    ``delay`` (seconds one way) and ``rate`` (bytes a second each way, 0 for no cap) may change.
    With ``each`` every connection has that cap for itself, as windows make it over a long link.
    """

    def __init__(self, target, delay=0.0, rate=0, port=0, note=False, each=False):
        # Found by their shape, which small bodies do not have by chance.
        self.requests = [] if note else None
        self.upstream, self.delay, self.rate, self.each = target, delay, rate, each
        self.bytes, self.free = {"up": 0, "down": 0}, {"up": 0.0, "down": 0.0}
        self.loop, ready = asyncio.new_event_loop(), threading.Event()

        async def listen():
            self.server = await self.loop.create_server(
                self.accepted, "127.0.0.1", port, backlog=1024
            )
            self.port = self.server.sockets[0].getsockname()[1]
            ready.set()

        def serve():
            self.loop.run_until_complete(listen())
            self.loop.run_forever()

        self.thread = threading.Thread(target=serve, daemon=True)
        self.thread.start()
        ready.wait(10)
        self.host = f"127.0.0.1:{self.port}"

    def accepted(self):
        near = End(self, "up")
        near.not_before = self.loop.time() + 3 * self.delay  # SYN, its answer, then the first bytes
        self.loop.create_task(self.connect(near))
        return near

    async def connect(self, near):
        far = End(self, "down")
        far.peer = near
        host, port = self.upstream.rsplit(":", 1)
        try:
            await self.loop.create_connection(lambda: far, host, int(port))
        except OSError:
            near.transport.abort()
            return
        near.peer = far
        if near.wire and not near.timer:
            near.timer = self.loop.call_at(near.wire[0][0], near.arrive)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.server.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("port", type=int)
    arguments.add_argument("target", help="HOST:PORT")
    arguments.add_argument("--delay-ms", type=float, default=25, help="one way")
    arguments.add_argument("--rate-mib", type=float, default=0, help="MiB a second each way")
    a = arguments.parse_args()
    DelayProxy(a.target, a.delay_ms / 1000, int(a.rate_mib * 2**20), a.port).thread.join()
