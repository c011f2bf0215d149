#!/usr/bin/env python3
"""Runs marble files (README.md beside this file): each case is a config and a replay, compared with its diagrams.

usage: run.py [--rxd PATH] [-k WORDS] [FILE ...]      without FILE: all of them
"""

import argparse
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import marble  # noqa: E402
from replay import Replayer, ReplayError, find_rxd  # noqa: E402

# A plan must not show in what comes out: every case runs under each of these, and the bytes must be the same.
VARIANTS = {
    "": [],
    "--no-fusion": ["--no-fusion"],
    "--span 1": ["--span", "1"],
    "--span 256 --index-from 1": ["--span", "256", "--index-from", "1"],
    "--restart 1": ["--restart", "1"],
    "--restart 1 --no-fusion": ["--restart", "1", "--no-fusion"],
    "--restart 2 --span 256": ["--restart", "2", "--span", "256", "--index-from", "1"],
    "--restart 1 --alternate-fusion": ["--restart", "1", "--alternate-fusion"],
}


def config_of(case):
    """The config as text: the steps stand in it as the case writes them."""
    lines = ["sources:"]
    for name, (kind, _) in case.inputs.items():
        options = (", replay: cold" if kind == "cold" else "") + (", " + case.sources[name] if name in case.sources else "")
        lines.append(f"  {name}: {{ http: {{}}{options} }}")
    lines.append("pipelines:")
    first = case.start or next(iter(case.inputs))
    for name, text in {"out": "", **case.pipelines}.items():
        if name == "out":
            text = f"from: {first}\npipe:" + ("\n" + textwrap.indent(text, "  ") if text else " []")
        lines += [f"  {name}:", textwrap.indent(text, "    ")]
    return "\n".join(lines) + "\n"


def events_of(case):
    rows = []
    for name, (_, diagram) in case.inputs.items():
        for at, kind, *value in marble.notifications(diagram, case.legend, case.tick):
            text = value[0] if value else True
            rows.append({"at": at, "source": name, kind: marble.DEFAULT_ERROR if text is marble.ANY else text})
    rows.sort(key=lambda row: row["at"])
    if case.end:
        at = marble.instant(case.end, case.tick)
        rows = [row for row in rows if row["at"] <= at] + [{"at": at, "end": True}]
    return rows


def streams_of(case):
    """What rxd is asked to print: by default every pipeline, and what else a case looks at (out.errors, out.late)."""
    shown = dict.fromkeys(name for name in ["out", *case.pipelines, *case.outputs] if name not in case.unseen)
    return [*shown] if case.unseen or any("." in s for s in case.outputs) else []


def got_rows(outcome, stream):
    rows = []
    for row in outcome.rows:
        if row["stream"] == stream:
            kind = next(k for k in ("next", "error", "complete") if k in row)
            rows.append([row["at"], kind, row[kind]] if kind != "complete" else [row["at"], kind])
    return rows


def same_row(want, got):
    if want[:2] != got[:2]:
        return False
    return len(want) == 2 or want[2] is marble.ANY or marble.same(want[2], got[2])


def check_output(case, stream, diagram, outcome):
    want = marble.notifications(diagram, case.legend, case.tick)
    got = got_rows(outcome, stream)
    if len(want) == len(got) and all(map(same_row, want, got)):
        return []
    drawn, notes = marble.draw(got, case.legend, case.tick)
    lines = [f"  out{'' if stream == 'out' else ' ' + stream}", f"    expected  {diagram}", f"    came      {drawn}"]
    return lines + [f"              where {note}" for note in notes]


def check_subscriptions(case, source, diagrams, outcome):
    want = [s for s in (marble.span(d, case.tick) for d in diagrams) if s]
    got = [[a, b] for a, b in outcome.subscriptions.get(source, [])]
    stopped = marble.instant(case.end, case.tick) if case.end else None
    open_ended = [[a, None if b == stopped else b] for a, b in got]
    if want in (got, open_ended):
        return []
    return [f"  subs {source}", f"    expected  {want}", f"    came      {got}"]


def check(case, outcome):
    found = []
    for stream, diagram in case.outputs.items():
        found += check_output(case, stream, diagram, outcome)
    for source, diagrams in case.subs.items():
        found += check_subscriptions(case, source, diagrams, outcome)
    return found


def run_case(case, replayer):
    """The lines that say what is wrong; none: all is well."""
    config, events, first = config_of(case), events_of(case), None
    for name, flags in VARIANTS.items():
        replayer.flags = flags
        try:
            outcome = replayer.run(config, events, streams_of(case))
        except ReplayError as error:
            return [f"  {name or 'replay'}: {error}", textwrap.indent(config, "    | ")]
        found = check(case, outcome) if first is None else []
        if found:
            return [*found, textwrap.indent(config, "    | ")]
        if first is not None and outcome.text != first:
            return [f"  {name}: not the bytes that came without it", *difference(first, outcome.text)]
        first = outcome.text
    return []


def difference(one, other):
    a, b = one.decode().splitlines(), other.decode().splitlines()
    at = next((i for i, pair in enumerate(zip(a, b)) if pair[0] != pair[1]), min(len(a), len(b)))
    return [f"    line {at + 1}: {(a[at:] or ['(nothing)'])[0]}", f"    {'':7} {(b[at:] or ['(nothing)'])[0]}"]


def run_file(path, words, replayer):
    """(cases run, cases that failed)"""
    ran = failed = 0
    for case in marble.read(path):
        if words and words not in case.name:
            continue
        ran += 1
        try:
            wrong = run_case(case, replayer)
        except marble.Mistake as mistake:
            wrong = [f"  {mistake}"]
        if wrong:
            failed += 1
            print(f"{path.name}:{case.line}: {case.name}", *wrong, sep="\n")
    return ran, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rxd")
    parser.add_argument("-k", metavar="WORDS", help="only the cases whose names contain them")
    parser.add_argument("files", nargs="*", type=Path)
    args = parser.parse_args()
    ran = failed = 0
    with Replayer(find_rxd(args.rxd)) as replayer:
        for path in args.files or sorted(HERE.glob("*.marbles")):
            try:
                more = run_file(path, args.k, replayer)
            except marble.Mistake as mistake:
                print(mistake)
                more = (1, 1)
            ran, failed = ran + more[0], failed + more[1]
    print(f"{ran} cases, {ran - failed} good, {failed} failed")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
