"""rxd test, what stands around a run: coverage, --update, --watch, reports for machines, and the limits of its files."""

import re
import subprocess
import threading
import time
import unittest
import xml.etree.ElementTree as ElementTree

import harness

CONFIG = """
sources:
  sensors: { http: {} }
  rides: { http: {}, event_time: at, lateness: 1s, idle_timeout: 10s }
pipelines:
  warm:
    from: sensors
    pipe:
      - filter: value > 20
      - map: if(value == 99, int(text), value * 2)
        on_error: drop
  doubled:
    from: sensors
    pipe: [ { map: value * 2 } ]
  whole:
    from: sensors
  safe:
    from: sensors
    pipe: [ { catch: { value: 0 } } ]
  rooms:
    from: sensors
    pipe:
      - route:
          hot: value > 30
          cold: value < 0
  pairs:
    from: sensors
    pipe: [ { buffer: 2, id: pair } ]
  per_day:
    from: sensors
    pipe:
      - group_by: device
      - window: 24h
      - aggregate: { n: count(), avg: avg(value) }
  rides_5s:
    from: rides
    pipe: [ { window: 5s }, { aggregate: { n: count() } } ]
"""


class Tools(harness.UserTestFiles):
    config = CONFIG

    def run_test(self, *arguments):
        done = harness.run_rxd("test", *arguments, cwd=self.here)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    # --- coverage ---

    def test_coverage_names_what_no_test_reached(self):
        text = """config: rxd.yaml
tests:
  - {name: a, input: {sensors: "-a|"}, values: {a: {device: d, value: 31}}, expect: {warm: ["62"]}, match: subset}
"""
        status, out, _ = self.run_test("--coverage", self.write(text))
        self.assertEqual(status, 1)
        for says in ("rxd.yaml:9:9: warm/filter/1: its condition was never false", "rxd.yaml:10:9: warm/map/1: its on_error was never taken",
                     "rxd.yaml:19:15: safe/catch/1: no error came for it to catch", ": rooms.cold: no event took this branch",
                     ": rides_5s/window/1: no event reached it"):
            self.assertIn(says, out)
        for reached in ("rooms.hot", "never true", "per_day/"):
            self.assertNotIn(reached, out)

    def test_coverage_is_of_all_tests_together(self):
        tests = ["{name: a, input: {sensors: '-ab|'}, values: {a: {device: d, value: 31}, b: {device: d, value: -1}}, expect: {}}",
                 "{name: b, input: {sensors: '-a|'}, values: {a: {device: d, value: 99, text: x}}, expect: {}}",
                 "{name: c, input: {sensors: '-#'}, expect: {}}",
                 "{name: d, input: [{at: 0, source: rides, next: {at: '1970-01-01T00:00:01Z'}}], restart: 1, end: 1m, expect: {}}"]
        for n, left in ((4, 0), (3, 2), (2, 3), (1, 4)):
            status, out, err = self.run_test("--coverage", self.write("config: rxd.yaml\ntests:\n  - " + "\n  - ".join(tests[:n]) + "\n"))
            self.assertEqual((status, err), (0, ""))
            found = re.search(r"coverage: (\d+) of (\d+) steps and branches\n(.*)\n\d+ test", out, re.S)
            self.assertEqual((int(found[2]) - int(found[1]), len(re.findall("rxd.yaml:", found[3]))), (left, left), out)

    def test_coverage_is_of_all_files_together(self):
        self.write("config: rxd.yaml\ntests: [{name: a, input: {sensors: 'a|'}, values: {a: {device: d, value: 31}}, expect: {}}]\n", "a.yaml")
        self.write("config: rxd.yaml\ntests: [{name: b, input: {sensors: 'a|'}, values: {a: {device: d, value: 1}}, expect: {}}]\n", "b.yaml")
        alone = self.run_test("--coverage", "a.yaml")[1]
        both = self.run_test("--coverage", "a.yaml", "b.yaml", "a.yaml")[1]
        self.assertIn("coverage: 11 of 17 ", alone)
        self.assertIn("coverage: 12 of 17 ", both)
        self.assertIn("warm/filter/1: its condition was never false", alone)
        self.assertNotIn("warm/filter/1", both)

    # --- update ---

    def updates(self, text, want, name="test.yaml"):
        path = self.write(text, name)
        status, out, err = self.run_test("--update", path)
        self.assertEqual((status, path.read_text()), (0, want), out + err)
        self.assertEqual(self.run_test(path)[0], 0)
        self.assertEqual(self.run_test("--update", path)[2], "", "what holds is left as it is")
        self.assertEqual(path.read_text(), want)

    def test_update_of_diagrams_and_lists(self):
        self.updates("""# ours
config: rxd.yaml
tests:
  - name: diagrams     # as they are
    input: {sensors: "-1-2|"}
    expect: {doubled: "", whole: "-1-1|"}
  - name: lists
    input: {sensors: "-1-2|"}
    expect:
      doubled: []
      whole: [7]       # gone
  - name: of lines
    input: {sensors: "-1-2|"}
    expect:
      doubled:
        - 2
        - 3
      whole:
        - 1
""", """# ours
config: rxd.yaml
tests:
  - name: diagrams     # as they are
    input: {sensors: "-1-2|"}
    expect: {doubled: "-2-4|", whole: "-1-2|"}
  - name: lists
    input: {sensors: "-1-2|"}
    expect:
      doubled:
        - 2
        - 4
      whole: [1, 2]       # gone
  - name: of lines
    input: {sensors: "-1-2|"}
    expect:
      doubled:
        - 2
        - 4
      whole:
        - 1
        - 2
""")

    def test_update_keeps_patterns_that_fit(self):
        self.updates("""config: rxd.yaml
match: subset
tests:
  - name: patterns
    input: {sensors: "-a-b|"}
    values: {a: {device: p1, value: 1}, b: {device: p2, value: 2}}
    expect: {whole: [{device: {$matches: "^p"}, value: 7}, {value: {$near: 2}}]}
""", """config: rxd.yaml
match: subset
tests:
  - name: patterns
    input: {sensors: "-a-b|"}
    values: {a: {device: p1, value: 1}, b: {device: p2, value: 2}}
    expect: {whole: [{device: {$matches: "^p"}, value: 1}, {value: {$near: 2}}]}
""")

    def test_update_makes_symbols_that_mean_one_thing(self):
        self.updates("""config: rxd.yaml
tests:
  - name: in a mapping of lines
    input: {sensors: "-x-y|"}
    values:
      x: {value: 21}
      y: {value: 100}   # last
    expect: {warm: "", whole: "", doubled: ""}
  - name: none yet
    input: {sensors: "-a-b|"}
    expect:
      safe: ""
  - name: the letters of the input stay letters
    input: [{at: 0, source: sensors, next: a}, {at: 10, source: sensors, next: {value: 50}}, {at: 20, source: sensors, complete: true}]
    expect: {whole: "", warm: ""}
""", """config: rxd.yaml
tests:
  - name: in a mapping of lines
    input: {sensors: "-x-y|"}
    values:
      x: {value: 21}
      y: {value: 100}
      "a": 42
      "b": 200   # last
    expect: {warm: "-a-b|", whole: "-x-y|", doubled: "-a-b|"}
  - name: none yet
    input: {sensors: "-a-b|"}
    expect:
      safe: "-a-b|"
  - name: the letters of the input stay letters
    input: [{at: 0, source: sensors, next: a}, {at: 10, source: sensors, next: {value: 50}}, {at: 20, source: sensors, complete: true}]
    values: {"b": {value: 50}, "c": 100}
    expect: {whole: "ab|", warm: "-c|"}
""")

    def test_update_of_json(self):
        self.updates('{"config": "rxd.yaml", "tests": [{"name": "ü", "input": {"sensors": "-a|"}, "values": {"a": {"value": 21}},\n'
                     ' "expect": {"warm": "", "whole": [], "doubled": []}}]}\n',
                     '{"config": "rxd.yaml", "tests": [{"name": "ü", "input": {"sensors": "-a|"}, "values": {"a": {"value": 21}, "b": 42},\n'
                     ' "expect": {"warm": "-b|", "whole": [{"value": 21}], "doubled": [42]}}]}\n', "test.json")

    def test_update_of_aliases_and_folded_texts(self):
        self.updates("""config: rxd.yaml
tests:
- name: anchors
  input: &i {sensors: "-1|"}
  expect: {doubled: &e []}
- name: alias
  input: *i
  expect: {doubled: *e}
- name: folded
  input: *i
  expect:
    "doubled": >
      --
      --
    whole: |
      --
""", """config: rxd.yaml
tests:
- name: anchors
  input: &i {sensors: "-1|"}
  expect: {doubled: &e [2]}
- name: alias
  input: *i
  expect: {doubled: *e}
- name: folded
  input: *i
  expect:
    "doubled": "-2|"
    whole: "-1|"
""")

    def test_update_of_one_place_that_should_become_two(self):
        path = self.write("""config: rxd.yaml
tests:
  - {name: a, input: {sensors: "-1|"}, expect: {whole: &e []}}
  - {name: b, input: {sensors: "-2|"}, expect: {whole: *e}}
""")
        before = path.read_text()
        status, _, err = self.run_test("--update", path)
        self.assertEqual((status, path.read_text()), (1, before))
        self.assertIn("what several tests expect stands in one place (an alias)", err)

    def test_update_keeps_the_ends_of_lines(self):
        path = self.here / "crlf.yaml"
        path.write_bytes(b"config: rxd.yaml\r\ntests:\r\n  - name: a\r\n    input: {sensors: '-1|'}\r\n    expect:\r\n      whole: []\r\n")
        self.assertEqual(self.run_test("--update", path)[0], 0)
        self.assertTrue(path.read_bytes().endswith(b"      whole:\r\n        - 1\r\n"), path.read_bytes())

    def test_update_of_ends_lists_and_long_values(self):
        long = ", ".join(f'{{value: "{k}{"x" * 30}"}}' for k in range(3))
        lines = ",\n".join(f'                       {{value: "{k}{"x" * 30}"}}' for k in range(3))
        test = "\ufeffconfig: rxd.yaml\ntests:\n  - {name: a, input: {sensors: '1#'}, values: {'#': g}, expect: {doubled: [7], whole: [{$complete: true}]}}\n"
        self.updates(test, test.replace("[7]", '[2, {$error: "g"}]').replace("[{$complete: true}]", '[1, {$error: "g"}]'))
        test = "config: rxd.yaml\ntests:\n  - {name: a, input: {sensors: '-a|'}, values: {a: {l: [1, [2]]}}, expect: {whole: [1, {$complete: true}], pairs: [7], warm: [8]}}\n"
        self.updates(test, test.replace("[1, {$complete: true}]", "[{l: [1, [2]]}, {$complete: true}]").replace("[7]", "[[{l: [1, [2]]}]]").replace("[8]", "[]"))
        test = f"config: rxd.yaml\nvalues: {{}}\ntests:\n  - {{name: a, input: [%s], expect: {{whole: [1]}}}}\n"
        test = test.replace("%s", ", ".join("{at: %d, source: sensors, next: %s}" % (k, v) for k, v in enumerate(re.findall(r"\{.*?\}", long))))
        path = self.write(test)
        self.assertEqual(self.run_test("--update", path)[0], 0)
        self.assertEqual(re.sub(r"\n +", "\n", path.read_text()), re.sub(r"\n +", "\n", test.replace("[1]", "[\n" + lines + "\n]")))
        self.assertEqual(self.run_test(path)[0], 0)

    def test_update_where_a_diagram_cannot_tell_the_times(self):
        self.updates("""config: rxd.yaml
tests:
  - name: between frames
    input: [{at: 3, source: sensors, next: 1}, {at: 4, source: sensors, next: 2}]
    expect:
      whole: "-"
""", """config: rxd.yaml
tests:
  - name: between frames
    input: [{at: 3, source: sensors, next: 1}, {at: 4, source: sensors, next: 2}]
    expect:
      whole:
        - 1
        - 2
""")

    def test_update_cannot_write(self):
        path = self.write('config: rxd.yaml\ntests: [{name: a, input: {sensors: "1|"}, expect: {whole: []}}]\n')
        before, folder = path.read_text(), path.parent
        link = self.here / "in" / "link.yaml"
        link.parent.mkdir()
        link.symlink_to("../test.yaml")
        (self.here / "in" / "rxd.yaml").symlink_to("../rxd.yaml")
        self.assertEqual(self.run_test("--update", link)[0], 0)
        self.assertTrue(link.is_symlink(), "what the link points to is written")
        self.assertNotEqual(path.read_text(), before)
        self.assertEqual(sorted(p.name for p in folder.iterdir()), ["in", "rxd.yaml", "test.yaml"], "nothing is left behind")

    def test_update_where_there_is_no_room_beside_the_file(self):
        path = self.write("config: rxd.yaml\ntests: [{name: a, input: {sensors: '1|'}, expect: {whole: []}}]\n", "t" * 250 + ".yaml")
        before = path.read_text()
        status, _, err = self.run_test("--update", path)
        self.assertEqual((status, path.read_text()), (1, before))
        self.assertIn("File name too long", err)

    def test_update_leaves_what_did_not_run(self):
        text = 'config: rxd.yaml\ntests: [{name: a, input: [{at: 0, source: nope, next: 1}], expect: {whole: []}}]\n'
        path = self.write(text)
        self.assertEqual(self.run_test("--update", path)[0], 78)
        self.assertEqual(path.read_text(), text)

    # --- reports ---

    TWO = """config: rxd.yaml
tests:
  - {name: "good <&> #1\\x01", input: {sensors: "-1|"}, expect: {whole: "-1|"}}
  - {name: bad, input: {sensors: "-1|"}, expect: {whole: "-2|"}}
"""

    def test_tap(self):
        self.write(self.TWO)
        self.write("tests: []\n", "mistake.yaml")
        status, out, err = self.run_test("--tap", "test.yaml", "mistake.yaml")
        lines = out.splitlines()
        self.assertEqual(status, 78)
        self.assertEqual(lines[:4], ["TAP version 14", "# test.yaml", "ok 1 - good <&> \\#1\x01", "not ok 2 - bad"])
        self.assertEqual(lines[4:8], ["  ---", '  at: "test.yaml:4"', "  message: |", "    whole"])
        self.assertEqual(lines[-3:], ["# mistake.yaml", "not ok 3 - mistake.yaml", "1..3"])
        self.assertIn("a test file names its `config`", err)

    def test_junit(self):
        self.write(self.TWO)
        self.write("tests: []\n", "mistake.yaml")
        status, out, _ = self.run_test("--junit", "report.xml", "test.yaml", "mistake.yaml")
        self.assertEqual(status, 78)
        self.assertIn("FAIL bad", out, "people are told too")
        suites = ElementTree.parse(self.here / "report.xml").getroot()
        self.assertEqual([(s.get("name"), s.get("tests"), s.get("failures"), s.get("errors")) for s in suites],
                         [("test.yaml", "2", "1", "0"), ("mistake.yaml", "1", "0", "1")])
        good, bad = suites[0].findall("testcase")
        self.assertEqual((good.get("name"), good.get("classname"), len(good)), ("good <&> #1\ufffd", "test.yaml", 0))
        self.assertIn("expected 2, came 1", bad.find("failure").text)
        self.assertIsNotNone(suites[1].find("testcase/error"))

    def test_a_report_that_cannot_be_written(self):
        self.write(self.TWO)
        status, _, err = self.run_test("--junit", "nowhere/report.xml", "--filter", "good", "test.yaml")
        self.assertEqual(status, 1)
        self.assertIn("cannot write nowhere/report.xml: No such file or directory", err)

    # --- watch ---

    def test_watch(self):
        recording = self.here / "recording.ndjson"
        recording.write_text('{"at": 0, "source": "sensors", "next": 1}\n')
        path = self.write("config: rxd.yaml\ntests: [{name: a, input: recording.ndjson, expect: {whole: [1]}}]\n")
        process = subprocess.Popen([harness.rxd_path(), "test", "--watch", path.name], cwd=self.here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")), daemon=True)
        reader.start()
        self.addCleanup(process.stdout.close)
        self.addCleanup(reader.join)
        self.addCleanup(harness.finish, process)

        def comes(runs, says):
            harness.wait_for(says, lambda: "".join(lines).count("waiting for changes") == runs and says in "".join(lines[last:]))
            return len(lines)

        last = 0
        last = comes(1, "1 test, 1 passed, 0 failed\n")
        self.assertIn("waiting for changes of 3 files, Ctrl-C ends\n", lines)
        (self.here / "other.yaml").write_text("no one's")
        recording.write_text('{"at": 0, "source": "sensors", "next": 2}\n')
        last = comes(2, "expected 1, came 2")
        beside = self.here / "beside"
        beside.write_text(path.read_text().replace("[1]", "[2]"))
        beside.rename(path)  # as editors do
        last = comes(3, "1 test, 1 passed, 0 failed\n")
        (self.here / "rooms.csv").write_text("device,room\na,1\n")
        (self.here / "rxd.yaml").write_text(CONFIG + "  looked:\n    from: sensors\n    pipe: [ { lookup: { file: rooms.csv, key: device } } ]\n")
        last = comes(4, "1 test, 1 passed, 0 failed\n")
        self.assertIn("waiting for changes of 4 files, Ctrl-C ends\n", lines)
        (self.here / "rooms.csv").write_text("device,room\na,1,2\n")
        last = comes(5, "rooms.csv, line 2")
        (self.here / "rxd.yaml").write_text("sources: {}\n")
        last = comes(6, "0 tests, 0 passed, 0 failed\n")
        process.send_signal(2)
        self.assertEqual(process.wait(harness.DEADLINE), 78, "the status of the last run")

    def test_a_watched_run_can_be_ended(self):
        self.write("sources: { a: { http: {} } }\npipelines: { ticks: { from: { interval: 1ms } } }\n", "ticks.yaml")
        self.write("config: ticks.yaml\ntests: [{name: long, end: 36000d, expect: {}}]\n")
        self.write("config: rxd.yaml\ntests: [{name: short, input: {sensors: '1|'}, expect: {whole: '1|'}}]\n", "short.yaml")
        process = subprocess.Popen([harness.rxd_path(), "test", "--tap", "--watch", "short.yaml", "test.yaml"], cwd=self.here, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(harness.finish, process)
        self.assertEqual([process.stdout.readline() for _ in range(3)][2], "ok 1 - short\n")
        process.send_signal(2)
        self.assertEqual(process.wait(harness.DEADLINE), -2)

    # --- time ---

    def test_a_day_takes_no_time(self):
        inputs = "".join(f"      - {{at: {k}m, source: sensors, next: {{device: d{k % 10}, value: {k}}}}}\n" for k in range(0, 1440))
        path = self.write(f"config: rxd.yaml\ntests:\n  - name: a day of minutes\n    end: 25h\n    match: subset\n    input:\n{inputs}"
                          "    expect: {per_day: [" + ", ".join(f"{{device: d{k}, n: 144, avg: {715 + k}}}" for k in range(10)) + "]}\n")
        began = time.monotonic()
        status, out, err = self.run_test(path)
        took = time.monotonic() - began
        self.assertEqual((status, err), (0, ""), out)
        self.assertLess(took, 1 * harness.SLOWNESS)

    def test_late_and_idle(self):
        status, out, err = self.run_test(self.write("""config: rxd.yaml
match: subset
tests:
  - name: what comes too late
    input:
      - {at: 0, source: rides, next: {at: "1970-01-01T00:00:01Z"}}
      - {at: 1s, source: rides, next: {at: "1970-01-01T00:00:09Z"}}
      - {at: 2s, source: rides, next: {at: "1970-01-01T00:00:02Z"}}
    end: 3s
    expect: {rides_5s: [{n: 1}], rides_5s.late: [{at: "1970-01-01T00:00:02Z"}]}
  - name: an idle source holds nothing up
    input: [{at: 0, source: rides, next: {at: "1970-01-01T00:00:01Z"}}]
    end: 9s
    expect: {rides_5s: []}
  - name: once it is idle
    input: [{at: 0, source: rides, next: {at: "1970-01-01T00:00:01Z"}}]
    end: 20s
    expect: {rides_5s: [{n: 1}]}
"""))
        self.assertEqual((status, err), (0, ""), out)

    # --- limits ---

    def refuses(self, says, text, name="test.yaml"):
        status, out, err = self.run_test(self.write(text, name))
        self.assertEqual(status, 78, out + err[:1000])
        self.assertIn(says, err)

    def test_limits(self):
        test = '{"name":"a","expect":{}}'
        whole = '{"config":"rxd.yaml","tests":[%s]}'
        self.assertEqual(self.run_test(self.write(whole % ",".join([test] * 10000)))[0], 0)
        self.refuses("a list `tests`, of 1 to 10000", whole % ",".join([test] * 10001))
        diagram = 'config: rxd.yaml\ntests: [{name: a, input: {sensors: "%s"}, expect: {}}]\n'
        self.assertEqual(self.run_test(self.write(diagram % ("-" * 65536)))[0], 0)
        self.refuses("a diagram has at most 65536 bytes", diagram % ("-" * 65537))
        self.refuses("a diagram is at most 100 years long", diagram % "20000d 20000d")
        self.refuses("a diagram is at most 100 years long", diagram % "40000d")
        self.refuses("a diagram is at most 100 years long", diagram % "999999999999999d")
        self.refuses("`config` names at most 256 files", "config: [%s]\ntests: [{name: a, expect: {}}]\n" % ", ".join(["rxd.yaml"] * 257))
        self.refuses("levels", "config: rxd.yaml\ntests: [{name: a, expect: {whole: " + "[" * 70 + "]" * 70 + "}}]\n")
        self.refuses("it has over 16 MiB", "#" * (16 * 1024 * 1024 + 1))

    def test_outputs_have_a_limit(self):
        self.write("sources: { a: { http: {} } }\npipelines: { ticks: { from: { interval: 1ms } } }\n", "ticks.yaml")
        path = self.write("config: ticks.yaml\ntests: [{name: a, end: 1001s, expect: {ticks: []}}]\n")
        status, out, _ = self.run_test(path)
        self.assertEqual(status, 1)
        self.assertIn("over 1000000 outputs are too many to compare", out)

    def test_a_recording_has_a_limit(self):
        with open(self.here / "long.ndjson", "wb") as file:
            file.truncate((256 << 20) + 1)
        self.refuses("it has over 256 MiB", "config: rxd.yaml\ntests: [{name: a, input: long.ndjson, expect: {}}]\n")

    def test_what_is_not_watched_is_told(self):
        tests = "".join(f"  - {{name: a, input: r{k}, expect: {{}}}}\n" for k in range(4100))
        path = self.write("config: rxd.yaml\ntests:\n" + tests)
        process = subprocess.Popen([harness.rxd_path(), "test", "--watch", path.name], cwd=self.here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(harness.finish, process)
        lines = []
        for line in iter(process.stdout.readline, ""):
            lines.append(line)
            if line.startswith("waiting"):
                break
        self.assertIn("rxd: 6 files are not watched\n", lines)


if __name__ == "__main__":
    harness.main()
