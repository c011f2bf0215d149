"""Random configs in rxd's own words, over all operators: groups and windows nested, pipelines that read pipelines, several
streams, ends and errors; and input for them. The same seed gives the same."""

import random

AGGREGATES = {
    "n": "count()", "m": "max(value)", "s": "sum(value)", "a": "avg(value)", "l": "last(value)", "f": "first(value)",
    "mn": "min(value)", "cl": "count(value > 5)", "r": "max(value) - min(value)",
    "md": "median(value)", "sd": "stddev(value)", "co": "collect(value, 3)", "d": "count_distinct(value)", "t": "top(2, value, device)",
    "i": "increase(value)", "ti": "time_in(value > 4)", "ta": "time_avg(value)", "ew": "ewma(value, 0.25)",
}  # fmt: skip
ROW = {"device": "device", "city": "city"}
# 10 / (value - 3) fails where the value is 3: for what answers an error.
FAILING = {"map": {**ROW, "value": "10 / (value - 3)"}, "on_error": "fail"}


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, p):
        return self.random.random() < p

    def pick(self, *choices):
        return self.random.choice(choices)

    def n(self, low, high):
        return self.random.randint(low, high)

    def some(self, p, **options):
        return options if self.chance(p) else {}

    # --- steps from rows to rows ---

    def value(self):
        return {"device": "x", "city": "y", "value": self.n(0, 9)}

    def predicate(self):
        return self.pick(f"value > {self.n(0, 6)}", f"value % 2 == {self.n(0, 1)}", f"value < {self.n(4, 9)}")

    def plain(self):
        """A step that works event by event."""
        return self.pick(
            {"filter": self.predicate()},
            {"map": {**ROW, "value": "value * 2"}},
            {"set": {"value": "value + 1"}},
            {"set": {"extra": "value - 0.5"}},
            {"unset": self.pick("extra", ["extra", "none"])},
            {"default": {"extra": 1}},
            {"template": {"device": "{device}", "city": "<{city}>", "value": "{value}"}},
            "log",
            "timestamp_and_back",
        )

    def counting(self):
        return self.pick(
            {"take": self.n(3, 30)},
            {"skip": self.n(0, 4)},
            {"take_while": {"while": f"value < {self.n(7, 9)}", "inclusive": self.chance(0.5)}},
            {"skip_while": self.predicate()},
            {"take_last": self.n(0, 3)},
            {"skip_last": self.n(0, 4)},
            {"element_at": {"index": self.n(0, 5), "default": self.value()}},
            {"throw_if_empty": "nothing came"},
            self.pick("first", {"first": self.predicate()}),
            self.pick("last", {"last": self.predicate()}),
            {"distinct": self.pick("value", {"key": "device", "max_keys": 2}, "event")},
            {"distinct_until_changed": self.pick("device", "value", "event")},
            {"default_if_empty": self.value()},
            {"start_with": self.pick(self.value(), [self.value(), self.value()])},
            {"end_with": self.value()},
            {"scan": self.pick({"expr": "event"}, {"expr": "value > acc.value ? event : acc", "seed": self.value()})},
        )

    def beside(self):
        """A stream that is subscribed for each event."""
        return self.pick("b", "b", {"from": "b", "pipe": [{"filter": "value > outer.value"}]}, {"from": {"timer": "130ms"}})

    def timed(self):
        return self.pick(
            {"delay": self.pick("40ms", "130ms", "600ms", {"for": "300ms", "max": 2})},
            {"debounce": self.pick("150ms", "300ms", "50ms")},
            {"throttle": self.pick("200ms", {"for": "500ms", "trailing": True}, {"for": "200ms", "leading": False, "trailing": True})},
            {"debounce": {"with": self.beside()}},
            {"throttle": {"with": self.beside(), **self.pick({}, {"trailing": True}, {"leading": False, "trailing": True})}},
            {"audit": {"with": self.beside()}},
            {"sample": self.pick("250ms", "700ms", {"with": "b"})},
            {"audit": self.pick("250ms", "700ms", "50ms")},
        )

    def joining(self):
        return self.pick(
            {"merge_with": "b"},
            {"merge_with": {"with": {"late": {"from": "a", "pipe": [{"delay": "60ms"}]}}}},
            {"with_latest_from": self.pick("b", {"with": "b", "by": "city"}, {"with": "b", "by": "device", "max_keys": 2})},
            {"combine_latest": self.pick("b", {"with": "b", "by": "city"}, {"with": "b", "by": "device", "max_keys": 2})},
            {"zip": self.pick("b", {"with": "b", "max": 2}, {"with": "b", "by": "device", "max_keys": 2, "max": 5})},
            {"join": {"with": "b", "by": self.pick("device", "city"), "kind": self.pick("inner", "left"), **self.some(0.3, max_held=4),
                      **self.some(0.8, within=self.pick("200ms", {"before": "300ms"}, {"before": "100ms", "after": "700ms"}))}},
            {"concat_with": "b"},
            {"race": "b"},
            {"take_until": "b"},
            {"skip_until": "b"},
        )

    def watching(self):
        """Steps that wait for what does not come, or put several events into one: and what makes rows of them again."""
        parts = {"a": "value < 5", "b": "value >= 5"}
        return self.pick(
            [{"hysteresis": {"on": self.predicate(), "into": "hot", **self.some(0.5, off="value < 2"),
                             **self.some(0.7, **{"for": self.pick("200ms", "1s", {"on": "300ms"}, {"off": "100ms"})})}}],
            [{"silence": self.pick("150ms", {"for": "600ms", "into": "quiet"})}],
            [{"pivot": {"name": "city", "value": "value", **self.some(0.5, max_age="300ms"), **self.some(0.3, max_names=2)}},
             {"map": {"device": "'p'", "city": "'q'", "value": "size(event)"}}],
            [{"match": {"pattern": self.pick("a{2} -> b", "a+ -> b{1,2}", "b -> a? -> b", "a -> !b", "a{2,} -> !b for 200ms"),
                        "where": parts, "within": "700ms", "into": "m", "overlap": self.chance(0.3), **self.some(0.3, max_partial=2)}},
             {"map": {"device": "'p'", "city": "'q'", "value": "size(m.a)"}}],
            [{"lookup": {"stream": "b", "key": "device", "column": "device", "into": "other",
                         "missing": self.pick("keep", "drop", "error"), **self.some(0.3, max_rows=2)}}],
        )  # fmt: skip

    def recovering(self):
        """Steps that answer an error, and the one before them that makes it."""
        answer = self.pick(
            {"retry": {"count": self.n(1, 4), **self.some(0.7, delay="100ms", backoff=self.pick(1, 2)),
                       "reset_on_success": self.chance(0.3)}},
            {"catch": self.pick({"with": "b"}, {"value": self.value()})},
        )  # fmt: skip
        timeout = {"timeout": self.pick({"each": "300ms"}, {"each": "900ms", "first": "100ms"}, {"first": "200ms", "with": "b"})}
        return [self.pick(FAILING, timeout), answer]

    def flat(self, most):
        steps = []
        for _ in range(self.n(0, most)):
            kind = self.random.choices(["plain", "counting", "timed", "joining", "watching", "recovering", "repeat"],
                                       [5, 5, 4, 4, 3, 2, 1])[0]
            if kind in ("watching", "recovering"):
                steps += getattr(self, kind)()
            elif kind == "repeat":
                steps.append({"repeat": {"count": 2, **self.some(0.6, delay="50ms")}})
            else:
                step = getattr(self, kind)()
                steps += ["timestamp", {"map": "event.value"}] if step == "timestamp_and_back" else [step]
        return steps

    # --- scopes ---

    def aggregate(self):
        names = self.random.sample(sorted(AGGREGATES), self.n(1, 4))
        return {"aggregate": {name: AGGREGATES[name] for name in names}}

    def reducing(self):
        return self.pick(
            self.aggregate(), self.aggregate(), self.aggregate(), "to_array", "count", {"count": self.predicate()},
            {"sum": "value"}, {"median": "value"}, {"quantile": {"q": 0.7, "of": "value"}}, {"average": "value"}, {"min": "value"}, {"max": "value"}, "last",
            {"reduce": {"expr": "acc + value", "seed": 0}},
        )  # fmt: skip

    def window(self):
        kind = self.random.random()
        if kind < 0.25:
            return {"window": self.pick("500ms", "1s", "2s")}
        if kind < 0.5:
            return {"window": {"size": self.n(1, 4), **self.some(0.6, every=self.n(1, 4)), **self.some(0.2, emit_empty=True)}}
        return self.timed_window()

    def formed_window(self):
        """The other ways to say when a window ends."""
        options = self.pick(
            {"session": self.pick("200ms", "500ms"), **self.some(0.4, max="1s")},
            {"close_when": self.predicate(), **self.some(0.4, max=self.n(1, 4))},
            {"boundary": "b", **self.some(0.4, emit_empty=True)},
            {"opening": "b", "closing": self.pick("b", {"from": "a", "pipe": [{"filter": self.predicate()}]})},
            {"size": self.pick("300ms", "1s", 3), "every": "event"},
            {"latest_by": self.pick("device", "city"), **self.some(0.4, max_age="400ms")},
            {"size": "1s", "latest_by": "device"},
            {"calendar": "day"},
        )
        return {"window": {**options, **self.some(0.2, on_complete="drop"), **self.some(0.2, max_events=self.n(1, 5))}}

    def early(self, window):
        """With results before the end, where the steps behind can say them."""
        sliding = window.get("every") == "event" or ("latest_by" in window and "size" not in window)
        return {"window": {**window, **({} if sliding else self.some(0.4, emit=self.pick("updates", "300ms", "1s")))}}

    def timed_window(self):
        options = {"size": self.pick("500ms", "1s", "2s"), **self.some(0.5, every=self.pick("250ms", "500ms", "1s"))}
        options.update(self.some(0.3, align="start"))
        options.update(self.pick({"emit_empty": True}, {"max": self.n(1, 4)}, {}, {}))
        options.update(self.some(0.2, on_complete="drop"))
        return {"window": options}

    def group(self, by=None):
        by = by or self.pick("device", "city", ["device", "city"])
        return {"group_by": {"by": by, **self.some(0.3, max_keys=self.n(1, 3)), **self.some(0.3, idle=self.pick("300ms", "700ms"))}}

    def scoped(self):
        """A chain that opens scopes, whole."""
        shapes = {
            "keyed": lambda: [self.group(), self.window(), self.aggregate()],
            "twice": lambda: [self.group("city"), self.group("device"), self.window(), self.aggregate()],
            "lanes": lambda: [self.group("device"), *self.flat(2), "merge"],
            "buffer": lambda: [{"buffer": self.window()["window"]}],
            "windows": lambda: [self.window(), *self.flat(1), self.reducing()],
            "inside": lambda: [self.timed_window(), self.group("device"), self.aggregate()],
            "open": lambda: [self.window(), *self.flat(1), "merge"],
            "formed": lambda: [*self.pick([], [self.group()]), self.early(self.formed_window()["window"]), self.aggregate()],
            "early": lambda: [*self.pick([], [self.group()]), self.early(self.timed_window()["window"]), self.aggregate()],
            "kept": lambda: [self.pick([], [self.group()]), {"buffer": self.formed_window()["window"]}],
        }
        chain = shapes[self.random.choices(list(shapes), [4, 2, 3, 1, 3, 1, 1, 2, 1, 1])[0]]()
        return [step for part in chain for step in (part if isinstance(part, list) else [part])]

    def tail(self):
        whole = self.pick("materialize", "time_interval", "pairwise", "timestamp", "ignore_elements", *["none"] * 6)
        return [] if whole == "none" else [whole]

    def chain(self):
        if self.chance(0.4):
            return [*self.flat(4), *self.tail()]
        return [*self.flat(2), *self.scoped(), *self.pick([], ["pairwise"], [{"delay": "70ms"}], [{"take": 5}], self.tail())]

    def config(self):
        pipelines = {}
        for i in range(self.n(1, 3)):
            earlier = [f"p{i - 1}"] * 2 if i else []
            pipe = self.chain()
            if self.chance(0.2):
                pipe.insert(self.n(0, len(pipe)), {"tap": "seen"})
            pipelines[f"p{i}"] = {"from": self.pick("a", ["a", "b"], *earlier), "pipe": pipe}
        cold = {"replay": "cold"} if self.chance(0.4) else {}
        return {"sources": {"a": {"http": {}}, "b": {"http": {}, **cold}}, "pipelines": pipelines}

    # --- input ---

    def events(self):
        at, rows = 0, []
        for _ in range(self.n(10, 60)):
            at += self.pick(0, 0, 10, 50, 130, 250, 400)
            row = {"device": f"d{self.n(0, 3)}", "city": f"c{self.n(0, 2)}", "value": self.n(0, 9)}
            rows.append({"at": at, "source": self.pick(*"aaab"), "next": row})
        end = self.pick("complete", "complete", "error", "none")
        if end == "complete":
            rows += [{"at": at, "source": source, "complete": True} for source in "ab"]
        elif end == "error":
            rows.append({"at": at, "source": "a", "error": "x"})
        return [*rows, {"at": at + self.pick(0, 50, 3000), "end": True}]
