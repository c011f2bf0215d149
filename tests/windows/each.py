#!/usr/bin/env python3
"""Windows that close at events (every: event, and counted ones that overlap), fused and as the steps alone: the same bytes, whatever the
spans, the restarts and the order in which two streams meet."""
import argparse
import json
import random
import subprocess
import sys
import tempfile

CONFIG = """
sources: {a: {http: {}}, b: {http: {}}}
pipelines:
  sessions: {from: a, pipe: [{window: {session: 20ms}}, {aggregate: {v: count()}}, {unset: window}]} # 1 ns behind their instant
  timed: {from: [b, sessions], pipe: [{window: {size: 40ms, every: event}}, {aggregate: {s: sum(v), a: avg(v), lo: min(v), hi: max(v), f: first(v), l: last(v), n: count()}}]}
  counted: {from: [b, sessions], pipe: [{window: {size: 3, every: event}}, {aggregate: {s: sum(v), lo: min(v), f: first(v), l: last(v), n: count()}}]}
  keyed: {from: [b, sessions], pipe: [{group_by: {by: v, max_keys: 3}}, {window: {size: 100ms, every: event}}, {aggregate: {lo: min(w), hi: max(w), n: count(w), f: first(w)}}]}
  evicted: {from: b, pipe: [{group_by: {by: v, max_keys: 3}}, {window: {size: 4, every: 1}}, {aggregate: {lo: min(w), n: count()}}, {set: {more: "n + 1"}}]}
  full: {from: [b, sessions], pipe: [{window: {size: 200ms, every: event, max_events: 5}}, {aggregate: {s: sum(v), n: count(), l: last(v)}}]}
"""
MODES = [["--no-fusion"], [], ["--span", "1"], ["--restart", "7"], ["--no-fusion", "--restart", "13"]]


def events(seed):
    chance, at = random.Random(seed), 0
    for _ in range(300):
        at += chance.choice([0, 0, 1, 5, 10, 10, 20])
        if chance.random() < 0.4:
            yield {"at": at, "source": "a", "next": {"v": 1}}
        else:
            odd = chance.random() < 0.1
            w = chance.choice([2.5, None, "x"]) if odd else chance.randrange(4)
            yield {"at": at, "source": "b", "next": {"v": chance.randrange(6), "w": w}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rxd", required=True)
    parser.add_argument("--seeds", type=int, default=6)
    options = parser.parse_args()
    failed = 0
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(CONFIG)
        config.flush()
        for seed in range(options.seeds):
            lines = "".join(json.dumps(e) + "\n" for e in events(seed))
            run = [subprocess.run([options.rxd, "replay", "-c", config.name, *mode], input=lines, text=True,
                                  capture_output=True, check=True).stdout for mode in MODES]
            for mode, out in zip(MODES, run):
                if out != run[0]:
                    failed += 1
                    differ = [p for p in zip(run[0].splitlines(), out.splitlines()) if p[0] != p[1]]
                    print(f"seed {seed}, {mode}: {differ[:1]}")
            if run[0].count('"partial"') == 0 or len(run[0].splitlines()) < 300:
                failed += 1
                print(f"seed {seed}: says too little")
    print(f"{options.seeds} seeds, {len(MODES)} modes, {failed} differ")
    return failed > 0


sys.exit(main())
