#!/usr/bin/env python3
"""Many subscribers on one stream: each gets every frame, and one that never reads does not slow the others.

Small by default; RXD_E2E_FULL=1: 1,000 SSE and 1,000 WebSocket subscribers, 10 frames/s for 60 s.
"""

import asyncio
import contextlib
import json
import multiprocessing
import re
import resource
import socket
import time
import unittest
import urllib.parse

import harness

EACH, FRAMES, PER_SECOND = (1000, 600, 10) if harness.FULL else (25, 30, 10)
PROBES = 10
CONFIG = {"sources": {"in": {"http": {}}}, "pipelines": {"out": {"from": "in"}}}


class Client(asyncio.Protocol):
    """One subscriber, as cheap as can be: thousands of them share a core with what they measure."""

    request = b""

    def __init__(self, crowd):
        self.crowd, self.data, self.seen, self.open = crowd, b"", [], False
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data):
        self.data += data
        if not self.open:
            head, end, rest = self.data.partition(b"\r\n\r\n")
            if not end:
                return
            self.open, self.data, self.crowd.ready = True, rest, self.crowd.ready + 1
            if not head.startswith(self.status):
                self.connection_lost(AssertionError(head))
        self.frames()

    def frame(self, text):
        row = json.loads(text)
        self.seen.append(row["i"])
        self.crowd.latencies.append(time.monotonic() - row["sent"])
        if len(self.seen) == FRAMES:
            self.transport.close()

    def connection_lost(self, error):
        if not self.done.done():
            self.done.set_result(error)


class SseClient(Client):
    request = b"GET /streams/out HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    status = b"HTTP/1.1 200"

    def frames(self):
        *lines, self.data = self.data.split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self.frame(line[5:])


class WebSocketClient(Client):
    request = (
        b"GET /streams/out HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    status = b"HTTP/1.1 101"

    def frames(self):
        """Text frames of less than 64 KiB, unmasked and whole: what this stream consists of."""
        at, data = 0, self.data
        while at + 4 <= len(data):
            size, head = data[at + 1], 2
            if size == 126:
                size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            if at + head + size > len(data):
                break
            if data[at] == 0x81:
                self.frame(data[at + head : at + head + size])
            at += head + size
        self.data = data[at:]


class Crowd:
    """`each` subscribers of each kind, and how late each frame came to each of them."""

    def __init__(self, port, each):
        self.port, self.each, self.ready, self.latencies, self.clients = port, each, 0, [], []

    async def gather(self):
        loop = asyncio.get_running_loop()
        for kind in [SseClient, WebSocketClient] * self.each:
            _, client = await loop.create_connection(lambda: kind(self), "127.0.0.1", self.port)
            self.clients.append(client)
        end = time.monotonic() + harness.DEADLINE
        while self.ready < len(self.clients):
            if time.monotonic() > end:
                raise AssertionError(f"only {self.ready} subscribed")
            await asyncio.sleep(0.01)

    async def settle(self):
        await asyncio.wait([client.done for client in self.clients], timeout=FRAMES / PER_SECOND + harness.DEADLINE)
        for client in self.clients:
            client.transport.abort()

    def incomplete(self):
        return sum(client.seen != list(range(FRAMES)) for client in self.clients)

    def p99(self):
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)]


async def feed(post):
    """One frame each tenth of a second by the clock; posts from a thread, as they block."""
    loop, begin = asyncio.get_running_loop(), time.monotonic()
    for i in range(FRAMES):
        await loop.run_in_executor(None, post, json.dumps({"i": i, "sent": time.monotonic(), "pad": "x" * 80}))
        await asyncio.sleep(max(0, begin + (i + 1) / PER_SECOND - time.monotonic()))


def be_the_crowd(port, pipe):
    """In a process of its own: the many, who need every frame but must not disturb the clock of the few."""
    crowd = Crowd(port, EACH)

    async def work():
        await crowd.gather()
        pipe.send("ready")
        await crowd.settle()

    asyncio.run(work())
    pipe.send(crowd.incomplete())


class ManySubscribers(harness.EndToEnd):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8192), hard), hard))

    def crowd(self, daemon):
        """The p99 of what PROBES of each kind saw while a crowd listened beside them."""
        ours, theirs = multiprocessing.Pipe()
        many = multiprocessing.Process(target=be_the_crowd, args=(daemon.port, theirs), daemon=True)
        many.start()
        self.addCleanup(many.kill)
        probes = Crowd(daemon.port, PROBES)

        def post(text):
            self.assertEqual(daemon.post("/sources/in", text).status, 202)

        async def work():
            await probes.gather()
            await asyncio.get_running_loop().run_in_executor(None, self.hear, ours)
            await feed(post)
            await probes.settle()

        asyncio.run(work())
        self.assertEqual((self.hear(ours), probes.incomplete()), (0, 0), "subscribers that missed a frame")
        return probes.p99()

    def hear(self, pipe):
        self.assertTrue(pipe.poll(FRAMES / PER_SECOND + 2 * harness.DEADLINE), "the crowd says nothing")
        return pipe.recv()

    def test_each_gets_every_frame_and_a_deaf_one_slows_nobody(self):
        daemon = self.daemon(CONFIG)
        alone = self.crowd(daemon)
        deaf = socket.create_connection(("127.0.0.1", daemon.port))
        self.addCleanup(deaf.close)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /streams/out HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        beside = self.crowd(daemon)
        print(f"{2 * EACH} subscribers: p99 {alone * 1000:.1f} ms; with one that never reads {beside * 1000:.1f} ms")
        if harness.FULL:
            self.assertLess(beside, alone * 1.1 + 0.001)

class Limits(harness.EndToEnd):
    """What a subscriber may cost, and what it is told when it is over, or when frames are missing."""

    def told(self, daemon, kind, subject, part):
        """It stands in /readyz, and is in the log once."""
        def stands():
            all = json.loads(daemon.get("/readyz").text)["conditions"]
            return any((c["kind"], c["subject"], c.get("part")) == (kind, subject, part) for c in all)
        harness.wait_for(f"{kind} of {subject}, {part}", stands)
        lines = [line for line in daemon.log_text().splitlines() if f"condition={kind}" in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertEqual(daemon.get("/readyz").status, 200)

    @unittest.skipIf(harness.SANITIZER == "thread", "the budget counts steps, and TSan runs fewer of them in a second than it gives")
    def test_a_filter_cannot_take_the_front(self):
        """Nested loops over long lists, for thousands of frames a second, from nobody in particular."""
        daemon = self.daemon({
            "sources": {"a": {"simulate": {"rate": 2000, "devices": 10}}},
            "pipelines": {"p": {"from": "a"}},
        })
        long = "[" + ",".join(map(str, range(1, 33))) + "]"
        twice = f"{long}.exists(a, {long}.exists(b, a * b == temperature - 1000.0))"
        thrice = f"{long}.exists(a, {long}.exists(b, {long}.exists(c, a * b * c == -1)))"
        answer = daemon.get("/streams/p?" + urllib.parse.urlencode({"filter": thrice}), Accept="text/event-stream")
        self.assertEqual((answer.status, json.loads(answer.text)["parameter"]), (400, "filter"))
        plain = self.subscribe(daemon, "ndjson", "p")
        heavy = [self.subscribe(daemon, "ndjson", "p", query="?" + urllib.parse.urlencode({"filter": f"{twice} || {i} < 0"}))
                 for i in range(5)]
        slowest, end = 0, time.monotonic() + harness.DEADLINE
        while not all(each.ended for each in heavy):
            begin = time.monotonic()
            self.assertEqual(daemon.get("/healthz").status, 200)
            self.assertLess(begin, end, "a heavy filter is not ended")
            slowest = max(slowest, time.monotonic() - begin)
            self.assertLess(slowest, harness.DEADLINE / 10)
        print(f"/healthz under five heavy filters: {slowest * 1000:.0f} ms at worst")
        for each in heavy:
            self.assertIn("the filter takes more time", each.events[-1]["error"])
        self.assertFalse(plain.ended)
        self.told(daemon, "subscribers_ended", "p", "filter")
        self.assertEqual(daemon.metrics().sum("rxd_stream_dropped_subscribers_total", stream="p", reason="filter"), 5)

    def test_a_burst_reaches_who_is_there_or_is_told(self):
        """Many results at one instant: every one, or a gap that says how many are missing."""
        many = 200_000 if harness.FULL else 50_000
        daemon = self.daemon({
            "http": {"max_body": "64MiB"},
            "sources": {"a": {"http": {}}},
            "pipelines": {"p": {"from": "a", "pipe": [
                {"group_by": {"by": "k", "max_keys": 1000000}}, {"debounce": "1s"}]}},
        })
        subscribers = [self.subscribe(daemon, kind, "p") for kind in ("sse", "ndjson", "websocket")]
        body = "\n".join(f'{{"k":{i}}}' for i in range(many))
        self.assertEqual(daemon.post("/sources/a", body, "application/x-ndjson").status, 202)

        def missing(events):
            return sum(e.get("gap", e.get("missed", 0)) for e in events)

        def whole(events):
            return sum("k" in e for e in events) + missing(events) == many
        for each in subscribers:
            each.wait("every frame, or how many are missing", whole)
        metrics = daemon.metrics()
        lost = metrics.sum("rxd_stream_lost_total", stream="p")
        self.assertEqual(metrics.sum("rxd_sink_dropped_total", pipeline="p", sink="stream"), lost)
        self.assertEqual(metrics.sum("rxd_stream_skipped_total", stream="p"),
                         sum(missing(each.events) for each in subscribers))

    def test_who_reads_slowly_is_told_and_so_is_the_log(self):
        daemon = self.daemon({
            "sources": {"a": {"http": {}}},
            "pipelines": {"p": {"from": "a", "to": [{"stream": {"history": 10}}]}},
        })
        slow = socket.create_connection(("127.0.0.1", daemon.port))
        self.addCleanup(slow.close)
        slow.settimeout(harness.DEADLINE)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.sendall(b"GET /streams/p HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        slow.recv(10)
        for i in range(40):
            body = "\n".join(json.dumps({"n": 1000 * i + n, "pad": "x" * 1000}) for n in range(1000))
            self.assertEqual(daemon.post("/sources/a", body, "application/x-ndjson").status, 202)
        data, gap = b"", re.compile(rb'event: gap\ndata: {"missed": (\d+)}')
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        while not gap.search(data):
            more = slow.recv(1 << 20)
            self.assertTrue(more, "the connection was closed")
            data = data[-100:] + more
        self.assertGreater(int(gap.search(data)[1]), 1000)
        self.told(daemon, "stream_gaps", "p", "slow")


if __name__ == "__main__":
    harness.main()
