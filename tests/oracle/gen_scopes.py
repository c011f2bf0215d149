#!/usr/bin/env python3
"""Random cases for the oracle, dense where its own generator is thin: groups and windows with a chain inside, nested,
and steps after them; and chains of any operators.

usage: gen_scopes.py SEED N | node oracle.js --jsonl > cases.jsonl
"""

import json
import random
import sys


UNTAG = {"op": "map", "fn": ["field", "v"]}  # the value of {w: 0, v: value} and {g: 1, v: value}


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, p):
        return self.random.random() < p

    def ms(self):
        return 10 * self.random.randint(1, 10)

    def events(self, most):
        at, out = 0, []
        for _ in range(self.random.randint(0, most)):
            if not self.chance(0.15):
                at += 10 * self.random.randint(1, 4) + (self.random.randint(1, 9) if self.chance(0.3) else 0)
            out.append([at, "n", self.random.randint(0, 9)])
        at += 10 * self.random.randint(0, 5)
        end = self.random.choices(["c", "e", None], [55, 20, 25])[0]
        return out + ([[at, "c"]] if end == "c" else [[at, "e", "x"]] if end == "e" else [])

    def per_event(self):
        pick = self.random.choice
        return pick(
            [
                {"op": "map", "fn": pick([["add", 1], ["mul", 2], ["throwIf", ["eq", 7], "boom"]])},
                {"op": "filter", "fn": pick([["gt", 3], ["lt", 7], ["|", ["mod", 2], ["eq", 0]]])},
                {"op": "scan", "fn": "sum", "seed": 0},
                {"op": "scan", "fn": "max"},
                {"op": "skip", "n": self.random.randint(0, 2)},
                {"op": "distinctUntilChanged", "key": ["mod", 2]},
            ]
        )

    def timed(self):
        pick = self.random.choice
        return pick(
            [
                {"op": "delay", "ms": self.ms()},
                {"op": "debounceTime", "ms": self.ms()},
                {"op": "throttleTime", "ms": self.ms(), **pick([{}, {"trailing": True}])},
            ]
        )

    def reducer(self):
        return self.random.choice(
            [
                {"op": "toArray"},
                {"op": "count"},
                {"op": "reduce", "fn": "sum", "seed": 0},
                {"op": "reduce", "fn": "max"},
            ]
        )

    def window_extent(self, name):
        step = {"op": name}
        if name.endswith("Count"):
            step["n"] = self.random.randint(1, 4)
            if self.chance(0.5):
                step["every"] = self.random.randint(1, 6)
        else:
            step["ms"] = self.ms()
            if self.chance(0.5) and (every := self.ms()) != step["ms"]:
                step["every"] = every  # of the size itself RxJS has the order of one instant now this way, now that
            if self.chance(0.3):
                step["max"] = self.random.randint(1, 3)
        return step

    def window(self, nested=False):
        inside = [self.per_event()] if self.chance(0.4) else []
        end = [self.reducer()] if self.chance(0.75) else [{"op": "take", "n": self.random.randint(1, 2)}]
        if not nested and self.chance(0.2):
            end = [{"op": "groupBy", "key": ["mod", self.random.randint(2, 3)], "each": end}]
        inside += end
        return {**self.window_extent(self.random.choice(["windowCount", "windowTime"])), "each": inside}

    def group(self):
        step = {"op": "groupBy", "key": ["mod", self.random.randint(2, 4)]}
        if self.chance(0.4):
            step.update(duration=self.ms() + 0.5, idle=True)  # never at one instant with a timer inside the group
        shape = self.random.choice(["window", "buffer", "events", "timed", "pairs", "reduce"])
        inside = [self.per_event()] if self.chance(0.3) else []
        if shape == "window":
            inside.append(self.window(nested=True))
        elif shape == "buffer":
            inside.append(self.window_extent(self.random.choice(["bufferCount", "bufferTime"])))
        elif shape == "events":
            inside += [self.per_event(), {"op": "take", "n": self.random.randint(1, 3)}]
        elif shape == "timed":
            inside.append(self.timed())
        elif shape == "pairs":
            inside.append({"op": "pairwise"})
        else:
            inside.append(self.reducer())
        return {**step, "each": inside}

    def link(self):
        """Steps from a number to a number: any of them may stand anywhere in a chain."""
        pick, length = self.random.choice, {"op": "map", "fn": ["len"]}
        n = self.random.randint(0, 4)
        return pick(
            [
                lambda: [self.per_event()],
                lambda: [self.timed()],
                lambda: [{"op": pick(["take", "skip"]), "n": n}],
                lambda: [{"op": "merge", "of": ["b"]}],
                lambda: [{"op": "combineLatest", "of": ["b"]}, length],
                lambda: [{"op": "pairwise"}, length],
                lambda: [self.window_extent(pick(["bufferCount", "bufferTime"])), length],
                lambda: [self.reducer_to_number()],
                lambda: [{**self.window(nested=True), "each": [self.reducer_to_number()]}, UNTAG],
                lambda: [{"op": "groupBy", "key": ["mod", 3], "each": [self.per_event()]}, UNTAG],
                lambda: [{"op": "retry", "count": max(1, n), **pick([{}, {"ms": self.ms(), "backoff": pick([1, 2])}])}],
            ]
        )()

    def reducer_to_number(self):
        return self.random.choice([{"op": "count"}, {"op": "reduce", "fn": "sum", "seed": 0}])

    def chain_case(self, number):
        chain = [step for _ in range(self.random.randint(2, 4)) for step in self.link()]
        inputs = {"a": {"kind": self.random.choice(["hot", "cold"]), "events": self.events(14)}}
        inputs["b"] = {"kind": self.random.choice(["hot", "cold"]), "events": self.events(6)}
        case = {"id": number, "op": "chain", "until": 600, "inputs": inputs, "source": "a", "pipeline": chain}
        if self.chance(0.15):
            case["unsubscribeAt"] = 10 * self.random.randint(1, 40)
        return case

    def case(self, number):
        if self.chance(0.4):
            return self.chain_case(number)
        before = [self.random.choice([self.per_event(), {"op": "delay", "ms": self.ms()}])] if self.chance(0.25) else []
        after = []
        if self.chance(0.3):
            n = self.random.randint(0, 4)
            after = [self.random.choice([{"op": "take", "n": n}, {"op": "skip", "n": n}, {"op": "delay", "ms": self.ms()}])]
        main = self.group() if self.chance(0.6) else self.window()
        case = {
            "id": number,
            "op": main["op"],
            "until": 600,
            "inputs": {"a": {"kind": self.random.choice(["hot", "hot", "cold"]), "events": self.events(14)}},
            "source": "a",
            "pipeline": [*before, main, *after],
        }
        if self.chance(0.15):
            case["unsubscribeAt"] = 10 * self.random.randint(1, 40)
        return case


def cases(seed, count):
    generator = Generator(seed)
    return [generator.case(i) for i in range(count)]


if __name__ == "__main__":
    for case in cases(int(sys.argv[1]), int(sys.argv[2])):
        print(json.dumps(case))
