#!/usr/bin/env python3
"""Many subscribers on one stream: each gets every frame, and one that never reads does not slow the others.

Small by default; RXD_E2E_FULL=1: 1,000 SSE and 1,000 WebSocket subscribers, 10 frames/s for 60 s.
"""

import asyncio
import contextlib
import json
import resource
import socket
import time

import websockets

import harness

EACH, FRAMES, PER_SECOND = (1000, 600, 10) if harness.FULL else (25, 30, 10)
CONFIG = {"sources": {"in": {"http": {}}}, "pipelines": {"out": {"from": "in"}}}


class Crowd:
    """EACH subscribers of each kind, and when each of them got each frame."""

    def __init__(self, port):
        self.port, self.ready, self.latencies = port, 0, []
        self.got = []

    def frame(self, seen, text):
        row = json.loads(text)
        seen.append(row["i"])
        self.latencies.append(time.monotonic() - row["sent"])
        return len(seen) == FRAMES

    async def sse(self):
        seen = []
        self.got.append(seen)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /streams/out HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        self.ready += 1
        while line := await reader.readline():
            if line.startswith(b"data:") and self.frame(seen, line[5:]):
                break
        writer.close()

    async def websocket(self):
        seen = []
        self.got.append(seen)
        url = f"ws://127.0.0.1:{self.port}/streams/out"
        async with websockets.connect(url, compression=None, ping_interval=None, open_timeout=60) as connection:
            self.ready += 1
            async for text in connection:
                if self.frame(seen, text):
                    break

    async def feed(self, post):
        """One frame each tenth of a second by the clock; posts from a thread, as they block."""
        loop, begin = asyncio.get_running_loop(), time.monotonic()
        for i in range(FRAMES):
            await loop.run_in_executor(None, post, json.dumps({"i": i, "sent": time.monotonic(), "pad": "x" * 80}))
            await asyncio.sleep(max(0, begin + (i + 1) / PER_SECOND - time.monotonic()))

    async def run(self, post):
        tasks = []
        for i in range(EACH):
            tasks += [asyncio.create_task(self.sse()), asyncio.create_task(self.websocket())]
            if i % 50 == 49:
                await self.until(lambda: self.ready == len(tasks))
        await self.until(lambda: self.ready == len(tasks))
        await self.feed(post)
        done, late = await asyncio.wait(tasks, timeout=harness.DEADLINE)
        for task in late:
            task.cancel()
        for task in done:
            task.result()

    async def until(self, probe):
        end = time.monotonic() + harness.DEADLINE
        while not probe():
            if time.monotonic() > end:
                raise AssertionError(f"only {self.ready} subscribed")
            await asyncio.sleep(0.01)

    def p99(self):
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)]


class ManySubscribers(harness.EndToEnd):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8192), hard), hard))

    def crowd(self, daemon):
        crowd = Crowd(daemon.port)

        def post(text):
            self.assertEqual(daemon.post("/sources/in", text).status, 202)

        asyncio.run(crowd.run(post))
        wrong = [seen for seen in crowd.got if seen != list(range(FRAMES))]
        self.assertEqual(len(wrong), 0, f"of {2 * EACH} subscribers; one got {wrong[:1]}")
        return crowd.p99()

    def test_each_gets_every_frame_and_a_deaf_one_slows_nobody(self):
        daemon = self.daemon(CONFIG)
        alone = self.crowd(daemon)
        deaf = socket.create_connection(("127.0.0.1", daemon.port))
        self.addCleanup(deaf.close)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /streams/out HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
        beside = self.crowd(daemon)
        print(f"{2 * EACH} subscribers: p99 {alone * 1000:.1f} ms; with one that never reads {beside * 1000:.1f} ms")
        if harness.FULL:
            self.assertLess(beside, alone * 1.1 + 0.001)


if __name__ == "__main__":
    harness.main()
