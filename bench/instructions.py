#!/usr/bin/env python3
"""Instructions an event of the hot loops, by callgrind, held against bench/instructions.json: so that 3 % show on a noisy machine.

    bench/instructions.py [--renew] [--programs FOLDER]      exit status 1: a loop takes over 3 % more than in the table

--renew writes the table anew; its commit says why. The counts hold for one compiler, C library, set of flags and instruction set of the CPU:
where one of them is not the table's, the counts are only printed.
"""
import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from measure import feeds

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions.json")
TOLERANCE = 0.03
SOURCE = "sources: { s: { http: {} } }\n"
AVERAGES = "aggregate: { avg: avg(value), max: max(value), n: count() }"

# Over a source: what a daemon takes for more events of a file, so that its start, its end and the making of groups are not in it. Windows are long, so
# that none ends by the clock. Kind of feed, few and many events, config.
DAEMON = {
    "main job, file": ("sensors", (6000, 20000), """
sources: { s: { file: { path: %s } } }
pipelines: { p: { from: s, pipe: [ filter: metric == "temperature", group_by: device, window: 12h, """ + AVERAGES + " ] } }\n"),
    "rows of CSV": ("rows", (6000, 20000), """
sources: { s: { file: { path: %s }, format: csv, csv: { header: [station, celsius] } } }
pipelines: { p: { from: s, pipe: [ group_by: station, aggregate: { min: min(celsius), mean: avg(celsius), max: max(celsius) } ] } }
"""),
}

# Over events in memory: the steps alone.
MEMORY = {
    "windows, 1 min every 10 s": SOURCE + "pipelines: { p: { from: s, pipe: [ group_by: device, window: { size: 1m, every: 10s }, " + AVERAGES + " ] } }\n",
    "windows, 1,000 events every 1": SOURCE + "pipelines: { p: { from: s, pipe: [ window: { size: 1000, every: 1 }, " + AVERAGES + " ] } }\n",
    "chain of 5": SOURCE + """pipelines: { p: { from: s, pipe: [ set: { f: value * 1.8 + 32.0 }, filter: f > 60.0 && status == "ok", unset: ts,
  default: { site: hall }, map: { device: device, f: f } ] } }\n""",
    "1,000 rules, one matches": SOURCE + "pipelines:\n" + "".join('  p%d: { from: s, pipe: [ filter: device == "sensor-%04d" ] }\n' % (i, i) for i in range(1000)),
}
MEMORY_EVENTS = 12000


def environment(programs):
    """What the counts depend on, beside the code."""
    def setting(name):
        found = re.search(r"^%s:[A-Z]+=(.*)$" % name, cache, re.M)
        return found[1] if found else ""
    with open(os.path.join(programs, "..", "CMakeCache.txt")) as f:
        cache = f.read()
    kind = setting("CMAKE_BUILD_TYPE").upper()
    compiler = subprocess.run([setting("CMAKE_C_COMPILER"), "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    with open("/proc/cpuinfo") as f:
        flags = set(f.read().split())
    return {"compiler": compiler, "libc": " ".join(platform.libc_ver()), "machine": platform.machine(), "avx2": "avx2" in flags,
            "build": kind.lower(), "options": sorted(set(re.findall(r"^RXD_\w+:BOOL=ON$", cache, re.M)))}


def callgrind(command, out, *options, **popen):
    return subprocess.Popen(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, *options, *command], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **popen)


def total(out):
    with open(out) as f:
        return int(re.search(r"^totals: (\d+)", f.read(), re.M)[1])


def of_daemon(programs, folder, config, feed):
    """All instructions of a daemon that reads a file to its end and stops."""
    name, out = os.path.join(folder, "c.yaml"), os.path.join(folder, "cg")
    with open(name, "w") as f:
        f.write(config % feed)
    process = callgrind([programs + "/rxd", "run", "-c", name, "--listen", "127.0.0.1:0"], out)
    said = []
    for line in process.stderr:
        said.append(line)
        if "pipeline completed" in line:
            break
    process.send_signal(signal.SIGTERM)
    said.append(process.communicate()[1])
    if process.returncode:
        sys.exit("rxd failed under callgrind:\n" + "".join(said))
    return total(out)


def count_daemon(programs, job):
    kind, (few, many), config = DAEMON[job]
    with tempfile.TemporaryDirectory() as folder:
        less, more = (of_daemon(programs, folder, config, feeds.file(kind, events)) for events in (few, many))
        return (more - less) / (many - few)


def count_memory(programs, job):
    with tempfile.TemporaryDirectory() as folder:
        name, out = os.path.join(folder, "c.yaml"), os.path.join(folder, "cg")
        with open(name, "w") as f:
            f.write(MEMORY[job])
        process = callgrind([programs + "/bench_memory", name, feeds.file("sensors", MEMORY_EVENTS), "ts"], out, "--instr-atstart=no")
        said = process.communicate()[1]
        if process.returncode:
            sys.exit("bench_memory failed under callgrind:\n" + said)
        return total(out) / MEMORY_EVENTS


def count(programs):
    feeds.file("sensors", MEMORY_EVENTS)  # before there are two who want it
    tasks = [(count_daemon, job) for job in DAEMON] + [(count_memory, job) for job in MEMORY]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip((job for _, job in tasks), pool.map(lambda task: round(task[0](programs, task[1]), 1), tasks)))


def compare(found, table):
    """Prints each, and answers those that take too much."""
    worse = []
    for job, n in found.items():
        before = table.get(job)
        change = n / before - 1 if before else 0
        note = "  more than the table has" if change > TOLERANCE else "  less: --renew the table" if change < -TOLERANCE else ""
        print("%-32s %9.1f instructions an event, %9s %+7.1f %%%s" % (job, n, "%.1f" % before if before else "new", change * 100, note))
        worse += [job] if change > TOLERANCE else []
    return worse


def main():
    parser = argparse.ArgumentParser(prog="./dev bench instructions", description=__doc__.split("\n\n")[0])
    parser.add_argument("--renew", action="store_true")
    parser.add_argument("--programs", default="build/bin")
    args = parser.parse_args()
    began, here, found = time.monotonic(), environment(args.programs), count(args.programs)
    try:
        with open(TABLE) as f:
            table = json.load(f)
    except OSError:
        table = {"environment": here, "instructions": {}}
    worse = compare(found, table["instructions"])
    print("%.0f s" % (time.monotonic() - began))
    if args.renew:
        with open(TABLE, "w") as f:
            json.dump({"environment": here, "instructions": found}, f, indent=1)
            f.write("\n")
    elif here != table["environment"]:
        print("not compared: the table is of another compiler, library or machine: %s, here %s" % (table["environment"], here))
    elif worse:
        sys.exit("more instructions than bench/instructions.json: " + ", ".join(worse) + "\n(./dev bench instructions --renew, and say why in the commit)")


if __name__ == "__main__":
    main()
