#!/usr/bin/env python3
"""What `rxd check` says of each config in broken/ and warned/, word for word.

    run.py --rxd PATH [NAME...]           hold it against NAME.expected: broken ones end with 78, warned ones with 0
    run.py --rxd PATH --update [NAME...]  write what it says now, to be read before it is committed; never in CI

A config is NAME.yaml, or a folder NAME of several files. It is read in its own folder, so that messages name no other.
"""

import argparse
import difflib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
STATUS = {"broken": 78, "warned": 0}


def cases(kind, names):
    for path in sorted((HERE / kind).iterdir()):
        if (path.suffix == ".yaml" or path.is_dir()) and (not names or path.stem in names):
            yield path


def check(rxd, path):
    environment = {**os.environ, "RXD_TEST_UNSET": ""}
    del environment["RXD_TEST_UNSET"]
    done = subprocess.run([rxd, "check", "-c", path.name], cwd=path.parent, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def faults(kind, path, status, said):
    """What no message may lack, whatever its words: a place, a caret under it, something to type."""
    if status != STATUS[kind]:
        yield f"ended with {status}"
    first = said.splitlines()[:3]
    if len(first) < 3 or not first[0].startswith(path.name) or first[2].strip() != "^":
        yield "does not begin with a place and its caret"
    if kind == "warned" and ": warning: " not in said:
        yield "warns of nothing"
    if "hint: " not in said:
        yield "does not say what to type"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rxd", default=str(HERE.parents[1] / "build/bin/rxd"))
    parser.add_argument("--update", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    rxd = os.path.abspath(arguments.rxd)
    if arguments.update and os.environ.get("CI"):
        sys.exit("run.py: --update is for people")
    count = wrong = 0
    for kind in STATUS:
        for path in cases(kind, arguments.names):
            count += 1
            expected = path.with_suffix(".expected")
            status, said = check(rxd, path)
            told = list(faults(kind, path, status, said))
            if arguments.update and not told:
                expected.write_text(said)
            want = expected.read_text() if expected.exists() else ""
            if told or want != said:
                wrong += 1
                print(f"{kind}/{path.stem}: {'; '.join(told) or 'says something else'}")
                sys.stdout.writelines(difflib.unified_diff(want.splitlines(True), said.splitlines(True), "expected", "said"))
    print(f"{count - wrong} of {count} configs are told as expected")
    return wrong > 0 or count == 0


if __name__ == "__main__":
    sys.exit(main())
