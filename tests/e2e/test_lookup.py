#!/usr/bin/env python3
"""A table's file is read again when it changes; a bad one leaves the table that was, and says so."""

import json
import os
from pathlib import Path

import harness
from test_health import conditions


class Lookup(harness.EndToEnd):
    def setUp(self):
        super().setUp()
        self.table = Path(self.folder) / "rooms.csv"

    def write(self, text):
        """As a careful writer does: whole, under its name at once."""
        new = self.table.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.table)

    def start(self):
        return self.daemon({
            "sources": {"in": {"http": {}}},
            "pipelines": {"p": {"from": "in", "pipe": [
                {"lookup": {"file": "rooms.csv", "key": "room", "into": "at"}, "id": "rooms"}]}},
        })

    def named(self, daemon, room):
        daemon.post("/sources/in", json.dumps({"room": room}))
        value = json.loads(daemon.get("/streams/p").text or "{}")
        return value.get("at", {}).get("name") if value.get("room") == room else None

    def wait_name(self, daemon, room, name):
        harness.wait_for(f"{room} is called {name}", lambda: self.named(daemon, room) == name)

    def read(self, daemon, outcome):
        return daemon.metrics().sum("rxd_table_read_total", pipeline="p", step="rooms", outcome=outcome)

    def test_a_table_that_changes_and_one_that_is_bad(self):
        self.write("id,name\na,attic\n")
        daemon = self.start()
        self.wait_name(daemon, "a", "attic")
        self.assertEqual(self.read(daemon, "good"), 1)
        self.write("id,name\na,loft\nb,bath\n")
        self.wait_name(daemon, "b", "bath")
        self.wait_name(daemon, "a", "loft")
        self.assertEqual(daemon.metrics().sum("rxd_table_rows", pipeline="p", step="rooms"), 2)
        self.assertIn("a table was read again", daemon.log_text())

        self.write("id,name\na\n")
        found = harness.wait_for("the bad table is told of", lambda: conditions(daemon).get(("table_bad", "p")))
        self.assertIn("rooms.csv:2: a row with 1 cells, and there are 2 columns", found["reason"])
        self.assertEqual(daemon.get("/readyz").status, 200)
        self.wait_name(daemon, "a", "loft")
        self.assertEqual((self.read(daemon, "good"), self.read(daemon, "bad")), (2, 1))

        self.table.unlink()
        harness.wait_for("a table that is gone is told of",
                         lambda: "No such file" in conditions(daemon)[("table_bad", "p")]["reason"])
        self.wait_name(daemon, "a", "loft")

        self.write("id,name\na,cellar\n")
        self.wait_name(daemon, "a", "cellar")
        harness.wait_for("it is over", lambda: ("table_bad", "p") not in conditions(daemon))

    def test_a_table_that_is_bad_at_the_start_is_refused_by_check(self):
        self.write("id,name\na\n")
        config = Path(self.folder) / "c.yaml"
        config.write_text("sources: {in: {http: {}}}\npipelines: {p: {from: in, pipe: [lookup: "
                          "{file: rooms.csv, key: room}]}}\n")
        done = harness.run_rxd("check", "-c", config)
        self.assertEqual(done.returncode, 78)
        self.assertIn(b"rooms.csv, line 2: a row with 1 cells, and there are 2 columns", done.stdout + done.stderr)


if __name__ == "__main__":
    harness.main()
