"""rxd diff: two configs over one recording."""

import json
import unittest
from pathlib import Path

import harness

LINES = [
    {"at": 1000, "source": "a", "next": {"n": 1}},
    {"at": 2000, "source": "a", "next": {"n": 2}},
    {"at": 3000, "source": "a", "next": {"n": 3}},
]


def pipe(*steps, source="a", name="p"):
    return {"sources": {source: {"http": {}}}, "pipelines": {name: {"from": source, "pipe": list(steps)}}}


class Diff(harness.EndToEnd):
    def diff(self, old, new, *more, lines=LINES):
        paths = []
        for name, config in ("old.json", old), ("new.json", new):
            path = Path(self.folder) / name
            path.write_text(json.dumps(config))
            paths.append(path)
        done = harness.run_rxd("diff", *paths, *more, stdin="".join(json.dumps(line) + "\n" for line in lines).encode())
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_the_same_outputs_of_other_steps_are_no_difference(self):
        code, out, said = self.diff(pipe({"filter": "n > 1"}), pipe({"skip": 1}))
        self.assertEqual((code, said), (0, ""))
        self.assertEqual(out, "no difference in 2 outputs of 1 stream\n")

    def test_a_value_that_differs_is_shown_with_its_place(self):
        code, out, _ = self.diff(pipe({"map": {"n": "n"}}), pipe({"map": {"n": "n == 2 ? 7 : n"}}))
        self.assertEqual(code, 1)
        self.assertIn("p\n", out)
        self.assertIn("at 2s", out)
        self.assertIn("7", out)
        self.assertIn("1 of 3 outputs differs, in 1 of 1 stream\n", out)

    def test_times_count_but_for_untimed(self):
        old, new = pipe({"map": "n"}), pipe({"map": "n"}, {"delay": "10ms"})
        self.assertEqual(self.diff(old, new)[0], 1)
        self.assertEqual(self.diff(old, new, "--untimed")[0], 0)
        self.assertEqual(self.diff(old, pipe({"map": "-n"}), "--untimed")[0], 1)

    def test_an_error_and_an_end_differ_from_none(self):
        for end in {"error": "boom"}, {"complete": True}:
            lines = [*LINES, {"at": 4000, "source": "a", **end}]
            code, out, _ = self.diff(pipe(), pipe({"concat_with": [{"from": {"never": {}}}]} if "complete" in end else {"catch": {"value": 0}}), lines=lines)
            self.assertEqual(code, 1, out)
            self.assertIn("at 4s", out)

    def test_only_what_is_named_is_compared(self):
        old, new = pipe({"filter": "n > 1"}), pipe({"filter": "n > 2"})
        for config in old, new:
            config["pipelines"]["q"] = {"from": "a"}
        self.assertEqual(self.diff(old, new)[0], 1)
        self.assertEqual(self.diff(old, new, "q")[0], 0)
        self.assertEqual(self.diff(old, new, "p", "q")[0], 1)

    def test_a_pipeline_that_one_lacks_differs_by_what_it_puts_out(self):
        code, out, _ = self.diff(pipe(), pipe(name="other"))
        self.assertEqual(code, 1)
        self.assertIn("6 of 6 outputs differ, in 2 of 2 streams\n", out)
        self.assertEqual(self.diff(pipe(), pipe(name="other"), lines=[])[0], 0)
        code, _, said = self.diff(pipe(), pipe(name="other"), "p")
        self.assertEqual(code, 1)
        self.assertIn('new.json: there is no stream "p"', said)

    def test_a_source_that_one_lacks_is_counted_and_one_that_both_lack_is_an_error(self):
        code, _, said = self.diff(pipe(), pipe(source="b"))
        self.assertEqual(code, 1)
        self.assertIn("new: 3 lines are of sources that it does not have", said)
        code, _, said = self.diff(pipe(), pipe(), lines=[{"at": 0, "source": "nobody", "next": 1}])
        self.assertEqual(code, 1)
        self.assertIn("input line 1: ", said)

    def test_what_was_lost_on_the_way_is_told(self):
        old = pipe({"filter": "n > 1"})
        code, _, said = self.diff(old, old, lines=[{"at": 0, "source": "a", "next": {"n": [1]}}])
        self.assertEqual(code, 0, said)
        self.assertIn("old: 1 event went to p.errors", said)

    def test_a_bad_config_or_command_line_has_its_own_status(self):
        self.assertEqual(self.diff(pipe(), pipe("nonsense"))[0], 78)
        self.assertEqual(harness.run_rxd("diff", "one.yaml").returncode, 64)
        self.assertEqual(harness.run_rxd("diff", "one.yaml", "two.yaml", "--what").returncode, 64)
        code, _, said = self.diff(pipe(), pipe(), *["p"] * 256)
        self.assertEqual(code, 64)
        self.assertIn("at most 255 names", said)

    def test_lines_that_are_none_are_refused_with_their_number(self):
        code, _, said = self.diff(pipe(), pipe(), lines=[LINES[0], [1]])
        self.assertEqual(code, 1)
        self.assertIn("input line 2: ", said)

    def test_recordings_of_today_are_drawn_around_the_difference(self):
        base = 1_790_000_000_000
        lines = [{"at": base, "start": True}] + [{**line, "at": base + line["at"]} for line in LINES]
        code, out, _ = self.diff(pipe({"filter": "n > 0"}), pipe({"filter": "n > 1"}), lines=lines)
        self.assertEqual(code, 1)
        self.assertTrue(all(len(line) < 200 for line in out.splitlines()), out)


if __name__ == "__main__":
    unittest.main()
