#!/usr/bin/env python3
"""What waits inside a step is bounded: each limit is reached, what finds no room is counted, and the accounts add up."""

import json

import harness

NEVER = {"from": "never"}

# A step, and what becomes of EVENTS events, each with a key of its own. (The rest was used.)
EVENTS = 10
FEW = {
    "zip": ({"zip": {"with": {"o": NEVER}, "max": 3}}, {"held": 3, "evicted": 7}),
    "zip_keys": ({"zip": {"with": {"o": NEVER}, "by": {"k": {"main": "k", "o": "k"}}, "max_keys": 2}},
                 {"held": 2, "evicted": 8, "keys": 8}),
    "concat_map": ({"concat_map": {**NEVER, "queue": 3}}, {"held": 3, "evicted": 6}),
    "flat_map": ({"flat_map": {**NEVER, "concurrency": 2, "queue": 3}}, {"held": 3, "evicted": 5}),
    "merge_map": ({"merge_map": {**NEVER, "concurrency": 4, "queue": 0}}, {"held": 0, "evicted": 6}),
    "merge_scan": ({"merge_scan": {**NEVER, "seed": 0, "concurrency": 1, "queue": 1}}, {"held": 1, "evicted": 8}),
    "expand": ({"expand": {**NEVER, "concurrency": 1, "queue": 2}}, {"held": 2, "evicted": 7}),
    "exhaust_map": ({"exhaust_map": NEVER}, {"filtered": 9}),
    "switch_map": ({"switch_map": NEVER}, {}),
    "combine_latest": ({"combine_latest": {"with": {"o": NEVER}, "by": {"k": {"main": "k", "o": "k"}}, "max_keys": 2}},
                       {"keys": 8}),
}
# The limits that hold where nothing is said.
MANY_EVENTS = 11050
MANY = {
    "many_zip": ({"zip": {"with": {"o": NEVER}}}, {"held": 10000, "evicted": 1050}),
    "many_concat_map": ({"concat_map": NEVER}, {"held": 10000, "evicted": 1049}),
    "many_flat_map": ({"flat_map": NEVER}, {"held": 10000, "evicted": 50}),
}


class Bounds(harness.EndToEnd):
    def test_each_limit_is_reached_and_counted(self):
        cases = [("few", EVENTS, FEW), ("many", MANY_EVENTS, MANY)]
        daemon = self.daemon({
            "sources": {"few": {"http": {}}, "many": {"http": {}}},
            "pipelines": {name: {"from": source, "pipe": [{**step, "id": "it"}]}
                          for source, _, rows in cases for name, (step, _) in rows.items()},
        })
        for source, count, rows in cases:
            answer = daemon.post(f"/sources/{source}", json.dumps([{"k": k} for k in range(count)]))
            self.assertEqual(answer.status, 202, answer.text)
            for name, (_, expected) in rows.items():
                with self.subTest(name):
                    harness.wait_for(f"the events of {name}", lambda: self.of(daemon, name)["in"] == count)
                    self.check(self.of(daemon, name), count, expected)

    def of(self, daemon, name):
        metrics = daemon.metrics()
        found = {outcome: metrics.sum("rxd_step_events_total", pipeline=name, step="it", outcome=outcome)
                 for outcome in ("used", "filtered", "evicted")}
        return {**found, "in": metrics.sum("rxd_step_in_total", pipeline=name, step="it"),
                "held": metrics.sum("rxd_step_held", pipeline=name, step="it"),
                "keys": metrics.sum("rxd_step_keys_evicted_total", pipeline=name, step="it")}

    def check(self, found, count, expected):
        for what in ("held", "evicted", "filtered", "keys"):
            self.assertEqual(found[what], expected.get(what, 0), what)
        self.assertEqual(found["used"] + found["held"] + found["evicted"] + found["filtered"], count)


if __name__ == "__main__":
    harness.main()
