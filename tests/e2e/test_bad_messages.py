#!/usr/bin/env python3
"""Bad messages over MQTT: each is rejected with its reason, counted, shown, and the pipeline goes on."""

import harness

BAD = [  # (topic, payload, reason)
    ("in/a", b'{"value": 1', "syntax"),
    ("in/a", b"21.5 C", "syntax"),
    ("in/a", b'{"value": 01}', "syntax"),
    ("in/a", b'{"value": "\\ud800"}', "utf8|syntax"),
    ("in/a", b'{"value": "\xc3\x28"}', "utf8"),
    ("in/a", b"\xff\xff", "utf8|syntax"),
    ("in/a", b'{"value": 1e999}', "number"),
    ("in/a", b"[" * 10000, "too_deep"),
    ("in/a", b'{"value": ' * 10000, "too_deep"),
    ("in/a", b'{"value": "' + b"x" * (8 << 20) + b'"}', "too_large"),
]


def config(broker):
    return {
        "brokers": {"home": {"url": broker.url}},
        "sources": {"in": {"mqtt": {"broker": "home", "topic": "in/{name}", "qos": 1, "format": "json"}}},
        "pipelines": {
            "out": {"from": "in", "pipe": [{"map": {"n": "value + 1"}}]},
        },
    }


class BadMessages(harness.EndToEnd):
    def setUp(self):
        super().setUp()
        self.mosquitto = self.broker()
        self.rxd = self.daemon(config(self.mosquitto))
        self.errors = self.subscribe(self.rxd, "sse", "in.errors")
        self.out = self.subscribe(self.rxd, "sse", "out")
        self.sensor = self.client(self.mosquitto)

    def test_each_is_rejected_with_its_reason(self):
        for i, (topic, payload, reason) in enumerate(BAD):
            with self.subTest(reason=reason, payload=payload[:20]):
                self.sensor.publish(topic, payload)
                self.sensor.publish("in/a", b'{"value": %d}' % i)
                self.out.wait("the next good one", lambda rows: {"n": i + 1} in rows)
                self.errors.wait("the error", lambda rows: len(rows) == i + 1)
                self.assertIn(self.errors.events[-1]["reason"], reason.split("|"))
        metrics = self.rxd.metrics()
        self.assertEqual(metrics.sum("rxd_source_rejected_total", source="in"), len(BAD))
        self.assertEqual(metrics.sum("rxd_source_decoded_total", source="in"), len(BAD))
        self.assertIn("in", self.rxd.log_text())

    def test_an_event_that_a_step_cannot_take_goes_to_the_pipelines_errors(self):
        dead = self.subscribe(self.rxd, "ndjson", "out.errors")
        self.sensor.publish_many([("in/a", b'{"value": "text"}'), ("in/a", b'{"other": 1}'), ("in/a", b'{"value": 1}')])
        dead.wait("two errors", lambda rows: len(rows) == 2)
        self.out.wait("the good one", lambda rows: rows == [{"n": 2}])
        for row in dead.events:
            self.assertLessEqual({"at", "reason", "step", "message", "event"}, set(row))
        self.assertEqual(dead.events[0]["event"]["value"], "text")
        self.assertEqual(self.rxd.metrics().sum("rxd_step_events_total", pipeline="out", outcome="errored"), 2)

    def test_a_flood_of_bad_messages_does_not_flood_the_log(self):
        self.sensor.publish_many([("in/a", b"{")] * 5000)
        harness.wait_for("all are counted", lambda: self.rxd.metrics().sum("rxd_source_rejected_total") == 5000)
        self.assertLess(self.rxd.log_text().count("\n"), 200)


if __name__ == "__main__":
    harness.main()
