#!/usr/bin/env python3
"""HTTP to the outside: webhooks that fail and come back, TLS, polls, event streams, and one rxd that reads another."""

import json
import os
import signal
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import harness

SECRET = "kept-out-of-sight"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        self.server.peer.take(self, self.rfile.read(length).decode())

    do_GET = do_POST = do_PUT = answer

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):  # a client that leaves is what the tests want
        pass


class Peer:
    """A server whose `behave(handler, body)` answers; requests are kept as (path, body)."""

    def __init__(self, behave, context=None):
        self.behave, self.requests, self.lock, self.released = behave, [], threading.Lock(), threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.peer = self
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def take(self, handler, body):
        with self.lock:
            self.requests.append((handler.path, body))
        self.behave(handler, body)

    def bodies(self):
        with self.lock:
            return [body for _, body in self.requests]

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


class HttpClient(harness.EndToEnd):
    def peer(self, behave, **options):
        peer = Peer(behave, **options)
        self.addCleanup(peer.close)
        return peer

    def sink_config(self, sink, **more):
        return {"sources": {"in": {"http": {}}}, "pipelines": {"out": {"from": "in", "to": {"http": sink}, **more}}}

    def send(self, daemon, first, last):
        body = "\n".join(json.dumps({"n": n}) for n in range(first, last + 1))
        self.assertEqual(daemon.post("/sources/in", body, "application/x-ndjson").status, 202)

    def condition(self, daemon, kind):
        return [c for c in json.loads(daemon.get("/readyz").text)["conditions"] if c["kind"] == kind]

    def check_secret(self, daemon):
        for path in ("/readyz", "/metrics", "/pipelines", "/sources", "/streams", "/streams/in.errors"):
            self.assertNotIn(SECRET, daemon.get(path).text, path)
        self.assertNotIn(SECRET, daemon.log_text())

    def test_a_webhook_that_fails_or_hangs_for_a_while_loses_nothing(self):
        mood = {"now": "broken"}

        def behave(handler, body):
            if mood["now"] == "broken":
                handler.reply(500)
            elif mood["now"] == "silent":
                handler.server.peer.released.wait(harness.DEADLINE)
            else:
                delivered.extend(json.loads(line)["n"] for line in body.splitlines())
                handler.reply(204)

        delivered = []
        peer = self.peer(behave)
        daemon = self.daemon(self.sink_config({
            "post": f"http://user:{SECRET}@127.0.0.1:{peer.port}/hook?token={SECRET}",
            "headers": {"Authorization": f"Bearer {SECRET}"},
            "batch": {"count": 10, "every": "20ms"}, "timeout": "1s", "retry": {"max_delay": "200ms"}}))
        self.send(daemon, 1, 25)
        fault = harness.wait_for("a fault", lambda: self.condition(daemon, "sink_failing"))
        self.assertEqual(fault[0]["reason"], f"POST http://127.0.0.1:{peer.port}/hook: 500 Internal Server Error")
        self.assertEqual(daemon.get("/readyz").status, 503)
        mood["now"] = "silent"
        self.send(daemon, 26, 40)
        harness.wait_for("another reason", lambda: "in time" in self.condition(daemon, "sink_failing")[0]["reason"])
        self.check_secret(daemon)
        mood["now"] = "well"
        harness.wait_for("all of it", lambda: delivered == list(range(1, 41)))
        harness.wait_for("it is ready", lambda: daemon.get("/readyz").status == 200)
        self.assertEqual(daemon.log_text().count('msg="a sink cannot deliver"'), 1)
        self.assertEqual(daemon.log_text().count('msg="the sink delivers again"'), 1)
        self.assertGreater(daemon.metrics().sum("rxd_sink_failures_total", pipeline="out"), 1)
        self.assertEqual(daemon.metrics().sum("rxd_sink_dropped_total", pipeline="out"), 0)

    def test_what_is_refused_is_dropped_counted_and_told_once(self):
        peer = self.peer(lambda handler, body: handler.reply(404 if json.loads(body)["n"] < 3 else 200))
        daemon = self.daemon(self.sink_config({"put": f"http://127.0.0.1:{peer.port}/things/{{n}}"}))
        self.send(daemon, 1, 3)
        harness.wait_for("three requests", lambda: len(peer.requests) == 3)
        harness.wait_for("two refused", lambda: daemon.metrics().sum("rxd_sink_dropped_total", pipeline="out", reason="refused") == 2)
        self.assertEqual([path for path, _ in peer.requests], ["/things/1", "/things/2", "/things/3"])
        told = harness.wait_for("a condition", lambda: self.condition(daemon, "sink_drops"))
        self.assertIn("404 Not Found", told[0]["reason"])
        harness.wait_for("it is logged", lambda: daemon.log_text().count('msg="a sink drops events"') == 1)

    def test_stopping_delivers_what_waits_in_a_batch(self):
        peer = self.peer(lambda handler, body: handler.reply(200))
        daemon = self.daemon(self.sink_config({"post": f"http://127.0.0.1:{peer.port}/", "batch": {"every": "1h", "form": "array"}}))
        self.send(daemon, 1, 3)
        self.assertEqual(peer.requests, [])
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual([json.loads(body) for body in peer.bodies()], [[{"n": 1}, {"n": 2}, {"n": 3}]])

    def test_a_reload_sends_nothing_twice(self):
        release = threading.Event()

        def behave(handler, body):
            release.wait(harness.DEADLINE)
            handler.reply(200)

        peer = self.peer(behave)
        self.addCleanup(release.set)
        config = self.sink_config({"post": f"http://127.0.0.1:{peer.port}/"})
        daemon = self.daemon(config)
        self.send(daemon, 1, 3)
        harness.wait_for("a request is under way", lambda: len(peer.requests) == 1)
        config["pipelines"]["more"] = {"from": "in"}
        daemon.config.write_text(json.dumps(config))
        daemon.signal(signal.SIGHUP)
        harness.wait_for("it is reloaded", lambda: daemon.metrics().sum("rxd_reloads_total", outcome="done") == 1)
        release.set()
        harness.wait_for("all are there", lambda: daemon.metrics().sum("rxd_sink_out_total", pipeline="out") == 3)
        self.assertEqual([json.loads(body)["n"] for body in peer.bodies()], [1, 2, 3])

    def certificate(self):
        key, cert = Path(self.folder) / "key.pem", Path(self.folder) / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return cert, context

    def test_a_server_must_be_trusted(self):
        cert, context = self.certificate()
        peer = self.peer(lambda handler, body: handler.reply(200, b'{"n": 7}'), context=context)
        url = f"https://127.0.0.1:{peer.port}/"
        daemon = self.daemon({
            "sources": {"in": {"http": {}}, "trusted": {"http_poll": {"url": url, "every": "50ms", "tls": {"ca": str(cert)}}},
                        "strange": {"http_poll": {"url": url, "every": "50ms"}}},
            "pipelines": {"a": {"from": "trusted"}, "b": {"from": "strange"},
                          "c": {"from": "in", "to": {"http": {"post": url, "tls": {"ca": str(cert)}}}}}}, ready=False)
        self.send(daemon, 1, 1)
        harness.wait_for("a delivery", lambda: daemon.metrics().sum("rxd_sink_out_total", pipeline="c") == 1)
        harness.wait_for("an answer", lambda: daemon.json("/streams/a") == {"n": 7})
        fault = harness.wait_for("a fault", lambda: self.condition(daemon, "source_failing"))
        self.assertEqual([c["subject"] for c in fault], ["strange"])
        self.assertIn("certificate", fault[0]["reason"])
        self.assertEqual(daemon.metrics().sum("rxd_source_decoded_total", source="strange"), 0)

    def test_one_rxd_reads_another_with_its_times_and_keys(self):
        """Windows of a second there, of two here: by the times of the first, none of its results is late."""
        far = self.daemon({"sources": {"in": {"http": {}}}, "pipelines": {"rooms": {"from": "in", "pipe": [
            {"group_by": "room"}, {"window": "1s"}, {"aggregate": {"n": "count()"}}]}}}, name="far")
        url = f"http://127.0.0.1:{far.port}/streams/rooms"
        near = self.daemon({
            "sources": {"rooms": {"sse": {"url": url}, "idle_timeout": "1s"}},
            "pipelines": {"raw": {"from": "rooms"},
                          "sums": {"from": "rooms", "pipe": [{"group_by": "room"}, {"window": "2s"}, {"aggregate": {"n": "sum(n)"}}]}}},
            name="near")
        harness.wait_for("a connection", lambda: near.metrics().sum("rxd_source_connects_total", source="rooms") == 1)
        for room in "ab" * 3:
            self.assertEqual(far.post("/sources/in", json.dumps({"room": room})).status, 202)

        def totals():
            rows = json.loads(near.get("/streams/sums?last=100").text)
            return [sum(row["n"] for row in rows if row["room"] == room) for room in "ab"]

        harness.wait_for("the sums", lambda: totals() == [3, 3])
        theirs = {row["id"]: row for row in json.loads(far.get("/streams/rooms?last=100&meta=1").text)}
        ours = json.loads(near.get("/streams/raw?last=100&meta=1").text)
        self.assertEqual([(r["at"], r["key"], r["next"]) for r in ours], [(r["at"], r["key"], r["next"]) for r in theirs.values()])
        self.assertTrue(all(str(row["at"]) != str(int(row["at"])) for row in ours), "a window's time is 1 ns before its end")
        self.assertEqual([row["room"] for row in near.json("/streams/raw")], ["a", "b"])  # the latest of each key
        self.assertEqual(near.metrics().sum("rxd_step_events_total", pipeline="sums", outcome="late"), 0)
        far.stop()
        harness.wait_for("a fault", lambda: self.condition(near, "source_failing"))
        far.start()
        harness.wait_for("it is back", lambda: near.metrics().sum("rxd_source_connects_total", source="rooms") == 2)
        harness.wait_for("the gap is told", lambda: near.metrics().sum("rxd_source_rejected_total", source="rooms", reason="gap") == 1)
        self.assertEqual(near.json("/streams/rooms.errors")["reason"], "gap")
        self.assertEqual(far.post("/sources/in", json.dumps({"room": "a"})).status, 202)
        harness.wait_for("the stream goes on", lambda: totals()[0] == 4)
        harness.wait_for("it is ready", lambda: near.get("/readyz").status == 200)

    def test_a_reader_that_is_reloaded_misses_nothing_and_gets_nothing_twice(self):
        far = self.daemon({"sources": {"tick": {"timer": "2ms"}}, "pipelines": {"ticks": {"from": "tick"}}}, name="far")
        near = self.daemon({
            "workers": 2, "sources": {"far": {"sse": {"url": f"http://127.0.0.1:{far.port}/streams/ticks"}}},
            "pipelines": {"all": {"from": "far", "to": {"file": "all.ndjson"}},
                          "sums": {"from": "far", "pipe": [{"window": "100ms"}, {"aggregate": {
                              "n": "count()", "a": "first(value)", "z": "last(value)"}}], "to": {"file": "sums.ndjson"}}}}, name="near")

        def lines(name):
            return [json.loads(line) for line in (Path(self.folder) / name).read_text().splitlines()]

        for reloads in range(1, 7):
            before = len(lines("all.ndjson"))
            harness.wait_for("more events", lambda: len(lines("all.ndjson")) > before + 30)
            near.signal(signal.SIGHUP)
            harness.wait_for("it is reloaded", lambda: near.metrics().sum("rxd_reloads_total", outcome="done") == reloads)
        harness.wait_for("windows", lambda: len(lines("sums.ndjson")) > 3)
        self.assertEqual(near.metrics().sum("rxd_source_connects_total", source="far"), 1)
        self.assertEqual(near.stop(), 0)
        values = [row["value"] if isinstance(row, dict) else row for row in lines("all.ndjson")]
        self.assertEqual(values, list(range(values[0], values[0] + len(values))))
        sums = lines("sums.ndjson")
        self.assertEqual([row["n"] for row in sums], [row["z"] - row["a"] + 1 for row in sums])
        self.assertEqual([row["a"] for row in sums[1:]], [row["z"] + 1 for row in sums[:-1]])

    def test_events_of_any_server_are_stamped_on_arrival(self):
        def behave(handler, body):
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.wfile.write(b'data: {"n": 1}\n\ndata: {"n": 2}\n\n')
            handler.server.peer.released.wait(harness.DEADLINE)

        peer = self.peer(behave)
        daemon = self.daemon({
            "sources": {"ticks": {"sse": {"url": f"http://127.0.0.1:{peer.port}/"}}},
            "pipelines": {"sums": {"from": "ticks", "pipe": [{"window": "500ms"}, {"aggregate": {"n": "sum(n)"}}]}}})
        harness.wait_for("the window closes by the clock", lambda: sum(
            row["n"] for row in json.loads(daemon.get("/streams/sums?last=10").text)) == 3)

    def test_want_of_memory_ends_nothing(self):
        """One allocation in 3000 fails, libcurl's among them, while a sink, a poll and a stream are at work."""
        library = os.environ.get("RXD_FAILMALLOC")
        if not library:
            self.skipTest("no failmalloc")

        def behave(handler, body):
            if handler.path != "/stream":
                handler.reply(500 if len(peer.requests) % 7 == 0 else 200, b'{"n": 1}', ETag=str(len(peer.requests)))
                return
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.send_header("Rxd-Meta", "1")
            handler.send_header("Connection", "close")
            handler.end_headers()
            for n in range(200):
                handler.wfile.write(b'retry: 1\nid: %d\ndata: {"at":%d,"key":"%d","next":{"n":1}}\n\n' % (n, n, n % 7))

        peer = self.peer(behave)
        url = f"http://127.0.0.1:{peer.port}"
        sink = {"http": {"post": url + "/{n}", "headers": {"X-N": "{n}"}, "batch": {"count": 20, "every": "5ms"},
                         "retry": {"delay": "1ms", "max_delay": "10ms"}}}
        daemon = harness.Daemon(self.folder, {
            "http": {"drain_deadline": "500ms"},
            "sources": {"a": {"http_poll": {"url": url, "every": "10ms"}}, "b": {"sse": {"url": url + "/stream"}}},
            "pipelines": {"p": {"from": ["a", "b"], "to": ["stream", sink]}}})
        os.environ.update(LD_PRELOAD=library, FAIL_AFTER="20000", FAIL_ONE_IN="3000")
        try:
            daemon.start(ready=False)
        finally:
            for name in ("LD_PRELOAD", "FAIL_AFTER", "FAIL_ONE_IN"):
                del os.environ[name]
        self.addCleanup(harness.finish, daemon.process)
        end = time.monotonic() + 3
        while time.monotonic() < end and daemon.process.poll() is None:
            before = len(peer.requests)
            harness.wait_for("more requests", lambda: len(peer.requests) > before + 50 or daemon.process.poll() is not None)
            daemon.process.send_signal(signal.SIGHUP)
        self.assertIn(daemon.process.poll(), (None, 1), daemon.log_text()[-2000:])
        self.assertIn(harness.finish(daemon.process), (0, 1), daemon.log_text()[-2000:])

    def test_libcurl_is_opened_where_a_config_needs_it(self):
        daemon = self.daemon({"sources": {"in": {"http": {}}}, "pipelines": {"out": {"from": "in"}}})
        maps = Path(f"/proc/{daemon.process.pid}/maps")
        self.assertNotIn("libcurl", maps.read_text())
        daemon.config.write_text(json.dumps(self.sink_config({"post": "http://127.0.0.1:1/"})))
        daemon.signal(signal.SIGHUP)
        harness.wait_for("it is reloaded", lambda: daemon.metrics().sum("rxd_reloads_total", outcome="done") == 1)
        self.assertIn("libcurl", maps.read_text())


if __name__ == "__main__":
    harness.main()
