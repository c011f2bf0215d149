#!/usr/bin/env python3
"""A pipeline that gives itself work at one instant without end is stopped with an error that names the step, and restarted as after
any other error; the daemon and its other pipelines go on meanwhile."""

import harness

STEPS = {"at_once": "1.repeat", "by_timers": "1.repeat", "refused": "1.retry", "fed": "1.expand"}


class Endless(harness.EndToEnd):
    def test_is_stopped_by_name_while_others_go_on(self):
        daemon = self.daemon({
            "sources": {"tick": {"timer": {"every": "20ms"}}},
            "pipelines": {
                "beat": {"from": "tick"},
                "at_once": {"from": {"of": [1]}, "pipe": ["repeat", "ignore_elements"]},
                "by_timers": {"from": {"timer": "0s"}, "pipe": ["repeat", "ignore_elements"]},
                "refused": {"from": {"throw": "no"}, "pipe": ["retry"]},
                "fed": {"from": "tick", "pipe": [{"expand": "[event, event]"}], "to": []},
            },
        }, ready=False)
        beats = self.subscribe(daemon, "ndjson", "beat")
        for pipeline, step in STEPS.items():
            harness.wait_for(f"the end of {pipeline}", lambda: self.is_told(daemon, pipeline, step))
            harness.wait_for(f"a restart of {pipeline}",
                             lambda: daemon.metrics().sum("rxd_pipeline_restarts_total", pipeline=pipeline))
        heard = len(beats.events)
        beats.wait("what comes later", lambda events: len(events) > heard + 5)
        self.assertEqual(daemon.metrics().sum("rxd_pipeline_restarts_total", pipeline="beat"), 0)

    def is_told(self, daemon, pipeline, step):
        return any(pipeline in line and f"the step {step} goes on without end" in line
                   for line in daemon.log_text().splitlines())


if __name__ == "__main__":
    harness.main()
