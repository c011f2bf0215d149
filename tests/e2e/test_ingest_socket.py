#!/usr/bin/env python3
"""Events by WebSocket, GET /sources/NAME: messages as bodies, errors as text frames and close codes, backpressure, the guard."""

import asyncio
import contextlib
import json
import signal
import socket
import struct
from pathlib import Path

import websockets

import harness

CONFIG = {"sources": {"in": {"http": {}}, "tick": {"timer": "1h"}}, "pipelines": {"out": {"from": "in"}}}


HANDSHAKE = (
    b"GET /sources/in HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class IngestSocket(harness.EndToEnd):
    def begin(self, config=CONFIG):
        self.rxd = self.daemon(config)

    def url(self, name="in"):
        return f"ws://127.0.0.1:{self.rxd.port}/sources/{name}"

    def talk(self, session, **options):
        """Runs session(connection) over a connection."""
        async def run():
            async with websockets.connect(self.url(), max_size=None, ping_interval=None, close_timeout=5, **options) as connection:
                return await asyncio.wait_for(session(connection), harness.DEADLINE)
        return asyncio.run(run())

    def decoded(self):
        return self.rxd.metrics().sum("rxd_source_decoded_total", source="in")

    def test_each_message_is_a_body(self):
        self.begin()
        out = self.subscribe(self.rxd, "ndjson", "out")
        async def session(connection):
            await connection.send('{"n":1}')
            await connection.send(b'{"n":2}')
            await connection.send('{"n":3}\n{"n":4}\n')
            await connection.send('[{"n":5},{"n":6}]')
        self.talk(session)
        out.wait("all", lambda events: [e["n"] for e in events] == [1, 2, 3, 4, 5, 6])

    def test_what_comes_before_the_close_is_taken(self):
        self.begin()
        async def session(connection):
            for n in range(5000):
                await connection.send(f'{{"n":{n}}}')
        self.talk(session)
        harness.wait_for("all", lambda: self.decoded() == 5000)

    def test_an_error_answers_as_a_text_frame_and_the_rest_goes_on(self):
        self.begin()
        async def session(connection):
            await connection.send('{"n":1}\n{"n":oops}')
            told = json.loads(await connection.recv())
            await connection.send("")
            empty = json.loads(await connection.recv())
            await connection.send('{"n":2}')
            return told, empty
        told, empty = self.talk(session)
        self.assertEqual((told["status"], told["accepted"], told["line"], told["column"]), (400, 0, 2, 6))
        self.assertIn("empty", empty["detail"])
        harness.wait_for("the good one", lambda: self.decoded() == 1)

    def test_close_codes_say_what_was_wrong(self):
        self.begin({**CONFIG, "http": {"max_body": "64KiB"}})
        def ends_with(frames):
            with socket.create_connection(("127.0.0.1", self.rxd.port), harness.DEADLINE) as s:
                s.sendall(HANDSHAKE + frames)
                said = b""
                while more := s.recv(4096):
                    said += more
                frame = said.partition(b"\r\n\r\n")[2]
                self.assertEqual(frame[0], 0x88, said)
                return struct.unpack(">H", frame[2:4])[0]
        mask = b"\0\0\0\0"
        self.assertEqual(ends_with(b"\x81\x83" + mask + b"a\xc3("), 1007)
        self.assertEqual(ends_with(b"\x82\xff" + struct.pack(">Q", 1 << 30) + mask + b"x"), 1009)
        self.assertEqual(ends_with(b"\xff\x80" + mask), 1002)
        self.assertEqual(ends_with(b"\x81\x02{}"), 1002)  # not masked
        self.assertEqual(ends_with(b"\x88\x82" + mask + b"\x03\xe8"), 1000)

    def test_the_messages_of_all_are_bounded_together(self):
        self.begin({**CONFIG, "http": {"max_body": "1MiB", "max_bodies": "2MiB"}})
        half = b"\x82\xff" + struct.pack(">Q", 1 << 20) + b"\0\0\0\0" + b"x" * 800_000  # its buffer has 1 MiB then
        open_ones = []
        for _ in range(4):
            s = socket.create_connection(("127.0.0.1", self.rxd.port), harness.DEADLINE)
            self.addCleanup(s.close)
            s.sendall(HANDSHAKE + half)
            open_ones.append(s)
        def close_codes():
            for s in open_ones:
                s.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    said[s] = said.get(s, b"") + s.recv(4096)
            frames = [bytes_.partition(b"\r\n\r\n")[2] for bytes_ in said.values()]
            return [struct.unpack(">H", frame[2:4])[0] for frame in frames if frame[:1] == b"\x88"]
        said = {}
        self.assertEqual(set(harness.wait_for("one is ended", close_codes)), {1013})

    def test_a_source_without_room_is_felt_by_the_client(self):
        lines = Path(self.folder) / "absent" / "lines.ndjson"
        sink = {"file": {"path": str(lines), "max_buffer": "4KiB", "full": "pause"}}
        config = {"sources": {"in": {"http": {}}}, "pipelines": {"out": {"from": "in", "to": [sink]}}}
        self.rxd, count = self.daemon(config, ready=False), 20_000
        async def session(connection):
            sender = asyncio.create_task(send_all(connection))
            await asyncio.to_thread(harness.wait_for, "a full sink", lambda: self.rxd.metrics().sum("rxd_sink_held", pipeline="out") > 10)
            held = self.decoded()
            self.assertLess(held, 200)
            lines.parent.mkdir()
            await sender
        async def send_all(connection):
            for n in range(count):
                await connection.send(f'{{"n":{n},"text":"{"x" * 100}"}}')
        self.talk(session)
        harness.wait_for("every event", lambda: self.decoded() == count)
        harness.wait_for("every line", lambda: len(lines.read_text().splitlines()) == count)
        self.assertEqual([json.loads(line)["n"] for line in lines.read_text().splitlines()], list(range(count)))

    def test_who_may_and_what_there_is(self):
        self.begin()
        def status(name="in", **headers):
            async def run():
                async with websockets.connect(self.url(name), **headers):
                    return 101
            try:
                return asyncio.run(run())
            except websockets.InvalidStatusCode as refused:
                return refused.status_code
        self.assertEqual(status(), 101)
        self.assertEqual(status("none"), 404)
        self.assertEqual(status("tick"), 405)
        self.assertEqual(status(origin="https://page.example"), 403)
        self.assertEqual(status(origin=f"http://127.0.0.1:{self.rxd.port}"), 101)
        self.assertEqual(self.rxd.get("/sources/in").status, 204)  # followed: nothing has come
        self.assertEqual(self.rxd.get("/sources/in", Upgrade="websocket").status, 426)
        self.assertEqual(self.rxd.get("/sources/in", Host="evil.example").status, 403)

    def test_over_a_reload_and_at_the_end(self):
        self.begin()
        config = json.loads(json.dumps(CONFIG))
        async def session(connection):
            await connection.send('{"n":1}')
            await asyncio.to_thread(harness.wait_for, "the first", lambda: self.decoded() == 1)
            config["pipelines"]["more"] = {"from": "in", "to": []}
            self.rxd.config.write_text(json.dumps(config))
            self.rxd.signal(signal.SIGHUP)
            await asyncio.to_thread(
                harness.wait_for, "the reload", lambda: self.rxd.metrics().sum("rxd_reloads_total", outcome="done") == 1
            )
            await connection.send('{"n":2}')
            await asyncio.to_thread(harness.wait_for, "the second", lambda: self.decoded() == 2)
            self.rxd.signal(signal.SIGTERM)
            await connection.wait_closed()
            return connection.close_code
        self.assertEqual(self.talk(session), 1001)
        self.rxd.process.wait(harness.DEADLINE)

    def test_a_client_that_leaves_in_the_middle(self):
        self.begin()
        for cut in (3, 10, 200):
            with socket.create_connection(("127.0.0.1", self.rxd.port)) as s:
                s.sendall((HANDSHAKE + b"\x82\xfe\x10\x00\0\0\0\0" + b"x" * 1000)[:-cut])
        harness.wait_for("they are gone", lambda: self.rxd.metrics().sum("rxd_http_connections_open") <= 1)


if __name__ == "__main__":
    harness.main()
