#!/usr/bin/env python3
"""The main job: JSON -> filter -> group_by device -> 5 s average -> subscribers, measured from outside.

    bench/main_job.py [RXD]        (default build/bin/rxd)

Feeds: a file, HTTP NDJSON in 1 MB bodies, a canned MQTT sender on loopback (it speaks the broker's side from a prepared
buffer), and 100,000 messages/s (or what it takes) through a real mosquitto. Each runs ROUNDS times; medians are printed. rxd is held to one
core where taskset is there; the sender has the others.
"""
import http.client
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROUNDS = 3
EVENTS = 1_000_000
DEVICES = 1000
RXD = sys.argv[1] if len(sys.argv) > 1 else "build/bin/rxd"
PIPE = """
pipelines:
  avg:
    from: s
    pipe:
      - filter: metric == "temperature"
      - group_by: device
      - window: 5s
      - aggregate: { avg: avg(value), max: max(value), n: count() }
"""


def message(rng):
    return (b'{"device":"sensor-%04d","ts":1700000000123,"metric":"temperature","value":%.2f,"status":"ok"}'
            % (rng.randrange(DEVICES), 15 + rng.random() * 15))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemon:
    def __init__(self, folder, config):
        self.port = free_port()
        path = os.path.join(folder, "bench.yaml")
        with open(path, "w") as f:
            f.write("http: { listen: 127.0.0.1:%d, max_body: 4MiB }\n%s" % (self.port, config))
        pin = ["taskset", "-c", "0"] if shutil.which("taskset") else []
        self.process = subprocess.Popen(pin + [RXD, "run", "-c", path], stderr=subprocess.DEVNULL)
        self.wait(lambda: self.get("/healthz"))

    def get(self, path):
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            c.request("GET", path)
            return c.getresponse().read().decode()
        except OSError:
            return None

    def metric(self, name):
        for line in (self.get("/metrics") or "").splitlines():
            if line.startswith(name):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def wait(self, done, seconds=60):
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise SystemExit("bench: waited in vain")
            time.sleep(0.005)

    def cpu(self):
        with open("/proc/%d/stat" % self.process.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def timed(daemon, feed, events):
    """Events a second of CPU (rxd's own), and of time."""
    began, cpu = time.monotonic(), daemon.cpu()
    feed()
    daemon.wait(lambda: daemon.metric('rxd_step_in_total{pipeline="avg",step="1.filter"}') >= events)
    return events / (daemon.cpu() - cpu), events / (time.monotonic() - began)


def over_file(folder, lines):
    path = os.path.join(folder, "events.ndjson")
    with open(path, "wb") as f:
        f.write(b"\n".join(lines) + b"\n")
    fifo = os.path.join(folder, "fifo")
    if not os.path.exists(fifo):
        os.mkfifo(fifo)
    daemon = Daemon(folder, "sources: { s: { file: { path: %s } } }%s" % (fifo, PIPE))

    def feed():
        with open(fifo, "wb") as out, open(path, "rb") as f:
            shutil.copyfileobj(f, out, 1 << 20)
    try:
        return timed(daemon, feed, len(lines))
    finally:
        daemon.stop()


def over_http(folder, lines):
    bodies, body = [], b""
    for line in lines:
        body += line + b"\n"
        if len(body) > 1 << 20:
            bodies.append(body)
            body = b""
    bodies.append(body)
    daemon = Daemon(folder, "sources: { s: { http: {} } }" + PIPE)

    def feed():
        c = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
        for one in bodies:
            c.request("POST", "/sources/s", one, {"Content-Type": "application/x-ndjson"})
            answer = c.getresponse()
            answer.read()
            assert answer.status == 202, answer.status
    try:
        return timed(daemon, feed, len(lines))
    finally:
        daemon.stop()


def publish_packet(line):
    body = b"\x00\x01s" + line
    length, header = len(body), bytearray(b"\x30")
    while True:
        header.append(length % 128 | (128 if length > 127 else 0))
        length //= 128
        if not length:
            return bytes(header) + body


class CannedBroker:
    """Says what a broker would say, then sends the buffer."""

    def __init__(self, packets):
        self.buffer = b"".join(packets)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ready, self.go = threading.Event(), threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        peer, _ = self.listener.accept()
        peer.recv(4096)
        peer.sendall(b"\x20\x02\x00\x00")
        subscribe = peer.recv(4096)
        peer.sendall(b"\x90\x03" + subscribe[2:4] + b"\x00")
        self.ready.set()
        self.go.wait()
        peer.sendall(self.buffer)
        while peer.recv(4096):
            pass


def over_canned_mqtt(folder, lines):
    broker = CannedBroker([publish_packet(line) for line in lines])
    daemon = Daemon(folder, "brokers: { b: { url: mqtt://127.0.0.1:%d } }\n"
                            "sources: { s: { mqtt: { broker: b, topic: s } } }%s" % (broker.port, PIPE))
    try:
        daemon.wait(broker.ready.is_set)
        return timed(daemon, broker.go.set, len(lines))
    finally:
        daemon.stop()


def through_mosquitto(folder, rate, seconds):
    """CPU of rxd, as a share of one core, at a rate through a real broker; and the rate that came."""
    port = free_port()
    conf = os.path.join(folder, "mosquitto.conf")
    with open(conf, "w") as f:
        f.write("listener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n" % port)
    broker = subprocess.Popen([shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", conf],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    brokers = "brokers: { b: { url: mqtt://127.0.0.1:%d } }\n" % port
    reader = Daemon(folder, brokers + "sources: { s: { mqtt: { broker: b, topic: \"t/{d}\" } } }" + PIPE)
    sender = Daemon(folder, brokers + "sources: { s: { simulate: { rate: %d, devices: 1000 } } }\n"
                    "pipelines: { p: { from: s, to: [ mqtt: { broker: b, topic: \"t/{device}\" } ] } }" % rate)
    try:
        name = "rxd_source_received_total"
        reader.wait(lambda: reader.metric(name) > rate)
        n, cpu, began = reader.metric(name), reader.cpu(), time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - began
        return (reader.cpu() - cpu) / passed, (reader.metric(name) - n) / passed
    finally:
        sender.stop()
        reader.stop()
        broker.terminate()
        broker.wait()


def main():
    rng = random.Random(1)
    lines = [message(rng) for _ in range(EVENTS)]
    print("one message: %d bytes; %d events, %d rounds; medians" % (len(lines[0]), EVENTS, ROUNDS))
    for name, run, goal in (("file", over_file, "at least 1 M"), ("HTTP NDJSON, 1 MB bodies", over_http, "at least 1 M"),
                            ("canned MQTT sender", over_canned_mqtt, "at least 3 M; the wall is 10.1 M")):
        with tempfile.TemporaryDirectory() as folder:
            results = [run(folder, lines) for _ in range(ROUNDS)]
        cpu, wall = (statistics.median(r[i] for r in results) for i in (0, 1))
        print("%-26s %6.2f M events/s of one core's time, %6.2f M events/s by the clock   (%s)"
              % (name, cpu / 1e6, wall / 1e6, goal))
    with tempfile.TemporaryDirectory() as folder:
        results = [through_mosquitto(folder, 100_000, 5) for _ in range(ROUNDS)]
    cpu, rate = (statistics.median(r[i] for r in results) for i in (0, 1))
    print("%-26s %5.1f %% of a core at %.0f messages/s   (limit: 15 %% at 100,000)" % ("through mosquitto", cpu * 100, rate))


if __name__ == "__main__":
    main()
