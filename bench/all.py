#!/usr/bin/env python3
"""One table: rxd, the limit, and the peers that are there, in turn on the same core in the same run.

    bench/all.py [WORD...] [--rounds N] [--json FILE] [--also NAME=RXD] [--peers] [--plots] [--list]

WORD: only the jobs whose names contain it. --also: another build of rxd, measured in turn with the one in build/. The table is of
nanoseconds of CPU an event, medians of N rounds (5); in JSON beside it (build/feeds/last.json).
"""
import argparse
from itertools import chain

from measure import chains, curves, main_job, nexmark, peers, report, rows, table
from measure.process import give_way


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n\n")[0])
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", default="build/feeds/last.json")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=RXD")
    parser.add_argument("--peers", action="store_true", help="install the peers in build/peers first, and say which are missing")
    parser.add_argument("--plots", action="store_true", help="measure the curves too; draw docs/figures, and write the figures of README.md and docs/performance.md")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def main():
    args = arguments()
    rxds = {"rxd": "build/bin/rxd", **dict(one.split("=", 1) for one in args.also)}
    give_way()
    if args.peers:
        peers.install()
        print("\n".join("not there: " + line for line in peers.missing()))
    every = chain(main_job.jobs(rxds), chains.jobs(rxds), nexmark.jobs(rxds), rows.jobs(rxds))
    words = [word.replace("_", " ").lower() for word in args.words]
    jobs = [job for job in every if all(word in job.name.replace("_", " ").lower() for word in words)]
    if args.list:
        return print("\n".join(job.name for job in jobs))
    print(table.machine_line(table.machine()), flush=True)
    measured = table.measure(jobs, args.rounds)
    print(table.render(measured))
    result = table.save(args.json, measured, args.rounds)
    print("as JSON: " + args.json)
    if args.plots:
        result = table.save(args.json, measured, args.rounds, curves.measure(min(args.rounds, 3)))
        curves.draw(args.json, "docs/figures")
        report.write(result)


if __name__ == "__main__":
    main()
