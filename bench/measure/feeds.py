"""Feeds: files that bench_feed makes, the bodies of HTTP requests, and a broker that says what a broker would, then sends a prepared buffer."""
import functools
import http.client
import os
import socket
import subprocess
import threading

FOLDER = "build/feeds"


@functools.cache
def file(kind, *arguments):
    """A file of that feed, made once, and again when bench_feed is new."""
    os.makedirs(FOLDER, exist_ok=True)
    path = os.path.join(FOLDER, "-".join([kind, *map(str, arguments)]))
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime("build/bin/bench_feed"):
        with open(path + ".part", "wb") as out:
            subprocess.run(["build/bin/bench_feed", kind, *map(str, arguments)], stdout=out, check=True)
        os.rename(path + ".part", path)
    return path


def bodies(path, size=1 << 20):
    """The file's lines in bodies of about that size."""
    with open(path, "rb") as f:
        while body := f.read(size) + f.readline():
            yield body


def post(port, bodies, path="/sources/s"):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for one in bodies:
        c.request("POST", path, one, {"Content-Type": "application/x-ndjson"})
        answer = c.getresponse()
        answer.read()
        assert answer.status == 202, answer.status


@functools.cache
def publish_packets(path, topic=b"s"):
    """The file's lines as PUBLISH packets of QoS 0."""
    head = len(topic).to_bytes(2, "big") + topic
    packets = bytearray()
    with open(path, "rb") as f:
        for line in f:
            length = len(head) + len(line) - 1
            packets += b"\x30"
            while length > 127:
                packets.append(length & 127 | 128)
                length >>= 7
            packets.append(length)
            packets += head
            packets += line[:-1]
    return packets


class CannedBroker:
    """Acknowledges one connection and its subscription, and sends `packets` `times` over each time that `go` is called."""

    def __init__(self, packets, times=1):
        self.packets, self.times = packets, times
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ready, self.asked = threading.Event(), threading.Semaphore(0)
        threading.Thread(target=self.serve, daemon=True).start()

    def go(self):
        self.asked.release()

    def serve(self):
        try:
            with self.listener, self.listener.accept()[0] as peer:
                v5 = peer.recv(4096)[8] == 5
                peer.sendall(b"\x20\x03\x00\x00\x00" if v5 else b"\x20\x02\x00\x00")
                subscribe = peer.recv(4096)
                peer.sendall((b"\x90\x04" + subscribe[2:4] + b"\x00\x00") if v5 else (b"\x90\x03" + subscribe[2:4] + b"\x00"))
                self.ready.set()
                while self.asked.acquire():
                    for _ in range(self.times):
                        peer.sendall(self.packets)
        except OSError:
            pass  # its peer has ended
