#!/usr/bin/env python3
"""What subscribers cost while they wait: RSS of a whole daemon with so many on one stream, after each has had an event.

    bench/subscribers.py [COUNT...]        (default 1000 5000 19000)

The daemon is $RXD, else build/bin/rxd. The kernel's share (about 5 KiB a connection) is not in it. Raises its limit of
descriptors as far as it may.
"""
import re
import resource
import select
import socket
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import harness  # noqa: E402

COUNTS = [int(n) for n in sys.argv[1:]] or [1000, 5000, 19000]
REQUEST = b"GET /streams/p HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
CONFIG = {"http": {"max_connections": 100000}, "sources": {"s": {"http": {}}}, "pipelines": {"p": {"from": "s"}}}


def resident(daemon):
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def read_once(peers):
    """Something from each."""
    poll, waiting = select.poll(), {peer.fileno(): peer for peer in peers}
    for fd in waiting:
        poll.register(fd, select.POLLIN)
    while waiting:
        for fd, _ in poll.poll(30000) or sys.exit("bench: waited in vain"):
            assert waiting.pop(fd).recv(65536)
            poll.unregister(fd)


def follow(port, count):
    """So many that have had their response's head; they come a hundred at a time."""
    peers = []
    while len(peers) < count:
        newcomers = [socket.create_connection(("127.0.0.1", port)) for _ in range(min(100, count - len(peers)))]
        for peer in newcomers:
            peer.sendall(REQUEST)
        read_once(newcomers)
        peers += newcomers
    return peers


def run(count):
    with tempfile.TemporaryDirectory() as folder:
        daemon = harness.Daemon(folder, CONFIG).start()
        try:
            before = resident(daemon)
            peers = follow(daemon.port, count)
            daemon.post("/sources/s", '{"device":"sensor-0001","value":21.5}')
            read_once(peers)
            after = resident(daemon)
        finally:
            daemon.process.kill()
            daemon.process.wait()
    for peer in peers:
        peer.close()
    print(f"{count:6d} subscribers: {after / 1e6:5.1f} MB resident, {before / 1e6:.1f} MB without them: "
          f"{(after - before) // count} bytes each")


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for count in COUNTS:
        if count + 100 > hard:
            print(f"{count:6d} subscribers: more than the {hard} descriptors that there are")
        else:
            run(count)


if __name__ == "__main__":
    main()
