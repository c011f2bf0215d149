#!/usr/bin/env python3
"""SIGHUP under load, one of ten pipelines changed each time: the other nine lose nothing and double nothing, and keep their
windows, groups, streams, ids, history and subscribers; over MQTT and over HTTP."""

import json
import signal
import threading
import time

import harness

RELOADS = 100 if harness.FULL else 8
BATCH = 200
RATE = 20_000 if harness.FULL else 4_000  # events a second
GROUPS = 7


def config(source, change, workers=1):
    """`total` counts every event, `windows` in one-second windows by group, `paired` over a hop; `changing` is another each time."""
    kept = {
        "total": {"from": "in", "pipe": [{"scan": {"expr": "{'n': acc.n + 1, 'sum': acc.sum + v}", "seed": {"n": 0, "sum": 0}}}]},
        "windows": {
            "from": "in",
            "pipe": [{"group_by": "g"}, {"window": "1s"}, {"aggregate": {"n": "count()", "sum": "sum(v)"}}],
        },
        "unfused": {
            "from": "in",
            "pipe": [{"group_by": "g"}, {"window": {"size": "1s", "align": "start"}}, {"aggregate": {"n": "count()"}}],
        },
        "by_count": {"from": "in", "pipe": [{"window": 50}, {"aggregate": {"n": "count()"}}]},
        "late": {"from": "in", "pipe": [{"delay": "300ms"}, {"group_by": "g"}, {"window": 10}, "count"]},
        "hop": {"from": "total", "pipe": [{"filter": "n % 100 == 0"}]},
        "latest": {"from": "in", "pipe": [{"sample": "100ms"}]},
        "firsts": {"from": "in", "pipe": [{"take": 3}]},
        "pairs": {"from": "in", "pipe": [{"filter": "v % 50 == 0"}, "pairwise"]},
    }
    return json.dumps(
        {
            "workers": workers,
            **source,
            "pipelines": {**kept, "changing": {"from": "in", "pipe": [{"filter": f"v % 100 == {change % 100}"}]}},
        }
    )


class Feed:
    """Sends numbered events in batches at a steady rate, until it is stopped; counts those that were accepted."""

    def __init__(self, send):
        self.send, self.sent, self.stopping, self.failure = send, 0, threading.Event(), None
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        try:
            begin = time.monotonic()
            while not self.stopping.is_set():
                self.send([{"g": f"g{v % GROUPS}", "v": v} for v in range(self.sent, self.sent + BATCH)])
                self.sent += BATCH
                self.stopping.wait(max(0, begin + self.sent / RATE - time.monotonic()))
        except Exception as error:
            self.failure = error

    def stop(self):
        self.stopping.set()
        self.thread.join(harness.DEADLINE)
        if self.failure:
            raise self.failure
        return self.sent


class ReloadUnderLoad(harness.EndToEnd):
    def begin(self, source, workers=1):
        self.source, self.workers = source, workers
        self.rxd = self.daemon(config(source, 0, workers))
        names = ["total", "windows", "unfused", "by_count", "late", "hop", "pairs", "firsts"]
        self.streams = {name: self.subscribe(self.rxd, "sse", name, query="?last=0") for name in names}

    def reload(self, change):
        self.rxd.config.write_text(config(self.source, change, self.workers))
        self.rxd.signal(signal.SIGHUP)
        harness.wait_for("the reload", lambda: self.count_reloads() > change - 1)

    def count_reloads(self):
        return self.rxd.metrics().sum("rxd_reloads_total", outcome="done")

    def check(self, sent):
        expected = {"n": sent, "sum": sent * (sent - 1) // 2}
        harness.wait_for("the last total", lambda: self.streams["total"].events[-1] == expected)
        self.rxd.post("/sources/nobody", "")
        total = lambda name, field="n": sum(e[field] for e in self.streams[name].events)
        harness.wait_for("the last windows", lambda: total("windows") == sent and total("unfused") == sent)
        self.assertEqual(total("windows", "sum"), expected["sum"])
        self.assertEqual([e["n"] for e in self.streams["by_count"].events], [50] * (sent // 50))
        harness.wait_for("the last of what is late", lambda: len(self.streams["late"].events) == self.full_tens(sent))
        self.assertEqual([e["n"] for e in self.streams["hop"].events], list(range(100, sent + 1, 100)))
        pairs = self.streams["pairs"].events
        self.assertEqual([[a["v"], b["v"]] for a, b in pairs], [[v, v + 50] for v in range(0, sent - 50, 50)])
        self.assertEqual([e["v"] for e in self.streams["firsts"].events[:3]], [0, 1, 2])
        for name, stream in self.streams.items():
            self.assertTrue(name == "firsts" or not stream.ended, name)
            self.assertEqual(len({i.split("-")[0] for i in stream.ids}), 1, name)
            numbers = [int(i.split("-")[1]) for i in stream.ids]
            self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))), name)

    def full_tens(self, sent):
        return sum(len(range(g, sent, GROUPS)) // 10 for g in range(GROUPS))

    def run_reloads(self, send):
        feed = Feed(send)
        try:
            harness.wait_for("the first events", lambda: len(self.streams["total"].events) > BATCH)
            for change in range(1, RELOADS + 1):
                self.reload(change)
        finally:
            sent = feed.stop()
        self.assertNotIn("begin anew", self.rxd.log_text())
        return sent

    def test_http(self):
        self.begin({"sources": {"in": {"http": {}}}})

        def send(events):
            body = "".join(json.dumps(e) + "\n" for e in events)
            while (answer := self.rxd.post("/sources/in", body, "application/x-ndjson")).status in (429, 503):
                time.sleep(0.01)  # told to try again
            assert answer.status == 202 and json.loads(answer.text)["accepted"] == len(events), answer.text

        self.check(self.run_reloads(send))

    def test_mqtt(self):
        broker = self.broker()
        self.begin(
            {
                "brokers": {"home": {"url": broker.url, "client_id": "reload", "clean_start": False}},
                "sources": {"in": {"mqtt": {"broker": "home", "topic": "load", "qos": 1}}},
            }
        )
        client = self.client(broker)

        def send(events):
            client.publish_many([("load", json.dumps(e)) for e in events], qos=1)

        self.check(self.run_reloads(send))

    def test_two_workers(self):
        self.begin({"sources": {"in": {"http": {}}, "other": {"http": {}}}}, workers=2)

        def send(events):
            body = "".join(json.dumps(e) + "\n" for e in events)
            while (answer := self.rxd.post("/sources/in", body, "application/x-ndjson")).status in (429, 503):
                time.sleep(0.01)  # told to try again
            assert answer.status == 202, answer.text

        self.check(self.run_reloads(send))


class Refused(harness.EndToEnd):
    def test_what_is_read_at_the_start_is_refused_with_a_sentence(self):
        base = {"sources": {"s": {"http": {}}}, "pipelines": {"out": {"from": "s"}}}
        rxd = self.daemon({"http": {"max_body": "1MiB"}, **base})
        for change, name in (({"http": {"max_body": "2MiB"}}, "http.max_body"), ({"http": {"max_body": "1MiB"}, "workers": 2}, "workers")):
            rxd.config.write_text(json.dumps({**change, **base}))
            rxd.signal(signal.SIGHUP)
            harness.wait_for("the refusal", lambda: f"{name} is read at the start" in rxd.log_text())
        self.assertEqual(rxd.post("/sources/s", '{"a": 1}').status, 202)
        harness.wait_for("the old pipeline goes on", lambda: rxd.json("/streams/out") == {"a": 1})

    def test_signals_that_come_while_one_is_at_work_are_one_more_reload(self):
        base = {"sources": {"s": {"http": {}}}}
        rxd = self.daemon({**base, "pipelines": {"a": {"from": "s"}}})
        for n in range(20):
            rxd.config.write_text(json.dumps({**base, "pipelines": {"a": {"from": "s"}, f"b{n}": {"from": "s"}}}))
            rxd.signal(signal.SIGHUP)
        harness.wait_for("the last of them", lambda: rxd.get("/streams/b19").status == 204)
        harness.wait_for("the others are gone", lambda: rxd.get("/streams/b3").status == 404)


if __name__ == "__main__":
    harness.main()
