#!/usr/bin/env python3
"""From publish to subscriber: percentiles of the time from a message's PUBLISH to its arrival over SSE, and the daemon's CPU.

    bench/latency.py [RATE...] [--seconds 5] [--subscribers 1] [--broker canned|mosquitto|both]   (default 200 20000)

The daemon is $RXD, else build/bin/rxd, on a core of its own where taskset is there; sender and reader are processes of their
own on the others. The canned broker speaks MQTT to the daemon itself; mosquitto adds what mosquitto takes.
"""
import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import harness  # noqa: E402
from mqtt_client import CONNECT, PUBLISH, packet, text  # noqa: E402

REQUEST = b"GET /streams/p HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
STAMP = re.compile(rb'"t":(\d+)\}')


def pin_daemon(pid):
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, {0})
        for task in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(task), {0})


def spare_cores():
    """For who is not the daemon."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, set(range(1, os.cpu_count())))


def publish(connection, rate, seconds):
    """Each message carries when it was sent; those that are due go out together."""
    begin = time.monotonic()
    sent = 0
    while (now := time.monotonic()) < begin + seconds:
        due = int((now - begin) * rate) - sent
        if due > 0:
            message = b'{"device":"sensor-0042","metric":"temperature","value":21.5,"t":%d}' % time.monotonic_ns()
            connection.sendall(packet(PUBLISH, text("s") + message) * due)
            sent += due
        time.sleep(0.0002)
    return sent


def serve_canned(listener, rate, seconds):
    """A broker's side of one connection, and its messages once the daemon has been told to go."""
    peer, _ = listener.accept()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.recv(4096)
    peer.sendall(b"\x20\x02\x00\x00")
    subscribe = peer.recv(4096)
    peer.sendall(b"\x90\x03" + subscribe[2:4] + b"\x00")
    sys.stdin.readline()
    print(publish(peer, rate, seconds), flush=True)
    peer.recv(1)


def send_through(port, rate, seconds):
    peer = socket.create_connection(("127.0.0.1", port))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.sendall(packet(CONNECT, text("MQTT") + b"\x04\x02\x00\x00" + text("latency")))
    peer.recv(4)
    sys.stdin.readline()
    print(publish(peer, rate, seconds), flush=True)
    peer.recv(1)


def read(port, seconds):
    """Latencies in ns, until nothing has come for a second after the end."""
    peer = socket.create_connection(("127.0.0.1", port))
    peer.sendall(REQUEST)
    peer.recv(65536)
    print("ready", flush=True)
    peer.settimeout(seconds + 5)
    latencies, rest = [], b""
    try:
        while data := peer.recv(1 << 18):
            now = time.monotonic_ns()
            peer.settimeout(1)
            rest += data
            for found in STAMP.finditer(rest):
                latencies.append(now - int(found[1]))
            rest = rest[rest.rfind(b"\n") + 1:]
    except TimeoutError:
        pass
    latencies.sort()
    share = [latencies[min(len(latencies) - 1, int(len(latencies) * q))] / 1e6 for q in (0.5, 0.9, 0.99, 0.999)]
    print(len(latencies), *share, flush=True)


def swallow(port, count):
    """Subscribers who only take what comes."""
    import selectors
    poll = selectors.DefaultSelector()
    for _ in range(count):
        peer = socket.create_connection(("127.0.0.1", port))
        peer.sendall(REQUEST)
        poll.register(peer, selectors.EVENT_READ)
        peer.recv(65536)
    print("ready", flush=True)
    while True:
        for key, _ in poll.select():
            if not key.fileobj.recv(1 << 18, socket.MSG_TRUNC):
                return


def cpu_of(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def role(*words):
    return subprocess.Popen([sys.executable, __file__, "--role", *map(str, words)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True, pass_fds=())


def measure(kind, rate, options):
    with tempfile.TemporaryDirectory() as folder:
        broker = harness.Broker(folder).start() if kind == "mosquitto" else None
        listener_port = broker.port if broker else harness.free_port()
        sender = role("through" if broker else "canned", listener_port, rate, options.seconds)
        config = {
            "brokers": {"b": {"url": f"mqtt://127.0.0.1:{listener_port}"}},
            "sources": {"s": {"mqtt": {"broker": "b", "topic": "s"}}},
            "pipelines": {"p": {"from": "s"}},
        }
        daemon = harness.Daemon(folder, config).start()
        pin_daemon(daemon.process.pid)
        helpers = [sender]
        try:
            if options.subscribers > 1:
                helpers.append(role("swallow", daemon.port, options.subscribers - 1))
                helpers[-1].stdout.readline()
            reader = role("read", daemon.port, options.seconds)
            helpers.append(reader)
            reader.stdout.readline()
            cpu = cpu_of(daemon.process.pid)
            sender.stdin.write("go\n")
            sender.stdin.flush()
            sent = int(sender.stdout.readline())
            cpu = (cpu_of(daemon.process.pid) - cpu) / options.seconds
            answer = reader.stdout.readline().split()
        finally:
            for helper in helpers:
                helper.kill()
                helper.wait()
            daemon.process.kill()
            daemon.process.wait()
            if broker:
                broker.stop()
    print(f"{kind:>9s} {rate:7d}/s, {options.subscribers} subscriber{'s' * (options.subscribers > 1)}: p50 %s, p90 %s, p99 %s, "
          f"p99.9 %s ms; {answer[0]} of {sent} came; {cpu * 100:.1f} %% of a core" % tuple(f"{float(x):.2f}" for x in answer[1:]),
          flush=True)


def play(words):
    spare_cores()
    name, port = words[0], int(words[1])
    if name == "canned":
        with socket.create_server(("127.0.0.1", port)) as listener:
            serve_canned(listener, int(words[2]), float(words[3]))
    elif name == "through":
        send_through(port, int(words[2]), float(words[3]))
    elif name == "read":
        read(port, float(words[2]))
    else:
        swallow(port, int(words[2]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rates", nargs="*", type=int, default=[200, 20000])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--subscribers", type=int, default=1)
    parser.add_argument("--broker", choices=["canned", "mosquitto", "both"], default="both")
    options = parser.parse_args()
    for kind in ["canned", "mosquitto"] if options.broker == "both" else [options.broker]:
        for rate in options.rates:
            measure(kind, rate, options)


if __name__ == "__main__":
    play(sys.argv[2:]) if sys.argv[1:2] == ["--role"] else main()
