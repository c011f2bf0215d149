#!/usr/bin/env python3
"""What a release is optimised for: a while of each kind of work that is measured in this folder, done by the daemon given.

    bench/train.py [RXD [SHARE]]        (default build-profile/bin/rxd, which counts what it does; `./dev pgo` runs this)

The kinds take about as long as one another, so that none is the cold path of another.
"""
import json
import random
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import harness  # noqa: E402

MAIN = ["filter: metric == 'temperature'", "group_by: device", "window: 5s", "aggregate: { avg: avg(value), max: max(value), n: count() }"]
random.seed(1)


def readings(count, devices=1000):
    return [b'{"device":"sensor-%05d","ts":1700000000123,"metric":"%s","value":%.2f,"status":"ok"}'
            % (random.randrange(devices), random.choice((b"temperature",) * 3 + (b"humidity",)), random.uniform(15, 30)) for _ in range(count)]


def pipeline(*steps, source="s", to="to: []"):
    return f"from: {source}\n    pipe:\n" + "".join(f"      - {step}\n" for step in steps) + f"    {to}"


def config(source, pipelines):
    return f"http: {{ max_body: 4MiB }}\nsources:\n  s: {{ {source} }}\npipelines:\n" + "".join(
        f"  {name}:\n    {text}\n" for name, text in pipelines.items())


class Trainer:
    def __init__(self, folder):
        self.folder = Path(folder)

    def daemon(self, text):
        return harness.Daemon(self.folder, text).start(ready=False)

    def decoded(self, daemon, count):
        harness.wait_for(f"{count} events", lambda: daemon.metrics().sum("rxd_source_decoded_total") >= count, 300)

    def over_file(self, lines, pipelines, options="", rows=None):
        """`rows`: how many of the lines are events."""
        path = self.folder / "in"
        path.write_bytes(b"\n".join(lines) + b"\n")
        daemon = self.daemon(config(f"file: {path}{options}", pipelines))
        self.decoded(daemon, rows or len(lines))
        daemon.stop()

    def over_http(self, lines, pipelines):
        daemon = self.daemon(config("http: {}", pipelines))
        for at in range(0, len(lines), 10000):
            answer = daemon.post("/sources/s", b"\n".join(lines[at : at + 10000]), "application/x-ndjson")
            assert answer.status == 202, answer.status
        self.decoded(daemon, len(lines))
        daemon.stop()

    def over_mqtt(self, lines, pipelines, qos):
        broker = harness.Broker(self.folder).start()
        daemon = self.daemon(f"brokers: {{ b: {{ url: '{broker.url}' }} }}\n"
                             + config(f"mqtt: {{ broker: b, topic: 't/{{d}}', qos: {qos} }}", pipelines))
        daemon.wait_ready()
        client = broker.client()
        for at in range(0, len(lines), 1000):
            client.publish_many([(f"t/{at % 7}", line.decode()) for line in lines[at : at + 1000]], qos=qos)
            if at % 20000 == 0:
                self.decoded(daemon, at)
        self.decoded(daemon, len(lines))
        client.close()
        daemon.stop()
        broker.stop()

    def to_subscribers(self, lines, count):
        daemon = self.daemon(config("http: {}", {"out": pipeline("set: { twice: value * 2 }", to="to: stream")}))
        kinds, queries = list(harness.SUBSCRIBERS.values()), ["", "?filter=value%20%3E%2020", "?filter=value%20%3C%2017"]
        subscribers = [kinds[i % len(kinds)](daemon.port, "out", queries[i % 2 + i % 3 // 2]).start() for i in range(count)]
        for at in range(0, len(lines), 100):
            daemon.post("/sources/s", b"\n".join(lines[at : at + 100]), "application/x-ndjson")
        subscribers[0].wait("every event", lambda events: len(events) >= len(lines), 120)
        for subscriber in subscribers:
            subscriber.close()
        daemon.stop()


def train(trainer, share):
    lines = readings(int(400_000 * share))
    main = {"avg": pipeline(*MAIN, to="to: stream")}
    trainer.over_file(lines, main)
    trainer.over_http(lines, main)
    trainer.over_mqtt(lines[: len(lines) // 7], main, 0)
    trainer.over_mqtt(lines[: len(lines) // 13], main, 1)
    trainer.over_file(readings(len(lines) // 2, 100_000), main)
    trainer.over_file(lines[: len(lines) // 4], {
        f"w{i}": pipeline("group_by: device", f"window: {window}", "aggregate: { avg: avg(value), max: max(value), p: 'quantile(value, 0.9)' }")
        for i, window in enumerate(["{ size: 10s, every: 100ms }", "{ size: 100, every: 1 }", "{ session: 1s }", "{ size: 1s, every: event }", "1000"])
    })
    timed = [b'{"t":%d,"user":"u%d","v":%d}' % (1_700_000_000_000 + i * 5 - random.randrange(900), random.randrange(500), i % 97) for i in range(len(lines) // 2)]
    trainer.over_file(timed, {
        "w": pipeline("group_by: user", "window: { size: 10s, every: 1s }", "aggregate: { n: count(), sum: sum(v) }"),
        "m": pipeline("group_by: user", "match: { pattern: 'high{2} -> low', where: { high: v > 90, low: v < 5 }, within: 5s }", "merge"),
    }, ", event_time: { field: t, unit: ms }, lateness: 1s")
    trainer.over_file(lines[: len(lines) // 2], {"c": pipeline(
        "map: { device: device, f: value * 1.8 + 32, ok: status == 'ok' }", "set: { k: f + 459.67 }", "filter: ok && k > 500",
        "set: { text: \"device + ': ' + string(k)\" }", "unset: [ok]", "default: { unit: F }", "distinct_until_changed: f", "scan: { seed: 0, expr: acc + 1 }"
    )})
    trainer.over_file([b"Station %d;%.1f" % (random.randrange(400), random.gauss(12, 9)) for _ in lines], {
        "m": pipeline("group_by: station", "window: 5s", "aggregate: { min: min(t), mean: avg(t), max: max(t) }")
    }, ", format: csv, csv: { header: [station, t], delimiter: ';' }")
    trainer.over_file(lines[: len(lines) // 4], {f"p{i}": pipeline(f"filter: device == 'sensor-{i:05}'") for i in range(1000)})
    trainer.over_file(lines[: len(lines) // 20], {f"p{i}": pipeline(f"filter: value > {15 + i / 100} && value < {15.1 + i / 100}") for i in range(300)})
    trainer.to_subscribers(lines[: len(lines) // 20], 60)


def main():
    harness.rxd_path = lambda: str(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build-profile/bin/rxd").resolve())
    with tempfile.TemporaryDirectory(prefix="rxd-train-") as folder:
        train(Trainer(folder), float(sys.argv[2]) if len(sys.argv) > 2 else 1)


if __name__ == "__main__":
    main()
