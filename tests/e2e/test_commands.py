"""The commands that answer and end: operators, explain, replay."""

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness

EXAMPLES = sorted((harness.ROOT / "pipelines" / "examples").glob("*.yaml"))


def catalogue(kind):
    text = harness.run_rxd("operators").stdout.decode()
    section = text.split(f"{kind}\n", 1)[1].split("\n\n", 1)[0]
    return [line.split()[0] for line in section.splitlines() if line.strip()]


class Limits(unittest.TestCase):
    def replay(self, config, lines, *more):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(config, file)
            file.flush()
            done = harness.run_rxd("replay", "-c", file.name, *more, stdin="".join(json.dumps(line) + "\n" for line in lines).encode())
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_what_fails_or_ends_at_once_is_not_tried_forever(self):
        for step, end in ("retry", {"error": "boom"}), ("repeat", {"complete": True}):
            config = {"sources": {"a": {"http": {}, "replay": "cold"}}, "pipelines": {"p": {"from": "a", "pipe": [step]}}}
            code, out, _ = self.replay(config, [{"at": 0, "source": "a", **end}], "p", "--subscriptions")
            self.assertEqual(code, 0)
            self.assertEqual(out.count('"subscribed"'), 1_000_001)  # the first, and 1,000,000 more
            self.assertIn(f"the step 1.{step} goes on without end", out)

    def test_replay_shows_so_many_streams(self):
        config = {"sources": {"a": {"http": {}}}, "pipelines": {f"p{i}": {"from": "a"} for i in range(256)}}
        code, _, _ = self.replay(config, [], *list(config["pipelines"])[:255])
        self.assertEqual(code, 0)
        code, _, said = self.replay(config, [], *config["pipelines"])
        self.assertNotEqual(code, 0)
        self.assertIn("at most 255 names", said)

    def test_an_event_that_is_too_large_to_look_at_is_left_out_of_its_report(self):
        config = {"sources": {"a": {"http": {}}}, "pipelines": {"p": {"from": "a", "pipe": [{"filter": "list > 1"}]}}}
        for parts, left_out in (9_000, False), (11_000, True):
            code, out, _ = self.replay(config, [{"at": 0, "source": "a", "next": {"list": [1] * parts}}], "p.errors")
            self.assertEqual(code, 0)
            self.assertEqual("(left out: over 10000 parts)" in out, left_out)
            self.assertEqual(len(out) > 9_000, not left_out)

    def test_a_request_has_so_many_headers(self):
        for count in 64, 65:
            headers = {f"X-{i}": "1" for i in range(count)}
            for config, said in (
                ({"sources": {"a": {"http_poll": {"url": "http://localhost/", "every": "1s", "headers": headers}}}, "pipelines": {"p": {"from": "a"}}},
                 "headers: 65 of them; at most 64"),
                ({"sources": {"a": {"http": {}}}, "pipelines": {"p": {"from": "a", "to": [{"http": {"post": "http://localhost/", "headers": headers}}]}}},
                 "of 64 at most"),
            ):
                with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                    json.dump(config, file)
                    file.flush()
                    done = harness.run_rxd("check", "-c", file.name)
                self.assertEqual(done.returncode == 0, count == 64, done.stderr)
                self.assertEqual(said in done.stderr.decode(), count == 65, done.stderr)


class Operators(unittest.TestCase):
    def test_each_has_a_page_with_an_example_that_check_accepts(self):
        names = catalogue("operators")
        self.assertGreater(len(names), 50)
        for name in names:
            done = harness.run_rxd("operators", name)
            self.assertEqual(done.returncode, 0, name)
            self.assertIn(f"operator {name}: ", done.stdout.decode())
            self.assertIn("Example\n", done.stdout.decode())

    def test_each_is_drawn(self):
        for name in catalogue("operators"):
            self.assertRegex(harness.run_rxd("operators", name).stdout.decode(), r"\nMarbles: .+\n(  .*\n)*  out( \S+)?: ", name)

    def test_all_of_them_at_once(self):
        text = harness.run_rxd("operators", "--all").stdout.decode()
        for kind, chapter in ("operator", "operators"), ("source", "sources"), ("sink", "sinks"):
            for name in catalogue(chapter):
                self.assertEqual(text.count(f"{kind} {name}: "), 1, name)
        done = harness.run_rxd("operators", "--nonsense")
        self.assertEqual((done.returncode, done.stdout), (64, b""))
        self.assertIn(b"there is no option", done.stderr)

    def test_sources_and_sinks_have_pages_too(self):
        for name in catalogue("sources") + catalogue("sinks"):
            done = harness.run_rxd("operators", name)
            self.assertEqual(done.returncode, 0, name)
            self.assertIn(name, done.stdout.decode())

    def test_an_unknown_one_is_refused_with_the_nearest_name(self):
        done = harness.run_rxd("operators", "fliter")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("filter", done.stderr.decode())


class WithConfig(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.config = Path(folder.name) / "rxd.yaml"

    def config_of(self, pipe):
        self.config.write_text(json.dumps({"sources": {"a": {"http": {}}}, "pipelines": {"out": {"from": "a", "pipe": pipe}}}))

    def replay(self, *lines, streams=()):
        text = "".join(json.dumps(line) + "\n" for line in lines).encode()
        return harness.run_rxd("replay", "-c", self.config, *streams, stdin=text)


class Paths(WithConfig):
    def test_files_and_folders_with_and_without_c(self):
        self.config_of([{"take": 3}])
        folder = self.config.parent
        (folder / "pipelines.d").mkdir()
        (folder / "pipelines.d" / "more.yaml").write_text("pipelines: {more: {from: a}}")
        for words in (["-c", self.config, folder / "pipelines.d"], ["-c", self.config, "-c", folder / "pipelines.d"], [self.config, folder / "pipelines.d"]):
            done = harness.run_rxd("check", *words)
            self.assertEqual((done.returncode, done.stdout), (0, b"ok: 1 source, 2 pipelines\n"), done.stderr)

    def test_so_many_and_no_more(self):
        self.config.write_text("http: {}")
        done = harness.run_rxd("check", "-c", *[self.config] * 256)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = harness.run_rxd("check", "-c", *[self.config] * 257)
        self.assertEqual(done.returncode, 64)
        self.assertIn(b"at most 256 paths", done.stderr)

    def test_replay_takes_so_many_names(self):
        self.config_of([])
        self.assertEqual(self.replay(streams=["out"] * 255).returncode, 0)
        done = self.replay(streams=["out"] * 256)
        self.assertEqual(done.returncode, 64)
        self.assertIn(b"at most 255 names", done.stderr)

    def test_what_looks_like_a_path_is_none_of_the_commands(self):
        done = harness.run_rxd("/nonexistent/rxd.yaml")
        self.assertEqual(done.returncode, 78)
        self.assertIn(b"cannot read `/nonexistent/rxd.yaml`", done.stderr)


class Strict(WithConfig):
    def test_warnings_are_told_and_with_strict_they_are_mistakes(self):
        self.config.write_text('sources: {a: {file: {path: x}}}\npipelines: {p: {from: a, pipe: [filter: battery-level > 3]}}')
        done = harness.run_rxd("check", self.config)
        self.assertEqual((done.returncode, done.stdout), (0, b"ok: 1 source, 1 pipeline; 1 warning\n"))
        self.assertIn(b"rxd.yaml:2:41: warning: ", done.stderr)
        done = harness.run_rxd("check", "--strict", self.config)
        self.assertEqual((done.returncode, done.stdout), (78, b""))
        self.assertIn(b"1 warning, and --strict", done.stderr)


class Explain(WithConfig):
    def test_it_names_every_step_and_what_is_decoded(self):
        self.config_of([{"filter": "kind == 'x'"}, {"group_by": "device"}, {"window": "5s"}, {"aggregate": {"m": "max(value)"}}])
        done = harness.run_rxd("explain", "-c", self.config)
        text = done.stdout.decode()
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("filter", "group_by", "window", "aggregate", "kind", "device", "value"):
            self.assertIn(word, text)

    def test_every_example_can_be_explained(self):
        self.assertGreater(len(EXAMPLES), 0)
        environment = {**harness.os.environ, "MQTT_URL": "mqtt://127.0.0.1:1883", "RXD_LISTEN": "127.0.0.1:0"}
        for path in EXAMPLES:
            command = [harness.rxd_path(), "explain", "-c", str(path)]
            done = subprocess.run(command, capture_output=True, env=environment, timeout=60 * harness.SLOWNESS)
            self.assertEqual(done.returncode, 0, (path, done.stderr))
            self.assertTrue(done.stdout)

    def test_a_bad_config_is_told_and_ends_with_78(self):
        self.config_of([{"fliter": "x"}])
        done = harness.run_rxd("explain", "-c", self.config)
        self.assertEqual((done.returncode, done.stdout), (78, b""))
        self.assertIn(b"filter", done.stderr)


class Replay(WithConfig):
    def test_a_line_with_two_notifications_is_refused_by_its_number(self):
        self.config_of(["count"])
        done = self.replay({"at": 1, "source": "a", "next": 1}, {"at": 2, "source": "a", "next": 2, "complete": True})
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"line 2", done.stderr)

    def test_bad_events_are_counted_at_the_end_and_shown_when_asked_for(self):
        self.config_of([{"map": "event % (event - event)"}])
        lines = {"at": 1, "source": "a", "next": 1}, {"at": 2, "source": "a", "next": "x"}, {"at": 3, "source": "a", "complete": True}
        done = self.replay(*lines)
        self.assertIn(b"events went to out.errors", done.stderr)
        for streams in (["out.errors"], ["out", "out.errors"], ["out.errors", "out", "out", "out"]):
            shown = self.replay(*lines, streams=streams)
            rows = [json.loads(line) for line in shown.stdout.splitlines()]
            self.assertEqual([row["stream"] for row in rows if "next" in row], ["out.errors"] * 2, streams)
            self.assertEqual(any("complete" in row for row in rows), "out" in streams)

    def test_a_source_that_is_not_in_the_config_and_a_time_that_goes_back_are_refused(self):
        self.config_of(["count"])
        for second in ({"at": 1, "source": "b", "next": 1}, {"at": 0, "source": "a", "next": 1}):
            done = self.replay({"at": 1, "source": "a", "next": 1}, second)
            self.assertEqual(done.returncode, 1, second)
            self.assertIn(b"line 2", done.stderr)


if __name__ == "__main__":
    unittest.main()
