#!/usr/bin/env python3
"""SIGHUP: a good config replaces the pipelines, a bad one changes nothing."""

import json
import signal
from pathlib import Path

import harness

SOURCES = {"sources": {"s": {"http": {}}}}


def config(pipe):
    return {**SOURCES, "pipelines": {"out": {"from": "s", "pipe": pipe}}}


class Reload(harness.EndToEnd):
    def latest(self, body):
        answer = self.rxd.post("/sources/s", body, "application/json")
        if answer.status != 202:
            return None
        text = self.rxd.get("/streams/out").text
        return json.loads(text) if text else None

    def reload(self, text):
        self.rxd.config.write_text(text)
        self.rxd.process.send_signal(signal.SIGHUP)

    def test_a_good_one_replaces_the_pipelines(self):
        self.rxd = self.daemon(config([{"map": {"v": "n + 1"}}]))
        harness.wait_for("the first answer", lambda: self.latest('{"n": 1}') == {"v": 2})
        self.reload(json.dumps(config([{"map": {"v": "n * 10"}}])))
        harness.wait_for("the new pipeline's answer", lambda: self.latest('{"n": 1}') == {"v": 10})

    def test_what_a_sink_holds_for_a_broker_that_is_away_stays_in_the_ledger(self):
        broker = self.broker(start=False)
        held = {"brokers": {"home": {"url": broker.url}}, **SOURCES, "pipelines": {
            "out": {"from": "s", "to": ["stream", {"mqtt": {"broker": "home", "topic": "t", "qos": 1}}]}}}
        self.rxd = self.daemon(held, ready=False)
        self.rxd.post("/sources/s", '{"n": 1}\n' * 100, "application/x-ndjson")
        harness.wait_for("100 held", lambda: self.rxd.metrics().sum("rxd_sink_held") == 100)
        self.reload(json.dumps(held))
        harness.wait_for("reloaded", lambda: "msg=reloaded" in self.rxd.log_text())
        self.check_ledger(self.rxd)
        broker.start()
        harness.wait_for("all sent", lambda: self.rxd.metrics().sum("rxd_sink_out_total", sink="mqtt") == 100)

    def test_a_file_that_was_dropped_into_the_folder_is_seen(self):
        folder = Path(self.folder) / "pipelines.d"
        folder.mkdir()
        self.rxd = self.daemon(config([{"map": {"v": "n + 1"}}]), "-c", str(folder))
        harness.wait_for("the first answer", lambda: self.latest('{"n": 1}') == {"v": 2})
        (folder / "20-more.yaml").write_text("pipelines: {more: {from: s, pipe: [map: {w: n}]}}")
        (folder / ".20-more.yaml.swp").write_text("{{{")
        self.rxd.process.send_signal(signal.SIGHUP)
        harness.wait_for("the new stream", lambda: self.rxd.get("/streams/more").status in (200, 204))
        harness.wait_for("its answer", lambda: self.latest('{"n": 7}') and json.loads(self.rxd.get("/streams/more").text) == {"w": 7})
        (folder / "20-more.yaml").unlink()
        self.rxd.process.send_signal(signal.SIGHUP)
        harness.wait_for("it to go", lambda: self.rxd.get("/streams/more").status == 404)

    def test_a_bad_one_changes_nothing(self):
        self.rxd = self.daemon(config([{"map": {"v": "n + 1"}}]))
        harness.wait_for("the first answer", lambda: self.latest('{"n": 1}') == {"v": 2})
        self.reload(json.dumps(config([{"mop": {"v": "n"}}])))
        harness.wait_for("the mistake in the log", lambda: "mop" in self.rxd.log.read_text())
        harness.wait_for("the old answer", lambda: self.latest('{"n": 4}') == {"v": 5})

    def test_streams_go_on_and_those_that_are_dropped_end(self):
        """Subscribers stay, ids and history go on, for the pipelines that the new config has too."""
        self.rxd = self.daemon({**SOURCES, "pipelines": {"out": {"from": "s"}, "gone": {"from": "s"}}})
        stays, goes = (self.subscribe(self.rxd, kind, name) for kind, name in (("sse", "out"), ("ndjson", "gone")))
        harness.wait_for("the first event", lambda: self.latest('{"n": 1}'))
        stays.wait("the first event", len)
        before = len(stays.events)
        self.reload(json.dumps({**SOURCES, "pipelines": {"out": {"from": "s"}, "new": {"from": "s"}}}))
        harness.wait_for("the new stream", lambda: self.rxd.get("/streams/new").status in (200, 204))
        harness.wait_for("the dropped stream's end", lambda: goes.ended)
        self.assertEqual(self.rxd.get("/streams/gone").status, 404)
        self.latest('{"n": 2}')
        stays.wait("what comes after the reload", lambda events: events[-1] == {"n": 2})
        self.assertFalse(stays.ended)
        generations = {id.split("-")[0] for id in stays.ids}
        numbers = [int(id.split("-")[1]) for id in stays.ids]
        self.assertEqual((len(generations), numbers), (1, list(range(1, before + 2))))
        history = json.loads(self.rxd.get("/streams/out?last=100").text)
        self.assertEqual(history, stays.events)

    def test_a_shared_stream_keeps_what_it_is_to_keep_for_readers_that_a_reload_adds(self):
        share = {"grace": "1h", "replay": 1}
        total = {"from": "s", "pipe": [{"scan": {"expr": "{'n': acc.n + n}", "seed": {"n": 0}}}], "share": share, "to": []}
        first = {**SOURCES, "pipelines": {"total": total, "out": {"from": "total", "pipe": [{"take": 2}]}}}
        self.rxd = self.daemon(first)
        for n in (1, 2):
            harness.wait_for(f"event {n}", lambda n=n: self.rxd.post("/sources/s", json.dumps({"n": n}), "application/json").status == 202)
        harness.wait_for("the only reader to have had enough", lambda: json.loads(self.rxd.get("/streams/out").text or "{}") == {"n": 3})
        self.reload(json.dumps({**SOURCES, "pipelines": {"total": {**total, "share": {**share, "replay": 2}}, "late": {"from": "total"}}}))
        harness.wait_for("what was kept", lambda: json.loads(self.rxd.get("/streams/late").text or "{}") == {"n": 3})
        self.rxd.post("/sources/s", '{"n": 4}', "application/json")
        harness.wait_for("the sum to go on", lambda: json.loads(self.rxd.get("/streams/late").text) == {"n": 7})
        self.assertEqual(self.rxd.metrics().sum("rxd_hub_replayed_total", stream="total"), 1)

    def test_a_source_in_its_time_of_grace_runs_on_over_a_reload(self):
        every = {"timer": {"every": "20ms"}}
        pipelines = {name: {"from": f"of_{name}", "pipe": [{"take": 2}]} for name in ("kept", "left")}
        config = {"sources": {"of_kept": {**every, "share": {"grace": "1h"}}, "of_left": every}, "pipelines": pipelines}
        self.rxd = self.daemon(config)

        def running(name):
            return self.rxd.metrics().sum("rxd_source_running", source=name)

        harness.wait_for("the reader to have had enough", lambda: json.loads(self.rxd.get("/streams/kept").text or "{}") == {"value": 1})
        harness.wait_for("the one without grace to stop", lambda: running("of_left") == 0)
        self.assertEqual(running("of_kept"), 1)
        self.go_over({**config, "sources": {**config["sources"], "s": {"http": {}}}})
        self.assertEqual((running("of_kept"), running("of_left")), (1, 0))

    def go_over(self, config):
        """A reload that adds one pipeline more."""
        done = self.rxd.metrics().sum("rxd_reloads_total", outcome="done")
        self.extra = getattr(self, "extra", 0) + 1
        added = {f"more{self.extra}": {"from": next(iter(config["sources"])), "to": []}}
        self.reload(json.dumps({**config, "pipelines": {**config["pipelines"], **added}}))
        harness.wait_for("the reload", lambda: self.rxd.metrics().sum("rxd_reloads_total", outcome="done") > done)

    def test_sources_go_on_where_they_were(self):
        """A timer's count and beat, and made-up sensors: the same values as without a reload."""
        signals = {"simulate": {"seed": 7, "devices": 2, "rate": 200, "count": 600}}
        config = {
            "sources": {"tick": {"timer": {"every": "20ms"}}, "made": signals},
            "pipelines": {"ticks": {"from": "tick"}, "values": {"from": "made"}},
        }
        self.rxd = self.daemon(config)
        ticks, values = self.subscribe(self.rxd, "sse", "ticks"), self.subscribe(self.rxd, "sse", "values", query="?last=1000")
        for _ in range(5):
            seen = len(ticks.events)
            ticks.wait("some ticks", lambda events: len(events) > seen + 3)
            self.go_over(config)
        numbers = [e["value"] for e in ticks.events]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        harness.wait_for("the end of the sensors", lambda: len(values.events) >= 600)
        whole = self.daemon({"sources": {"made": signals}, "pipelines": {"values": {"from": "made"}}}, name="whole")
        undisturbed = self.subscribe(whole, "sse", "values", query="?last=1000")
        undisturbed.wait("all values", lambda events: len(events) >= 600)
        self.assertEqual(values.events[:600], undisturbed.events[:600])

    def test_a_file_is_read_on_from_where_it_was(self):
        """Each line once, though the config is read again while it is being read."""
        lines = 400_000
        (path := Path(self.folder) / "lines.ndjson").write_text("".join(f'{{"n":{n}}}\n' for n in range(lines)))
        total = [{"scan": {"expr": "{'n': acc.n + 1, 'sum': acc.sum + n}", "seed": {"n": 0, "sum": 0}}}, {"filter": "n % 1000 == 0"}]
        config = {
            "sources": {"file": {"file": str(path)}, "s": {"http": {}}},
            "pipelines": {"total": {"from": "file", "pipe": total}, "held": {"from": "s"}},
        }
        self.rxd = self.daemon(config)
        for _ in range(4):
            self.go_over(config)
        expected = {"n": lines, "sum": lines * (lines - 1) // 2}
        harness.wait_for("the last line", lambda: expected in self.rxd.json("/streams/total?last=3"))

    def test_lines_that_are_not_in_their_file_yet_are_not_lost(self):
        path = Path(self.folder) / "out" / "lines.ndjson"
        config = {**SOURCES, "pipelines": {"out": {"from": "s", "to": {"file": {"path": str(path)}}}}}
        self.rxd = self.daemon(config, ready=False)
        harness.wait_for("the intake", lambda: self.rxd.post("/sources/s", '{"n":0}').status == 202)
        for n in range(1, 50):
            self.assertEqual(self.rxd.post("/sources/s", f'{{"n":{n}}}').status, 202)
        self.go_over(config)
        self.assertEqual(self.rxd.metrics().sum("rxd_sink_held", pipeline="out"), 50)
        path.parent.mkdir()
        expected = "".join(f'{{"n":{n}}}\n' for n in range(50))
        harness.wait_for("the lines", lambda: path.exists() and path.read_text() == expected)


if __name__ == "__main__":
    harness.main()
