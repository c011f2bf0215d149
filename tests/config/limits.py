#!/usr/bin/env python3
"""Every limit that a config can reach: so much is accepted, and one more is refused by a message that says so.

    limits.py --rxd PATH [NAME...]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20


def config(pipe="[]", source="http: {}", to="[]", top=""):
    return f"{top}\nsources:\n  s: {{{source}}}\npipelines:\n  p:\n    from: s\n    pipe: {pipe}\n    to: {to}\n"


def each(make, count, separator=", "):
    return separator.join(make(i) for i in range(count))


def mqtt(topic):
    return config(source=f'mqtt: {{broker: h, topic: "{topic}"}}', top='brokers: {h: "mqtt://127.0.0.1"}')


def match(pattern, names="a: v == 1"):
    return config(f'[{{match: {{pattern: "{pattern}", where: {{{names}}}, within: 1s, max_events: 100000}}}}]')


# name: the most (or the most and what is beyond), the config of so much, words of the refusal
LIMITS = {
    "anchors": (1000, lambda n: config("[{template: {" + each(lambda i: f"k{i}: &a{i} x", n) + "}}]"), "too many anchors: at most 1,000"),
    "nesting": ((55, 65), lambda n: config("[{start_with: " + "[" * n + "1" + "]" * n + "}]"), "too deeply nested: at most 64 levels"),
    "bytes of a file": ((16 * MIB - 200, 16 * MIB + 1), lambda n: config() + "#" * n, "larger than 16 MiB"),
    "entries": ((900_000, 1_000_001), lambda n: config("[{start_with: [" + each(lambda i: "1", n, ",") + "]}]"), "over 1,000,000 entries"),
    "bytes of ${file:}": ((65536, 65537), lambda n: Path("inside").write_text("x" * n) and config(source="file: '${file:inside}'"), "larger than 64 KiB"),
    "workers": (64, lambda n: config(top=f"workers: {n}"), "workers is a number from 1 to 64"),
    "streams that are merged": (16, lambda n: "sources: {" + each(lambda i: f"s{i}: {{http: {{}}}}", n) + "}\npipelines: {p: {from: [" + each(lambda i: f"s{i}", n) + "]}}",
                                "between 1 and 16 streams"),
    "parts of a group's key": (16, lambda n: config("[{group_by: [" + each(lambda i: f"k{i}", n) + "]}]"), "at most 16 parts"),
    "aggregate calls": (32, lambda n: config("[window: 5s, aggregate: {" + each(lambda i: f"k{i}: count()", n) + "}]"), "it takes at most 32"),
    "windows at once": (1000, lambda n: config(f"[{{window: {{size: {n}s, every: 1s}}}}, count]"), "at most 1000 may be"),
    "times of day": (48, lambda n: config("[{window: {at: [" + each(lambda i: f'"{i // 60:02}:{i % 60:02}"', n) + "]}}, count]"), "at most 48 times of day"),
    "names of a match": (32, lambda n: match("a0", each(lambda i: f"a{i}: v == {i}", n)), "at most 32 names"),
    "symbols of a pattern": (16, lambda n: match(each(lambda i: "a", n, " -> ")), "at most 16 symbols"),
    "times of a symbol": (10000, lambda n: match(f"a{{{n}}}"), "at most 10000 times"),
    "captures of a topic": (16, lambda n: mqtt(each(lambda i: f"{{c{i}}}", n, "/")), "at most 16 captures"),
    "bytes of a topic": (65535, lambda n: mqtt("x" * n), "at most 65535 bytes"),
    "arguments of coalesce": (64, lambda n: config('[map: "coalesce(' + each(lambda i: f"k{i}", n) + ')"]'), "at most 64 arguments"),
    "brackets in an expression": (128, lambda n: config('[filter: "' + "(" * n + "a > 1" + ")" * n + '"]'), "more than 128 brackets"),
    "levels of an expression": (300, lambda n: config('[map: "' + each(lambda i: "a", n, " + ") + '"]'), "more than 300 levels deep"),
    "parts of an expression": ((8000, 16001), lambda n: config('[map: "[' + each(lambda i: "a", n) + ']"]'), "too many parts"),
    "bytes of a regular expression": (4096, lambda n: config('[filter: t.matches("' + "a" * n + '")]'), "longer than 4096 bytes"),
    "groups of a regular expression": (100, lambda n: config("[filter: 't.matches(\"" + "(" * n + "a" + ")" * n + "\")']"), "too deeply nested"),
    "simulated signals": (32, lambda n: config(source="simulate: {signals: {" + each(lambda i: f"s{i}: walk", n) + "}}"), "1 to 32 names"),
    "headers of a request": (64, lambda n: config(to='[http: {post: "http://127.0.0.1:1/", headers: {' + each(lambda i: f"X-{i}: y", n) + "}}]"), "of 64 at most"),
    "headers of a WebSocket": ((8000, 8192), lambda n: config(source='websocket: {url: "ws://127.0.0.1:1/", headers: {X: "' + "y" * n + '"}}'), "at most 8 KiB together"),
}


def check(rxd, text):
    Path("limit.yaml").write_text(text)
    done = subprocess.run([rxd, "check", "-c", "limit.yaml"], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stderr


def faults(rxd, most, make, words):
    most, beyond = most if isinstance(most, tuple) else (most, most + 1)
    status, said = check(rxd, make(most))
    if status != 0:
        yield f"{most} are refused: {said[:300]}"
    status, said = check(rxd, make(beyond))
    if status != 78 or words not in said:
        yield f"{beyond}: ends with {status}: {said[:300]}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rxd", default=str(ROOT / "build/bin/rxd"))
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    rxd, wrong = os.path.abspath(arguments.rxd), 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, limit in LIMITS.items():
            if arguments.names and name not in arguments.names:
                continue
            for fault in faults(rxd, *limit):
                wrong += 1
                print(f"{name}: {fault}")
    print(f"{len(LIMITS)} limits, {wrong} faults")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
