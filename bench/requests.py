#!/usr/bin/env python3
"""How late a 10 ms timer's events are while thousands of requests are under way: `requests.py [--first] [--timeout T] [N]`.

A server of its own answers each request after two seconds; with `--timeout 1s` or another they are given up before that. The lateness of an event is the wall clock when a file sink's line of it is read, less the instant
it was due; the least of all is taken for the way itself. Without requests first, then with them. With --first rxd and the reader go before all else on the machine (chrt; it takes root): what is late
then is so by rxd's own doing, but for some 50 ms where rxd was busy for a second: then Linux stops who goes first (sched_rt_runtime_us)."""

import asyncio
import json
import multiprocessing
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

RXD = os.environ.get("RXD", "build/bin/rxd")
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"fare": 7}'


FIRST = "--first" in sys.argv
TIMEOUT = sys.argv[sys.argv.index("--timeout") + 1] if "--timeout" in sys.argv else "60s"


def go_last():
    if FIRST:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def serve(port_pipe):
    go_last()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    async def handle(reader, writer):
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(2)
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main():
        server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=8192)
        port_pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def config(port, listen, count):
    asks = {"get": f"http://127.0.0.1:{port}/fare/{{n}}", "into": "r", "concurrency": count, "timeout": TIMEOUT}
    return {
        "http": {"listen": f"127.0.0.1:{listen}"},
        "sources": {"rides": {"http": {}}, "clock": {"timer": {"every": "10ms"}}},
        "pipelines": {
            "fares": {"from": "rides", "pipe": [{"http": asks}, "count"], "to": []},
            "tick": {"from": "clock"},
        },
    }


def post(listen, path, body):
    go_last()
    ask(listen, path, body)


def ask(listen, path, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{listen}{path}", body)
    return urllib.request.urlopen(request, timeout=20).read()


def wait_ready(listen):
    for _ in range(200):
        try:
            return ask(listen, "/readyz")
        except OSError:
            time.sleep(0.05)
    raise SystemExit("rxd does not start")


def watch(listen, seconds):
    """The arrival of each tick, less when it was due by the first."""
    arrivals = []
    with socket.create_connection(("127.0.0.1", listen)) as s:
        s.sendall(b"GET /streams/tick HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/x-ndjson\r\n\r\n")
        end, rest = time.monotonic() + seconds, b""
        while time.monotonic() < end:
            rest += s.recv(65536)
            now = time.monotonic()
            *lines, rest = rest.split(b"\n")
            arrivals += [(json.loads(line)["value"], now) for line in lines if line.startswith(b'{"value"')]
    offsets = [at - n * 0.01 for n, at in arrivals]
    way = min(offsets)
    return sorted((o - way) * 1000 for o in offsets)


def show(name, late):
    at = lambda q: late[min(len(late) - 1, int(len(late) * q))]
    print(f"{name:24} {len(late):5} ticks: p50 {at(0.5):.2f} ms, p99 {at(0.99):.2f} ms, max {late[-1]:.2f} ms", flush=True)


def main():
    numbers = [a for a in sys.argv[1:] if a.isdigit()]
    count = int(numbers[0]) if numbers else 5000
    if FIRST:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    port = ours.recv()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = probe.getsockname()[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rxd.json"
        path.write_text(json.dumps(config(port, listen, count)))
        rxd = subprocess.Popen([RXD, "run", "-c", path])
        try:
            wait_ready(listen)
            if FIRST:
                for task in Path(f"/proc/{rxd.pid}/task").iterdir():
                    os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(20))
            show("no requests", watch(listen, 4))
            rides = b"\n".join(b'{"n": %d}' % n for n in range(count))
            poster = multiprocessing.Process(target=post, args=(listen, "/sources/rides", rides))
            poster.start()
            show(f"{count} at once", watch(listen, 6))
            poster.join()
            metrics = ask(listen, "/metrics").decode()
            print(*(m for m in metrics.splitlines() if m.startswith("rxd_step") and "fares" in m and "http" in m and m.endswith(f" {count}")), sep="\n")
        finally:
            rxd.terminate()
            rxd.wait()
            server.terminate()


if __name__ == "__main__":
    main()
