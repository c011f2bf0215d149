#!/usr/bin/env python3
"""Random cases for the oracle around one operator each: any of rxd's, with all options that RxJS has too.

usage: gen_operators.py SEED N [op ...] | node rxjs/oracle.js --jsonl > cases.jsonl
"""

import json
import random
import sys

NUMBERS, RECORDS = "numbers", "records"


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, p):
        return self.random.random() < p

    def pick(self, *choices):
        return self.random.choice(choices)

    def n(self, low, high):
        return self.random.randint(low, high)

    def ms(self):
        return 10 * self.n(1, 10)  # whole tens on purpose: events and timers meet

    # --- inputs ---

    def record(self):
        row = {"p": self.n(0, 9), "q": self.pick("x", "y", None, 2.5, True)}
        if self.chance(0.4):
            row["r"] = self.n(0, 3)
        return row

    def value(self, kind):
        return self.record() if kind == RECORDS else self.n(0, 9)

    def events(self, most, kind=NUMBERS):
        at, rows = 0, []
        for _ in range(self.n(0, most)):
            if not self.chance(0.15):
                at += 10 * self.n(1, 4) + (self.n(1, 9) if self.chance(0.3) else 0)
            rows.append([at, "n", self.value(kind)])
        at += 10 * self.n(0, 5)
        end = self.random.choices(["c", "e", None], [55, 20, 25])[0]
        return rows + ([[at, "c"]] if end == "c" else [[at, "e", "x"]] if end == "e" else [])

    def short(self):
        return [[5 + row[0] // 2, *row[1:]] for row in self.events(3)]

    # --- functions ---

    def predicate(self):
        return self.pick(["gt", self.n(0, 9)], ["lt", self.n(0, 9)], ["|", ["mod", 2], ["eq", 0]])

    def key(self):
        return ["mod", self.n(2, 4)]

    def number(self):
        return self.pick(["id"], ["add", self.n(1, 5)], ["mul", 2], ["mod", 3])

    def maybe(self, p, **options):
        return options if self.chance(p) else {}

    def extent(self):
        """Where `every` is the size itself, RxJS has the order of one instant now this way, now that (see DIFFERENCES)."""
        extent = {"ms": self.ms(), **self.maybe(0.5, every=self.ms()), **self.maybe(0.4, max=self.n(1, 3))}
        if extent.get("every") == extent["ms"]:
            del extent["every"]
        return extent

    def counted(self):
        return {"n": self.n(1, 4), **self.maybe(0.6, every=self.n(1, 6))}

    def folds(self):
        functions = ["count", "sum", "avg", "min", "max", "first", "last"]
        return {f[0] + f[-1]: f for f in self.random.sample(functions, self.n(1, 4))}

    def reducer(self):
        return self.pick(
            {"op": "toArray"},
            {"op": "count", **self.maybe(0.3, fn=self.predicate())},
            {"op": "reduce", "fn": self.pick("sum", "max", "min"), **self.maybe(0.5, seed=0)},
            {"op": "sum", "fn": self.number()},
            {"op": "average", "fn": self.number()},
            {"op": "least", "fn": self.number()},
            {"op": "greatest", "fn": self.number()},
            {"op": "aggregate", "fields": self.folds()},
            {"op": "lastIfAny"},
        )

    def each(self):
        aggregate = {"op": "aggregate", "fields": self.folds()}  # tells the bounds of its window
        return {"each": [self.pick(aggregate, aggregate, self.reducer(), self.reducer(), {"op": "take", "n": 2})]}

    def streams(self):
        return {"of": self.pick(["b"], ["b"], ["ic"], ["b", "ic"])}

    def made(self):
        """A stream that is written where it is opened; most have something, or their end, at once."""
        return self.pick(
            {"op": "of", "values": [self.n(0, 9) for _ in range(self.n(1, 3))]},
            {"op": "range", "from": self.n(0, 5), "count": self.n(0, 3)},
            {"op": "timer", "ms": 10 * self.n(0, 4)},
            {"op": "timer", "ms": 10 * self.n(0, 2), "period": 10 * self.n(1, 3), "pipe": [{"op": "take", "n": self.n(1, 3)}]},
            {"op": "interval", "ms": 10 * self.n(1, 3), "pipe": [{"op": "take", "n": self.n(1, 3)}]},
            {"op": "in", "name": "ic", "pipe": [{"op": "startWith", "values": [1]}]},
            {"op": "empty"},
            self.pick({"op": "throw"}, {"op": "never"}),
        )

    def creation(self, name):
        """One of the creation functions, as long as a case may be."""
        return {
            "of": lambda: {"values": [self.n(0, 9) for _ in range(self.n(1, 4))]},
            "range": lambda: {"from": self.n(0, 5), "count": self.n(0, 4)},
            "timer": lambda: {"ms": 10 * self.n(0, 9), **self.maybe(0.5, period=self.ms())},
            "interval": lambda: {"ms": self.ms()},
        }.get(name, dict)() | {"op": name}

    def beside(self, *names):
        """A stream beside the chain."""
        return self.made() if self.chance(0.25) else self.pick(*names)

    def several(self):
        return {"of": [self.made() if self.chance(0.2) else name for name in self.streams()["of"]]}

    def inner(self):
        return self.made() if self.chance(0.35) else self.pick("b", "ic", "ic")

    def opened(self):
        return {"inner": self.inner(), **self.maybe(0.4, bare=True)}

    def scanned(self):
        return {"inner": self.inner(), "seed": self.n(0, 9)} if self.chance(0.75) else {"list": self.n(0, 3), "seed": 1}

    def readers(self):
        """When each subscribes to a shared stream, and leaves it."""
        times = [(10 * self.n(0, 25), 10 * self.n(1, 20)) for _ in range(self.n(1, 4))]
        return [[at, at + stay if self.chance(0.6) else None] for at, stay in times]

    def duration(self):
        """A stream that says how long: at times one that has something at once, or is left without an event."""
        name = self.pick("b", "ic", "ic", "a")
        pipe = self.pick([{"op": "startWith", "values": [1]}], [{"op": "filter", "fn": ["gt", 4]}], [{"op": "ignoreElements"}], [{"op": "take", "n": 0}])
        return {"other": {"op": "in", "name": name, "pipe": pipe} if self.chance(0.3) else name}

    def dealt(self):
        """Groups in lanes: what they put out at their end would come lane by lane."""
        chain = ["map", "filter", "scan", "skip", "take", "pairwise", "delay", "distinctUntilChanged"]
        return {"key": self.key(), "lanes": self.n(1, 4), "each": [{"op": name, **OPERATORS[name](self)} for name in self.random.sample(chain, 1)]}

    def keyed(self):
        """group_by -> window -> aggregate on the epoch: what the planner fuses."""
        every = self.maybe(0.3, every=self.ms())
        window = {"op": "windowEpoch", "ms": self.ms(), **every, "each": [{"op": "aggregate", "fields": self.folds()}]}
        return {"key": self.key(), "each": [window]}


# The oracle's name of an operator -> its options.
OPERATORS = {
    "map": lambda g: {"fn": g.pick(g.number(), ["throwIf", ["eq", 7], "boom"])},
    "filter": lambda g: {"fn": g.predicate()},
    "set": lambda g: {"fields": {g.pick("p", "new"): ["field", "p"], "twice": ["|", ["field", "p"], ["mul", 2]]}},
    "unset": lambda g: {"fields": g.pick(["p"], ["q", "r"], ["r", "none"])},
    "default": lambda g: {"fields": g.pick({"r": 7}, {"r": None, "p": 1}, {"q": "z", "new": [1]})},
    "template": lambda g: {"to": g.pick({"text": "{p} is {p}"}, {"p": "{p}", "fixed": "x"}, {"q": "{q}", "t": "<{p}>"})},
    "object": lambda g: {"fields": {"a": ["field", "p"], "b": ["|", ["field", "p"], ["add", 1]]}},
    "scan": lambda g: {"fn": g.pick("sum", "max", "min"), **g.maybe(0.5, seed=0)},
    "reduce": lambda g: {"fn": g.pick("sum", "max", "min"), **g.maybe(0.5, seed=0)},
    "pairwise": lambda g: {},
    "mergeMap": lambda g: g.pick(
        {"list": g.n(0, 3)},
        {**g.opened(), **g.maybe(0.4, concurrent=g.n(1, 3))},
        {"inner": g.inner(), **g.maybe(0.5, concurrent=1)},
    ),
    "concatMap": lambda g: g.opened(),
    "switchMap": lambda g: g.opened(),
    "exhaustMap": lambda g: g.opened(),
    "mergeScan": lambda g: {**g.scanned(), **g.maybe(0.5, concurrent=g.n(1, 3))},
    "switchScan": lambda g: g.scanned(),
    "expand": lambda g: {"inner": g.inner(), "below": g.n(5, 40), **g.maybe(0.4, concurrent=g.n(1, 3))},
    "startWith": lambda g: {"values": g.pick([1, 2], [3])},
    "endWith": lambda g: {"values": g.pick([9], [8, 9])},
    "materialize": lambda g: {},
    "dematerialize": lambda g: {},
    "timestamp": lambda g: {},
    "timeInterval": lambda g: {},
    "bufferCount": lambda g: g.counted(),
    "bufferTime": lambda g: g.extent(),
    "windowCount": lambda g: {**g.counted(), **g.each()},
    "windowTime": lambda g: {**g.extent(), **g.each()},
    "windowEpoch": lambda g: {"ms": g.ms(), **g.maybe(0.5, every=g.ms()), **g.each()},
    "groupBy": lambda g: {"key": g.key(), **g.maybe(0.6, duration=g.ms(), idle=g.chance(0.6)), **g.each()},
    "parallel": lambda g: {"op": "groupBy", **g.dealt()},
    "keyed": lambda g: {"op": "groupBy", **g.keyed()},
    "aggregate": lambda g: {"fields": g.folds()},
    "sum": lambda g: {"fn": g.number()},
    "average": lambda g: {"fn": g.number()},
    "least": lambda g: {"fn": g.number()},
    "greatest": lambda g: {"fn": g.number()},
    "min": lambda g: {},
    "max": lambda g: {},
    "count": lambda g: g.maybe(0.4, fn=g.predicate()),
    "toArray": lambda g: {},
    "take": lambda g: {"n": g.n(0, 5)},
    "takeLast": lambda g: {"n": g.n(0, 4)},
    "takeWhile": lambda g: {"fn": g.predicate(), "inclusive": g.chance(0.5)},
    "takeUntil": lambda g: {"other": g.beside("b", "ic")},
    "buffer": lambda g: {"closing": g.pick("b", "ic", "a")},
    "bufferToggle": lambda g: {"openings": g.pick("b", "ic"), "closing": g.pick("b", "ic", "ic")},
    "window": lambda g: {"closing": g.pick("b", "ic"), "each": [{"op": g.pick("toArray", "count")}]},
    "windowToggle": lambda g: {"openings": "b", "closing": g.pick("b", "ic"), "each": [{"op": g.pick("toArray", "count")}]},
    "skip": lambda g: {"n": g.n(0, 5)},
    "skipLast": lambda g: {"n": g.n(0, 6)},
    "skipWhile": lambda g: {"fn": g.predicate()},
    "skipUntil": lambda g: {"other": g.beside("b", "ic")},
    "first": lambda g: {**g.maybe(0.5, fn=g.predicate()), **g.maybe(0.4, value=-1)},
    "last": lambda g: {**g.maybe(0.4, fn=g.predicate()), **g.maybe(0.4, value=-1)},
    "elementAt": lambda g: {"n": g.n(0, 6), **g.maybe(0.4, value=-1)},
    "ignoreElements": lambda g: {},
    "defaultIfEmpty": lambda g: {"value": -1},
    "throwIfEmpty": lambda g: {},
    "isEmpty": lambda g: {},
    "every": lambda g: {"fn": g.pick(g.predicate(), ["lt", 10])},
    "find": lambda g: {"fn": g.predicate()},
    "single": lambda g: g.maybe(0.7, fn=g.pick(["eq", g.n(0, 9)], g.predicate())),
    "forkJoin": lambda g: g.streams(),
    "sequenceEqual": lambda g: {"other": g.pick("b", "ic")},
    "distinct": lambda g: {"key": g.pick(g.key(), ["id"]), **g.maybe(0.4, flush=g.pick("b", "ic"))},
    "distinctUntilChanged": lambda g: {"key": g.pick(g.key(), ["id"])},
    "debounceTime": lambda g: {"ms": g.ms()},
    "throttleTime": lambda g: {"ms": g.ms(), **g.pick({}, {"trailing": True}, {"leading": False, "trailing": True})},
    "debounce": lambda g: g.duration(),
    "throttle": lambda g: {**g.duration(), **g.pick({}, {"trailing": True}, {"leading": False, "trailing": True})},
    "audit": lambda g: g.duration(),
    "sampleTime": lambda g: {"ms": g.ms()},
    "sample": lambda g: {"other": g.beside("b", "b", "ic", "a")},
    "auditTime": lambda g: {"ms": g.ms()},
    "delay": lambda g: {"ms": g.ms()},
    "timeout": lambda g: {
        **g.pick({"first": g.ms()}, {"each": g.ms()}, {"each": g.ms(), "first": g.ms()}),
        **g.maybe(0.4, **{"with": g.beside("b", "ic", "ic")}),
    },
    "merge": lambda g: g.several(),
    "concat": lambda g: g.several(),
    "onErrorResumeNext": lambda g: g.several(),
    "delayWhen": lambda g: {"other": g.beside("b", "ic", "ic")},
    "race": lambda g: g.several(),
    "zip": lambda g: g.streams(),
    "combineLatest": lambda g: g.streams(),
    "withLatestFrom": lambda g: g.pick(g.streams(), {"of": ["b"]}, {"of": ["a"]}),
    "retry": lambda g: {
        "count": g.n(0, 4),
        **g.maybe(0.6, ms=10 * g.n(0, 5), backoff=g.pick(1, 2), **g.maybe(0.3, maxMs=10 * g.n(5, 10))),
        "resetOnSuccess": g.chance(0.3),
    },
    "repeat": lambda g: {"count": g.n(0, 4), **g.maybe(0.5, ms=10 * g.n(0, 6))},
    "catchError": lambda g: g.pick({"value": -9}, {"with": g.beside("a", "b", "ic", "ic")}, {"with": g.beside("ic")}, {"told": True}),
    "share": lambda g: {**g.maybe(0.6, graceMs=g.ms()), **g.maybe(0.6, replay=g.n(1, 4)), "subs": g.readers()},
    "tap": lambda g: {},
    "log": lambda g: {},
}

ON_RECORDS = {"set", "unset", "default", "template", "object"}
RESUBSCRIBING = {"retry", "repeat", "concat", "onErrorResumeNext"}
ON_EPOCH = {"windowEpoch", "keyed"}  # their boundaries come before all else that is due at an instant but hot input
# What may stand around any operator, and behind one whose values are numbers.
BEFORE = ["map", "filter", "skip", "delay", "startWith"]
BEHIND = ["take", "skip", "delay", "takeUntil"]
BEHIND_NUMBERS = BEHIND + ["map", "filter", "scan", "debounceTime", "throttleTime", "auditTime", "sampleTime", "timeout", "merge"]
NUMBER_TO_NUMBER = set(BEHIND_NUMBERS) | {
    "distinct", "distinctUntilChanged", "takeLast", "takeWhile", "skipLast", "skipWhile", "skipUntil", "startWith", "sum",
    "endWith", "defaultIfEmpty", "sample", "concat", "race", "retry", "repeat", "tap", "log", "count", "first", "ignoreElements",
}  # fmt: skip


CREATED = ["of", "range", "timer", "interval", "defer", "never", "empty", "throw"]
# What stands behind a stream that is made in its place: what subscribes to it again, opens others, or is timed.
BEHIND_CREATED = [*BEHIND_NUMBERS, "retry", "repeat", "concat", "catchError", "switchMap", "mergeMap", "concatMap", "exhaustMap", "share", "zip", "combineLatest",
                  "withLatestFrom", "race", "startWith", "endWith", "buffer", "bufferTime", "takeLast", "first", "last", "single", "delayWhen", "materialize"]  # fmt: skip


class Cases(Generator):
    def step(self, name):
        return {"op": name, **OPERATORS[name](self)}

    def created(self, number, name):
        last = ("share", "materialize", "zip", "combineLatest", "withLatestFrom", "bufferTime", "buffer", "switchMap", "mergeMap", "concatMap", "exhaustMap")
        pipeline = [self.step(self.pick(*BEHIND_CREATED)) for _ in range(self.n(0, 3))]
        for i, step in enumerate(pipeline):
            if step["op"] in last or "told" in step:  # what is no number, and rxd says in another form
                del pipeline[i + 1 :]
        inputs = {
            "a": {"kind": self.pick("hot", "cold"), "events": self.events(6)},
            "b": {"kind": "hot", "events": self.events(6)},
            "ic": {"kind": "cold", "events": self.short()},
        }
        return {"id": number, "op": name, "until": 600, "inputs": inputs, "source": self.creation(name), "pipeline": pipeline}

    def case(self, number, name):
        if name in CREATED:
            return self.created(number, name)
        kind = RECORDS if name in ON_RECORDS and self.chance(0.85) else NUMBERS
        if kind == NUMBERS and name in ("set", "template", "object"):
            kind = RECORDS  # they read a field that a number has not
        pipeline = [self.step(name)]
        if self.chance(0.3):
            pipeline.insert(0, self.step(self.pick("skip", "delay", *(BEFORE if kind == NUMBERS else ()))))
        if self.chance(0.3):
            behind = BEHIND_NUMBERS if name in NUMBER_TO_NUMBER else BEHIND[:-1] if name in ON_EPOCH else BEHIND
            pipeline.append(self.step(self.pick(*behind)))
        kinds = ["cold"] if name in RESUBSCRIBING else ["hot"] if name in ON_EPOCH else ["hot", "hot", "cold"]
        inputs = {
            "a": {"kind": self.pick(*kinds), "events": self.events(12, kind)},
            "b": {"kind": "hot", "events": self.events(6)},
            "ic": {"kind": "hot" if name in ON_EPOCH else "cold", "events": self.short()},
        }
        last = inputs["a"]["events"][-1:]
        if name in ON_EPOCH and last and last[0][1] == "e":
            last[0][0] += 5  # at a boundary the event before it closes the window first
        for step in pipeline:
            if "duration" in step and (step is not pipeline[0] or inputs["a"]["kind"] == "cold"):
                step["duration"] += 0.5  # not at one instant with what waited before the groups
        case = {"id": number, "op": name, "until": 600, "inputs": inputs, "source": "a", "pipeline": pipeline}
        if self.chance(0.15):
            case["unsubscribeAt"] = 10 * self.n(1, 40)
        return case


def cases(seed, count, names=()):
    """`count` cases, as many around each of the named operators (default: all)."""
    names, generator = list(names or [*OPERATORS, *CREATED]), Cases(seed)
    return [generator.case(i, names[i % len(names)]) for i in range(count)]


if __name__ == "__main__":
    for case in cases(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]):
        print(json.dumps(case))
