#!/usr/bin/env python3
"""The marble language itself: diagrams, legends, files."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import marble  # noqa: E402
import run  # noqa: E402

FILE = """
# a comment
v = {"device": "a"}

case: the first
  in a:   -1-v-|
  cold b: #
  from: [a, b]
  pipe: - take: 2
        - map: event + 1     # YAML's own
  pipeline other:
    from: out
  out:    -1-(v|)
  # = "boom"
  subs a: ^--!
  end:    -----!

case: the second
  in a: -
  out: -
"""


def cases_of(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.marbles"
        path.write_text(text)
        return marble.read(path)


class Diagrams(unittest.TestCase):
    def test_a_character_is_a_tick_and_a_group_is_one_instant(self):
        rows = marble.notifications("-1-(2a)(3|)", {"a": [1]}, 10)
        want = [[10, "next", 1], [30, "next", 2], [30, "next", [1]], [70, "next", 3], [70, "complete"]]
        self.assertEqual(rows, want)

    def test_drawing_gives_the_diagram_back(self):
        for diagram in ("", "-1-2", "--(12)-|", "-a#", "(1|)"):
            drawn, notes = marble.draw(marble.notifications(diagram, {"#": marble.ANY}, 10), {}, 10)
            self.assertEqual((drawn, notes), (diagram, []))

    def test_drawing_tells_what_it_cannot_draw(self):
        drawn, notes = marble.draw([[10, "next", {"n": 1}], [15, "complete"]], {}, 10)
        self.assertEqual((drawn, notes), ("-α", ['α = {"n": 1}', "| at 15 ms"]))

    def test_subscriptions(self):
        self.assertEqual(marble.span("^--!", 10), [0, 30])
        self.assertEqual(marble.span("--^", 10), [20, None])
        self.assertEqual(marble.span("-(^!)", 10), [10, 10])
        self.assertIsNone(marble.span("---", 10))

    def test_mistakes_are_told(self):
        for diagram in ("-(1", "- 1", "-?"):
            with self.assertRaises(marble.Mistake):
                marble.notifications(diagram, {}, 10)


class Values(unittest.TestCase):
    def test_equality_is_that_of_json(self):
        self.assertTrue(marble.same({"a": [1, None]}, {"a": [1.0, None]}))
        for want, got in ((1, True), (None, 0), ({"a": 1}, {"a": 1, "b": 2}), ([1], [1, 2]), ("1", 1)):
            self.assertFalse(marble.same(want, got), (want, got))

    def test_a_part_asks_for_its_keys_only(self):
        part = marble.legend_value('{"a": 1, ...}')
        self.assertTrue(marble.same(part, {"a": 1, "b": 2}))
        self.assertFalse(marble.same(part, {"a": 2}))


class Files(unittest.TestCase):
    def test_a_case_is_read_whole(self):
        first, second = cases_of(FILE)
        self.assertEqual(first.inputs, {"a": ("hot", "-1-v-|"), "b": ("cold", "#")})
        self.assertEqual(first.pipelines["out"], "- take: 2\n- map: event + 1     # YAML's own")
        self.assertEqual(first.pipelines["other"], "from: out")
        self.assertEqual(first.legend, {"v": {"device": "a"}, "#": "boom"})
        self.assertEqual((first.start, first.end, first.subs), ("[a, b]", "-----!", {"a": ["^--!"]}))
        self.assertEqual(second.legend, {"v": {"device": "a"}})

    def test_a_case_becomes_a_config_and_an_input(self):
        case = cases_of(FILE)[0]
        self.assertIn("    pipe:\n      - take: 2\n", run.config_of(case))
        self.assertIn("  b: { http: {}, replay: cold }", run.config_of(case))
        self.assertEqual(
            run.events_of(case),
            [
                {"at": 0, "source": "b", "error": "boom"},
                {"at": 10, "source": "a", "next": 1},
                {"at": 30, "source": "a", "next": {"device": "a"}},
                {"at": 50, "source": "a", "complete": True},
                {"at": 50, "end": True},
            ],
        )

    def test_a_mistake_names_its_line(self):
        with self.assertRaisesRegex(marble.Mistake, "x.marbles:2: cannot read"):
            cases_of("case: x\n  inn a: -\n")


if __name__ == "__main__":
    unittest.main()
