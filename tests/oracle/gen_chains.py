#!/usr/bin/env python3
"""Random cases for the oracle: long chains of any operators over several inputs, hot and cold, that are subscribed again as a
whole; and chains of any operators, with other streams, inside groups and windows.

usage: gen_chains.py SEED N | node rxjs/oracle.js --jsonl > cases.jsonl
"""

import json
import sys

import gen_operators

LENGTH = {"op": "map", "fn": ["len"]}
UNTAG = {"op": "map", "fn": ["field", "v"]}  # the value of {w: 0, v: value} and {g: 1, v: value}

# What gives a number for numbers, and what does when the length of its rows is taken.
NUMBERS = [
    "map", "filter", "scan", "reduce", "take", "takeLast", "takeWhile", "takeUntil", "skip", "skipLast", "skipWhile", "skipUntil",
    "first", "last", "elementAt", "ignoreElements", "defaultIfEmpty", "throwIfEmpty", "startWith", "endWith", "distinct",
    "distinctUntilChanged", "debounceTime", "debounce", "throttleTime", "throttle", "audit", "auditTime", "sample", "sampleTime",
    "delay", "delayWhen", "timeout", "merge", "concat", "onErrorResumeNext", "race", "retry", "repeat", "catchValue", "count", "sum",
    "min", "max", "least", "greatest", "single", "tap", "dematerialize", "expand",
]  # fmt: skip
ROWS = [
    "pairwise", "bufferCount", "bufferTime", "buffer", "bufferToggle", "toArray", "zip", "combineLatest", "withLatestFrom",
    "forkJoin", "pairedMap",
]  # fmt: skip
MAPPING = ["mergeMap", "concatMap", "switchMap", "exhaustMap"]
# The first of these closes a window in rxd, so nothing of the kind stands before it.
CLOSING = {"reduce", "first", "last", "count", "sum", "min", "max", "least", "greatest", "toArray", "forkJoin", "single"}
REDUCERS = ["count", "toArray", "reduce", "sum", "least", "lastIfAny"]


class Chains(gen_operators.Cases):
    def one(self, name):
        if name == "catchValue":
            return [{"op": "catchError", **self.pick({"value": 9}, {"with": "ic"})}]
        if name == "pairedMap":
            return [{"op": self.pick(*MAPPING), "inner": self.pick("b", "ic")}]
        if name == "lastIfAny":
            return [{"op": name}]
        step = self.step(name)
        step.pop("resetOnSuccess", None)  # behind what has an event at once it never ends
        if step.get("value") == -1:
            step["value"] = 1  # an expand of less than 0 goes on without end
        if name == "expand":
            step["below"] = self.n(3, 12)  # more would meet its bound, behind as many events
        return [step]

    def link(self, without=()):
        if self.chance(0.25):
            return [*self.one(self.pick(*(name for name in ROWS if name not in without))), LENGTH]
        return self.one(self.pick(*(name for name in NUMBERS if name not in without)))

    def links(self, low, high):
        return [step for _ in range(self.n(low, high)) for step in self.link()]

    def group(self):
        return [{"op": "groupBy", "key": self.key(), "each": self.links(1, 3)}, UNTAG]

    def window(self):
        extent = self.pick({"op": "windowCount", **self.counted()}, {"op": "windowTime", **self.extent()})
        reducer = self.one(self.pick(*REDUCERS))
        each = [*(self.link(CLOSING) if self.chance(0.4) else []), *reducer]
        return [{**extent, "each": each + ([LENGTH] if reducer[0]["op"] == "toArray" else [])}, UNTAG]

    def again(self):
        return [{"op": self.pick("retry", "repeat"), "count": self.n(1, 3), **self.maybe(0.4, ms=self.ms())}]

    def scope(self):
        return self.group() if self.chance(0.6) else self.window()

    def pipeline(self):
        shape = self.n(0, 3)
        if shape == 0:
            return self.links(2, 5)
        if shape == 1:
            return [*self.links(1, 3), *self.again(), *self.links(0, 2)]
        if shape == 2:
            return [*self.links(0, 1), *self.scope(), *self.links(0, 1)]
        return [*self.scope(), *self.again(), *self.links(0, 1)]

    def case(self, number):
        inputs = {
            "a": {"kind": self.pick("hot", "cold"), "events": self.events(12)},
            "b": {"kind": self.pick("hot", "hot", "cold"), "events": self.events(6)},
            "ic": {"kind": self.pick("cold", "cold", "hot"), "events": self.short()},
        }
        case = {"id": number, "op": "chain", "until": 600, "inputs": inputs, "source": "a", "pipeline": self.pipeline()}
        if self.chance(0.15):
            case["unsubscribeAt"] = 10 * self.n(1, 40)
        return case


def cases(seed, count):
    generator = Chains(seed)
    return [generator.case(i) for i in range(count)]


if __name__ == "__main__":
    for case in cases(int(sys.argv[1]), int(sys.argv[2])):
        print(json.dumps(case))
