#!/usr/bin/env python3
"""How a pipeline is planned, and where its worker was saved and loaded again, must not show: random pipelines over all
operators give the same bytes as planned and under each of the variants.

usage: run.py [--rxd PATH] [--only WORDS] [SEED [COUNT]]
"""

import argparse
import collections
import json
import multiprocessing
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "marbles")]

from generator import Generator  # noqa: E402
from replay import Replayer, ReplayError, find_rxd  # noqa: E402

VARIANTS = ["--no-fusion", "--span 1", "--span 256 --index-from 1", "--no-fusion --span 256"]
RESTARTS = ["--restart 1", "--restart 1 --no-fusion", "--restart 1 --alternate-fusion", "--restart 3 --span 256 --index-from 1"]
WORKER = {}


def start_worker(rxd, variants):
    WORKER.update(replayer=Replayer(rxd), variants=variants)


def bytes_of(case, flags):
    """What came out, and what refused to: a run that stops with a message must stop with it everywhere."""
    config, events = case
    WORKER["replayer"].flags = flags.split()
    try:
        return WORKER["replayer"].run(config, events).text
    except ReplayError as error:
        return str(error).encode()


def names_of(steps):
    for step in steps:
        yield step if isinstance(step, str) else next(iter(step))


def try_case(seed):
    """(seed, verdict, what, operators)"""
    generator = Generator(seed)
    case = generator.config(), generator.events()
    names = [name for p in case[0]["pipelines"].values() for name in names_of(p["pipe"])]
    whole = bytes_of(case, "")
    if whole.startswith(b"exit 78"):
        return seed, "refused", whole.decode(), names
    for flags in WORKER["variants"]:
        other = bytes_of(case, flags)
        if other != whole:
            return seed, "differs", (flags, whole, other), names
    return seed, "hangs" if whole.startswith(b"no end") else "same", None, names


def show(seed, what):
    generator = Generator(seed)
    flags, whole, other = what
    print(f"--- seed {seed}: {flags}", json.dumps(generator.config()), sep="\n")
    print("".join(json.dumps(row) + "\n" for row in generator.events()), end="")
    one, two = whole.decode(errors="replace").splitlines(), other.decode(errors="replace").splitlines()
    at = next((i for i, pair in enumerate(zip(one, two)) if pair[0] != pair[1]), min(len(one), len(two)))
    print(f"line {at + 1} as planned: {(one[at:] or ['(nothing)'])[0]}", f"{flags}: {(two[at:] or ['(nothing)'])[0]}", sep="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rxd")
    parser.add_argument("--only", default="", help="only the variants that contain these words (restart)")
    parser.add_argument("--without", help="not those that contain these words")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    args = parser.parse_args()
    variants = [v for v in VARIANTS + RESTARTS if args.only in v and not (args.without and args.without in v)]
    seeds = range(args.seed * 1000003, args.seed * 1000003 + args.count)
    with multiprocessing.Pool(args.jobs, start_worker, (find_rxd(args.rxd), variants)) as pool:
        results = pool.map(try_case, seeds, chunksize=16)
    differing = [(seed, what) for seed, verdict, what, _ in results if verdict == "differs"]
    for row in differing[: args.show]:
        show(*row)
    refusals = collections.Counter(what.split("\n")[0][:160] for _, verdict, what, _ in results if verdict == "refused")
    for text, n in refusals.most_common(5):
        print(f"  {n:5} refused: {text}")
    counts = collections.Counter(verdict for _, verdict, _, _ in results)
    ran = collections.Counter(name for _, verdict, _, names in results if verdict == "same" for name in set(names))
    print("pipelines with each operator: " + ", ".join(f"{name} {n}" for name, n in sorted(ran.items())))
    print(f"{args.count} random configs under {', '.join(variants)}: {counts['same']} the same, {counts['differs']} differ, "
          f"{counts['refused']} refused by check, {counts['hangs']} without an end")
    return 1 if differing or counts["same"] < args.count // 2 else 0


if __name__ == "__main__":
    sys.exit(main())
