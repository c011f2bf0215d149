#!/usr/bin/env python3
"""Raw requests that a server must not misread: each is refused and the connection closed, and the next client served."""
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


HEAD = b"POST /sources/s HTTP/1.1\r\nHost: x\r\n"
REFUSED = {
    "two Content-Lengths": (400, HEAD + b"Content-Length: 2\r\nContent-Length: 7\r\n\r\n{}"),
    "a space before the colon": (400, HEAD + b"Content-Length : 2\r\n\r\n{}"),
    "chunked": (411, HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    "xchunked": (411, HEAD + b"Transfer-Encoding: xchunked\r\n\r\n{}"),
    "Transfer-Encoding on HTTP/1.0": (411, b"POST /sources/s HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "bare line feeds": (400, b"GET /streams HTTP/1.1\nHost: x\n\n"),
    "no Host": (400, b"GET /streams HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, b"GET /streams HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    "NUL in a header": (400, b"GET /streams HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n"),
    "a control byte in a header": (400, b"GET /streams HTTP/1.1\r\nHost: x\r\nX: a\x01b\r\n\r\n"),
    "a folded header": (400, b"GET /streams HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n"),
    "a space in the URI": (400, b"GET /str eams HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a negative Content-Length": (400, HEAD + b"Content-Length: -1\r\n\r\n"),
    "a signed Content-Length": (400, HEAD + b"Content-Length: +2\r\n\r\n{}"),
    "a head without end": (431, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n"),
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
        said, _ = exchange(daemon.port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertEqual(status(said), 200)

    def test_a_wrong_method_says_which_are_right(self):
        daemon = self.daemon(CONFIG)
        said, _ = exchange(daemon.port, b"DELETE /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
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
