#!/usr/bin/env python3
"""`full: pause`: a sink without room pauses its sources instead of losing events; POSTs are told to try again, messages stay
unacknowledged, a file is read on later; across a reload too. Without it what finds no room is dropped and counted."""

import json
import signal
from pathlib import Path

import harness

LINE = '{"n":%d,"text":"' + "x" * 100 + '"}'


class Backpressure(harness.EndToEnd):
    def config(self, source, full):
        self.out = Path(self.folder) / "absent" / "lines.ndjson"  # no folder: nothing can be written until it is made
        sink = {"file": {"path": str(self.out), "max_buffer": "4KiB", **({"full": full} if full else {})}}
        return {**source, "pipelines": {"out": {"from": "in", "to": [sink]}, "through": {"from": "in", "to": []}}}

    def begin(self, source, full="pause"):
        self.rxd = self.daemon(self.config(source, full), ready=False)
        harness.wait_for("the metrics", lambda: "rxd_sink_in_total" in self.rxd.get("/metrics").text)

    def sink(self, what):
        return self.rxd.metrics().sum(f"rxd_sink_{what}", pipeline="out")

    def written(self):
        return [json.loads(line)["n"] for line in self.out.read_text().splitlines()] if self.out.exists() else []

    def make_room(self, count):
        self.out.parent.mkdir()
        harness.wait_for("every line", lambda: len(self.written()) == count)
        self.assertEqual(self.written(), list(range(count)))

    def post(self, n):
        return self.rxd.post("/sources/in", LINE % n).status

    def fill(self):
        """POSTs until one is refused; answers how many were taken."""
        harness.wait_for("the source", lambda: self.post(0) == 202)
        for n in range(1, 1000):
            if (status := self.post(n)) != 202:
                self.assertEqual(status, 429)
                return n
        self.fail("a thousand events found room in 4 KiB")

    def test_posts_are_told_to_try_again_and_none_is_lost(self):
        self.begin({"sources": {"in": {"http": {}}}})
        taken = self.fill()
        self.assertEqual(self.sink("dropped_total"), 0)
        self.assertEqual(self.sink("held"), taken)
        self.make_room(taken)
        harness.wait_for("the source takes again", lambda: self.post(taken) == 202)

    def test_so_many_wait_at_the_most_and_the_others_are_counted(self):
        """One body is taken whole, whatever it makes wait."""
        count, waiting = 70_000, 65_536  # WAITING_MAX
        self.begin({"sources": {"in": {"http": {}}}})
        harness.wait_for("the source", lambda: self.rxd.post("/sources/in", "[" + ",".join(["1"] * count) + "]").status == 202)
        harness.wait_for("every event", lambda: self.sink("in_total") == count)
        held, dropped = self.sink("held"), self.sink("dropped_total")
        self.assertEqual(held + dropped, count)
        self.assertGreater(dropped, 0)
        self.assertLess(held - waiting, 4096)  # what the sink's own buffer holds
        self.out.parent.mkdir()
        harness.wait_for("what was held", lambda: self.out.exists() and len(self.out.read_text().splitlines()) == held)

    def test_what_waits_goes_over_a_reload(self):
        self.begin({"sources": {"in": {"http": {}}}})
        taken = self.fill()
        config = json.loads(self.rxd.config.read_text())
        config["pipelines"]["more"] = {"from": "in", "to": []}
        self.rxd.config.write_text(json.dumps(config))
        self.rxd.signal(signal.SIGHUP)
        harness.wait_for("the reload", lambda: self.rxd.metrics().sum("rxd_reloads_total", outcome="done") == 1)
        self.assertEqual(self.post(taken), 429)
        self.make_room(taken)

    def test_a_file_is_read_on_when_there_is_room(self):
        lines = 20_000
        source = Path(self.folder) / "in.ndjson"
        source.write_text("".join(LINE % n + "\n" for n in range(lines)))
        self.begin({"sources": {"in": {"file": str(source)}}})
        harness.wait_for("a full sink", lambda: self.sink("held") > 0)
        self.make_room(lines)
        self.assertEqual(self.sink("dropped_total"), 0)

    def test_messages_wait_unacknowledged(self):
        broker, count = self.broker(), 2000
        client = self.client(broker)
        self.begin(
            {
                "brokers": {"home": {"url": broker.url, "client_id": "pausing", "clean_start": False}},
                "sources": {"in": {"mqtt": {"broker": "home", "topic": "in", "qos": 1}}},
            }
        )
        harness.wait_for("the connection", lambda: self.rxd.metrics().sum("rxd_broker_connected") == 1)
        client.publish_many([("in", LINE % n) for n in range(count)], qos=1)
        harness.wait_for("a full sink", lambda: self.sink("held") > 0)
        self.make_room(count)
        self.assertEqual(self.sink("dropped_total"), 0)

    def test_without_it_what_finds_no_room_is_dropped_and_counted(self):
        self.begin({"sources": {"in": {"http": {}}}}, full=None)
        harness.wait_for("the source", lambda: self.post(0) == 202)
        for n in range(1, 200):
            self.assertEqual(self.post(n), 202)
        dropped = self.sink("dropped_total")
        self.assertGreater(dropped, 0)
        self.assertEqual(self.sink("held"), 200 - dropped)


if __name__ == "__main__":
    harness.main()
