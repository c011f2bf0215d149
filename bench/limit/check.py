#!/usr/bin/env python3
"""The limit does the work that it says: its results of awkward and broken messages are those of Python's json.

    bench/limit/check.py BENCH_LIMIT
"""
import json
import random
import subprocess
import sys
import tempfile

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


def main():
    lines = list(messages(random.Random(7)))
    with tempfile.NamedTemporaryFile("wb") as f:
        f.write("\n".join(lines).encode())
        f.write(b'\n{"device":"\xc3\x28","metric":"temperature","value":1}\n{"device":"\xed\xa0\x80","metric":"temperature","value":1}')
        f.flush()
        said = subprocess.run([sys.argv[1], "file", f.name], capture_output=True, check=True).stdout
    results = [json.loads(line) for line in said.splitlines()]
    found = {}
    for r in results:  # a window may have closed between
        last = found.get(r["device"], (-1e308, 0, 0.0))
        found[r["device"]] = (max(last[0], r["max"]), last[1] + r["n"], last[2] + r["avg"] * r["n"])
    found = {device: (most, n, total / n) for device, (most, n, total) in found.items()}
    want = expected(lines)
    for device in want.keys() | found.keys():
        a, b = want.get(device), found.get(device)
        if not a or not b or a[:2] != b[:2] or abs(a[2] - b[2]) > 1e-12 * max(abs(a[2]), a[0]):
            sys.exit("the limit errs on %s: %s, not %s" % (device, b, a))
    print("%d messages, %d groups" % (len(lines), len(want)))


if __name__ == "__main__":
    main()
