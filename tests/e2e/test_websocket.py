#!/usr/bin/env python3
"""The websocket source and sink against real servers: TLS, headers, subprotocols, subscribing at each connect, coming back,
pings, and peers that send garbage, fragments without end, or a gigabyte."""

import json
import signal
import struct
import threading
import time
from pathlib import Path

import harness
import websocket_server as ws


class WebSockets(harness.EndToEnd):
    def server(self, **options):
        server = ws.Server(**options)
        self.addCleanup(server.close)
        return server.start()

    def raw(self, talk):
        server = ws.RawServer(talk)
        self.addCleanup(server.close)
        return server

    def url(self, server, path="/feed?x=1"):
        return f"ws://127.0.0.1:{server.port}{path}"

    def source(self, server, ready=True, sink=None, **options):
        config = {
            "sources": {"in": {"websocket": {"url": self.url(server), **options}}},
            "pipelines": {"out": {"from": "in"}, "bad": {"from": "in.errors"}},
        }
        return self.daemon(config, ready=ready)

    def conditions(self, rxd):
        return {c["kind"]: c["reason"] for c in json.loads(rxd.get("/readyz").text)["conditions"]}

    def count(self, rxd, what):
        return rxd.metrics().sum(f"rxd_source_{what}", source="in")

    # --- the source ---

    def test_messages_become_events_and_it_subscribes_at_each_connect(self):
        server = self.server()
        rxd = self.source(server, send=['{"subscribe":"trades"}', "again"], headers={"Authorization": "Bearer abc"})
        out = self.subscribe(rxd, "ndjson", "out")
        harness.wait_for("the subscription", lambda: server.received == ['{"subscribe":"trades"}', "again"])
        self.assertEqual(server.headers[0]["authorization"], "Bearer abc")
        server.send('{"n":1}', b'{"n":2}')
        out.wait("the events", lambda events: events == [{"n": 1}, {"n": 2}])
        server.drop()
        harness.wait_for("it subscribes again", lambda: server.received[2:] == ['{"subscribe":"trades"}', "again"])
        server.send('{"n":3}')
        out.wait("what comes after", lambda events: events[2:] == [{"n": 3}])
        self.assertEqual((self.count(rxd, "connects_total"), self.count(rxd, "disconnects_total")), (2, 1))
        harness.wait_for("it is ready again", lambda: rxd.get("/readyz").status == 200)

    def test_who_has_enough_leaves_in_the_middle_of_a_message(self):
        server = self.server()
        rxd = self.daemon({
            "sources": {"in": {"websocket": {"url": self.url(server)}, "split": True}},
            "pipelines": {"out": {"from": "in", "pipe": [{"take": 1}]}},
        })
        out = self.subscribe(rxd, "ndjson", "out", query="?last=10")
        harness.wait_for("the connection", lambda: len(server.connections) == 1)
        server.send(json.dumps([{"n": n, "text": "x" * 100} for n in range(1000)]))
        out.wait("the first", lambda events: [e["n"] for e in events] == [0])
        harness.wait_for("the goodbye", lambda: not server.connections)

    def test_tls_takes_the_certificate_that_it_trusts(self):
        cert, key = ws.certificate(self.folder)
        server = self.server(tls=(cert, key), subprotocols=["v2.feed"])
        url = f"wss://localhost:{server.port}/"
        rxd = self.daemon(
            {
                "sources": {
                    "in": {"websocket": {"url": url, "subprotocol": "v3.feed, v2.feed", "tls": {"ca": str(cert)}}},
                    "no": {"websocket": {"url": url, "subprotocol": "v2.feed"}},
                },
                "pipelines": {"out": {"from": "in"}, "never": {"from": "no"}},
            },
            ready=False,
        )
        out = self.subscribe(rxd, "ndjson", "out")
        harness.wait_for("the connection", lambda: server.accepted == 1)
        server.send('{"n":1}')
        out.wait("the event", lambda events: events == [{"n": 1}])
        harness.wait_for("the other's refusal", lambda: "certificate" in self.conditions(rxd).get("source_failing", ""))

    def test_a_server_that_does_not_choose_the_subprotocol_is_refused(self):
        rxd = self.source(self.server(), ready=False, subprotocol="v2.feed")
        harness.wait_for("the reason", lambda: "does not speak v2.feed" in self.conditions(rxd).get("source_failing", ""))

    def test_an_answer_that_is_no_websocket_is_told(self):
        def talk(connection):
            ws.read_request(connection)
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        rxd = self.source(self.raw(talk), ready=False)
        harness.wait_for("the reason", lambda: "status 403" in self.conditions(rxd).get("source_failing", ""))

    def test_a_silent_server_is_given_up_and_asked_again(self):
        def talk(connection):
            ws.handshake(connection)
            connection.settimeout(30)
            while connection.recv(4096):  # hears the pings, and says nothing
                pass
        server = self.raw(talk)
        rxd = self.source(server, ready=False, ping="200ms")
        harness.wait_for("it comes again", lambda: server.accepted >= 2)
        harness.wait_for("the reason", lambda: "answers no ping" in self.conditions(rxd).get("source_failing", ""))

    def test_a_handshake_alone_does_not_make_it_hammer(self):
        def talk(connection):
            ws.handshake(connection)
            connection.sendall(b"\x81\x021\n")  # even with something to say
        server = self.raw(talk)
        rxd = self.source(server, ready=False)
        harness.wait_for("three attempts", lambda: server.accepted >= 3)
        begin = time.monotonic()
        harness.wait_for("one more", lambda: server.accepted >= 5)
        self.assertGreater(time.monotonic() - begin, 1.5)  # 1 s and 2 s, less a quarter
        self.assertGreaterEqual(self.count(rxd, "decoded_total"), 3)

    def hostile(self, bytes_of, reason, counted, **options):
        """A server that begins well, and then says this, each time."""
        def talk(connection):
            ws.handshake(connection)
            connection.sendall(b'\x81\x07{"n":1}')
            for piece in bytes_of():
                connection.sendall(piece)
            connection.settimeout(30)
            while connection.recv(65536):
                pass
        server = self.raw(talk)
        rxd = self.source(server, ready=False, max_message="64KiB", **options)
        before = rxd.resident()
        harness.wait_for("it comes again", lambda: server.accepted >= 2)
        harness.wait_for("the reason", lambda: reason in self.conditions(rxd).get("source_failing", ""))
        self.assertIn("source_failing", rxd.log_text())
        self.assertGreaterEqual(self.count(rxd, "disconnects_total"), 1)
        self.assertGreaterEqual(rxd.metrics().sum("rxd_source_rejected_total", source="in", reason=counted), 1)
        self.assertGreaterEqual(self.count(rxd, "decoded_total"), 1)  # what came before it
        self.level(rxd, before)

    def level(self, rxd, before):
        if not harness.SANITIZER:  # which keeps what was freed
            self.assertLess(rxd.resident() - before, 8 << 20)

    def test_garbage_ends_the_connection(self):
        self.hostile(lambda: [b"\xff\xfe\xfd garbage" * 10], "malformed", "syntax")

    def test_text_that_is_no_utf8_ends_it(self):
        self.hostile(lambda: [b"\x81\x03a\xc3("], "UTF-8", "utf8")

    def test_a_message_of_a_gigabyte_ends_it(self):
        self.hostile(lambda: [b"\x82\x7f" + struct.pack(">Q", 1 << 30), b"x" * 1000], "max_message", "too_large")

    def test_fragments_without_end_end_it(self):
        def fragments():
            yield b"\x02\x7e" + struct.pack(">H", 1000) + b"x" * 1000
            for _ in range(1000):
                yield b"\x00\x7e" + struct.pack(">H", 1000) + b"x" * 1000
        self.hostile(fragments, "max_message", "too_large")

    def test_empty_fragments_without_end_end_it(self):
        def fragments():
            yield b"\x02\x00"
            for _ in range(100):
                yield b"\x00\x00" * 10_000
        self.hostile(fragments, "too many fragments", "too_large")

    def test_an_answer_without_end_and_pings_that_nobody_hears_answered(self):
        def endless(connection):
            ws.read_request(connection)
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 5000)
            connection.recv(1)
        def deaf(connection):
            ws.handshake(connection)
            while True:
                connection.sendall((b"\x89\x7d" + b"p" * 125) * 1000)
        for talk, reason in ((endless, "no WebSocket"), (deaf, "reads nothing")):
            with self.subTest(reason):
                rxd = self.source(self.raw(talk), ready=False)
                before = rxd.resident()
                harness.wait_for("the reason", lambda: reason in self.conditions(rxd).get("source_failing", ""))
                self.level(rxd, before)

    def test_a_paused_source_leaves_the_rest_in_the_socket(self):
        server, sink = self.server(), self.server()
        sink.stop()
        config = {
            "sources": {"in": {"websocket": {"url": self.url(server)}}},
            "pipelines": {"out": {"from": "in", "to": [{"websocket": {"url": self.url(sink), "max_queue": 300, "full": "pause"}}]}},
        }
        rxd = self.daemon(config, ready=False)
        harness.wait_for("the connection", lambda: server.accepted == 1)
        server.send(*[f'{{"n":{n}}}' for n in range(5000)])
        harness.wait_for("a full sink", lambda: rxd.metrics().sum("rxd_sink_held", pipeline="out") > 300)
        self.assertEqual(rxd.metrics().sum("rxd_sink_dropped_total"), 0)
        sink.start()
        harness.wait_for("every event", lambda: len(sink.received) == 5000)
        self.assertEqual([json.loads(text)["n"] for text in sink.received], list(range(5000)))

    def test_a_connection_outlives_a_reload_but_not_a_change(self):
        server, other = self.server(), self.server()
        config = {
            "sources": {"in": {"websocket": {"url": self.url(server), "send": ["hello"]}}},
            "pipelines": {"out": {"from": "in", "to": [{"websocket": {"url": self.url(other)}}]}},
        }
        rxd = self.daemon(config)
        harness.wait_for("both connections", lambda: server.accepted == other.accepted == 1)
        for i in range(3):
            server.send(f'{{"n":{i}}}')
            self.reload(rxd, config, i + 1, more=i)
        harness.wait_for("each once", lambda: [json.loads(t)["n"] for t in other.received] == [0, 1, 2])
        self.assertEqual((server.accepted, other.accepted, server.received), (1, 1, ["hello"]))
        self.assertEqual((self.count(rxd, "connects_total"), self.count(rxd, "disconnects_total")), (1, 0))
        config["sources"]["in"]["websocket"]["send"] = ["changed"]
        self.reload(rxd, config, 4, more=3)
        harness.wait_for("a new connection", lambda: (server.accepted, server.received) == (2, ["hello", "changed"]))

    def reload(self, rxd, config, count, more):
        config["pipelines"][f"more{more}"] = {"from": "in", "to": []}
        rxd.config.write_text(json.dumps(config))
        rxd.signal(signal.SIGHUP)
        harness.wait_for("the reload", lambda: rxd.metrics().sum("rxd_reloads_total", outcome="done") == count)

    def test_what_cannot_be_is_refused_at_load(self):
        for options, says in [
            ({"url": "http://x"}, "expected ws://"),
            ({"url": "ws://x", "headers": {"Host": "y"}}, "written by rxd itself"),
            ({"url": "ws://x", "headers": {"a b": "y"}}, "no name of a header"),
            ({"url": "ws://x", "headers": {"A": "y" * 9000}}, "8 KiB"),
            ({"url": "ws://x", "subprotocol": "a;b"}, "subprotocol"),
            ({"url": "ws://x", "tls": {"insecure": True}}, "wss://"),
            ({"url": "ws://me:secret@x"}, "user and password"),
            ({"send": ["x"]}, "needs `url`"),
            ({"url": "wss://x", "tls": {"ca": "/no/such/file"}}, "cannot read /no/such/file"),
            ({"url": "wss://x", "tls": {"cert": "/no/such/file"}}, "come together"),
        ]:
            with self.subTest(says):
                path = Path(self.folder) / "bad.yaml"
                path.write_text(json.dumps({"sources": {"in": {"websocket": options}}, "pipelines": {"p": {"from": "in"}}}))
                done = harness.run_rxd("check", "-c", path)
                self.assertEqual(done.returncode, 78, done.stderr)
                self.assertIn(says, done.stderr.decode())

    # --- the sink ---

    def sink_config(self, server, **options):
        return {
            "sources": {"in": {"http": {}}},
            "pipelines": {"out": {"from": "in", "to": [{"websocket": {"url": self.url(server), **options}}]}},
        }

    def post(self, rxd, *numbers):
        body = "".join(f'{{"n":{n}}}\n' for n in numbers)
        harness.wait_for("the POST", lambda: rxd.post("/sources/in", body, "application/x-ndjson").status == 202)

    def test_the_sink_keeps_events_until_there_is_a_server(self):
        server = self.server()
        server.stop()
        rxd = self.daemon(self.sink_config(server, payload="{n}/{n}"), ready=False)
        self.post(rxd, 1, 2)
        harness.wait_for("the condition", lambda: "sink_failing" in self.conditions(rxd))
        server.start()
        harness.wait_for("both", lambda: server.received == ["1/1", "2/2"])
        self.post(rxd, 3)
        harness.wait_for("the third", lambda: server.received[2:] == ["3/3"])
        harness.wait_for("delivered", lambda: rxd.metrics().sum("rxd_sink_out_total", pipeline="out") == 3)

    def test_the_sink_drops_what_finds_no_room_and_counts_it(self):
        server = self.server()
        server.stop()
        rxd = self.daemon(self.sink_config(server, max_queue=10), ready=False)
        self.post(rxd, *range(25))
        harness.wait_for("the count", lambda: rxd.metrics().sum("rxd_sink_dropped_total", pipeline="out") == 15)
        server.start()
        harness.wait_for("the others", lambda: len(server.received) == 10)

    def test_what_is_held_goes_over_a_reload_and_out_at_the_end(self):
        server = self.server()
        server.stop()
        config = self.sink_config(server)
        rxd = self.daemon(config, ready=False)
        self.post(rxd, 1, 2, 3)
        config["pipelines"]["more"] = {"from": "in", "to": []}
        rxd.config.write_text(json.dumps(config))
        rxd.signal(signal.SIGHUP)
        harness.wait_for("the reload", lambda: rxd.metrics().sum("rxd_reloads_total", outcome="done") == 1)
        server.start()
        harness.wait_for("all", lambda: [json.loads(t)["n"] for t in server.received] == [1, 2, 3])
        self.post(rxd, *range(4, 2000))
        self.stop_daemon(rxd)
        harness.wait_for("what the server had still to read", lambda: len(server.received) >= 1999)
        self.assertEqual([json.loads(text)["n"] for text in server.received], list(range(1, 2000)))

    def test_a_sink_hears_no_long_speech(self):
        def talk(connection):
            ws.handshake(connection)
            connection.sendall(b"\x82\x7f" + struct.pack(">Q", 65537) + b"x")
            connection.settimeout(30)
            while connection.recv(65536):
                pass
        server = self.raw(talk)
        rxd = self.daemon(self.sink_config(server), ready=False)
        harness.wait_for("the reason", lambda: "65536 bytes" in self.conditions(rxd).get("sink_failing", ""))
        harness.wait_for("it comes again", lambda: server.accepted >= 2)

    def test_what_a_server_does_not_read_is_held_once(self):
        """And no second time in the connection's own buffer."""
        go, count, heard = threading.Event(), 200, []
        def talk(connection):
            ws.handshake(connection)
            go.wait(60)
            while more := connection.recv(1 << 20):
                heard.append(len(more))
        rxd = self.daemon(self.sink_config(self.raw(talk), max_queue_bytes="64MiB"), ready=False)
        before = rxd.resident()
        for n in range(count):
            self.assertEqual(rxd.post("/sources/in", json.dumps({"n": n, "text": "x" * 100_000})).status, 202)
        held = lambda: rxd.metrics().sum("rxd_sink_held", pipeline="out")  # noqa: E731
        self.assertGreater(held(), count / 2)
        if not harness.SANITIZER:
            self.assertLess(rxd.resident() - before, count * 150_000)
        go.set()
        harness.wait_for("all of it", lambda: held() == 0 and sum(heard) > count * 100_000)


if __name__ == "__main__":
    harness.main()
