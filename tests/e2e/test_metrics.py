#!/usr/bin/env python3
"""/metrics is what Prometheus expects, and says what happened."""

import re
import shutil
import subprocess
import unittest
from pathlib import Path

import harness

CONFIG = {
    "sources": {"in": {"http": {}}, "tick": {"timer": {"every": "20ms"}}},
    "pipelines": {
        "out": {"from": "in", "pipe": [{"filter": "n > 1"}, {"map": {"r": "10 % n"}}]},
        "avg": {"from": "in", "pipe": [{"group_by": "k"}, {"window": "50ms"}, {"aggregate": {"n": "count()"}}]},
        "ticks": {"from": "tick"},
    },
}


class Prometheus(harness.EndToEnd):
    def feed(self, daemon):
        daemon.post("/sources/in", '[{"n": 1, "k": "a"}, {"n": 2, "k": "b\\"\\\\\\n"}, {"n": "x"}, {"k": "c"}, {"n": 3, "k": "a"}]')
        daemon.post("/sources/in", "{")

    def test_promtool_finds_nothing_to_say(self):
        promtool = shutil.which("promtool")
        if not promtool:
            raise unittest.SkipTest("no promtool")
        daemon = self.daemon(CONFIG)
        self.feed(daemon)
        done = subprocess.run([promtool, "check", "metrics"], input=daemon.metrics().text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr.strip(), done.stdout.strip()), (0, "", ""))

    def test_it_counts_what_came(self):
        daemon = self.daemon(CONFIG)
        self.feed(daemon)

        def counted():
            metrics = daemon.metrics()
            return (metrics.sum("rxd_source_received_total", source="in"), metrics.sum("rxd_source_decoded_total", source="in"),
                    metrics.sum("rxd_source_rejected_total", source="in")) == (6, 5, 1)

        harness.wait_for("six received, one of them bad", counted)

    def test_every_family_and_its_labels_stand_on_the_page(self):
        page = (harness.ROOT / "docs" / "metrics.md").read_text()
        rows = {name: (kind, set(filter(None, labels.split(", "))))
                for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", page, re.M)}
        broker = self.broker()
        (Path(self.folder) / "k.json").write_text("[]")
        daemon = self.daemon({**CONFIG, "brokers": {"home": {"url": broker.url}}, "sources": {
            **CONFIG["sources"], "away": {"mqtt": {"broker": "home", "topic": "a"}},
            "told": {"http": {}, "format": "csv", "event_time": "ts", "idle_timeout": "1h"}}, "pipelines": {
            **CONFIG["pipelines"], "of_told": {"from": "told"}, "asked": {"from": "told", "pipe": [{"http": {"get": "http://127.0.0.1:9/"}}]}, "dealt": {"from": "in", "pipe": [{"parallel": {"by": "n", "lanes": 1}}]}, "looked_up": {"from": "in", "pipe": [{"lookup": {"file": "k.json", "key": "k"}}]}, "of_broker": {"from": "away"}, "full": {"from": "in", "to": [{"file": "/dev/full"}]}}})
        self.feed(daemon)
        daemon.post("/sources/told", "ts,v\n2024-01-01T00:00:00Z,1\n", content_type="text/csv")
        harness.wait_for("a condition stands", lambda: daemon.metrics().sum("rxd_condition") > 0)
        metrics = daemon.metrics()
        shown = {name: set(labels) for name, labels, _ in metrics.samples}
        self.assertEqual(shown, {name: labels for name, (_, labels) in rows.items()})
        kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", metrics.text, re.M))
        self.assertEqual(kinds, {name: kind for name, (kind, _) in rows.items()})

    def test_the_content_type_is_the_text_format(self):
        answer = self.daemon(CONFIG).get("/metrics")
        self.assertTrue(answer.getheader("Content-Type").startswith("text/plain; version=0.0.4"), answer.getheader("Content-Type"))


if __name__ == "__main__":
    harness.main()
