"""Makes a differing case smaller while it still differs: RxJS is asked anew about every smaller one."""

import copy


def without(items):
    for i in range(len(items)):
        yield [*items[:i], *items[i + 1 :]]


def smaller_chains(pipeline):
    yield from without(pipeline)
    for i, step in enumerate(pipeline):
        chain = step.get("each")
        for each in smaller_chains(chain) if isinstance(chain, list) else ():
            if each:
                yield [*pipeline[:i], {**step, "each": each}, *pipeline[i + 1 :]]
        for key in ("every", "max", "idle", "duration", "trailing", "resetOnSuccess", "seed"):
            if key in step and not (key == "idle" and "duration" in step):
                yield [*pipeline[:i], {k: v for k, v in step.items() if k != key}, *pipeline[i + 1 :]]


def smaller(case):
    """Every case that is one removal away."""
    bare = {k: v for k, v in case.items() if k != "expect"}
    if "unsubscribeAt" in bare:
        yield {k: v for k, v in bare.items() if k != "unsubscribeAt"}
    for pipeline in smaller_chains(bare["pipeline"]):
        yield {**bare, "pipeline": pipeline}
    for name, given in bare["inputs"].items():
        for events in without(given["events"]):
            changed = copy.deepcopy(bare)
            changed["inputs"][name]["events"] = events
            yield changed


def shrink(case, ask, differs):
    """`ask` adds "expect" to a list of cases; `differs` says whether one does. Answers a case with no smaller one."""
    while True:
        for candidate in ask(list(smaller(case))):
            if differs(candidate):
                case = candidate
                break
        else:
            return case
