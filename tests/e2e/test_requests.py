#!/usr/bin/env python3
"""The http step against a server that is slow, fails, hangs up, redirects, answers garbage and drips: nothing blocks, cancellation
closes sockets, results come in the promised order, the breaker opens and closes, and private hosts are not for everybody."""

import json
import signal
import socket
import threading
import time

import harness


class Server:
    """Answers each connection by the first word of the path; raw, so that it can be as odd as it likes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.paths, self.open, self.well, self.lock = [], 0, threading.Event(), threading.Condition()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def count(self, by):
        with self.lock:
            self.open += by
            self.lock.notify_all()

    def serve(self, connection):
        self.count(1)
        try:
            with connection:
                while self.answer(connection):
                    pass
        except OSError:
            pass
        self.count(-1)

    def answer(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                return False
            head += piece
        head, _, body = head.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += connection.recv(65536)
        self.body = body
        path = head.split(b" ")[1].decode()
        with self.lock:
            self.paths.append(path)
            self.lock.notify_all()
        return getattr(self, path.split("/")[1])(connection, path)

    @staticmethod
    def reply(connection, body, status="200 OK", headers=""):
        data = json.dumps(body).encode() if not isinstance(body, bytes) else body
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n{headers}\r\n".encode() + data)
        return True

    def echo(self, connection, path):
        return self.reply(connection, {"path": path}, headers="Content-Type: application/json\r\n")

    def slow(self, connection, path):  # the later ones are answered first
        time.sleep(0.05 * (5 - int(path.rsplit("/", 1)[1])))
        return self.echo(connection, path)

    def silent(self, connection, _):
        return bool(connection.recv(1))  # until the other side leaves

    def hangup(self, connection, _):
        return False

    def redirect(self, connection, _):
        return self.reply(connection, b"", "302 Found", "Location: /echo/elsewhere\r\n")

    def away(self, connection, path):  # the same server by another name
        location = f"Location: http://localhost:{self.port}/echo{path}\r\n"
        return self.reply(connection, b"", "307 Temporary Redirect", location)

    def around(self, connection, path):
        return self.reply(connection, b"", "302 Found", f"Location: {path}\r\n")

    def cut(self, connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")
        return False

    def busy(self, connection, path):  # the second time it is not
        if self.paths.count(path) > 1:
            return self.echo(connection, path)
        return self.reply(connection, b"", "429 Too Many Requests", "Retry-After: 1\r\n")

    def garbage(self, connection, _):
        connection.sendall(b"\x00\xff\x01 what?\r\n\r\n")
        return False

    def nojson(self, connection, _):
        return self.reply(connection, b"{\"a\": ", headers="Content-Type: application/json\r\n")

    def drip(self, connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)

    def headers(self, connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-More: " + b"x" * 4000 + b"\r\n")

    def endless(self, connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    def rows(self, connection, _):
        return self.reply(connection, b"a,b\n1,x\n2,y\n", headers="Content-Type: text/csv\r\n")

    def doubled(self, connection, _):
        return self.reply(connection, [2 * n for n in json.loads(self.body)], headers="Content-Type: application/json\r\n")

    def moody(self, connection, path):
        return self.echo(connection, path) if self.well.is_set() else self.reply(connection, b"", "503 Unavailable")

    def wait_for(self, condition):
        with self.lock:
            assert self.lock.wait_for(condition, timeout=20), (self.open, self.paths[-5:])


ODD = ["hangup", "cut", "redirect", "garbage", "nojson", "drip", "headers", "endless", "silent"]


def config(port):
    at = f"http://127.0.0.1:{port}"

    def asks(source, path, **options):
        url = path if path.startswith("http") else at + path
        return {"from": source, "pipe": [{"http": {"get": url, "into": "r", **options}}]}

    doubled = {"post": at + "/doubled", "body": "{value}", "into": "r", "batch": {"count": 3, "every": "50ms"}}
    sources = {name: {"http": {}} for name in ("asks", "oddities", "news", "moods", "hosts", "numbers", "ways", "rushes", "crowds")}
    return {
        "sources": {"clock": {"timer": {"every": "10ms"}}, **sources},
        "pipelines": {
            "tick": {"from": "clock"},
            "ordered": asks("asks", "/slow/{value}", ordered=True),
            "merged": asks("asks", "/slow/{value}"),
            "odd": asks("oddities", "/{what}/x", timeout="700ms", max_answer="64KiB"),
            "batched": {"from": "numbers", "pipe": [{"http": doubled}]},
            "kept": asks("numbers", "/echo/kept/{value % 2}", cache={"ttl": "1h", "max": 10}, concurrency=1),
            "newest": asks("news", "/silent/{value}", mode="switch", timeout="1h"),
            "moody": asks("moods", "/moody/{value}", concurrency=1, breaker={"failures": 3, "cooldown": "1s"}),
            "near": asks("ways", "/{way}/near", redirects=3),
            "far": asks("ways", "/{way}/far", redirects=3, allow="localhost"),
            "crowd": asks("crowds", "/silent/{value}", concurrency=300, timeout="2s"),
            "patient": asks("rushes", "/busy/{value}", retry={"count": 2, "delay": "1ms"}),
            "guarded": asks("hosts", "http://{host}:%d/echo/guarded" % port),
            "allowed": asks("hosts", "http://{host}:%d/echo/allowed" % port, allow="127.0.0.1"),
        },
    }


class Requests(harness.EndToEnd):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.rxd = self.daemon(config(self.server.port))

    def post(self, source, *values):
        body = json.dumps([v if isinstance(v, dict) else {"value": v} for v in values])
        self.assertEqual(self.rxd.post(f"/sources/{source}", body).status, 202)

    def came(self, stream):
        return self.rxd.json(f"/streams/{stream}?last=100") or []

    def wait_for_values(self, stream, wanted):
        harness.wait_for(f"{stream}: {wanted}", lambda: [e["value"] for e in self.came(stream)] == wanted)

    def errored(self, pipeline):
        return self.rxd.metrics().sum("rxd_step_events_total", pipeline=pipeline, outcome="errored")

    def test_results_come_as_the_answers_do_or_in_order(self):
        self.post("asks", 1, 2, 3, 4)
        self.wait_for_values("ordered", [1, 2, 3, 4])
        self.wait_for_values("merged", [4, 3, 2, 1])

    def test_odd_answers_are_errors_of_their_events_and_hold_nobody_up(self):
        self.post("oddities", *({"what": what} for what in [*ODD, "rows"]))
        harness.wait_for("the rows", lambda: [e["r"] for e in self.came("odd")] == [[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]])
        harness.wait_for("the others", lambda: self.errored("odd") == len(ODD))
        self.assertNotIn("/echo/elsewhere", self.server.paths)
        before = self.came("tick")[-1]
        harness.wait_for("the clock goes on", lambda: self.came("tick")[-1] != before)

    def test_batches_are_asked_at_once_and_answers_are_kept(self):
        self.post("numbers", 1, 2, 3, 4)
        harness.wait_for("all", lambda: [(e["value"], e["r"]) for e in self.came("batched")] == [(1, 2), (2, 4), (3, 6), (4, 8)])
        self.wait_for_values("kept", [1, 2, 3, 4])
        self.assertEqual(sum(path == "/doubled" for path in self.server.paths), 2)
        self.assertEqual(sorted(path for path in self.server.paths if "kept" in path), ["/echo/kept/0", "/echo/kept/1"])

    def test_what_is_cancelled_is_closed(self):
        for value in range(4):
            self.post("news", value)
            self.server.wait_for(lambda: f"/silent/{value}" in self.server.paths)
        self.server.wait_for(lambda: self.server.open == 1)
        self.rxd.stop()
        self.server.wait_for(lambda: self.server.open == 0)

    def test_many_that_time_out_at_once_are_all_closed(self):
        self.post("crowds", *range(300))
        self.server.wait_for(lambda: self.server.open == 300)
        harness.wait_for("all have timed out", lambda: self.errored("crowd") == 300)
        self.server.wait_for(lambda: self.server.open == 0)

    def test_what_is_pending_is_asked_again_after_a_reload(self):
        self.post("news", 7)
        self.server.wait_for(lambda: self.server.paths.count("/silent/7") == 1)
        self.rxd.signal(signal.SIGHUP)
        self.server.wait_for(lambda: self.server.paths.count("/silent/7") == 2)
        self.server.wait_for(lambda: self.server.open == 1)

    def test_the_breaker_opens_and_closes(self):
        self.post("moods", *range(6))
        harness.wait_for("errors", lambda: self.errored("moody") == 6)
        self.assertLess(len(self.server.paths), 6)
        self.server.well.set()

        def is_well():
            self.post("moods", 7)
            return 7 in [e["value"] for e in self.came("moody")]
        harness.wait_for("the breaker closes", is_well)
        harness.wait_for("all are over", lambda: self.rxd.metrics().sum("rxd_requests_under_way", pipeline="moody") == 0)
        metrics = self.rxd.metrics()
        self.assertEqual(metrics.sum("rxd_request_breaker_open", pipeline="moody"), 0)
        self.assertEqual(metrics.sum("rxd_requests_total", pipeline="moody"), len(self.server.paths))
        self.assertGreaterEqual(metrics.sum("rxd_requests_total", pipeline="moody", outcome="bad"), 3)
        self.assertEqual(self.rxd.log_text().count("the breaker is open:"), 1)
        self.assertEqual(self.rxd.log_text().count("the breaker is closed"), 1)

    def test_retry_after_is_heeded(self):
        self.post("rushes", 1)
        self.server.wait_for(lambda: self.server.paths.count("/busy/1") == 1)
        before = time.monotonic()
        self.wait_for_values("patient", [1])
        self.assertGreater(time.monotonic() - before, 0.5)
        self.assertEqual(self.rxd.metrics().sum("rxd_requests_again_total", pipeline="patient"), 1)

    def test_redirects_are_followed_where_that_is_asked_for_but_not_to_private_hosts(self):
        self.post("ways", *({"way": way} for way in ("redirect", "away", "around")))
        harness.wait_for("near", lambda: [e["r"]["path"] for e in self.came("near")] == ["/echo/elsewhere"])
        harness.wait_for("far", lambda: sorted(e["r"]["path"] for e in self.came("far")) == ["/echo/away/far", "/echo/elsewhere"])
        harness.wait_for("the others", lambda: (self.errored("near"), self.errored("far")) == (2, 1))
        self.assertNotIn("/echo/away/near", self.server.paths)
        self.assertEqual(self.server.paths.count("/around/far"), 4)

    def test_private_hosts_of_events_are_refused_unless_they_are_allowed(self):
        self.post("hosts", *({"host": host} for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1")))
        harness.wait_for("allowed", lambda: [e["host"] for e in self.came("allowed")] == ["127.0.0.1"])
        harness.wait_for("guarded", lambda: self.errored("guarded") == 4)
        self.post("hosts", {"host": "127.0.0.1"})
        harness.wait_for("again", lambda: self.errored("guarded") == 5)
        self.assertNotIn("/echo/guarded", self.server.paths)


if __name__ == "__main__":
    harness.main()
