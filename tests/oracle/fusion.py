#!/usr/bin/env python3
"""A plan must not show: random windows, keyed or not, overlapping, counted, by event time or by arrival, give the same bytes fused and as written, in spans of 1 and of 256.

usage: fusion.py [--rxd PATH] [SEED [COUNT]]
"""

import argparse
import json
import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "marbles")]

from replay import Replayer, ReplayError, find_rxd  # noqa: E402

VARIANTS = [[], ["--no-fusion"], ["--span", "256"], ["--no-fusion", "--span", "256"]]
FUNCTIONS = [
    "count()", "count(v > 4)", "sum(v)", "avg(v)", "min(v)", "max(v)", "first(v)", "last(v)", "sum(v) / count()",
    "max(v) - min(v)", "sum(v * 2 + 1)", "first(k)", "avg(w)", "max(w)", "last(s)", "sum(w) + sum(v)", "min(v + w)",
    "median(v)", "quantile(w, 0.3)", "stddev(v)", "variance(w)", "collect(v, 3)", "count_distinct(v)", "top(2, v, k)",
    "increase(v)", "rate(w)", "time_in(v > 3)", "time_avg(w)", "ewma(v, 0.3)",
]  # fmt: skip


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, p):
        return self.random.random() < p

    def window(self):
        pick, size = self.random.choice, 10 * self.random.randint(1, 12)
        if self.chance(0.2):
            count = self.random.randint(1, 9)
            return pick([count, {"size": count, "every": self.random.randint(1, count)}, {"size": count, "every": 1}])
        options = {"size": f"{size}ms"}
        if self.chance(0.4):
            options["every"] = f"{pick([size // 2 or 1, 1, 10, 15, 30, size, 2 * size])}ms"
        if self.chance(0.15):
            options["emit_empty"] = True
        if self.chance(0.15):
            options["on_complete"] = pick(["flush", "drop"])
        if self.chance(0.15) and "every" not in options:
            options["max"] = self.random.randint(1, 5)
        return options if len(options) > 1 or self.chance(0.5) else options["size"]

    def group(self):
        pick = self.random.choice
        by = pick(["k", ["k", "j"], {"by": {"kind": "v % 3"}}, {"by": "k", "max_keys": self.random.randint(1, 4)}])
        if self.chance(0.1):
            by = {"by": "k", "idle": f"{10 * self.random.randint(1, 9)}ms"}
        return {"group_by": by}

    def aggregate(self):
        names = self.random.sample("abcdef", self.random.randint(1, 4))
        step = {"aggregate": {name: self.random.choice(FUNCTIONS) for name in names}}
        if self.chance(0.1):
            step["on_error"] = self.random.choice(["drop", "null", "fail"])
        return step

    def config(self):
        pipe = [{"filter": "v > 1"}] if self.chance(0.3) else []
        pipe += [{"map": {"k": "k", "j": "j", "v": "v * 2", "w": "w", "s": "coalesce(s, '')"}}] if self.chance(0.2) else []
        pipe += [] if self.chance(0.2) else [self.group()]
        pipe += [{"window": self.window()}, self.aggregate()]
        source = {"http": {}}
        if self.chance(0.3):
            source |= {"event_time": {"field": "t", "unit": "ms"}, "lateness": self.random.choice(["0ms", "20ms", "100ms"])}
        if self.chance(0.3):
            pipe.append({"map": {"key": "meta.key", "event": "event"}})
        out = {"from": "in", "pipe": pipe}
        again = {"from": "out", "pipe": [{"window": "50ms"}, {"aggregate": {"n": "count()"}}]}
        return {"sources": {"in": source}, "pipelines": {"out": out, "again": again}}

    def value(self):
        row = {"k": self.random.choice("xyz"), "j": self.random.randint(0, 1), "v": self.random.randint(0, 9)}
        row["w"] = self.random.choice([0.1, 1.5, -2, 1e300, 9007199254740993])
        if self.chance(0.3):
            row["s"] = self.random.choice(["a", "b"])
        if self.chance(0.1):
            del row[self.random.choice("kjvw")]
        elif self.chance(0.1):
            row[self.random.choice("jvw")] = self.random.choice([None, "text", True, [1], {"a": 1}])
        return row

    def events(self):
        at, rows = 0, []
        for _ in range(self.random.randint(0, 60)):
            at += 0 if self.chance(0.4) else self.random.choice([1, 5, 10, 10, 20, 90])
            rows.append({"at": at, "source": "in", "next": {**self.value(), "t": at - self.random.choice([0, 0, 0, 10, 15, 40, 90])}})
        at += self.random.choice([0, 5, 10, 200])
        end = self.random.choice([{"complete": True}, {"error": "x"}, None])
        rows += [{"at": at, "source": "in", **end}] if end else []
        return rows + [{"at": at + self.random.choice([0, 7, 100]), "end": True}]


def difference(replayer, config, events):
    """What is not the same, or None."""
    first = None
    for flags in VARIANTS:
        if "--span" in flags and "event_time" in config["sources"]["in"]:
            continue  # the watermark follows a span, not each event of it
        replayer.flags = flags
        try:
            text = replayer.run(config, events).text
        except ReplayError as error:
            return f"{flags}: {error}"
        if first is not None and text != first:
            return f"{flags}:\n{text.decode()}instead of\n{first.decode()}"
        first = text
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rxd")
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("count", type=int, nargs="?", default=500)
    args = parser.parse_args()
    generator, failed = Generator(args.seed), 0
    with Replayer(find_rxd(args.rxd)) as replayer:
        for i in range(args.count):
            config, events = generator.config(), generator.events()
            found = difference(replayer, config, events)
            if found:
                failed += 1
                if failed <= 3:
                    print(f"--- case {i}: {json.dumps(config['pipelines']['out']['pipe'])}")
                    print("\n".join(map(json.dumps, events)), found, sep="\n")
    print(f"{args.count} cases, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
