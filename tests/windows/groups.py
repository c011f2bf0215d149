#!/usr/bin/env python3
"""A thousand groups at once give what each gives alone. A group in which all that waits says for which instant is told of event time
only when that has come; alone behind a filter the same steps are told of every watermark. Both are replayed together and each
group's results compared, with the instants at which they came; as planned, as written, in long spans, and restarted in between.

usage: groups.py [--rxd PATH] [SEED]
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "marbles"))

from replay import find_rxd  # noqa: E402

GROUPS, EVENTS, LATENESS = 1000, 5000, 200  # ms
PIPES = {
    "hysteresis": [{"hysteresis": {"on": "v > 6", "off": "v < 4", "for": "300ms", "into": "hot"}}, {"filter": "hot"}],
    "match": [{"match": {"pattern": "up -> !down for 300ms", "where": {"up": "v > 6", "down": "v < 4"}}}, {"map": {"k": "up[0].k", "v": "up[0].v", "t": "up[0].t"}}],
    "both": [{"hysteresis": {"on": "v > 6", "for": {"on": "120ms", "off": "700ms"}, "into": "hot"}},
             {"match": {"pattern": "hot -> cold -> !hot for 90ms", "where": {"hot": "hot", "cold": "!hot"}}}, {"map": {"k": "cold[0].k", "t": "hot[0].t"}}],
}  # fmt: skip
VARIANTS = [[], ["--no-fusion", "--restart", "997"], ["--span", "1"]]


def config(pipe):
    source = {"http": {}, "event_time": {"field": "t", "unit": "ms"}, "lateness": f"{LATENESS}ms", "idle_timeout": "400ms"}
    pipelines = {f"g{k}": {"from": "a", "pipe": [{"filter": f"k == {k}"}, *pipe]} for k in range(GROUPS)}
    return {"sources": {"a": source}, "pipelines": {**pipelines, "all": {"from": "a", "pipe": [{"group_by": "k"}, *pipe]}}}


def arrivals(rng):
    """Some groups come often and some hardly; the stream jumps, is late within its bounds, and falls idle."""
    now, rows = 0, []
    for _ in range(EVENTS):
        now += rng.choice([0, 0, 1, 1, 1, 2]) if rng.random() < 0.999 else rng.choice([90, 900])
        k = rng.randrange(20) if rng.random() < 0.5 else rng.randrange(GROUPS)
        rows.append({"at": now, "source": "a", "next": {"t": max(0, now - rng.randrange(LATENESS)), "k": k, "v": rng.randrange(11)}})
    return "".join(json.dumps(row) + "\n" for row in [*rows, {"at": now + 1000, "source": "a", "complete": True}])


def replay(rxd, path, text, flags):
    """What came out, by group: of all at once, and of each alone."""
    done = subprocess.run([rxd, "replay", "-c", path, *flags], input=text.encode(), capture_output=True, timeout=100)
    if done.returncode != 0:
        sys.exit(done.stderr.decode())
    together, alone = {}, {}
    for row in map(json.loads, done.stdout.decode().splitlines()):
        if "next" not in row:
            continue
        value = row["next"]
        k = value.pop("k") if row["stream"] == "all" else int(row["stream"][1:])
        value.pop("k", None)
        (together if row["stream"] == "all" else alone).setdefault(k, []).append((row["at"], value))
    return together, alone


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rxd")
    parser.add_argument("seed", type=int, nargs="?", default=1)
    args = parser.parse_args()
    rxd, text, wrong = str(find_rxd(args.rxd)), arrivals(random.Random(args.seed)), 0
    for name, pipe in PIPES.items():
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as file:
            json.dump(config(pipe), file)
            file.flush()
            for flags in VARIANTS:
                together, alone = replay(rxd, file.name, text, flags)
                differ = [k for k in range(GROUPS) if together.get(k) != alone.get(k)]
                results = sum(map(len, alone.values()))
                print(f"{name} {' '.join(flags)}: {results} results of {len(alone)} groups, {len(differ)} groups differ")
                for k in differ[:2]:
                    print(f"  group {k}", f"  alone:    {alone.get(k)}", f"  together: {together.get(k)}", sep="\n")
                wrong += len(differ) + (results < 100)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
