#!/usr/bin/env python3
"""Events by POST: JSON, NDJSON and arrays; what is bad is answered with its place."""

import json
import resource
import select
import socket

import harness

CONFIG = {
    "sources": {"clicks": {"http": {}}},
    "pipelines": {"out": {"from": "clicks", "pipe": [{"filter": "n > 0"}, {"set": {"twice": "n * 2"}}]}},
}


class HttpIngest(harness.EndToEnd):
    def setUp(self):
        super().setUp()
        self.rxd = self.daemon(CONFIG)
        self.out = self.subscribe(self.rxd, "ndjson", "out")

    def numbers(self, want):
        self.out.wait(f"{want}", lambda rows: [r["n"] for r in rows] == want)

    def test_an_object_an_array_and_lines(self):
        for body, kind, count in (
            ('{"n": 1}', "application/json", 1),
            ('[{"n": 2}, {"n": 3}]', "application/json", 2),
            ('{"n": 4}\n{"n": 5}\n\n{"n": 6}', "application/x-ndjson", 3),
        ):
            answer = self.rxd.post("/sources/clicks", body, kind)
            self.assertEqual(answer.status, 202, answer.text)
            self.assertEqual(json.loads(answer.text)["accepted"], count)
        self.numbers([1, 2, 3, 4, 5, 6])
        self.assertEqual(self.out.events[0], {"n": 1, "twice": 2})

    def test_a_bad_line_is_named_and_nothing_of_the_body_is_taken(self):
        for body, kind, line in (
            ('{"n": 1}\n{"n": 2}\n{"n": oops}\n{"n": 4}\n', "application/x-ndjson", 3),
            ('[{"n": 1},\n {"n": oops}]', "application/json", 2),
            ('[{"n": 1}, {"n": 2}} ', "application/json", 1),
        ):
            with self.subTest(body):
                answer = self.rxd.post("/sources/clicks", body, kind)
                self.assertEqual(answer.status, 400)
                told = json.loads(answer.text)
                self.assertEqual((told["status"], told["accepted"], told["line"]), (400, 0, line))
                self.assertIn(f"line {line}, column", told["detail"])
        self.assertEqual(self.rxd.post("/sources/clicks", '{"n": 9}').status, 202)
        self.numbers([9])
        metrics = self.rxd.metrics()
        self.assertEqual(metrics.sum("rxd_source_rejected_total", source="clicks", reason="syntax"), 3)
        self.assertEqual(metrics.sum("rxd_source_received_total", source="clicks"), 4)

    def test_more_events_than_wait_for_the_end_of_a_body_are_whole_too(self):
        n = 20000  # more than 16,384
        lines = "".join(f'{{"n": {i}}}\n' for i in range(1, n + 1))
        answer = self.rxd.post("/sources/clicks", lines + '{"n": oops}\n', "application/x-ndjson")
        self.assertEqual((answer.status, json.loads(answer.text)["accepted"]), (400, 0))
        self.assertEqual(json.loads(answer.text)["line"], n + 1)
        answer = self.rxd.post("/sources/clicks", lines, "application/x-ndjson")
        self.assertEqual((answer.status, json.loads(answer.text)["accepted"]), (202, n))
        array = "[" + ",".join(f'{{"n": {i}}}' for i in range(n + 1, 2 * n + 1)) + "]"
        answer = self.rxd.post("/sources/clicks", array)
        self.assertEqual((answer.status, json.loads(answer.text)["accepted"]), (202, n))
        self.numbers(list(range(1, 2 * n + 1)))

    def test_bad_bodies_are_400_and_hurt_nothing(self):
        for body in (b"", b"{", b'{"n": 1} x', b"\xff\xfe", b'{"n": "\xc3\x28"}', b"[" * 10000, b'{"n": 1e999}', b'["\\ud800"]'):
            with self.subTest(body[:20]):
                answer = self.rxd.post("/sources/clicks", body)
                self.assertEqual(answer.status, 400, answer.text)
        self.assertEqual(self.rxd.post("/sources/clicks", '{"n": 9}').status, 202)
        self.numbers([9])

    def test_a_body_beyond_the_limit_is_refused(self):
        self.assertIn(self.rxd.post("/sources/clicks", b'{"n": 1, "s": "' + b"x" * (9 << 20) + b'"}').status, (400, 413))

    def test_thousands_of_posts_that_end_at_once_are_all_answered(self):
        n = 3000
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8000), most))
        clients = []
        for _ in range(n):
            client = socket.create_connection(("127.0.0.1", self.rxd.port), timeout=harness.DEADLINE)
            self.addCleanup(client.close)
            client.sendall(b"POST /sources/clicks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n")
            clients.append(client)
        for client in clients:
            client.sendall(b'{"n":0}')
        codes = [client.recv(4096)[9:12] for client in clients]
        self.assertEqual(set(codes) - {b"202", b"429"}, set())
        received = self.rxd.metrics().sum("rxd_source_received_total", source="clicks")
        self.assertEqual(received, codes.count(b"202"))

    def test_bodies_under_way_are_bounded(self):
        rxd = self.daemon({**CONFIG, "http": {"max_body": "1MiB", "max_client_bodies": "2MiB"}})
        clients = [socket.create_connection(("127.0.0.1", rxd.port), timeout=harness.DEADLINE) for _ in range(8)]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(b"POST /sources/clicks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
            client.sendall(b" " * 900000)
        refused = [client for client in clients if select.select([client], [], [], 0.2)[0]]
        self.assertEqual(len(refused), 6)
        for client in refused:
            self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 429 "))
        self.assertEqual(rxd.get("/healthz").status, 200)

    def test_unknown_sources_and_other_methods(self):
        self.assertEqual(self.rxd.post("/sources/nothing", "{}").status, 404)
        self.assertEqual(self.rxd.get("/sources/clicks", Upgrade="websocket").status, 426)  # a handshake that is none
        self.assertEqual(self.rxd.request("DELETE", "/streams/out").status, 405)

    def test_many_events_in_one_body(self):
        n = 200000 if harness.FULL else 20000
        body = "".join(f'{{"n": {i}}}\n' for i in range(1, n + 1))
        lines = body.splitlines(keepends=True)
        for i in range(0, n, 20000):
            answer = self.rxd.post("/sources/clicks", "".join(lines[i : i + 20000]), "application/x-ndjson")
            self.assertEqual(answer.status, 202)
        self.out.wait("all of them", lambda rows: len(rows) == n)
        self.assertEqual([r["n"] for r in self.out.events], list(range(1, n + 1)))


if __name__ == "__main__":
    harness.main()
