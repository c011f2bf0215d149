#!/usr/bin/env python3
"""SIGHUP: a good config replaces the pipelines, a bad one changes nothing."""

import json
import signal

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


if __name__ == "__main__":
    harness.main()
