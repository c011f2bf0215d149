#!/usr/bin/env python3
"""`file: {path, follow: true}` as `tail -F`: what is added, partial lines, files that are renamed, cut, removed, or come later;
and over a reload."""

import json
import os
import signal
from pathlib import Path

import harness


class Follow(harness.EndToEnd):
    def begin(self, path="log.ndjson", **options):
        self.path = Path(self.folder) / path
        config = {
            "sources": {"in": {"file": {"path": str(self.path), "follow": True, **options}}},
            "pipelines": {"out": {"from": "in"}, "bad": {"from": "in.errors"}},
        }
        self.rxd = self.daemon(config)
        self.out = self.subscribe(self.rxd, "ndjson", "out", query="?last=1000")
        self.bad = self.subscribe(self.rxd, "ndjson", "bad", query="?last=1000")

    def append(self, *numbers, path=None, end="\n"):
        with open(path or self.path, "a") as file:
            file.write("".join(f'{{"n":{n}}}\n' for n in numbers[:-1]) + f'{{"n":{numbers[-1]}}}{end}')

    def expect(self, *numbers):
        self.out.wait(f"{numbers}", lambda events: [event["n"] for event in events] == list(numbers))

    def test_what_is_added_comes_and_a_line_only_when_it_is_whole(self):
        path = Path(self.folder) / "log.ndjson"
        self.append(1, 2, path=path)
        self.begin()
        self.expect(1, 2)
        with open(self.path, "a") as file:
            file.write('{"n":')
            file.flush()
            harness.wait_for("the bytes were read", lambda: self.rxd.get("/healthz").status == 200)
            file.write('3}\n{"n":4}\n')
        self.expect(1, 2, 3, 4)
        self.assertEqual(self.rxd.metrics().sum("rxd_source_rejected_total", source="in"), 0)

    def test_a_file_that_appears_later_and_its_folder_too(self):
        self.begin("later/log.ndjson")
        self.path.parent.mkdir()
        self.append(1)
        self.expect(1)
        self.path.unlink()
        self.append(2)
        self.expect(1, 2)

    def test_a_renamed_file_is_read_to_its_end_and_then_its_successor(self):
        self.begin()
        self.append(1)
        self.expect(1)
        old = self.path.with_suffix(".1")
        with open(self.path, "a") as writer:  # has the file open, as a daemon that logs
            self.path.rename(old)
            self.path.touch()  # logrotate's `create`
            writer.write('{"n":2}\n')
            writer.flush()
            self.expect(1, 2)
            writer.write('{"n":3}')  # its last line without an end
        self.append(4)
        self.expect(1, 2, 3, 4)

    def test_files_that_follow_each_other_fast_are_all_read(self):
        self.begin()
        self.append(0)
        self.expect(0)
        for i in range(1, 6):
            fresh = self.path.with_suffix(".new")
            self.append(i, path=fresh)
            fresh.rename(self.path)  # at once in its place
            self.expect(*range(i + 1))

    def test_a_file_that_is_cut_is_read_from_its_start(self):
        self.begin()
        self.append(1, 2, 3)
        self.expect(1, 2, 3)
        with open(self.path, "a") as file:
            file.write("half a line")
        size = self.path.stat().st_size
        harness.wait_for("it is read", lambda: self.position() == size)
        os.truncate(self.path, 0)
        harness.wait_for("it is seen", lambda: self.position() == 0)
        self.append(4)
        self.expect(1, 2, 3, 4)
        self.bad.wait("the line that was cut", lambda events: len(events) == 1 and events[0]["event"] == "half a line")

    def position(self):
        return self.position_in(self.rxd)

    def position_in(self, rxd):
        """Where it reads the file that stands under the path; None: it has not opened it."""
        for link in Path(f"/proc/{rxd.process.pid}/fd").iterdir():
            if os.path.exists(link) and os.path.samefile(link, self.path):
                return int(Path(f"/proc/{rxd.process.pid}/fdinfo/{link.name}").read_text().split()[1])
        return None

    def test_no_line_is_lost_or_read_twice_over_reloads(self):
        self.begin()
        config = json.loads(self.rxd.config.read_text())
        expected = []
        for i in range(6):
            self.append(*range(i * 100, i * 100 + 100))
            expected += range(i * 100, i * 100 + 100)
            if i == 3:
                self.path.rename(self.path.with_suffix(".1"))
            config["pipelines"][f"more{i}"] = {"from": "in", "to": []}
            self.rxd.config.write_text(json.dumps(config))
            self.rxd.signal(signal.SIGHUP)
            harness.wait_for("the reload", lambda: self.rxd.metrics().sum("rxd_reloads_total", outcome="done") == i + 1)
        self.expect(*expected)

    def test_files_that_wait_go_over_a_reload(self):
        """A paused source holds what was rotated meanwhile; its successor reads all of it, in order."""
        self.path = Path(self.folder) / "log.ndjson"
        lines = Path(self.folder) / "absent" / "lines.ndjson"
        sink = {"file": {"path": str(lines), "max_buffer": "64KiB", "full": "pause"}}
        config = {
            "sources": {"in": {"file": {"path": str(self.path), "follow": True}}},
            "pipelines": {"out": {"from": "in", "to": [sink]}},
        }
        rxd, count = self.daemon(config, ready=False), 0
        for file in range(5):
            self.append(*range(count, count + 20_000))
            count += 20_000
            if file == 0:
                harness.wait_for("a full sink", lambda: rxd.metrics().sum("rxd_sink_held", pipeline="out") > 10)
            if file < 4:
                self.path.rename(self.path.with_suffix(f".{file}"))
                self.path.touch()
                harness.wait_for("the new one is open", lambda: self.position_in(rxd) is not None)
        config["pipelines"]["more"] = {"from": "in", "to": []}
        rxd.config.write_text(json.dumps(config))
        rxd.signal(signal.SIGHUP)
        harness.wait_for("the reload", lambda: rxd.metrics().sum("rxd_reloads_total", outcome="done") == 1)
        lines.parent.mkdir()
        harness.wait_for("every line", lambda: len(lines.read_text().splitlines()) == count)
        self.assertEqual([json.loads(line)["n"] for line in lines.read_text().splitlines()], list(range(count)))

    def test_a_file_that_may_not_be_read_is_told(self):
        self.begin()
        self.path.mkdir()
        harness.wait_for("the condition", lambda: "is a directory" in self.rxd.get("/readyz").text.lower())
        self.path.rmdir()
        self.append(1)
        self.expect(1)
        self.rxd.wait_ready()


if __name__ == "__main__":
    harness.main()
