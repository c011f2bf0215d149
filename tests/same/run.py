#!/usr/bin/env python3
"""Nothing that makes rxd fast shows: every marble, recorded case and shipped example gives the same bytes in every way of running it.

usage: run.py [--rxd PATH] [--cases N] [--ways N] [--jobs N] [marbles|recorded|examples ...]

The measure is the plainest way: each step on its own, events one by one, no conditions looked up. The ways are all combinations of
how steps are planned, how long spans are, whether conditions are looked up, whether the worker is saved and loaded again, and how
the input is written (as messages that are alike, or each with blanks of its own, so that none is like the last). --cases N: one
case in N; --ways N: one way in N, others for each case. `run.py marbles examples` takes some minutes, all of it an hour.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE.parent / "oracle"), str(HERE.parent / "marbles")]

import marble  # noqa: E402
import translate  # noqa: E402
from replay import Replayer, ReplayError, find_rxd  # noqa: E402
import importlib.util  # noqa: E402

PLANS, SPANS = ["", "--no-fusion", "--alternate-fusion"], ["", "--span 1", "--span 256"]
INDEXES, RESTARTS = ["", "--index-from 1"], ["", "--restart 1", "--restart 3"]
PLAINEST = "--no-fusion --span 1 --index-from 1000000"
BLANKS = [(",", ":"), (", ", ": "), (" ,", " :"), (",\t", ":  "), (" , ", ":")]
WORKER = {}


def of_folder(folder):
    """The module run.py of another folder of the tests."""
    spec = importlib.util.spec_from_file_location(f"{folder}_run", HERE.parent / folder / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ways():
    """(flags, whether the input is written with blanks)"""
    for plan, span, index, restart, blanks in itertools.product(PLANS, SPANS, INDEXES, RESTARTS, (False, True)):
        if plan != "--alternate-fusion" or restart:
            yield " ".join(filter(None, (plan, span, index, restart))), blanks


# --- cases: (name, config, rows, streams) ------------------------------------------------------------------------------


def marbles():
    run = of_folder("marbles")
    for path in sorted((HERE.parent / "marbles").glob("*.marbles")):
        for case in marble.read(path):
            yield f"{path.name}:{case.line}", run.config_of(case), run.events_of(case), run.streams_of(case)


def recorded():
    run = of_folder("oracle")
    operators = run.catalogue(WORKER["rxd"])
    for case in run.recorded():
        try:
            yield f"recorded {case['id']}", translate.config_of(case, operators), translate.notifications_of(case), []
        except translate.OutOfScope:
            pass


def examples():
    for path in sorted((ROOT / "pipelines" / "examples").glob("*.input.ndjson")):
        name = path.name.removesuffix(".input.ndjson")
        yield name, path.with_name(f"{name}.yaml"), [json.loads(line) for line in path.read_text().splitlines()], []


CASES = {"marbles": marbles, "recorded": recorded, "examples": examples}


# --- running them ------------------------------------------------------------------------------------------------------


def written(rows, blanks):
    return "".join(json.dumps(row, separators=BLANKS[i % len(BLANKS)] if blanks else BLANKS[0]) + "\n" for i, row in enumerate(rows))


def bytes_of(case, flags, blanks):
    """What came out, or what rxd said instead."""
    _, config, rows, streams = case
    WORKER["replayer"].flags = flags.split()
    try:
        return WORKER["replayer"].run_text(config, written(rows, blanks), streams).text
    except ReplayError as error:
        return str(error).encode()


def try_case(job):
    """(how many ways were tried, what differs)"""
    case, chosen = job
    whole = bytes_of(case, PLAINEST, False)
    if whole and not whole.startswith(b"{"):  # rxd said something; of a stream like `never` nothing comes
        return 0, (case, PLAINEST, False, b"", whole)
    for flags, blanks in chosen:
        other = bytes_of(case, flags, blanks)
        if other != whole:
            return len(chosen), (case, flags, blanks, whole, other)
    return len(chosen), None


def show(case, flags, blanks, whole, other):
    name, config, rows, _ = case
    print(f"--- {name}: {flags or 'as planned'}{', written with blanks' if blanks else ''}")
    print(config if isinstance(config, (str, Path)) else json.dumps(config), written(rows, blanks), sep="\n", end="")
    one, two = whole.decode(errors="replace").splitlines(), other.decode(errors="replace").splitlines()
    at = next((i for i, pair in enumerate(zip(one, two)) if pair[0] != pair[1]), min(len(one), len(two)))
    print(f"line {at + 1} at its plainest: {(one[at:] or ['(nothing)'])[0]}", f"so: {(two[at:] or ['(nothing)'])[0]}", sep="\n")


def start_worker(rxd):
    WORKER.update(rxd=rxd, replayer=Replayer(rxd))


def jobs_of(names, one_case_in, one_way_in):
    every = list(ways())
    for name in names:
        for i, case in enumerate(CASES[name]()):
            if name == "examples" or i % one_case_in == 0:
                yield case, every[i // one_case_in % one_way_in :: one_way_in]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rxd")
    parser.add_argument("--cases", type=int, default=1)
    parser.add_argument("--ways", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("names", nargs="*", choices=[[], *CASES])
    args = parser.parse_args()
    WORKER["rxd"] = find_rxd(args.rxd)
    jobs = list(jobs_of(args.names or list(CASES), args.cases, args.ways))
    with multiprocessing.Pool(args.jobs, start_worker, (WORKER["rxd"],)) as pool:
        results = pool.map(try_case, jobs, chunksize=8)
    wrong = [found for _, found in results if found]
    for found in wrong[:3]:
        show(*found)
    print(f"{len(jobs)} cases, {sum(n for n, _ in results)} runs beside the plainest: {len(wrong)} differ")
    return 1 if wrong or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())
