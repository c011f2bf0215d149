#!/usr/bin/env python3
"""The file sink's rotation by size and age: whole lines, none lost, the oldest removed, packed where asked; over a reload, with
files that are in the way, and where it cannot."""

import gzip
import json
import os
import re
import signal
from pathlib import Path

import harness

STAMP = re.compile(r"\.\d{8}T\d{6}Z(-(\d+))?(\.gz)?$")


class Rotation(harness.EndToEnd):
    def begin(self, rotate, **options):
        self.path = Path(self.folder) / "out" / "lines.ndjson"
        self.path.parent.mkdir(exist_ok=True)
        self.config = {
            "sources": {"in": {"http": {}}},
            "pipelines": {"p": {"from": "in", "to": [{"file": {"path": str(self.path), "rotate": rotate, **options}}]}},
        }
        self.rxd, self.next = self.daemon(self.config, ready=False), 0

    def post(self, count, size=100):
        lines = [json.dumps({"n": self.next + i, "text": "x" * size}) for i in range(count)]
        body = "\n".join(lines)
        harness.wait_for("the POST", lambda: self.rxd.post("/sources/in", body, "application/x-ndjson").status == 202)
        self.next += count

    def rotated(self):
        def order(path):
            found = STAMP.search(path.name)
            return path.name[: found.start() + 17], int(found[2] or 1)
        return sorted((p for p in self.path.parent.iterdir() if STAMP.search(p.name)), key=order)

    def numbers(self, *paths):
        out = []
        for path in paths:
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            self.assertTrue(not data or data.endswith(b"\n"), path)
            out += [json.loads(line)["n"] for line in data.splitlines()]
        return out

    def everything(self):
        return self.numbers(*self.rotated(), *([self.path] if self.path.exists() else []))

    def settle(self, count=None):
        harness.wait_for("every line", lambda: self.everything() == list(range(self.next if count is None else count)))

    def test_by_size_without_losing_a_line(self):
        self.begin({"size": "10KiB", "keep": 100})
        for _ in range(10):
            self.post(100)
        self.settle()
        sizes = [path.stat().st_size for path in self.rotated()]
        self.assertGreaterEqual(len(sizes), 9)
        self.assertTrue(all(9 * 1024 < size <= 10 * 1024 for size in sizes), sizes)

    def test_a_line_that_is_larger_has_a_file_of_its_own(self):
        self.begin({"size": "1KiB", "keep": 100})
        self.post(3, size=3000)
        self.settle()
        self.assertEqual([len(self.numbers(path)) for path in self.rotated()], [1, 1])

    def test_the_oldest_are_removed_and_the_others_packed(self):
        self.begin({"size": "10KiB", "keep": 3}, compress=True)
        for _ in range(10):
            self.post(100)
        def three_packed():  # a listing is no snapshot of what a thread renames meanwhile
            kept = self.numbers(*self.rotated(), self.path)
            return [p.suffix for p in self.rotated()] == [".gz"] * 3 and kept == list(range(kept[0], 1000))
        harness.wait_for("three packed, and the newest lines in them", three_packed)
        self.assertFalse(list(self.path.parent.glob("*.tmp")))

    def test_by_age_also_when_nothing_comes(self):
        self.begin({"every": "1s"})
        self.post(2)
        harness.wait_for("the rotation", lambda: len(self.rotated()) == 1)
        self.assertFalse(self.path.exists() and self.path.stat().st_size)
        self.post(1)
        self.settle()

    def test_what_a_killed_run_left_is_tidied(self):
        folder = Path(self.folder) / "out"
        folder.mkdir()
        names = [f"lines.ndjson.2026010{day}T000000Z" for day in range(1, 6)]
        for name in names:
            (folder / name).write_text('{"n":0}\n')
        (folder / f"{names[4]}.gz.tmp").write_bytes(b"half")
        others = ["lines.ndjson.2026", "other.ndjson.20260101T000000Z", "lines.ndjson.20260101T000000Zx", "lines.ndjson.tmp"]
        for name in others:
            (folder / name).write_text("not mine")
        self.begin({"size": "10KiB", "keep": 2}, compress=True)
        want = sorted([f"{name}.gz" for name in names[3:]] + others + ["lines.ndjson"])
        harness.wait_for("two packed, the rest gone", lambda: sorted(os.listdir(folder)) == want)

    def test_rotations_of_one_second_and_reloads_in_between(self):
        self.begin({"size": "1KiB", "keep": 1000}, compress=True)
        for i in range(5):
            self.post(200)
            self.config["pipelines"][f"more{i}"] = {"from": "in", "to": []}
            self.rxd.config.write_text(json.dumps(self.config))
            self.rxd.signal(signal.SIGHUP)
            harness.wait_for("the reload", lambda: self.rxd.metrics().sum("rxd_reloads_total", outcome="done") == i + 1)
        self.settle()
        harness.wait_for("all packed", lambda: {p.suffix for p in self.rotated()} == {".gz"})
        self.settle()

    def test_where_it_cannot_lines_are_written_on_and_it_is_said(self):
        self.begin({"size": "1KiB", "keep": 2}, compress=True)
        self.post(30)
        harness.wait_for("rotations", lambda: len(self.rotated()) == 2)
        for name in ("no-such-user",):  # a folder in the way of a packed file cannot be replaced
            stuck = self.path.parent / "lines.ndjson.20990101T000000Z"
            stuck.write_text("x\n")
            Path(f"{stuck}.gz").mkdir()
        self.post(30)
        harness.wait_for("the trouble is said", lambda: "cannot be rotated" in self.rxd.log_text())
        Path(f"{stuck}.gz").rmdir()
        stuck.unlink()
        self.post(30)
        harness.wait_for("and its end", lambda: "rotation works again" in self.rxd.log_text())
        self.assertEqual(self.rxd.metrics().sum("rxd_sink_out_total", pipeline="p"), 90)

    def test_options_that_do_not_go_together_are_refused(self):
        for options, says in [
            ({"path": "-", "rotate": {"size": "1MB"}}, "standard output"),
            ({"path": "x", "rotate": {"keep": 3}}, "size, an age"),
            ({"path": "x", "compress": True}, "nothing says when to rotate"),
        ]:
            path = Path(self.folder) / "bad.yaml"
            path.write_text(json.dumps({"sources": {"in": {"http": {}}}, "pipelines": {"p": {"from": "in", "to": [{"file": options}]}}}))
            done = harness.run_rxd("check", "-c", path)
            self.assertEqual(done.returncode, 78)
            self.assertIn(says, done.stderr.decode())


if __name__ == "__main__":
    harness.main()
