#!/usr/bin/env python3
"""Breaks the code in the ways that mutants.py lists, one at a time in a scratch copy, builds, and runs the tests that must
notice. A mutant that survives, or that no longer applies, is an error.

usage: run.py [WORDS]      only the mutants whose names contain them
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mutants import MUTANTS

ROOT = Path(__file__).resolve().parents[2]


def run(*command, log=None):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if log:
        log.write_text(done.stdout)
    return done.returncode


def copy_tree(folder):
    """What git knows and what is new, without what is ignored."""
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def build(folder, tests=""):
    """All of it, but for tests that run nothing but the daemon."""
    targets = ["--target", "rxd", "rxd_replays"] if tests and "unit" not in tests else []
    return run("cmake", "--build", str(folder / "build"), *targets, log=folder / "build.log")


def notice(folder, tests):
    """Whether the tests fail. A pattern that matches none of them is the list's mistake."""
    command = ["ctest", "--test-dir", str(folder / "build"), "--stop-on-failure", "--no-tests=error", "-j2", "-R", tests]
    status = run(*command, log=folder / "test.log")
    return status != 0 and "No tests were found" not in (folder / "test.log").read_text()


def verdict(folder, mutant):
    _, name, old, new, tests = mutant
    path = folder / name
    text = path.read_text()
    if text.count(old) != 1:
        return "does not apply"
    path.write_text(text.replace(old, new))
    try:
        if build(folder, tests) != 0:
            return "does not build:\n" + (folder / "build.log").read_text()[-1500:]
        return "noticed" if notice(folder, tests) else "SURVIVES"
    finally:
        path.write_text(text)


def main():
    words = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [m for m in MUTANTS if words in m[0]]
    bad = 0
    with tempfile.TemporaryDirectory(prefix="rxd-mutants-") as scratch:
        folder = Path(scratch)
        copy_tree(folder)
        os.chdir(folder)
        if run("cmake", "--preset", "default") != 0 or build(folder) != 0:
            raise SystemExit("the scratch copy does not build")
        everything = "|".join(f"({m[4]})" for m in chosen)
        if notice(folder, everything):
            raise SystemExit("the tests fail without any mutant:\n" + (folder / "test.log").read_text()[-1500:])
        for mutant in chosen:
            result = verdict(folder, mutant)
            bad += result != "noticed"
            print(f"{mutant[0]}: {result}", flush=True)
    print(f"{len(chosen)} mutants, {len(chosen) - bad} noticed")
    return 1 if bad or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
