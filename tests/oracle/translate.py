"""Turns a case of the RxJS oracle into an rxd config and a replay input, and compares what came out with what RxJS did.

The forms of a case are described in the oracle's README. What rxd cannot say is raised as OutOfScope with the reason, so
that a run can count it; what rxd does differently on purpose is in DIFFERENCES, each with its reason.
"""

import datetime

SCOPE_TAG = "g"  # the name that groups get, so that their key can be read back

DIFFERENCES = {
    "align: start": "rxd's windows and buffers align to the epoch by default; Rx counts from the subscription",
    "emit_empty: true": "rxd keeps silent about empty windows by default; Rx emits them",
    "error text of a step": "a step's error says what was wrong with which value; RxJS shows the text of the exception",
    "window tag": "RxJS numbers the windows ({w: 0}); rxd's carry their bounds, which are compared where an aggregate tells "
    "them and nothing before it is a window too (a result's time is the last instant of its window)",
    "windowTime(n, n)": "RxJS opens before it closes at n and closes before it opens at 2n; rxd closes first, always: the "
    "values inside, which are what is compared, do not show it",
    "windows on the epoch": "they close at the first event at or after their end, and before all other timers of an instant "
    "(docs/architecture.md): their cases have hot inputs only, and nothing behind them that ends them at a boundary",
    "groups fused with their windows": "they close in the order in which the groups were created, RxJS's in the order of "
    "their windows' timers: compared as sets at a boundary",
    "first and last in an empty window": "RxJS fails with EmptyError; rxd puts out nothing (`lastIfAny` is takeLast(1))",
    "unset, default and set on a bare value": "rxd takes it as {value: ...}; RxJS has no such step",
    "idle groups at one instant": "RxJS ends them in the order in which it armed their timers anew, rxd in the order of "
    "their last events: compared as sets at one instant. An event that waited and comes at the instant of an idle end may "
    "be before or behind it in either: such durations end in half a millisecond",
    "groups with a duration": "RxJS stays subscribed after an early end until the duration of every open group is over; "
    "rxd leaves at once",
    "several inputs after an early end": "combineLatest, forkJoin, withLatestFrom, buffer, sample, distinct and skipUntil go on subscribing to "
    "their inputs behind one that ended them while it was subscribed, and leave at once; rxd does not begin: subscriptions of no "
    "length are not compared",
    "expand when it is left": "RxJS subscribes for the event at which it was left, and leaves at once: likewise",
    "onErrorResumeNext when it is left": "RxJS goes on to its next stream even then, and leaves it at once: likewise",
    "throttle when it is left": "RxJS begins a pause for the event at which it was left, and leaves its stream at once: likewise",
    "a trailing throttle by a stream that has an event at once": "without `leading` RxJS then subscribes it twice, and loses sight of one "
    "subscription; rxd keeps one: such cases are left out",
    "share when it is left at once": "by who had enough of the first that came while it subscribed: rxd goes on subscribing until the turn is "
    "over, so that one who takes its place finds the stream running; subscriptions of no length are not compared",
    "whole numbers past 2^53": "rxd keeps all digits of an int64, RxJS those of a double: compared by twelve digits",
    "end of a run": "a subscription that is open when the clock stops counts as left then, or as never left",
    "sequenceEqual ahead of an end": "RxJS takes two streams for equal of which one has completed while events of the other "
    "still waited; for rxd they differ: such cases are told apart beforehand, and left out",
    "unsubscribeAt": "the replay ends at that instant, after its timers: what RxJS showed must come first at that "
    "instant, and what rxd adds to it there is what nobody would have seen",
}


class OutOfScope(Exception):
    """The case uses something that rxd does not have (yet), or deliberately says in another way."""


def ms(value):
    return f"{value}ms"


# --- functions of the oracle as expressions on a value ---------------------------------------------------------------

BOOM = "event % (event - event)"  # an error that no constant folding can see


def expression(fn, x="event"):
    kind, *rest = fn
    if kind == "|":
        for part in rest:
            x = expression(part, x)
        return x
    forms = {
        "id": "{x}",
        "add": "({x} + {0})",
        "mul": "({x} * {0})",
        "mod": "({x} % {0})",
        "eq": "({x} == {0})",
        "gt": "({x} > {0})",
        "lt": "({x} < {0})",
        "const": "{0}",
        "len": "size({x})",
        "field": "{x}.{0}",
    }
    if kind == "throwIf":
        return f"{expression(rest[0], x)} ? {BOOM} : {x}"
    if kind not in forms:
        raise OutOfScope(f"function {kind}")
    return forms[kind].format(*rest, x=x)


def throws(fn):
    return fn[0] == "throwIf" or (fn[0] == "|" and any(throws(part) for part in fn[1:]))


REDUCERS = {"sum": "acc + event", "max": "acc > event ? acc : event", "min": "acc < event ? acc : event"}


def accumulate(step):
    if step["fn"] not in REDUCERS:
        raise OutOfScope(f"reducer {step['fn']}")
    options = {"expr": REDUCERS[step["fn"]]}
    if "seed" in step:
        options["seed"] = step["seed"]
    return options


# --- operators ------------------------------------------------------------------------------------------------------


def rx_map(step):
    out = {"map": expression(step["fn"])}
    if throws(step["fn"]):
        out["on_error"] = "fail"
    return [out]


def timed_extent(step):
    options = {"size": ms(step["ms"]), "align": "start", "emit_empty": True}
    if "every" in step:
        options["every"] = ms(step["every"])
    if "max" in step:
        options["max"] = step["max"]
    return options


def counted_extent(step):
    options = {"size": step["n"]}
    if "every" in step:
        options["every"] = step["every"]
    return options


NO_EACH = "the lifecycle of windows and groups as events (no `each`)"
REDUCING = {"toArray", "count", "reduce", "last", "lastIfAny", "first", "min", "max", "sum", "average", "least", "greatest", "aggregate"}


def reduces(each):
    """Whether the chain closes the innermost window around it: a reducing step does, also one in a group inside."""
    return any(s["op"] in REDUCING or (s["op"] == "groupBy" and reduces(s.get("each", ()))) for s in each)


def windowed(options, step):
    """The steps inside a window; a chain that does not reduce stays in it until `merge`."""
    if "each" not in step:
        raise OutOfScope(NO_EACH)
    return [{"window": options}, *steps(step["each"], in_window=True), *([] if reduces(step["each"]) else ["merge"])]


def toggled(step):
    return {"opening": step["openings"], "closing": step["closing"], "emit_empty": True}


def rx_group_by(step, in_window):
    if "each" not in step:
        raise OutOfScope(NO_EACH)
    options = {"by": {SCOPE_TAG: expression(step["key"])}}
    if "duration" in step:
        options["idle" if step.get("idle") else "duration"] = ms(step["duration"])
    close = [] if in_window and reduces(step["each"]) else ["merge"]
    if "lanes" in step:
        lanes = {"parallel": {"by": {"lane": expression(step["key"])}, "lanes": step["lanes"]}}
        return [lanes, *rx_group_by({k: v for k, v in step.items() if k != "lanes"}, in_window), "merge"]
    if is_keyed(step):  # as the planner sees it: nothing between the three, and the key is in what comes out
        return [{"group_by": options}, *steps(step["each"]), *close]
    return [{"group_by": options}, *steps(step["each"]), {"map": {SCOPE_TAG: "meta.key", "v": "event"}}, *close]


def is_keyed(step):
    """group_by, an epoch window and aggregate: what the planner makes one step of."""
    inside = chain_inside(step)
    if step["op"] != "groupBy" or len(inside) != 1 or inside[0]["op"] != "windowEpoch":
        return False
    return [s["op"] for s in inside[0]["each"]] == ["aggregate"]


def stream(description):
    """A stream beside the chain: the name of an input, or that with steps behind it."""
    if isinstance(description, str):
        return description
    return {"from": MADE[description["op"]](description), "pipe": steps(description.get("pipe", []))}


def streams(descriptions):
    return [stream(description) for description in descriptions]


def rx_throttle(step):
    options = {"for": ms(step["ms"])} if "ms" in step else {"with": stream(step["other"])}
    options.update({k: step[k] for k in ("leading", "trailing") if k in step})
    if options.get("leading") is False and isinstance(step.get("other"), dict) and step["other"]["pipe"][0]["op"] == "startWith":
        raise OutOfScope("a trailing throttle by a stream that has an event at once")
    return [{"throttle": options}]


def rx_retry(step):
    options = {"count": step["count"]}
    if "ms" in step:
        options["delay"] = ms(step["ms"])
        options["backoff"] = step.get("backoff", 1)
    if "maxMs" in step:
        options["max_delay"] = ms(step["maxMs"])
    if step.get("resetOnSuccess"):
        options["reset_on_success"] = True
    return [{"retry": options}]


def rx_row(name, step):
    """What combines streams gives an object; RxJS gives a row."""
    row = ", ".join(["event.value", *(f"event.{other}" for other in step["of"])])
    return [{name: {"with": list(step["of"])}}, {"map": f"[{row}]"}]


def refuse_a_surplus_that_waits(case):
    """Where events of one stream wait when the other completes (see DIFFERENCES)."""
    first = case["pipeline"][:1]
    if first and first[0]["op"] == "sequenceEqual" and surplus_waits(case):
        raise OutOfScope("sequenceEqual ahead of an end")
    if any(step["op"] == "sequenceEqual" for step in case["pipeline"][1:]):
        raise OutOfScope("sequenceEqual behind another step")


def surplus_waits(case):
    names = [case["source"], case["pipeline"][0]["other"]]
    rows = [
        (at, case["inputs"][name]["kind"] == "cold", i, kind, *rest)
        for i, name in enumerate(names)
        for at, kind, *rest in case["inputs"][name]["events"]
    ]
    waiting = [[], []]
    for _, _, i, kind, *rest in sorted(rows, key=lambda row: row[:3]):
        if kind == "n" and waiting[1 - i]:
            if waiting[1 - i].pop(0) != rest[0]:
                return False
        elif kind == "n":
            waiting[i].append(rest[0])
        else:
            return kind == "c" and bool(waiting[1 - i])
    return False


def rx_timeout(step):
    options = {k: ms(step[k]) for k in ("each", "first") if k in step}
    if "with" in step:
        options["with"] = stream(step["with"])
    return [{"timeout": options}]


def rx_repeat(step):
    options = {"count": step["count"]}
    if "ms" in step:
        options["delay"] = ms(step["ms"])
    return [{"repeat": options}]


def rx_fold(name):
    return lambda s: [{name: expression(s["fn"])}]


def rx_epoch(step):
    return {"size": ms(step["ms"]), **({"every": ms(step["every"])} if "every" in step else {})}


def rx_catch(step):
    if "with" in step:
        return [{"catch": {"with": stream(step["with"])}}]
    return [{"catch": {"value": step["value"]}} if "value" in step else "catch"]


FOLDS = {"count": "count()"}
OBJECTS = {"unset": "fields", "default": "fields", "template": "to"}

MADE = {
    "of": lambda d: {"of": d["values"]},
    "range": lambda d: {"range": [d["from"], d["count"]]},
    "timer": lambda d: {"timer": {"due": ms(d["ms"]), **({"period": ms(d["period"])} if "period" in d else {})}},
    "interval": lambda d: {"interval": ms(d["ms"])},
    "empty": lambda d: "empty",
    "never": lambda d: "never",
    "throw": lambda d: {"throw": "boom"},
    "defer": lambda d: {"defer": "[event_time.getMilliseconds(), 1]"},
    "in": lambda d: d["name"],
}


def opened(step, pipe):
    """What a step opens for each event: an input or one made in place, with steps behind it."""
    inner = step["inner"]
    if isinstance(inner, list):
        raise OutOfScope("streams that are opened by turns")
    if isinstance(inner, dict):
        inner, pipe = MADE[inner["op"]](inner), steps(inner.get("pipe", [])) + pipe
    concurrency = {"concurrency": step["concurrent"]} if "concurrent" in step else {}
    return {"from": inner, **({"pipe": pipe} if pipe else {}), **concurrency}


def rx_flat_map(step, name="flat_map"):
    if name == "flat_map" and "concurrent" in step:
        name = "merge_map"  # its other name
    if "list" in step:
        return [{name: f"[{', '.join(['event'] * step['list'])}]"}]
    return [{name: opened(step, [] if step.get("bare") else [{"map": "[outer, event]"}])}]


def rx_flat_scan(step, name):
    if "list" in step:
        elements = [f"(acc * 3 + event + {i}) % 1000" for i in range(step["list"])]
        return [{name: {"of": f"[{', '.join(elements)}]", "seed": step["seed"]}}]
    pipe = [{"map": "(outer.acc * 3 + outer.value + event) % 1000"}]
    return [{name: {**opened(step, pipe), "seed": step["seed"]}}]


def rx_expand(step):
    return [{"expand": opened(step, [{"filter": f"outer < {step['below']}"}, {"map": "2 * outer + event + 1"}])}]


def rx_end(step, name):
    where = {"where": expression(step["fn"])} if "fn" in step else {}
    default = {"default": step["value"]} if "value" in step else {}
    return [{name: {**where, **default}} if default else {name: where["where"]} if where else name]


OPERATORS = {
    "map": rx_map,
    "object": lambda s: [{"map": {k: expression(f) for k, f in s["fields"].items()}}],
    "set": lambda s: [{"set": {k: expression(f) for k, f in s["fields"].items()}}],
    "unset": lambda s: [{"unset": s["fields"]}],
    "default": lambda s: [{"default": s["fields"]}],
    "template": lambda s: [{"template": s["to"]}],
    "aggregate": lambda s: [{"aggregate": {k: FOLDS.get(f, f"{f}(event)") for k, f in s["fields"].items()}}],
    "sum": rx_fold("sum"),
    "average": rx_fold("average"),
    "least": rx_fold("min"),
    "greatest": rx_fold("max"),
    "min": lambda s: ["min"],
    "max": lambda s: ["max"],
    "ignoreElements": lambda s: ["ignore_elements"],
    "materialize": lambda s: ["materialize"],
    "dematerialize": lambda s: ["materialize", "dematerialize"],
    "timestamp": lambda s: ["timestamp"],
    "timeInterval": lambda s: ["time_interval"],
    "log": lambda s: ["log"],
    "windowEpoch": lambda s: windowed(rx_epoch(s), s),
    "filter": lambda s: [{"filter": expression(s["fn"])}],
    "tap": lambda s: ["tap"],
    "scan": lambda s: [{"scan": accumulate(s)}],
    "reduce": lambda s: [{"reduce": accumulate(s)}],
    "take": lambda s: [{"take": s["n"]}],
    "skip": lambda s: [{"skip": s["n"]}],
    "distinctUntilChanged": lambda s: [{"distinct_until_changed": expression(s["key"])}],
    "pairwise": lambda s: ["pairwise"],
    "mergeMap": rx_flat_map,
    "concatMap": lambda s: rx_flat_map(s, "concat_map"),
    "switchMap": lambda s: rx_flat_map(s, "switch_map"),
    "exhaustMap": lambda s: rx_flat_map(s, "exhaust_map"),
    "mergeScan": lambda s: rx_flat_scan(s, "merge_scan"),
    "switchScan": lambda s: rx_flat_scan(s, "switch_scan"),
    "expand": rx_expand,
    "toArray": lambda s: ["to_array"],
    "count": lambda s: [{"count": expression(s["fn"])} if "fn" in s else "count"],
    "bufferCount": lambda s: [{"buffer": counted_extent(s)}],
    "bufferTime": lambda s: [{"buffer": timed_extent(s)}],
    "buffer": lambda s: [{"buffer": {"boundary": s["closing"], "emit_empty": True}}],
    "bufferToggle": lambda s: [{"buffer": toggled(s)}],
    "window": lambda s: windowed({"boundary": s["closing"], "emit_empty": True}, s),
    "windowToggle": lambda s: windowed(toggled(s), s),
    "windowCount": lambda s: windowed({**counted_extent(s), "emit_empty": True}, s),
    "windowTime": lambda s: windowed(timed_extent(s), s),
    "debounceTime": lambda s: [{"debounce": ms(s["ms"])}],
    "debounce": lambda s: [{"debounce": {"with": stream(s["other"])}}],
    "throttleTime": rx_throttle,
    "throttle": rx_throttle,
    "audit": lambda s: [{"audit": {"with": stream(s["other"])}}],
    "delay": lambda s: [{"delay": ms(s["ms"])}],
    "merge": lambda s: [{"merge_with": streams(s["of"])}],
    "combineLatest": lambda s: rx_row("combine_latest", s),
    "retry": rx_retry,
    "takeWhile": lambda s: [{"take_while": {"while": expression(s["fn"]), "inclusive": s["inclusive"]}}],
    "skipWhile": lambda s: [{"skip_while": expression(s["fn"])}],
    "first": lambda s: rx_end(s, "first"),
    "lastIfAny": lambda s: ["last"],
    "last": lambda s: rx_end(s, "last"),
    "distinct": lambda s: [{"distinct": {"key": expression(s["key"]), "flush": stream(s["flush"])} if "flush" in s else expression(s["key"])}],
    "sample": lambda s: [{"sample": {"with": stream(s["other"])}}],
    "timeout": rx_timeout,
    "repeat": rx_repeat,
    "catchError": rx_catch,
    "zip": lambda s: rx_row("zip", s),
    "withLatestFrom": lambda s: rx_row("with_latest_from", s),
    "takeLast": lambda s: [{"take_last": s["n"]}],
    "skipLast": lambda s: [{"skip_last": s["n"]}],
    "elementAt": lambda s: [{"element_at": {"index": s["n"], **({"default": s["value"]} if "value" in s else {})}}],
    "takeUntil": lambda s: [{"take_until": stream(s["other"])}],
    "skipUntil": lambda s: [{"skip_until": stream(s["other"])}],
    "startWith": lambda s: [{"start_with": s["values"]}],
    "endWith": lambda s: [{"end_with": s["values"]}],
    "defaultIfEmpty": lambda s: [{"default_if_empty": s["value"]}],
    "throwIfEmpty": lambda s: ["throw_if_empty"],
    "isEmpty": lambda s: ["is_empty"],
    "every": lambda s: [{"every": expression(s["fn"])}],
    "find": lambda s: [{"find": expression(s["fn"])}],
    "single": lambda s: [{"single": expression(s["fn"])} if "fn" in s else "single"],
    "forkJoin": lambda s: rx_row("fork_join", s),
    "sequenceEqual": lambda s: [{"sequence_equal": stream(s["other"])}],
    "auditTime": lambda s: [{"audit": ms(s["ms"])}],
    "sampleTime": lambda s: [{"sample": ms(s["ms"])}],
    "concat": lambda s: [{"concat_with": streams(s["of"])}],
    "onErrorResumeNext": lambda s: [{"on_error_resume_next": streams(s["of"])}],
    "delayWhen": lambda s: [{"delay_when": stream(s["other"])}],
    "race": lambda s: [{"race": streams(s["of"])}],
}


UNTAG = {"op": "map", "fn": ["field", "v"]}  # on a window's result: rxd's has no number to take off


def steps(pipeline, in_window=False):
    out, before = [], ""
    for step in pipeline:
        last, before = before, step["op"]
        if last.startswith("window") and step == UNTAG:
            continue
        if step["op"] == "groupBy":
            out += rx_group_by(step, in_window)
        elif step["op"] in OPERATORS:
            out += OPERATORS[step["op"]](step)
        else:
            raise OutOfScope(f"operator {step['op']}")
    return out


def name_of(step):
    return step if isinstance(step, str) else next(key for key in step if key not in ("id", "on_error"))


# --- the case -------------------------------------------------------------------------------------------------------


def chain_inside(step):
    """The steps inside a window or group (timeout's `each` is a time)."""
    return step["each"] if isinstance(step.get("each"), list) else ()


def inputs_used(case):
    """The inputs that the case subscribes to, in the order in which they are declared."""
    used = set()

    def read(description):
        if isinstance(description, str):
            used.add(description)
        elif description is not None:
            used.update([description["name"]] if description["op"] == "in" else ())
            visit(description.get("pipe", ()))

    def visit(pipeline):
        for step in pipeline:
            for key in ("other", "with", "inner", "closing", "openings", "flush"):
                read(step.get(key))
            for description in step.get("of", ()):
                read(description)
            visit(chain_inside(step))

    read(case["source"])
    visit(case["pipeline"])
    return [name for name in case["inputs"] if name in used]


def last_instant(case):
    return min(case["until"], case.get("unsubscribeAt", case["until"]))


def refuse_counting_where_order_is_loose(pipeline):
    """Where the order of one instant differs on purpose, what counts rows would show it."""
    first = next((i for i, step in enumerate(pipeline) if "duration" in step or is_keyed(step)), len(pipeline))
    if any(step["op"] in ("take", "skip") for step in pipeline[first + 1 :]):
        raise OutOfScope("take or skip behind groups whose order at one instant is loose")


def reader_of_shared(number, at, leaves=None):
    until = [] if leaves is None else [{"take_until": {"from": {"timer": ms(leaves - at)}}}]
    opened = {"from": "shared", "pipe": [*until, {"map": f"[{number}, event]"}]}
    return {"from": {"timer": {"due": ms(at)}}, "pipe": [{"flat_map": opened}]}


def pipelines_of(case):
    """One; and where the chain is shared in its midst, what stands before that is a pipeline that those behind it read."""
    chain = case["pipeline"]
    at = next((i for i, step in enumerate(chain) if step["op"] == "share"), None)
    if at is None:
        return {"out": {"from": stream(case["source"]), "pipe": steps(chain)}}
    options = {"grace": ms(chain[at]["graceMs"])} if "graceMs" in chain[at] else {}
    options.update({"replay": chain[at]["replay"]} if "replay" in chain[at] else {})
    shared = {"from": stream(case["source"]), "pipe": steps(chain[:at]), "to": [], **({"share": options} if options else {})}
    readers = [reader_of_shared(i, *times) for i, times in enumerate(chain[at]["subs"])]
    return {"shared": shared, "out": {"from": readers, "pipe": steps(chain[at + 1 :])}}


def config_of(case, operators=None):
    """The rxd config. `operators`: the catalogue of the binary under test; a step outside it is OutOfScope."""
    pipelines = pipelines_of(case)
    refuse_counting_where_order_is_loose(case["pipeline"])
    refuse_a_surplus_that_waits(case)
    for step in (step for p in pipelines.values() for step in p["pipe"]):
        if operators is not None and name_of(step) not in operators:
            raise OutOfScope(f"operator {name_of(step)} (not in the catalogue)")
    sources = {}
    for name in inputs_used(case):
        sources[name] = {"http": {}}
        if case["inputs"][name]["kind"] == "cold":
            sources[name]["replay"] = "cold"
    return {"sources": sources, "pipelines": pipelines}


def notifications_of(case):
    """All inputs as one list: by time, at one instant in the order of declaration, as the oracle schedules them."""
    end, rows = last_instant(case), []
    for name in inputs_used(case):
        for at, kind, *value in case["inputs"][name]["events"]:
            if at <= end:
                what = {"n": ("next", value), "e": ("error", value), "c": ("complete", [True])}[kind]
                rows.append({"at": at, "source": name, what[0]: what[1][0]})
    rows.sort(key=lambda row: row["at"])
    return rows + [{"at": end, "end": True}]


# --- comparison -----------------------------------------------------------------------------------------------------
#
# Both sides are brought to one form: a group's value is {g: key, v: value}, an aggregate in a window {aggregate: object,
# window: [start, end]} in nanoseconds, times are milliseconds, a materialized notification {k, v}.


def nanoseconds(text):
    """Of a timestamp as rxd writes it."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    whole = datetime.datetime.fromisoformat(seconds + "+00:00").timestamp()
    return int(whole) * 10**9 + int(fraction.ljust(9, "0") or 0)


def milliseconds(nanos):
    return nanos / 10**6


def ours_value(value):
    if not isinstance(value, dict):
        return value
    if "window" in value:
        fields = {k: v for k, v in value.items() if k not in ("window", SCOPE_TAG)}
        bounds = [nanoseconds(value["window"][k]) for k in ("start", "end")]
        return {"aggregate": fields, "window": bounds}
    if set(value) == {"value", "timestamp"}:
        return {"value": value["value"], "timestamp": milliseconds(nanoseconds(value["timestamp"]))}
    if set(value) == {"value", "interval"}:
        return {"value": value["value"], "interval": round(float(value["interval"].removesuffix("s")) * 1000, 6)}
    if SCOPE_TAG in value:  # an aggregate of a whole group
        return {k: v for k, v in value.items() if k != SCOPE_TAG}
    if value.get("kind") in ("N", "E", "C"):
        rest = [v for k, v in value.items() if k != "kind"]
        return {"k": value["kind"].lower(), **({"v": rest[0]} if rest else {})}
    return value


def ours(row):
    if "next" in row:
        value = row["next"]
        if isinstance(value, dict) and set(value) == {SCOPE_TAG, "v"}:
            key = value[SCOPE_TAG]
            key = key[SCOPE_TAG] if isinstance(key, dict) else key
            return [row["at"], "n", {SCOPE_TAG: key, "v": ours_value(value["v"])}]
        if isinstance(value, dict) and SCOPE_TAG in value and "window" in value:
            return [row["at"], "n", {SCOPE_TAG: value[SCOPE_TAG], "v": ours_value(value)}]
        return [row["at"], "n", ours_value(value)]
    return [row["at"], "e", row["error"]] if "error" in row else [row["at"], "c"]


def untag(value, bounds=None):
    """What the oracle emitted, without the numbers of its windows; their bounds stay with aggregates."""
    if isinstance(value, dict) and "v" in value and "w" in value:
        return untag(value["v"], value.get("bounds"))
    if isinstance(value, dict) and "v" in value and "g" in value:
        return {SCOPE_TAG: value["g"], "v": untag(value["v"], bounds)}
    if isinstance(value, dict) and "aggregate" in value:
        return {"aggregate": value["aggregate"], "window": bounds} if bounds else value["aggregate"]
    return value


def theirs(row):
    return [row[0], "n", untag(row[2])] if row[1] == "n" else row


EXACT = 2**53


def rounded(value):
    """Whole numbers of which a double has not all digits, as far as it has them (see DIFFERENCES)."""
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return float(f"{value:.12e}") if isinstance(value, (int, float)) and abs(value) > EXACT else value


def any_step(pipeline, test):
    return any(test(step) or any_step(chain_inside(step), test) for step in pipeline)


def loose_errors(case):
    return any_step(case["pipeline"], lambda s: s["op"] == "map" and throws(s["fn"]))


def without_bounds(row):
    """An aggregate of results (whose time is their window's last instant) is in another window than RxJS's clock says."""

    def strip(value):
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k != "window"}
        return value

    return [*row[:2], *map(strip, row[2:])]


def windowings(pipeline):
    return sum((step["op"].startswith(("window", "buffer"))) + windowings(chain_inside(step)) for step in pipeline)


def same_text(got, want):
    """The text of a step's error, wherever it stands in a value."""
    if want == "boom":
        return isinstance(got, str) and got != ""
    if isinstance(want, dict) and isinstance(got, dict):
        return want.keys() == got.keys() and all(same_text(got[k], want[k]) for k in want)
    return got == want


def same_row(case, got, want):
    if got[:2] != want[:2]:
        return False
    return got == want or (loose_errors(case) and len(want) == 3 and same_text(got[2], want[2]))


# --- where the order of one instant is loose ---


def starts(case):
    """When anything may have begun: a subscription, an event (that opens a group)."""
    times = {0}
    for name in inputs_used(case):
        begun = [s[0] for s in case["expect"]["subs"][name]] if case["inputs"][name]["kind"] == "cold" else [0]
        times.update(begun)
        times.update(s + event[0] for s in begun for event in case["inputs"][name]["events"])
    return times


def delays(pipeline):
    return sum(s["ms"] if s["op"] == "delay" else delays(chain_inside(s)) for s in pipeline)


def loose_steps(pipeline):
    """(step, delays before it, delays behind it) of the steps that make the order of some instants loose."""
    before = 0
    for i, step in enumerate(pipeline):
        behind = delays(pipeline[i + 1 :])
        yield step, before, behind + delays(chain_inside(step))
        for inner, more, after in loose_steps(chain_inside(step)):
            yield inner, before + more, after + behind
        before += step["ms"] if step["op"] == "delay" else 0


def loose_instants(case):
    """A function that says whether the order of an instant is left open."""
    begun, rules = starts(case), []
    for step, before, behind in loose_steps(case["pipeline"]):
        if "duration" in step:
            ends = {t + before + step["duration"] + behind for t in begun}
            rules.append(lambda t, ends=ends: t in ends)
        elif is_keyed(step):
            window = step["each"][0]
            every, size = window.get("every", window["ms"]), window["ms"]
            rules.append(lambda t, b=behind, e=every, n=size: (t - b) % e == 0 or (t - b - n) % e == 0)
    return lambda t: any(rule(t) for rule in rules)


def settle(rows, loose):
    """Values of a loose instant in a settled order; terminals keep their place at its end."""
    return sorted(rows, key=lambda row: (row[0], *((row[1] != "n", repr(row)) if loose(row[0]) else ())))


def compare_out(case, rows):
    got, want = [rounded(ours(row)) for row in rows], [rounded(theirs(row)) for row in case["expect"]["out"]]
    loose = loose_instants(case)
    got, want = settle(got, loose), settle(want, loose)
    if windowings(case["pipeline"]) > 1:
        got, want = [without_bounds(row) for row in got], [without_bounds(row) for row in want]
    cut = case.get("unsubscribeAt")
    if cut is not None and len(got) > len(want) and all(row[0] == cut for row in got[len(want) :]):
        got = got[: len(want)]
    if len(got) == len(want) and all(same_row(case, g, w) for g, w in zip(got, want)):
        return None
    return {"got": got, "want": want}


# See DIFFERENCES. A window's chain may be what ends the subscription.
SUBSCRIBES_AND_LEAVES = {
    "combineLatest", "onErrorResumeNext", "expand", "throttle", "forkJoin", "withLatestFrom", "buffer", "bufferToggle", "sample", "skipUntil",
    "windowTime", "windowCount", "share", "distinct",
}  # fmt: skip


def lingers(case):
    """Whether RxJS may stay subscribed to the source longer than anyone listens."""
    return any_step(case["pipeline"], lambda s: "duration" in s)


def same_span(case, got, want):
    end = last_instant(case)
    if lingers(case) and got[0] == want[0] and (want[1] is None or want[1] >= (end if got[1] is None else got[1])):
        return True
    open_at_end = want[1] is None or want[1] >= end
    return got[0] == want[0] and (got[1] in (None, end, want[1]) if open_at_end else got[1] == want[1])


def lasting(case, spans):
    """Without those of no length."""
    return [span for span in spans if span[0] != (case.get("unsubscribeAt") if span[1] is None else span[1])]


def same_spans(case, got, want):
    return len(got) == len(want) and all(same_span(case, g, w) for g, w in zip(got, want))


def compare_subscriptions(case, subscriptions):
    cut = case.get("unsubscribeAt")
    leaves = any_step(case["pipeline"], lambda s: s.get("op") in SUBSCRIBES_AND_LEAVES)
    for name in inputs_used(case):
        got, want = subscriptions.get(name, []), case["expect"]["subs"][name]
        if cut is not None:
            got = [span for i, span in enumerate(got) if i < len(want) or span[0] != cut]
        same = same_spans(case, got, want) or (leaves and same_spans(case, lasting(case, got), lasting(case, want)))
        if not same:
            return {"source": name, "got": got, "want": want}
    return None


def compare(case, outcome):
    """None if the outcome is what RxJS did, else what differs."""
    out = compare_out(case, [row for row in outcome.rows if row["stream"] == "out"])
    subscriptions = compare_subscriptions(case, outcome.subscriptions)
    found = {}
    if out:
        found["out"] = out
    if subscriptions:
        found["subscriptions"] = subscriptions
    return found or None
