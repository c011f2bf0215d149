#!/usr/bin/env python3
"""compare.py tells a change from noise, by itself and by the limit of each run; and instructions.py 3 % from 2."""
import json
import os
import subprocess
import sys
import tempfile

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMPARE = os.path.join(BENCH, "compare.py")
sys.path.insert(0, BENCH)
import instructions  # noqa: E402


def result(**who):
    return {"machine": {"cpu": "c", "kernel": "k", "compiler": "g", "build": "b", "commit": "x"}, "rounds": 5,
            "rows": [{"job": "j", "who": name, "ns": ns} for name, ns in who.items()]}


def status(a, b, *options):
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("a", "b")]
        for path, one in zip(paths, (a, b)):
            with open(path, "w") as f:
                json.dump(one, f)
        done = subprocess.run([COMPARE, *paths, *options], capture_output=True, text=True)
        return done.returncode, done.stdout


STEADY = [100, 101, 99, 100, 102]
CASES = [
    ("the same", result(rxd=STEADY), result(rxd=STEADY), (), 0, "0 slower"),
    ("slower", result(rxd=STEADY), result(rxd=[x * 1.1 for x in STEADY]), (), 1, "slower"),
    ("faster", result(rxd=STEADY), result(rxd=[x * 0.9 for x in STEADY]), (), 0, "faster"),
    ("noise", result(rxd=[90, 100, 110, 130, 80]), result(rxd=[95, 108, 120, 140, 85]), (), 0, "0 slower"),
    ("a slower machine", result(limit=STEADY, rxd=STEADY), result(limit=[x * 2 for x in STEADY], rxd=[x * 2 for x in STEADY]), (), 0, "0 slower"),
    ("the same, in nanoseconds", result(limit=STEADY, rxd=STEADY), result(limit=[x * 2 for x in STEADY], rxd=[x * 2 for x in STEADY]),
     ("--absolute",), 1, "2 slower"),
    ("nothing in common", result(a=STEADY), result(b=STEADY), (), 2, "only in the first"),
]

for name, a, b, options, wanted, words in CASES:
    code, said = status(a, b, *options)
    if code != wanted or words not in said:
        sys.exit("%s: exit status %d, not %d:\n%s" % (name, code, wanted, said))
worse = instructions.compare({"a": 104.0, "b": 102.0, "c": 90.0, "new": 5.0}, {"a": 100.0, "b": 100.0, "c": 100.0})
if worse != ["a"]:
    sys.exit("instructions: worse are %s" % worse)
print("%d cases" % len(CASES))
