#!/usr/bin/env python3
"""Raw requests that a server must not misread: each is refused and the connection closed, and the next client served."""
import json
import socket
import time

import harness


def exchange(port, data, seconds=5, pieces=None):
    """What the server says to these bytes until it closes or falls silent, and whether it closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as s:
        for piece in pieces or [data]:
            s.sendall(piece)
        s.settimeout(1.5)
        said, closed = b"", False
        try:
            while True:
                got = s.recv(65536)
                if not got:
                    closed = True
                    break
                said += got
        except (socket.timeout, ConnectionResetError) as e:
            closed = isinstance(e, ConnectionResetError)
        return said, closed


def status(said):
    return int(said.split(b" ", 2)[1]) if said.startswith(b"HTTP/1.") else None


HEAD = b"POST /sources/s HTTP/1.1\r\nHost: localhost\r\n"
REFUSED = {
    "two Content-Lengths": (400, HEAD + b"Content-Length: 2\r\nContent-Length: 7\r\n\r\n{}"),
    "a space before the colon": (400, HEAD + b"Content-Length : 2\r\n\r\n{}"),
    "chunked and a length": (400, HEAD + b"Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    "chunked twice": (400, HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    "a chunk that is longer than it says": (400, HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{} \r\n0\r\n\r\n"),
    "bare line feeds around chunks": (400, HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n"),
    "xchunked": (501, HEAD + b"Transfer-Encoding: xchunked\r\n\r\n{}"),
    "Transfer-Encoding on HTTP/1.0": (400, b"POST /sources/s HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "bare line feeds": (400, b"GET /streams HTTP/1.1\nHost: localhost\n\n"),
    "no Host": (400, b"GET /streams HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, b"GET /streams HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    "NUL in a header": (400, b"GET /streams HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n"),
    "a control byte in a header": (400, b"GET /streams HTTP/1.1\r\nHost: localhost\r\nX: a\x01b\r\n\r\n"),
    "a folded header": (400, b"GET /streams HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n"),
    "a space in the URI": (400, b"GET /str eams HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "a negative Content-Length": (400, HEAD + b"Content-Length: -1\r\n\r\n"),
    "a signed Content-Length": (400, HEAD + b"Content-Length: +2\r\n\r\n{}"),
    "a head without end": (431, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40000 + b"\r\n\r\n"),
    "a body beyond the limit": (413, HEAD + b"Content-Length: 999999999\r\n\r\n"),
}


CONFIG = {"sources": {"s": {"http": {}}}, "pipelines": {"p": {"from": "s"}}}


class HttpLint(harness.EndToEnd):

    def test_each_is_refused_and_the_connection_closed(self):
        daemon = self.daemon(CONFIG)
        for name, (expected, data) in REFUSED.items():
            with self.subTest(name):
                said, closed = exchange(daemon.port, data)
                self.assertEqual(status(said), expected, said[:200])
                self.assertTrue(closed, "left open")
                self.assertEqual(said.count(b"HTTP/1."), 1, said[:400])
        said, _ = exchange(daemon.port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertEqual(status(said), 200)

    def test_a_chunked_body_is_taken(self):
        daemon = self.daemon(CONFIG)
        body = b'9;part="1"\r\n{"n": 1}\n\r\n8\r\n{"n": 2}\r\n0\r\nX-Sum: 3\r\n\r\n'
        said, _ = exchange(daemon.port, HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body)
        self.assertEqual(status(said), 202, said)
        self.assertIn(b'{"accepted":2}', said)

    def test_pages_of_other_sites_are_refused_unless_the_config_names_them(self):
        daemon = self.daemon({"http": {"hosts": "rxd.example", "cors": ["https://page.example"]}, **CONFIG})
        post = b"POST /sources/s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: 2\r\nConnection: close\r\n\r\n{}"
        follow = b"GET /streams/p HTTP/1.1\r\nHost: %s\r\n%sAccept: text/event-stream\r\n\r\n"
        for host, origin, good in (
            (b"rxd.example", b"", True),
            (b"127.0.0.1", b"", True),
            (b"other.example", b"", False),
            (b"localhost", b"https://page.example", True),
            (b"localhost", b"https://other.example", False),
            (b"localhost", b"null", False),
            (b"other.example", b"http://other.example", False),
        ):
            for request, fine in ((post, 202), (follow, 200)):
                with self.subTest(host=host, origin=origin):
                    line = b"Origin: %s\r\n" % origin if origin else b""
                    said, _ = exchange(daemon.port, request % (host, line))
                    self.assertEqual(status(said), fine if good else 403, said)
                    allowed = b"Access-Control-Allow-Origin: " + origin + b"\r\n"
                    self.assertEqual(allowed in said, bool(good and origin), said)
                    self.assertTrue(good or b"http.hosts" in said or b"http.cors" in said, said)

    def test_a_parameter_that_is_none_is_400_on_every_route(self):
        daemon = self.daemon(CONFIG)
        for path in ("/streams", "/streams/p", "/metrics", "/healthz", "/readyz", "/"):
            answer = daemon.get(path + "?parameter=1")
            self.assertEqual(answer.status, 400, path)
            self.assertIn("there is no such parameter", json.loads(answer.text)["detail"])
        self.assertEqual(daemon.post("/sources/s?parameter=1", "{}").status, 400)

    def test_a_wrong_method_says_which_are_right(self):
        daemon = self.daemon(CONFIG)
        said, _ = exchange(daemon.port, b"DELETE /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertEqual(status(said), 405)
        self.assertIn(b"allow:", said.lower())

    def test_a_slow_head_is_closed_at_its_deadline_whatever_drips_in(self):
        daemon = self.daemon({"http": {"header_deadline": "1s"}, **CONFIG})
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as s:
            s.sendall(b"GET / HTTP/1.1\r\n")
            s.settimeout(0.2)
            while time.monotonic() - began < 8:
                try:
                    s.sendall(b"X")
                    if not s.recv(100):
                        break
                except socket.timeout:
                    continue
                except OSError:
                    break
            self.assertLess(time.monotonic() - began, 5)


if __name__ == "__main__":
    harness.main()
