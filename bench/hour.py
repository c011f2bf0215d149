#!/usr/bin/env python3
"""An hour of traffic at 100,000 events a second, by the events' own time, as fast as the daemon takes it: the main job, from a
pipe, with a subscriber. What it holds in memory has to be level, and the time to a result flat.

    bench/hour.py [--seconds 3600] [--rate 100000] [--json FILE]        ($RXD: the daemon; default build/bin/rxd)

The time to a result: from when a second was begun to be written that ends a window, to when its first result was read. For each
tenth of the run: RssAnon (KiB), and the median and the 99th percentile of that time (ms).
"""

import argparse
import fcntl
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "e2e")]
import harness  # noqa: E402
import train  # noqa: E402

START, WINDOW = 1_700_000_000, 5


class Results(harness.NdjsonSubscriber):
    """When the first result of each window was read."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.first, self.count = {}, 0

    def take(self, text):
        self.count += 1
        at = text.find('"end":"') + 7
        end = text[at : text.find('"', at)]
        if end not in self.first:
            self.first[end] = time.monotonic()


def second_of(rate):
    """The events of the second START."""
    lines = [line.replace(b"1700000000123", b"%d%03d" % (START, i * 1000 // rate)) for i, line in enumerate(train.readings(rate))]
    return b"\n".join(lines) + b"\n"


def feed(path, rate, seconds, begun):
    template = second_of(rate)
    with open(path, "wb", buffering=0) as pipe:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << 20)
        for n in range(seconds):
            text = memoryview(template.replace(b"%d" % START, b"%d" % (START + n)))
            begun.append(time.monotonic())
            while len(text):
                text = text[os.write(pipe.fileno(), text) :]


def latencies(begun, first):
    """(window's number, ms): of the windows whose result came while there was more to write."""
    for n, at in enumerate(begun):
        if n % WINDOW == 0 and n > 0:
            end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + n))
            if end in first:
                yield n, (first[end] - at) * 1000


def run(folder, rate, seconds):
    path, begun, rows = Path(folder) / "pipe", [], []
    os.mkfifo(path)
    source = f"file: {path}, event_time: {{ field: ts, unit: ms }}"
    daemon = harness.Daemon(folder, train.config(source, {"avg": train.pipeline(*train.MAIN, to="to: stream")})).start(ready=False)
    results = Results(daemon.port, "avg").start()
    feeder = threading.Thread(target=feed, args=(path, rate, seconds, begun), daemon=True)
    started = time.monotonic()
    feeder.start()
    for tenth in range(1, 11):
        while len(begun) < seconds * tenth // 10 and feeder.is_alive():
            time.sleep(0.05)
        rows.append({"seconds": len(begun), "passed": round(time.monotonic() - started, 1), "rss": daemon.resident() // 1024})
        print(json.dumps(rows[-1]), flush=True)
    feeder.join()
    harness.wait_for("every event", lambda: daemon.metrics().sum("rxd_source_decoded_total") == rate * seconds, 60)
    passed = time.monotonic() - started
    harness.wait_for("the last window", lambda: len(results.first) >= seconds // WINDOW, 60)
    gaps = harness.ledger_gaps(daemon.metrics())
    daemon.stop()
    found = list(latencies(begun, results.first))
    for tenth, row in enumerate(rows):
        times = sorted(ms for n, ms in found if n * 10 // seconds == tenth)
        if times:
            row.update(p50=round(statistics.median(times), 1), p99=round(times[int(len(times) * 0.99)], 1))
    return rows, {"events": rate * seconds, "a second": round(rate * seconds / passed), "results": results.count, "gaps": gaps}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3600, help="of the traffic")
    parser.add_argument("--rate", type=int, default=100_000, help="events a second")
    parser.add_argument("--json", help="a file for the rows")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rxd-hour-") as folder:
        rows, end = run(folder, arguments.rate, arguments.seconds)
    for row in rows:
        print(json.dumps(row))
    print(json.dumps(end))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"rows": rows, **end}, indent=1))


if __name__ == "__main__":
    main()
