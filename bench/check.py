#!/usr/bin/env python3
"""What the bench times is right: rxd's results of Nexmark and of the billion-row job are those of a plain computation, on small feeds.

    bench/check.py [FOLDER]      FOLDER: where the programs are (build/bin)
"""
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict

from measure import nexmark, rows
from measure.rxd import RECEIVED, Daemon

EVENTS, RATE = 30_000, 2_000  # fifteen seconds of Nexmark: a window of ten and a half


def run(rxd, config, events, out):
    """The lines that a config's file sink has written when the source has ended."""
    with tempfile.TemporaryDirectory() as folder, Daemon(rxd, folder, config) as daemon:
        daemon.used(RECEIVED, events)
        daemon.stop()
        with open(out) as f:
            return f.read().splitlines()


def windows_of(at, size, every):
    """The ends of the windows that an instant is in."""
    first = at // every * every + every
    return range(first, at // every * every + size + 1, every)


def q5(bids):
    counts = defaultdict(Counter)
    for bid in bids:
        for end in windows_of(bid["at"], 10000, 2000):
            counts[end][bid["auction"]] += 1
    return {end: (max(c.values()), {a for a, n in c.items() if n == max(c.values())}) for end, c in counts.items()}


def q7(bids):
    most = defaultdict(list)
    for bid in bids:
        end = windows_of(bid["at"], 10000, 10000)[0]
        if not most[end] or bid["price"] >= most[end][0]["price"]:
            most[end] = [b for b in most[end] if b["price"] == bid["price"]] + [bid]
    return most


def q8(events):
    people, sellers = {}, set()
    for e in events:
        end = windows_of(e["at"], 10000, 10000)[0]
        if e["kind"] == "person":
            people[end, e["id"]] = e["name"]
        elif e["kind"] == "auction":
            sellers.add((end, e["seller"]))
    return {key: name for key, name in people.items() if key in sellers}


def milliseconds(result):
    hours, minutes, seconds = result["window"]["end"][11:-1].split(":")
    return 1699920000000 + int((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)


def expect(what, found, wanted):
    if found != wanted:
        pair = next(((a, b) for a, b in zip(found, wanted) if a != b), None) if isinstance(found, list) else (found, wanted)
        sys.exit("%s errs: %d results for %d; %s" % (what, len(found), len(wanted), str(pair)[:500]))


def check_query(name, results, events):
    bids = [e for e in events if e["kind"] == "bid"]
    fields = ("auction", "bidder", "price", "at", "extra")
    if name == "q0":
        expect(name, results, [{f: bid[f] for f in fields} for bid in bids])
    elif name == "q1":
        expect(name, results, [{**{f: bid[f] for f in fields}, "price": 0.908 * bid["price"]} for bid in bids])
    elif name == "q2":
        expect(name, results, [{"auction": b["auction"], "price": b["price"]} for b in bids if b["auction"] % 123 == 0])
    elif name == "q5":
        wanted = q5(bids)
        expect(name, {milliseconds(r): (r["n"], r["auction"][0] in wanted[milliseconds(r)][1]) for r in results},
               {end: (n, True) for end, (n, _) in wanted.items()})
    elif name == "q7":
        wanted = q7(bids)
        expect(name, [any(b["price"] == r["price"] and b["auction"] == r["bid"][0]["auction"] and b["at"] == r["bid"][0]["at"]
                          for b in wanted[milliseconds(r)]) for r in results], [True] * len(wanted))
    elif name == "q8":
        expect(name, {(milliseconds(r), r["id"]): r["name"] for r in results}, q8(events))


def check_nexmark(programs, folder):
    path = os.path.join(folder, "nexmark")
    with open(path, "wb") as out:
        subprocess.run([programs + "/bench_feed", "nexmark", str(EVENTS), str(RATE)], stdout=out, check=True)
    with open(path) as f:
        events = [json.loads(line) for line in f]
    for name in nexmark.QUERIES:
        out = os.path.join(folder, name)
        config = nexmark.config(name, "file: { path: %s }" % path) + "    to: { file: %s }\n" % out
        results = [json.loads(line) for line in run(programs + "/rxd", config, EVENTS, out)]
        check_query(name, results, events)
        print("nexmark %s: %d results" % (name, len(results)))


def plain_rows(path):
    stations = {}
    with open(path) as f:
        for line in f:
            station, celsius = line.rstrip("\n").split(",")
            stations.setdefault(station, []).append(float(celsius))
    return {s: (min(v), math.fsum(v) / len(v), max(v)) for s, v in stations.items()}


def check_rows(programs, folder):
    path, out = os.path.join(folder, "rows"), os.path.join(folder, "stations")
    with open(path, "wb") as f:
        subprocess.run([programs + "/bench_feed", "rows", str(EVENTS)], stdout=f, check=True)
    limit = subprocess.run([programs + "/bench_limit_rows", path], capture_output=True, text=True, check=True).stdout.splitlines()
    by_rxd = [json.loads(line) for line in run(programs + "/rxd", rows.CONFIG % path + "    to: { file: %s }\n" % out, EVENTS, out)]
    wanted = plain_rows(path)
    for who, found in (("limit", {s: tuple(map(float, v)) for s, *v in (line.split(",") for line in limit)}),
                       ("rxd", {r["station"]: (r["min"], r["mean"], r["max"]) for r in by_rxd})):
        close = found.keys() == wanted.keys() and all(f[0] == w[0] and abs(f[1] - w[1]) < 1e-9 and f[2] == w[2]
                                                      for f, w in ((found[s], wanted[s]) for s in wanted))
        if not close:
            sys.exit("rows, %s: %d stations for %d, or not the same figures" % (who, len(found), len(wanted)))
        print("rows, %s: %d stations" % (who, len(found)))


def main():
    programs = sys.argv[1] if len(sys.argv) > 1 else "build/bin"
    with tempfile.TemporaryDirectory() as folder:
        check_nexmark(programs, folder)
        check_rows(programs, folder)


if __name__ == "__main__":
    main()
