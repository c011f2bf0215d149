"""What the cost of an event is made of, as one thing grows: keys, pipelines, subscribers, windows that overlap."""
import os
import re
import resource
import statistics
import subprocess

from measure import feeds
from measure.process import MEASURED, fail
from measure.rxd import memory, over_file
from measure.table import tell

KEYS = (100, 1_000, 10_000, 100_000, 1_000_000)
PIPELINES = (1, 10, 100, 1_000, 10_000)
SUBSCRIBERS = (1, 10, 100, 1_000, 10_000, 19_000)
OVERLAPS = (1, 2, 5, 10, 50, 100, 500)
SOURCE = "sources: { s: { http: {} } }\npipelines:\n"
AVERAGES = "aggregate: { avg: avg(value), max: max(value), n: count() }"


def of_keys(keys):
    """The main job from a file: nanoseconds of CPU an event, and MB."""
    events = max(2_000_000, 4 * keys)
    sample = over_file("build/bin/rxd", "sources: { s: { file: { path: %s } } }\n"
                       "pipelines: { avg: { from: s, pipe: [ filter: metric == \"temperature\", group_by: { by: device, max_keys: 2000000 }, "
                       "window: 12h, %s ] } }\n" % (feeds.file("sensors", events, keys), AVERAGES), events)
    return sample.cpu / events * 1e9, sample.rss


def of_pipelines(count):
    """In memory, a rule each of which one matches: nanoseconds an event."""
    events = 1_000_000 if count < 1000 else 200_000
    config = SOURCE + "".join('  p%d: { from: s, pipe: [ filter: device == "sensor-%04d" ] }\n' % (i, i) for i in range(count))
    sample = memory("build/bin/rxd", config, feeds.file("sensors", events, 10_000), "ts")
    return sample.cpu / events * 1e9, sample.rss


def of_subscribers(count):
    """Frames of 120 bytes to so many readers of one stream, 16 a flush: nanoseconds of CPU a delivery."""
    # A stream in use is sent to once a millisecond, so few subscribers have few deliveries.
    said = subprocess.run(["taskset", "-c", str(MEASURED), "build/bin/bench_fanout", str(count), "16", "0", str(min(6_000_000, 32_000 * count))], capture_output=True, text=True).stdout
    found = re.search(r"([\d.]+) M/s of CPU", said)
    if not found:
        fail("bench_fanout says " + said)
    return 1e3 / max(float(found[1]), 0.01), 0


def of_overlaps(overlap):
    """In memory, one key, windows of 10 s of which so many are open at once, a thousand events a second: nanoseconds an event."""
    config = SOURCE + "  p: { from: s, pipe: [ window: { size: 10s, every: %dms }, %s ] }\n" % (10_000 // overlap, AVERAGES)
    sample = memory("build/bin/rxd", config, feeds.file("sensors", 500_000), "ts")
    return sample.cpu / 500_000 * 1e9, sample.rss


CURVES = {
    "keys": ("keys", "ns of CPU an event, main job from a file", KEYS, of_keys),
    "pipelines": ("pipelines, of which one matches", "ns of CPU an event, in memory", PIPELINES, of_pipelines),
    "subscribers": ("subscribers of one stream", "ns of CPU a delivery, 16 frames a flush", SUBSCRIBERS, of_subscribers),
    "overlap": ("windows of 10 s open at once, one key", "ns of CPU an event, in memory", OVERLAPS, of_overlaps),
}


def measure(rounds):
    """name -> {x, y, points: [[x, median, least, most, MB]]}"""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    curves = {}
    for name, (x, y, values, run) in CURVES.items():
        points = []
        for value in values:
            tell("curve over %s: %d" % (name, value))
            samples = [run(value) for _ in range(rounds)]
            costs = [cost for cost, _ in samples]
            points.append([value, round(statistics.median(costs), 1), round(min(costs), 1), round(max(costs), 1), max(mb for _, mb in samples)])
        curves[name] = {"x": x, "y": y, "points": points}
    tell("")
    return curves


def draw(result, folder):
    """With matplotlib of its own, installed once in build/plots."""
    python = "build/plots/bin/python"
    if not os.path.exists(python) or subprocess.run([python, "-c", "import matplotlib"], capture_output=True).returncode:
        subprocess.run(["python3", "-m", "venv", "build/plots"], check=True)
        subprocess.run(["build/plots/bin/pip", "install", "-q", "matplotlib"], check=True)
    subprocess.run([python, "bench/measure/plots.py", result, folder], check=True)
