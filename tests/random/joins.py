#!/usr/bin/env python3
"""Joins against a nested loop: random streams, all kinds and forms, distances both ways and asymmetric, windows of two and three
sides, keys that are absent or null or differ in name, arrivals shuffled within lateness; whole, and restarted after each event.

usage: joins.py [--rxd PATH] [SEED [COUNT]]
"""

import argparse
import collections
import itertools
import json
import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "marbles"))

from replay import Replayer, ReplayError, find_rxd  # noqa: E402

LATENESS = 300  # ms
ABSENT = object()


class Case:
    """One config and its input, and what a nested loop makes of it."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        r = self.random
        self.mode = r.choice(["within", "within", "windows", "all"])
        self.names = ["a", "b", "c"][: 3 if self.mode != "within" and r.random() < 0.4 else 2]
        self.kind = r.choice(["inner", "left", "full"])
        self.event_time = r.random() < 0.7
        self.step = r.random() < 0.5
        self.before, self.after = r.choice([(100, 100), (0, 0), (250, 40), (0, 120), (700, 0)])
        self.other_name = r.random() < 0.3  # b calls its key `other`, and counts from 1
        self.bound = r.choice([3, 20])
        self.events = {name: self.stream(name) for name in self.names}

    def key(self):
        return self.random.choice([1, 2, 3, "x", 2.0, None, ABSENT])

    def stream(self, name):
        """(arrival, event), as they come: each up to LATENESS behind its own time."""
        out = []
        for i in range(self.random.randint(0, self.bound)):
            t = self.random.randrange(0, 2000, 10)
            event = {"id": f"{name}{i}", "t": t}
            key = self.key()
            if key is not ABSENT:
                event["other" if self.renamed(name) else "k"] = key
            out.append((t + self.random.randint(0, LATENESS) if self.event_time else t, event))
        return sorted(out, key=lambda row: row[0])

    def renamed(self, name):
        return self.other_name and name == "b"

    # --- the config ---

    def source(self):
        return {"http": {}, **({"event_time": {"field": "t", "unit": "ms"}, "lateness": f"{LATENESS}ms"} if self.event_time else {})}

    def side(self, name):
        """Of a window the ids are collected, so that a side has one row of a key."""
        if self.mode != "windows":
            return name
        key = {"by": {"k": "other"}} if self.renamed(name) else "k"
        return {"from": name, "pipe": [{"filter": f"has(event.{'other' if self.renamed(name) else 'k'})"}, {"group_by": key},
                                       {"window": "400ms"}, {"aggregate": {"ids": "collect(id, 100)"}}, "merge"]}  # fmt: skip

    def options(self):
        by = {"k": {"b": "other"}} if self.other_name and self.mode != "windows" else "k"
        options = {"by": ["k", "window"] if self.mode == "windows" else by, "kind": self.kind}
        if self.mode == "within" and self.before == self.after:
            options["within"] = f"{self.before}ms"
        elif self.mode == "within":
            options["within"] = {"before": f"{self.before}ms", "after": f"{self.after}ms"}
        return options

    def config(self):
        shown = {n: f"has(event.{n}) ? {self.shown(n)} : ''" for n in self.names}
        if self.step:
            first, others = self.names[0], self.names[1:]
            shown[first] = f"has(event.{'ids' if self.mode == 'windows' else 'id'}) ? {self.shown('event')} : ''"
            stream = self.side(first)
            body = {"from": stream if isinstance(stream, str) else stream["from"],
                    "pipe": [*([] if isinstance(stream, str) else stream["pipe"]),
                             {"join": {"with": {n: self.side(n) for n in others}, **self.options()}}]}  # fmt: skip
        else:
            body = {"join": {n: self.side(n) for n in self.names}, **self.options(), "pipe": []}
        body["pipe"].append({"map": "[" + ", ".join(shown.values()) + ", string(event_time)]"})
        windows = {"from": "out", "pipe": [{"window": "500ms"}, {"filter": "true"}, "count"]}
        return {"sources": {n: self.source() for n in self.names}, "pipelines": {"out": body, "behind": windows}}

    def shown(self, name):
        return f"string({name}.id)" if self.mode != "windows" else f"{name}.ids.join('+')"

    def input(self):
        rows = [{"at": at, "source": n, "next": e} for n in self.names for at, e in self.events[n]]
        rows.sort(key=lambda row: row["at"])
        last = rows[-1]["at"] if rows else 0
        return rows + [{"at": last + 1, "source": n, "complete": True} for n in self.names]

    # --- the nested loop ---

    def key_of(self, name, event):
        return event.get("other" if self.renamed(name) else "k")

    def rows(self, name):
        """(key, window or None, time, what is shown), of one side."""
        if self.mode != "windows":
            return [(self.key_of(name, e), None, e["t"], e["id"]) for _, e in self.events[name]]
        groups = collections.defaultdict(list)
        for at, e in sorted(self.events[name], key=lambda row: row[1]["t"]):
            if ("other" if self.renamed(name) else "k") in e:
                groups[(self.key_of(name, e), e["t"] // 400)].append((e["t"], at, e["id"]))
        return [(key, w, (w + 1) * 400, "+".join(id_ for _, _, id_ in sorted(ids, key=lambda i: i[0]))) for (key, w), ids in groups.items()]

    def fits(self, rows):
        present = [row for row in rows if row]
        keys = [row[0] for row in present]
        if any(key is None for key in keys) and len(present) > 1:
            return False
        if any(key != keys[0] for key in keys) or any(row[1] != present[0][1] for row in present):
            return False
        return self.mode != "within" or len(present) < 2 or -self.before <= rows[1][2] - rows[0][2] <= self.after

    def expected(self):
        """Combinations that fit and to which no other row can be added, of the sides that the kind asks for."""
        sides = [self.rows(n) for n in self.names]
        out = []
        for rows in itertools.product(*[[*side, None] for side in sides]):
            if not any(rows) or not self.fits(rows):
                continue
            more = (i for i, row in enumerate(rows) if row is None)
            if any(self.fits([*rows[:i], other, *rows[i + 1 :]]) for i in more for other in sides[i]):
                continue
            if (self.kind == "inner" and None in rows) or (self.kind == "left" and rows[0] is None):
                continue
            time = max(row[2] for row in rows if row)
            out.append(tuple(row[3] if row else "" for row in rows) + ((time, self.mode == "windows"),))
        return collections.Counter(out)


def time_of(text):
    """Of an event_time, in ms, and whether it is the nanosecond before that: "1970-01-01T00:00:01.2Z"."""
    seconds, _, fraction = text.rstrip("Z").rpartition(":")[2].partition(".")
    minutes = int(text[14:16])
    ns = (minutes * 60 + int(seconds)) * 10**9 + int(fraction.ljust(9, "0") or 0)
    return (-(-ns // 10**6), ns % 10**6 != 0)


def came(case, outcome):
    return collections.Counter(
        (*(row["next"][: len(case.names)]), time_of(row["next"][-1])) for row in outcome.rows if row["stream"] == "out" and "next" in row
    )


def late(outcome):
    return [row for row in outcome.rows if row["stream"].endswith(".late")]


def behind(outcome):
    return sum(row["next"] for row in outcome.rows if row["stream"] == "behind" and "next" in row)


def wrong_with(case, replayer):
    """What is wrong; None: nothing."""
    outcome = replayer.run(case.config(), case.input(), ["out", "behind", "out.late", "behind.late"])
    want, got = case.expected(), came(case, outcome)
    if want != got:
        return f"missing: {sorted((want - got).elements())}\nnot in the loop: {sorted((got - want).elements())}"
    if late(outcome) or behind(outcome) != sum(want.values()):
        return f"behind the join {behind(outcome)} of {sum(want.values())} rows were in time; late: {late(outcome)[:3]}"
    replayer.flags = ["--restart", "1"]
    again = replayer.run(case.config(), case.input(), ["out", "behind", "out.late", "behind.late"])
    return None if again.text == outcome.text else "another output with --restart 1"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rxd")
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("count", type=int, nargs="?", default=100)
    args = parser.parse_args()
    failed, seen = 0, collections.Counter()
    with Replayer(find_rxd(args.rxd)) as replayer:
        for seed in range(args.seed * 1000003, args.seed * 1000003 + args.count):
            case = Case(seed)
            replayer.flags = []
            try:
                wrong = wrong_with(case, replayer)
            except ReplayError as error:
                wrong = str(error)
            seen.update([case.mode, case.kind, f"{len(case.names)} sides", "event time" if case.event_time else "arrival"])
            if wrong:
                failed += 1
                print(f"--- seed {seed}: {case.mode}, {case.kind}", json.dumps(case.config()), wrong, sep="\n")
                print("".join(json.dumps(row) + "\n" for row in case.input()), end="")
            if failed == 3:
                break
    print(f"{args.count} joins against a nested loop, {failed} differ: " + ", ".join(f"{n} {what}" for what, n in sorted(seen.items())))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
