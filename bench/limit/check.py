#!/usr/bin/env python3
"""The limit does the work that it says: its results of awkward and broken messages are those of Python's json, from each of its feeds.

    bench/limit/check.py BENCH_LIMIT
"""
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from measure import feeds  # noqa: E402

BROKEN = ['{"device":"a","metric":"temperature","value":}', '{"device":"a","metric":"temperature","value":1,}', "[1]", "", "{}",
          '{"device":"a","metric":"temperature","value":01}', '{"device":"a","metric":"temperature","value":1.}',
          '{"device":"a","metric":"temperature","value":1}x', '{"device":"a\tb","metric":"temperature","value":1}',
          '{"device":"a","metric":"temperature","value":1,"x":tru}', '{"device":"a","metric":"temperature","value":1,"x":-}',
          '{"device":"a","metric":"temperature","value":1,"x":"\\q"}', '{"device":"a","metric":"temperature","value":1,"x":[1,]}',
          '{"device":"a","metric":"temperature","value":1,"x":{"y"}}', '{"device":"a","metric":"temperature","value":1',
          '{"device":"a","metric":"temperature","value":1,"x":"', '{"device":"a","metric":"temperature"}']


def messages(rng):
    """Messages of many layouts, the most of one, as feeds are; and broken ones between."""
    for i in range(20000):
        fields = [("device", "d-%d" % rng.randrange(500)), ("ts", 1700000000000 + i), ("metric", "temperature"),
                  ("value", rng.choice([rng.randrange(-90, 90), round(rng.uniform(-9, 99), rng.randrange(1, 9)), 1e-7 * i, 12345678901234567890])),
                  ("status", "ok")]
        kind = rng.randrange(20)
        if kind == 0:
            rng.shuffle(fields)
        elif kind == 1:
            fields.insert(rng.randrange(6), ("more", {"a": [1, -2.5e3, "\\\"}{", None, {}, [], True], "ä": "ö€😀"}))
        elif kind == 2:
            fields[2] = ("metric", "humidity")
        elif kind == 3:
            yield rng.choice(BROKEN)
        yield json.dumps(dict(fields), ensure_ascii=rng.randrange(2) == 0, separators=(",", ":") if kind > 4 else (" , ", " : "))


def expected(lines):
    groups = {}
    for line in lines:
        try:
            event = json.loads(line)
            device, metric, value = event["device"], event["metric"], float(event["value"])
        except (ValueError, KeyError, TypeError):
            continue
        if metric == "temperature":
            groups.setdefault(device, []).append(value)
    return {device: (max(values), len(values), sum(values) / len(values)) for device, values in groups.items()}


def results_of(kind, path, count):
    """What the program writes, of its standard output; it has had all messages when it ends."""
    program = sys.argv[1]
    if kind == "file":
        return subprocess.run([program, "file", path], capture_output=True, check=True).stdout
    broker = feeds.CannedBroker(feeds.publish_packets(path))
    broker.go()
    command = [program, "mqtt", str(broker.port), str(count)] if kind == "mqtt" else [program, "http", str(count)]
    with tempfile.TemporaryFile() as out, subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE) as process:
        if kind == "http":
            feeds.post(int(process.stderr.readline()), feeds.bodies(path, 100_000))
        if process.wait(60):
            sys.exit("the limit fails over %s" % kind)
        out.seek(0)
        return out.read()


def averages(said):
    """device -> greatest, count, mean; a window may have closed between."""
    found = {}
    for r in map(json.loads, said.splitlines()):
        last = found.get(r["device"], (-1e308, 0, 0.0))
        found[r["device"]] = (max(last[0], r["max"]), last[1] + r["n"], last[2] + r["avg"] * r["n"])
    return {device: (most, n, total / n) for device, (most, n, total) in found.items()}


def main():
    lines = list(messages(random.Random(7)))
    want = expected(lines)
    with tempfile.NamedTemporaryFile("wb") as f:
        f.write("\n".join(lines).encode())
        f.write(b'\n{"device":"\xc3\x28","metric":"temperature","value":1}\n{"device":"\xed\xa0\x80","metric":"temperature","value":1}\n')
        f.flush()
        for kind in ("file", "http", "mqtt"):
            found = averages(results_of(kind, f.name, len(lines) + 2))
            for device in want.keys() | found.keys():
                a, b = want.get(device), found.get(device)
                if not a or not b or a[:2] != b[:2] or abs(a[2] - b[2]) > 1e-12 * max(abs(a[2]), a[0]):
                    sys.exit("the limit errs on %s over %s: %s, not %s" % (device, kind, b, a))
            print("%s: %d messages, %d groups" % (kind, len(lines), len(want)))


if __name__ == "__main__":
    main()
