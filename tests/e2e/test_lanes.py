#!/usr/bin/env python3
"""`parallel` in the running daemon: order per key, state over a reload with other lanes, counters, pausing, a stop in mid-flight; and
replays, which no number of lanes and no restart changes."""

import collections
import json
import signal

import harness

KEYS = 23
SOURCES = {"sources": {"s": {"http": {}}}}
HEAVY = "[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0].map(x, math.pow(x + v, 1.7)).exists(y, y < 0.0)"


def config(lanes, *steps):
    return {**SOURCES, "pipelines": {"out": {"from": "s", "pipe": [{"parallel": {"by": "k", "lanes": lanes}}, *steps]}}}


SUMS = [{"group_by": "k"}, {"scan": {"expr": '{"k": k, "n": acc.n + 1, "v": v}', "seed": {"n": 0}}}]


class Lanes(harness.EndToEnd):
    def begin(self, lanes, *steps):
        self.rxd = self.daemon(config(lanes, *steps))
        self.reader = self.subscribe(self.rxd, "ndjson", "out")
        self.sent = 0

    def post(self, count):
        rows = [{"k": f"k{i % KEYS}", "v": i} for i in range(self.sent, self.sent + count)]
        body = "\n".join(map(json.dumps, rows))
        harness.wait_for("room", lambda: self.rxd.post("/sources/s", body, "application/x-ndjson").status == 202)
        self.sent += count

    def in_order(self):
        """All are back, those of each key in order, each seen by its group once."""
        self.reader.wait("every event", lambda events: len(events) >= self.sent)
        seen = collections.defaultdict(list)
        for event in self.reader.events:
            seen[event["k"]].append(event)
        self.assertEqual(len(seen), KEYS)
        for key, rows in seen.items():
            self.assertEqual([row["v"] for row in rows], list(range(int(key[1:]), self.sent, KEYS)))
            self.assertEqual([row["n"] for row in rows], list(range(1, len(rows) + 1)))

    def lane(self, what):
        return self.rxd.metrics().sum(f"rxd_lane_{what}", pipeline="out")

    def test_the_events_of_a_key_stay_in_order_and_a_reload_with_other_lanes_goes_on(self):
        self.begin(2, *SUMS)
        for lanes in (3, 1, 2):
            for _ in range(5):
                self.post(200)
            self.rxd.config.write_text(json.dumps(config(lanes, *SUMS)))
            before = self.rxd.log_text().count("msg=reloaded")
            self.rxd.process.send_signal(signal.SIGHUP)
            harness.wait_for("reloaded", lambda: self.rxd.log_text().count("msg=reloaded") > before)
        self.post(200)
        self.in_order()
        self.assertEqual(self.lane("held"), 0)
        self.assertEqual(self.lane("events_total"), 200)
        self.assertEqual(len(self.rxd.metrics().labels("rxd_lane_events_total", "lane")), 2)
        self.check_ledger(self.rxd)

    def test_full_lanes_make_the_source_say_later_and_lose_nothing(self):
        self.begin(1, {"set": {"r": HEAVY}}, *SUMS)
        body = "\n".join(json.dumps({"k": f"k{i % KEYS}", "v": i}) for i in range(6000))  # more than a lane may have before it
        answers = set()
        while 429 not in answers and self.sent < 600_000:
            answers.add(status := self.rxd.post("/sources/s", body, "application/x-ndjson").status)
            self.sent += 6000 if status == 202 else 0
        self.assertEqual(answers, {202, 429})
        harness.wait_for("all worked on", lambda: self.lane("events_total") == self.sent and self.lane("held") == 0)
        steps = self.rxd.metrics()
        self.assertEqual(steps.sum("rxd_step_events_total", pipeline="out", step="1.parallel", outcome="evicted"), 0)
        self.assertEqual(steps.sum("rxd_hub_events_total", stream="out"), self.sent)
        self.assertEqual(steps.sum("rxd_lanes_full", pipeline="out"), 0)
        self.assertGreater(self.lane("cpu_seconds_total"), 0)

    def test_a_stop_puts_out_what_was_in_the_lanes(self):
        self.begin(2, {"set": {"r": HEAVY}}, *SUMS)
        self.post(2000)
        self.rxd.stop()
        self.in_order()

    def test_no_number_of_lanes_and_no_restart_changes_a_replay(self):
        rows = [{"at": 7 * i, "source": "s", "next": {"k": f"k{7 * i % KEYS}", "v": i}} for i in range(400)]
        events = "".join(json.dumps(row) + "\n" for row in [*rows, {"at": 9000, "end": True}]).encode()
        steps = [{"group_by": "k"}, {"window": "1s"}, {"aggregate": {"n": "count()", "s": "sum(v)"}}, "merge"]
        path, outs = self.folder, set()
        for lanes in (1, 2, 16):
            name = f"{path}/lanes{lanes}.json"
            with open(name, "w", encoding="utf-8") as file:
                json.dump(config(lanes, *steps), file)
            for flags in ([], ["--restart", "1"], ["--span", "256"], ["--no-fusion"]):
                done = harness.run_rxd("replay", *flags, "-c", name, stdin=events)
                self.assertEqual(done.returncode, 0, done.stderr)
                outs.add(done.stdout)
        self.assertEqual(len(outs), 1)
        self.assertGreater(len(outs.pop().splitlines()), 50)


if __name__ == "__main__":
    harness.main()
