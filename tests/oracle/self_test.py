#!/usr/bin/env python3
"""The comparison itself: the recorded cases agree with themselves, and every kind of change in them is noticed."""

import copy
import datetime
import re
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "marbles")]

import run  # noqa: E402
import translate  # noqa: E402
from replay import Outcome  # noqa: E402


def timestamp(nanoseconds):
    seconds, rest = divmod(nanoseconds, 10**9)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return moment.isoformat() + f".{rest:09d}Z"


def written(value):
    """A value in the form of the comparison, as rxd would write it."""
    if not isinstance(value, dict):
        return value
    if set(value) == {translate.SCOPE_TAG, "v"}:
        return {**value, "v": written(value["v"])}
    if set(value) == {"aggregate", "window"}:
        return {**value["aggregate"], "window": dict(zip(("start", "end"), map(timestamp, value["window"])))}
    if set(value) == {"value", "timestamp"}:
        return {**value, "timestamp": timestamp(value["timestamp"] * 10**6)}
    if set(value) == {"value", "interval"}:
        return {**value, "interval": f"{value['interval'] / 1000}s"}
    if "k" in value:
        return {"kind": value["k"].upper(), **({"value": value["v"]} if "v" in value else {})}
    return value


def as_rxd(case):
    """What rxd would have to write to agree with RxJS."""
    rows = []
    for at, kind, *value in case["expect"]["out"]:
        key = {"n": "next", "e": "error", "c": "complete"}[kind]
        value = written(translate.untag(value[0])) if kind == "n" else value[0] if value else True
        rows.append({"at": at, "stream": "out", key: value})
    return Outcome(rows, copy.deepcopy(case["expect"]["subs"]))


class Comparison(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cases = run.recorded()

    def changed(self, change):
        """How many cases notice a change, of those that it applies to."""
        applied = noticed = 0
        for case in self.cases:
            outcome = as_rxd(case)
            if change(case, outcome):
                applied += 1
                noticed += translate.compare(case, outcome) is not None
        self.assertGreater(applied, 75)
        return noticed / applied

    def test_every_recorded_case_is_in_scope_and_agrees_with_itself(self):
        for case in self.cases:
            translate.config_of(case)
            self.assertIsNone(translate.compare(case, as_rxd(case)), case)

    def test_a_missing_row_is_noticed(self):
        self.assertEqual(self.changed(lambda c, o: o.rows and o.rows.pop(0)), 1)

    def test_an_added_row_is_noticed_unless_nobody_listens_any_more(self):
        def add(case, outcome):
            if "unsubscribeAt" not in case:
                outcome.rows.append({"at": 599, "stream": "out", "next": 1})
                return True

        self.assertEqual(self.changed(add), 1)

    def test_a_changed_value_is_noticed(self):
        def change(case, outcome):
            if outcome.rows and "next" in outcome.rows[-1]:
                outcome.rows[-1]["next"] = {"other": 1}
                return True

        self.assertEqual(self.changed(change), 1)

    def test_changed_bounds_of_a_window_are_noticed(self):
        def change(case, outcome):
            for row in outcome.rows if translate.windowings(case["pipeline"]) == 1 else ():
                value = row.get("next")
                value = value.get("v", value) if isinstance(value, dict) else None
                if isinstance(value, dict) and "window" in value:
                    value["window"]["end"] = "2000-01-01T00:00:00Z"
                    return True

        self.assertEqual(self.changed(change), 1)

    def test_a_changed_time_is_noticed(self):
        def change(case, outcome):
            if outcome.rows:
                outcome.rows[-1]["at"] += 1
                return True

        self.assertEqual(self.changed(change), 1)

    def test_the_order_of_one_instant_matters(self):
        def swap(case, outcome):
            rows, loose = outcome.rows, translate.loose_instants(case)
            for i in range(len(rows) - 1):
                one, two = rows[i], rows[i + 1]
                if one["at"] == two["at"] and "next" in two and one["next"] != two["next"] and not loose(one["at"]):
                    rows[i], rows[i + 1] = two, one
                    return True

        self.assertEqual(self.changed(swap), 1)

    def test_a_changed_subscription_is_noticed(self):
        def change(case, outcome):
            spans = outcome.subscriptions[case["source"]] if isinstance(case["source"], str) else None
            if spans:
                spans[0][0] += 1
                return True

        self.assertEqual(self.changed(change), 1)

    def test_the_text_of_an_error_matters_but_for_that_of_a_step(self):
        def change(case, outcome):
            if outcome.rows and outcome.rows[-1].get("error") == "x":
                outcome.rows[-1]["error"] = "other"
                return True

        self.assertEqual(self.changed(change), 1)


COMPARISON_ONLY = {"window tag", "end of a run", "unsubscribeAt"}


class Documented(unittest.TestCase):
    def test_every_difference_has_its_line_in_the_documentation(self):
        text = (HERE.parents[1] / "docs" / "rx.md").read_text()
        told = set(re.findall(r"\*\*([^*]+)\*\*", text))
        self.assertEqual(told, set(translate.DIFFERENCES) - COMPARISON_ONLY)


if __name__ == "__main__":
    unittest.main()
