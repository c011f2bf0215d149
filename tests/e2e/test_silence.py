#!/usr/bin/env python3
"""Silence while the broker is down: nobody falls silent, and all are counted anew when it is back."""

import json

import harness

QUIET = 2 * harness.SLOWNESS


class Silence(harness.EndToEnd):
    def test_a_broker_that_is_down_makes_nobody_silent(self):
        broker = self.broker()
        daemon = self.daemon({
            "brokers": {"home": {"url": broker.url}},
            "sources": {"beats": {"mqtt": {"broker": "home", "topic": "beat/{machine}"}}, "clock": {"timer": {"every": "100ms"}}},
            "pipelines": {
                "ticks": {"from": "clock"},
                "missing": {"from": "beats", "pipe": [{"group_by": {"by": "machine", "expect": ["saw"]}},
                                                      {"silence": f"{QUIET:g}s"}]},
            },
        })
        silent = self.subscribe(daemon, "ndjson", "missing")
        silent.wait("the saw is silent", lambda events: {"machine": "saw", "silent": True} in events)

        client = self.client(broker)
        client.publish("beat/saw", b"1")
        client.publish("beat/press", b"1")
        silent.wait("the saw is heard", lambda events: {"machine": "saw", "value": 1, "silent": False} in events)
        broker.stop()
        harness.wait_for("the broker is missed", lambda: daemon.get("/readyz").status == 503)
        before, told = self.ticks(daemon), len(silent.events)
        harness.wait_for("so long that all would be silent", lambda: self.ticks(daemon) > before + 20 * QUIET)
        self.assertEqual(silent.events[told:], [])

        broker.start()
        for machine in ("saw", "press"):
            silent.wait(f"the {machine} is silent now",
                        lambda events: {"machine": machine, "value": 1, "silent": True} in events[told:])

    def ticks(self, daemon):
        return json.loads(daemon.get("/streams/ticks").text)["value"]


if __name__ == "__main__":
    harness.main()
