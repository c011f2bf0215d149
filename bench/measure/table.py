"""Contenders in turn, medians, one table, and the same as JSON."""
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass
class Sample:
    """One run: seconds of CPU and of the clock for so many events, and the most memory in MB."""
    cpu: float
    wall: float
    events: int
    rss: float


@dataclass
class Job:
    """What is done by several: name -> a function that runs it once and returns a Sample. The first is the one others are held against."""
    name: str
    who: dict


def machine():
    def said(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return "unknown"
    with open("/proc/cpuinfo") as f:
        cpu = re.search(r"model name\s*:\s*(.*)", f.read())
    compiler, kind = "gcc", ""
    try:
        with open("build/CMakeCache.txt") as f:
            cache = f.read()
        compiler = re.search(r"CMAKE_C_COMPILER:[A-Z]+=(.*)", cache)[1]
        kind = re.search(r"CMAKE_BUILD_TYPE:[A-Z]+=(.*)", cache)[1]
    except (OSError, TypeError):
        pass
    changed = bool(said("git", "status", "--porcelain", "--untracked-files=no"))
    return {"cpu": cpu[1] if cpu else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
            "compiler": said(compiler, "--version").splitlines()[0], "build": kind,
            "commit": said("git", "rev-parse", "--short", "HEAD") + ("+" if changed else ""),
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}


def machine_line(m):
    return "%(cpu)s, %(cores)s cores, Linux %(kernel)s, %(compiler)s, %(build)s, commit %(commit)s, %(date)s" % m


def tell(text):
    """What goes on, where somebody looks on."""
    if sys.stderr.isatty():
        print("\r\x1b[K" + text, end="", file=sys.stderr, flush=True)


def measure(jobs, rounds):
    """All contenders of a job in turn, `rounds` times: the rows of the table."""
    rows = []
    for job in jobs:
        samples = {who: [] for who in job.who}
        for i in range(rounds):
            for who, run in job.who.items():
                tell("%s, round %d of %d: %s" % (job.name, i + 1, rounds, who))
                samples[who].append(run())
        rows += [row_of(job.name, who, some) for who, some in samples.items()]
    tell("")
    return rows


def row_of(job, who, samples):
    ns = [s.cpu / s.events * 1e9 for s in samples]
    return {"job": job, "who": who, "events": samples[0].events, "ns": [round(x, 2) for x in ns], "median_ns": round(statistics.median(ns), 2),
            "wall_ns": round(statistics.median(s.wall / s.events * 1e9 for s in samples), 2),
            "rss_mb": round(max(s.rss for s in samples), 1)}


def render(rows):
    """Nanoseconds of CPU an event (median, least, most), events a second of CPU, and each against the first of its job."""
    lines = ["%-34s %-12s %10s %19s %9s %9s %8s %10s" % ("job", "who", "ns/event", "least to most", "M/s (CPU)", "M/s", "RSS MB", "speed")]
    first = {}
    for row in rows:
        base = first.setdefault(row["job"], row)
        name = row["job"] if base is row else ""
        speed = base["median_ns"] / row["median_ns"]
        lines.append("%-34s %-12s %10.1f %19s %9.3f %9.3f %8.1f %10s" % (
            name, row["who"], row["median_ns"], "%.1f to %.1f" % (min(row["ns"]), max(row["ns"])), 1e3 / row["median_ns"],
            1e3 / row["wall_ns"], row["rss_mb"], "%.1f %%" % (speed * 100) if speed < 10 else "%.1fx" % speed))
    return "\n".join(lines)


def save(path, rows, rounds, curves=None):
    result = {"machine": machine(), "rounds": rounds, "rows": rows, "curves": curves or {}}
    with open(path, "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    return result
