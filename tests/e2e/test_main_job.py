#!/usr/bin/env python3
"""The main job: sensors over MQTT, averages by device and window, the same to every kind of subscriber.

Small by default; RXD_E2E_FULL=1: 1,000 devices, 20,000 messages/s for 60 s.
"""

import json
import math
import random
import time
from collections import defaultdict

import harness

DEVICES, RATE, SECONDS, WINDOW = (1000, 20000, 60, "5s") if harness.FULL else (50, 2000, 3, "1s")


def config(broker):
    return {
        "brokers": {"home": {"url": broker.url}},
        "sources": {"sensors": {"mqtt": {"broker": "home", "topic": "sensors/{device}/{metric}", "qos": 1}}},
        "pipelines": {
            "device_avg": {
                "from": "sensors",
                "pipe": [
                    {"filter": 'metric == "temperature"'},
                    {"group_by": "device"},
                    {"window": WINDOW},
                    {"aggregate": {"n": "count()", "avg": "avg(value)", "min": "min(value)", "max": "max(value)"}},
                ],
            }
        },
    }


class Load:
    """Messages with their totals by device: the values are quarters, so that every sum is exact."""

    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.values = defaultdict(list)
        self.count = 0

    def messages(self, n):
        rows = []
        for _ in range(n):
            device = f"d{self.random.randrange(DEVICES)}"
            value = self.random.randrange(-80, 400) / 4
            self.values[device].append(value)
            rows.append((f"sensors/{device}/temperature", json.dumps({"value": value, "unit": "C"})))
            if self.random.random() < 0.05:
                rows.append((f"sensors/{device}/humidity", "40"))
        self.count += len(rows)
        return rows

    def totals(self):
        return {d: (len(v), sum(v), min(v), max(v)) for d, v in self.values.items()}


def totals_of(results):
    rows = defaultdict(list)
    for result in results:
        rows[result["device"]].append(result)
    return {
        device: (
            sum(r["n"] for r in found),
            math.fsum(r["avg"] * r["n"] for r in found),
            min(r["min"] for r in found),
            max(r["max"] for r in found),
        )
        for device, found in rows.items()
    }


class MainJob(harness.EndToEnd):
    def run_load(self, client, load):
        """In slices of 20 ms by the clock, as sensors would send."""
        slices = SECONDS * 50
        begin = time.monotonic()
        for i in range(slices):
            client.publish_many(load.messages(RATE // 50))
            time.sleep(max(0, begin + (i + 1) / 50 - time.monotonic()))
        client.settle()
        return load.count / (time.monotonic() - begin)

    def test_sums_over_all_windows_are_what_was_sent_for_every_subscriber(self):
        broker = self.broker()
        daemon = self.daemon(config(broker))
        subscribers = {kind: self.subscribe(daemon, kind, "device_avg") for kind in harness.SUBSCRIBERS}
        client, load = self.client(broker), Load()
        rate = self.run_load(client, load)
        print(f"{load.count} messages, {rate:.0f}/s carried by the broker")
        want = load.totals()
        readings = sum(n for n, *_ in want.values())
        for kind, subscriber in subscribers.items():
            with self.subTest(kind):
                subscriber.wait("every reading is in a window", lambda rows: sum(r["n"] for r in rows) >= readings, 30)
                self.compare(want, totals_of(subscriber.events))
        self.assertEqual(subscribers["sse"].events, subscribers["websocket"].events)
        self.assertEqual(subscribers["sse"].events, subscribers["ndjson"].events)
        metrics = daemon.metrics()
        self.assertEqual(metrics.sum("rxd_source_received_total", source="sensors"), load.count)
        self.assertEqual(metrics.sum("rxd_source_rejected_total"), 0)

    def compare(self, want, got):
        self.assertEqual(want.keys(), got.keys())
        for device, (n, total, least, greatest) in want.items():
            have = got[device]
            self.assertEqual((n, least, greatest), (have[0], have[2], have[3]), device)
            self.assertAlmostEqual(total, have[1], delta=1e-9 * max(1, abs(total)) * n, msg=device)

    def test_the_latest_of_each_device_is_served_as_json(self):
        broker = self.broker()
        daemon = self.daemon(config(broker))
        self.assertIn(daemon.get("/streams/device_avg").status, (200, 204))
        client = self.client(broker)
        client.publish_many([("sensors/b/temperature", "1"), ("sensors/a/temperature", '{"value": 3}')])

        def both():
            latest = daemon.json("/streams/device_avg") or []
            return len(latest) == 2 and latest

        latest = harness.wait_for("both results", both)
        self.assertEqual([(r["device"], r["n"], r["avg"]) for r in latest], [("a", 1, 3), ("b", 1, 1)])
        self.assertEqual(set(latest[0]["window"]), {"start", "end"})

    def test_streams_are_listed(self):
        daemon = self.daemon(config(self.broker()))
        self.assertIn("device_avg", json.dumps(daemon.json("/streams")))
        self.assertEqual(daemon.get("/streams/nothing").status, 404)


if __name__ == "__main__":
    harness.main()
