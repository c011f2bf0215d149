#!/usr/bin/env python3
"""The order of arrival must not show: events with times of their own, shuffled within `lateness`, give the same results for every
form of window and every step that cares for order, fused and unfused, and with the worker saved and loaded in between.

usage: shuffle.py [--rxd PATH] [--shuffles N] [--only WORDS] [--seed N]

What a group or a window subscribes to is heard from when it has come up, and that is a matter of arrival: `align: start` and `boundary`
in a group, and `closing`, are left out.

Each form is one pipeline over the same source; every shuffle is replayed once for all of them. What is compared is each
pipeline's results in order, without the instants of the clock at which they came; groups that close at one instant do so in
the order in which they came up, so the results of one window are compared as a set. By default 200 shuffles; an owner's run
has 1,000.
"""

import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "marbles"))

from replay import find_rxd  # noqa: E402

LATENESS = 3000
FORMS = {
    "size": {"size": "2s"}, "hop": {"size": "3s", "every": "1s"}, "gap": {"size": "1s", "every": "2500ms"},
    "start": {"size": "2s", "align": "start"}, "empty": {"size": "1s", "emit_empty": True},
    "max": {"size": "4s", "max": 3}, "count": {"size": 4}, "count_hop": {"size": 4, "every": 2},
    "slide": {"size": "2s", "every": "event"}, "slide_count": {"size": 3, "every": "event"},
    "session": {"session": "400ms"}, "session_max": {"session": "900ms", "max": "2s"},
    "when": {"close_when": "v % 7 == 0"}, "when_max": {"close_when": "v % 7 == 0", "max": 3},
    "at": {"at": ["00:00:05", "00:00:11"]}, "calendar": {"calendar": "day", "timezone": "+23:59"},
    "boundary": {"boundary": "marks"},
    "latest": {"latest_by": "g"}, "latest_age": {"latest_by": "g", "max_age": "1s"},
    "latest_size": {"size": "2s", "latest_by": "g"}, "emit": {"size": "4s", "emit": "1s"},
}  # fmt: skip
# What sees the order of events, and what does not.
STEPS = {
    "aggregate": [{"aggregate": {"n": "count()", "f": "first(v)", "l": "last(v)", "c": "collect(v)", "m": "max(v)"}}],
    "scan": [{"scan": "{'v': (acc.v * 31 + v) % 1000}"}, {"aggregate": {"l": "last(v)", "n": "count()"}}],
    "pairwise": ["pairwise", {"map": "[event[0].v, event[1].v]"}, "to_array"],
    "distinct": [{"distinct_until_changed": "g"}, {"map": "v"}, "to_array"],
    "sum": [{"sum": "v"}],
    "last": ["last", {"map": "v"}],
    "reduce": [{"reduce": {"expr": "acc * 3 + v", "seed": 0}}],
}  # fmt: skip
VARIANTS = [[], ["--no-fusion"], ["--restart", "5"], ["--restart", "7", "--no-fusion"]]


def config(only):
    sources = {name: {"http": {}, "event_time": {"field": "t", "unit": "ms"}, "lateness": f"{LATENESS}ms"} for name in ("a", "marks")}
    pipelines = {}
    for form, window in FORMS.items():
        for step, pipe in STEPS.items():
            if form == "emit" and step in ("pairwise", "distinct"):
                continue
            for grouped in (False, True)[: 1 if form in ("start", "boundary") else 2]:
                name = f"{form}_{step}{'_grouped' if grouped else ''}"
                if only in name:
                    pipelines[name] = {"from": "a", "pipe": ([{"group_by": "g"}] if grouped else []) + [{"window": window}, *pipe]}
    return {"sources": sources, "pipelines": pipelines}


def events(rng):
    """Each source's events by their own times, all different."""
    times = rng.sample(range(0, 16000, 10), 70)
    rows = [("a", {"t": t + 1, "v": rng.randint(0, 99), "g": rng.choice("xyz")}) for t in times]
    rows += [("marks", {"t": t + 3}) for t in rng.sample(range(0, 16000, 10), 6)]
    return sorted(rows, key=lambda row: row[1]["t"])


def arrivals(rows, rng):
    """Nothing comes later than `lateness` after what is newer: who is ready is delayed by less than that."""
    ready = sorted(rows, key=lambda row: row[1]["t"] + rng.uniform(0, LATENESS - 1))
    lines = [{"at": i * 5, "source": source, "next": value} for i, (source, value) in enumerate(ready)]
    end = len(lines) * 5
    return "".join(json.dumps(line) + "\n" for line in lines + [{"at": end, "source": s, "complete": True} for s in ("a", "marks")])


def results(rxd, path, text, flags):
    done = subprocess.run([rxd, "replay", "-c", path, *flags], input=text.encode(), capture_output=True, timeout=60)
    found = {}
    if done.returncode != 0:
        found["(rxd)"] = [f"exit {done.returncode}: {done.stderr.decode()}"]
    lost = [line for line in done.stderr.decode().splitlines() if "went to" in line]
    if lost:
        found["(lost)"] = lost
    for line in done.stdout.decode().splitlines():
        row = json.loads(line)
        if "next" in row:
            found.setdefault(row["stream"], []).append(json.dumps(row["next"], sort_keys=True))
    return {name: sorted(rows) if name.endswith("_grouped") else rows for name, rows in found.items()}


def one(job):
    """A shuffle under all variants: the pipelines that differ from what came in order."""
    rxd, path, seed, shuffle, whole = job
    text = arrivals(events(random.Random(seed)), random.Random(f"{seed} {shuffle}"))
    flags = VARIANTS[shuffle % len(VARIANTS)]
    got = results(rxd, path, text, flags)
    return [(name, shuffle, flags, whole.get(name), got.get(name)) for name in sorted(set(whole) | set(got)) if whole.get(name) != got.get(name)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rxd")
    parser.add_argument("--shuffles", type=int, default=200)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    rxd, plan = str(find_rxd(args.rxd)), config(args.only)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as file:
        json.dump(plan, file)
        file.flush()
        rows = events(random.Random(args.seed))
        in_order = "".join(json.dumps({"at": i * 5, "source": s, "next": v}) + "\n" for i, (s, v) in enumerate(rows))
        in_order += "".join(json.dumps({"at": len(rows) * 5, "source": s, "complete": True}) + "\n" for s in ("a", "marks"))
        whole = results(rxd, file.name, in_order, [])
        missing = sorted(set(plan["pipelines"]) - set(whole))
        jobs = [(rxd, file.name, args.seed, i, whole) for i in range(args.shuffles)]
        with multiprocessing.Pool(args.jobs) as pool:
            wrong = [found for row in pool.imap_unordered(one, jobs) for found in row]
    for name, shuffle, flags, want, got in wrong[:3]:
        print(f"{name}, shuffle {shuffle} {' '.join(flags)}", f"  in order: {want}", f"  shuffled: {got}", sep="\n")
    if missing:
        print("no results at all:", ", ".join(missing))
    differ = sorted({row[0] for row in wrong})
    print(f"{len(plan['pipelines'])} pipelines, {args.shuffles} shuffles: {len(differ)} differ {' '.join(differ[:20])}")
    return 1 if wrong or missing else 0


if __name__ == "__main__":
    sys.exit(main())
