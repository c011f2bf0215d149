"""Turns a case of the RxJS oracle into an rxd config and a replay input, and compares what came out with what RxJS did.

The forms of a case are described in the oracle's README. What rxd cannot say is raised as OutOfScope with the reason, so
that a run can count it; what rxd does differently on purpose is in DIFFERENCES, each with its reason.
"""

SCOPE_TAG = "g"  # the name that groups get, so that their key can be read back

DIFFERENCES = {
    "align: start": "rxd's windows and buffers align to the epoch by default; Rx counts from the subscription",
    "emit_empty: true": "rxd keeps silent about empty windows by default; Rx emits them",
    "error text of a step": "a step's error says what was wrong with which value; RxJS shows the text of the exception",
    "window tag": "RxJS numbers the windows ({w: 0}); rxd's carry their bounds, so only the value is compared",
    "windowTime(n, n)": "RxJS opens before it closes at n and closes before it opens at 2n; rxd closes first, always: "
    "compared as sets at one instant",
    "idle groups at one instant": "RxJS ends them in the order in which it armed their timers anew, rxd in the order of "
    "their last events: compared as sets at one instant",
    "groups with a duration": "RxJS stays subscribed after an early end until the duration of every open group is over; "
    "rxd leaves at once",
    "combineLatest after an early error": "RxJS goes on subscribing to the inputs behind one that failed while it was "
    "subscribed, and leaves them at once; rxd does not begin: subscriptions of no length are not compared",
    "end of a run": "a subscription that is open when the clock stops counts as left then, or as never left",
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
REDUCING = {"toArray", "count", "reduce", "last", "first", "min", "max"}


def reduces(each):
    """Whether the chain closes the innermost window around it: a reducing step does, also one in a group inside."""
    return any(s["op"] in REDUCING or (s["op"] == "groupBy" and reduces(s.get("each", ()))) for s in each)


def windowed(options, step):
    """The steps inside a window; a chain that does not reduce stays in it until `merge`."""
    if "each" not in step:
        raise OutOfScope(NO_EACH)
    return [{"window": options}, *steps(step["each"], in_window=True), *([] if reduces(step["each"]) else ["merge"])]


def rx_group_by(step, in_window):
    if "each" not in step:
        raise OutOfScope(NO_EACH)
    options = {"by": {SCOPE_TAG: expression(step["key"])}}
    if "duration" in step:
        if not step["idle"]:
            raise OutOfScope("groups that end a fixed time after they opened")
        options["idle"] = ms(step["duration"])
    close = [] if in_window and reduces(step["each"]) else ["merge"]
    return [{"group_by": options}, *steps(step["each"]), {"map": {SCOPE_TAG: "meta.key", "v": "event"}}, *close]


def rx_throttle(step):
    options = {"for": ms(step["ms"])}
    options.update({k: step[k] for k in ("leading", "trailing") if k in step})
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


def rx_timeout(step):
    options = {k: ms(step[k]) for k in ("each", "first") if k in step}
    if "with" in step:
        options["with"] = step["with"]
    return [{"timeout": options}]


def rx_repeat(step):
    options = {"count": step["count"]}
    if "ms" in step:
        options["delay"] = ms(step["ms"])
    return [{"repeat": options}]


OPERATORS = {
    "map": rx_map,
    "filter": lambda s: [{"filter": expression(s["fn"])}],
    "tap": lambda s: [],
    "scan": lambda s: [{"scan": accumulate(s)}],
    "reduce": lambda s: [{"reduce": accumulate(s)}],
    "take": lambda s: [{"take": s["n"]}],
    "skip": lambda s: [{"skip": s["n"]}],
    "distinctUntilChanged": lambda s: [{"distinct_until_changed": expression(s["key"])}],
    "pairwise": lambda s: ["pairwise"],
    "toArray": lambda s: ["to_array"],
    "count": lambda s: ["count"],
    "bufferCount": lambda s: [{"buffer": counted_extent(s)}],
    "bufferTime": lambda s: [{"buffer": timed_extent(s)}],
    "windowCount": lambda s: windowed({**counted_extent(s), "emit_empty": True}, s),
    "windowTime": lambda s: windowed(timed_extent(s), s),
    "debounceTime": lambda s: [{"debounce": ms(s["ms"])}],
    "throttleTime": rx_throttle,
    "delay": lambda s: [{"delay": ms(s["ms"])}],
    "merge": lambda s: [{"merge_with": list(s["of"])}],
    "combineLatest": lambda s: rx_row("combine_latest", s),
    "retry": rx_retry,
    # Beyond the operators that the recorded cases use.
    "takeWhile": lambda s: [{"take_while": {"while": expression(s["fn"]), "inclusive": s["inclusive"]}}],
    "skipWhile": lambda s: [{"skip_while": expression(s["fn"])}],
    "first": lambda s: [{"first": expression(s["fn"])} if "fn" in s else "first"],
    "last": lambda s: ["last"],
    "distinct": lambda s: [{"distinct": expression(s["key"])}],
    "sample": lambda s: [{"sample": {"with": s["other"]}}],
    "timeout": rx_timeout,
    "repeat": rx_repeat,
    "catchError": lambda s: [{"catch": {k: s[k] for k in ("with", "value") if k in s}}],
    "zip": lambda s: rx_row("zip", s),
    "withLatestFrom": lambda s: rx_row("with_latest_from", s),
    "takeLast": lambda s: [{"take_last": s["n"]}],
    "skipLast": lambda s: [{"skip_last": s["n"]}],
    "elementAt": lambda s: [{"element_at": s["n"]}],
    "takeUntil": lambda s: [{"take_until": s["other"]}],
    "skipUntil": lambda s: [{"skip_until": s["other"]}],
    "startWith": lambda s: [{"start_with": s["values"]}],
    "endWith": lambda s: [{"end_with": s["values"]}],
    "defaultIfEmpty": lambda s: [{"default_if_empty": s["value"]}],
    "auditTime": lambda s: [{"audit": ms(s["ms"])}],
    "sampleTime": lambda s: [{"sample": ms(s["ms"])}],
    "concat": lambda s: [{"concat_with": list(s["of"])}],
    "race": lambda s: [{"race": list(s["of"])}],
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
    used = {case["source"]}

    def visit(pipeline):
        for step in pipeline:
            used.update(step.get("of", ()))
            for key in ("other", "with"):
                if isinstance(step.get(key), str):
                    used.add(step[key])
            visit(chain_inside(step))

    visit(case["pipeline"])
    return [name for name in case["inputs"] if name in used]


def last_instant(case):
    return min(case["until"], case.get("unsubscribeAt", case["until"]))


def refuse_counting_idle_groups(pipeline):
    """Which of the groups that end at one instant comes first differs on purpose: what counts rows shows it."""
    idle = next((i for i, step in enumerate(pipeline) if "duration" in step), len(pipeline))
    if any(step["op"] in ("take", "skip") for step in pipeline[idle + 1 :]):
        raise OutOfScope("take or skip behind groups that may go idle at one instant")


def config_of(case, operators=None):
    """The rxd config. `operators`: the catalogue of the binary under test; a step outside it is OutOfScope."""
    pipe = steps(case["pipeline"])
    refuse_counting_idle_groups(case["pipeline"])
    for step in pipe:
        if operators is not None and name_of(step) not in operators:
            raise OutOfScope(f"operator {name_of(step)} (not in the catalogue)")
    sources = {}
    for name in inputs_used(case):
        sources[name] = {"http": {}}
        if case["inputs"][name]["kind"] == "cold":
            sources[name]["replay"] = "cold"
    return {"sources": sources, "pipelines": {"out": {"from": case["source"], "pipe": pipe}}}


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


def plain(value):
    """The value that a reduction put out, without what its scope added."""
    if isinstance(value, dict) and "window" in value:
        rest = {k: v for k, v in value.items() if k not in ("window", SCOPE_TAG)}
        return next(iter(rest.values())) if len(rest) == 1 else rest
    return value


def ours(row):
    if "next" in row:
        value = row["next"]
        if isinstance(value, dict) and set(value) - {"window"} == {SCOPE_TAG, "v"}:
            key = value[SCOPE_TAG]
            key = key[SCOPE_TAG] if isinstance(key, dict) else key
            return [row["at"], "n", {SCOPE_TAG: key, "v": plain(value["v"])}]
        return [row["at"], "n", plain(value)]
    return [row["at"], "e", row["error"]] if "error" in row else [row["at"], "c"]


def untag(value):
    """What the oracle emitted, without the numbers of its windows."""
    if isinstance(value, dict) and "v" in value:
        if "w" in value:
            return untag(value["v"])
        return {SCOPE_TAG: value["g"], "v": untag(value["v"])}
    return value


def theirs(row):
    return [row[0], "n", untag(row[2])] if row[1] == "n" else row


def any_step(pipeline, test):
    return any(test(step) or any_step(chain_inside(step), test) for step in pipeline)


def loose_errors(case):
    return any_step(case["pipeline"], lambda s: s["op"] == "map" and throws(s["fn"]))


def loose_order(case):
    def loose(step):
        return "duration" in step or (step["op"] == "windowTime" and step.get("every") == step["ms"])

    return any_step(case["pipeline"], loose)


def same_row(case, got, want):
    if got[:2] != want[:2]:
        return False
    if want[1] == "e" and want[2] == "boom" and loose_errors(case):
        return bool(got[2])
    return got == want


def sort_instants(rows):
    """Values of one instant in a settled order; terminals keep their place at its end."""
    return sorted(rows, key=lambda row: (row[0], row[1] != "n", repr(row)))


def compare_out(case, rows):
    got, want = [ours(row) for row in rows], [theirs(row) for row in case["expect"]["out"]]
    if loose_order(case):
        got, want = sort_instants(got), sort_instants(want)
    cut = case.get("unsubscribeAt")
    if cut is not None and len(got) > len(want) and all(row[0] == cut for row in got[len(want) :]):
        got = got[: len(want)]
    if len(got) == len(want) and all(same_row(case, g, w) for g, w in zip(got, want)):
        return None
    return {"got": got, "want": want}


def lingers(case):
    """Whether RxJS may stay subscribed to the source longer than anyone listens."""
    return any_step(case["pipeline"], lambda s: "duration" in s)


def same_span(case, got, want):
    end = last_instant(case)
    if lingers(case) and got[0] == want[0] and (want[1] is None or want[1] >= (end if got[1] is None else got[1])):
        return True
    open_at_end = want[1] in (None, end)
    return got[0] == want[0] and (got[1] in (None, end) if open_at_end else got[1] == want[1])


def compare_subscriptions(case, subscriptions):
    cut = case.get("unsubscribeAt")
    for name in inputs_used(case):
        got, want = subscriptions.get(name, []), case["expect"]["subs"][name]
        if cut is not None:
            got = [span for i, span in enumerate(got) if i < len(want) or span[0] != cut]
        if len(got) != len(want) and any_step(case["pipeline"], lambda s: s.get("op") == "combineLatest"):
            got, want = [[span for span in spans if span[0] != span[1]] for spans in (got, want)]
        if len(got) != len(want) or not all(same_span(case, g, w) for g, w in zip(got, want)):
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
