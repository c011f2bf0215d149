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


if __name__ == "__main__":
    harness.main()
