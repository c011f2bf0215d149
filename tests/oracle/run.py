#!/usr/bin/env python3
"""Compares rxd with RxJS on many random cases, under virtual time.

  run.py SEED N [op ...]      fresh cases: needs node, and `npm ci` in rxjs/
  run.py                      the recorded cases beside this file: needs only rxd
  run.py --record SEED N      writes them anew

Two thirds of N come from gen_operators.py, a third from gen_scopes.py (all from the former where ops are named). A case
that rxd cannot express is counted with its reason. The exit status is 1 if any case differs.
"""

import argparse
import collections
import gzip
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "marbles")]

import gen_chains  # noqa: E402
import gen_operators  # noqa: E402
import gen_scopes  # noqa: E402
import shrink  # noqa: E402
import translate  # noqa: E402
from replay import ManyReplayer, ReplayError, find_rxd  # noqa: E402

RECORDED = HERE / "cases.jsonl.gz"
ORACLE = HERE / "rxjs" / "oracle.js"


# --- where cases come from -------------------------------------------------------------------------------------------


def expect(lines):
    """Runs the cases on RxJS."""
    if not (ORACLE.parent / "node_modules").exists():
        raise SystemExit(f"no RxJS: run `npm ci` in {ORACLE.parent}")
    command = ["node", str(ORACLE), "--jsonl"]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def generate(seed, count, ops=()):
    third = 0 if ops else count // 3
    cases = gen_operators.cases(seed, count - 2 * third, ops) + gen_scopes.cases(seed, third) + gen_chains.cases(seed, third)
    return expect([json.dumps(case) for case in cases])


def recorded():
    with gzip.open(RECORDED, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def trimmed(case):
    """The case without the inputs that nothing in it uses."""
    used = translate.inputs_used(case)
    kept = {**case, "inputs": {name: case["inputs"][name] for name in used}}
    kept["expect"] = {**case["expect"], "subs": {name: case["expect"]["subs"][name] for name in used}}
    return kept


def record(seed, count):
    """Keeps the cases that rxd can express, of `count` fresh ones."""
    kept = []
    for case in generate(seed, count):
        try:
            translate.config_of(case)
        except translate.OutOfScope:
            continue
        if "caseError" not in case["expect"]:
            kept.append(trimmed(case))
    text = "".join(json.dumps(case, separators=(",", ":")) + "\n" for case in kept)
    with open(RECORDED, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as file:
        file.write(text.encode())
    print(f"recorded {len(kept)} cases in {RECORDED.name}")


# --- running them ----------------------------------------------------------------------------------------------------


def catalogue(rxd):
    """The names of the operators that this binary has."""
    text = subprocess.run([str(rxd), "operators"], capture_output=True, text=True, check=True).stdout
    section = text.split("operators\n", 1)[-1].split("\n\n", 1)[0]
    return {line.split()[0] for line in section.splitlines() if line.strip()}


WORKER = {}
CHUNK = 250  # cases of one process


def start_worker(rxd, flags, operators):
    WORKER.update(rxd=rxd, flags=flags, operators=operators)


def try_all(cases):
    """A verdict on each: (same, scope, refused or differs; what)."""
    with ManyReplayer(WORKER["rxd"], WORKER["flags"]) as WORKER["replayer"]:
        return [try_case(case) for case in cases]


def try_case(case):
    if "caseError" in case["expect"]:
        return "scope", f"the oracle itself gave up ({case['expect']['caseError']})"
    try:
        config = translate.config_of(case, WORKER["operators"])
    except translate.OutOfScope as reason:
        return "scope", str(reason)
    try:
        outcome = WORKER["replayer"].run(config, translate.notifications_of(case), ["out"])
    except ReplayError as error:
        return "refused", str(error)
    found = translate.compare(case, outcome)
    return ("differs", found) if found else ("same", None)


def shrunk(cases, verdicts, most):
    """The first differing cases, as small as they get, in place of what they were."""
    out = []
    for case, (verdict, _) in zip(cases, verdicts):
        if verdict in ("differs", "refused") and len(out) < most:
            ask = lambda more: expect([json.dumps(m) for m in more])  # noqa: E731
            small = shrink.shrink(case, ask, lambda c: try_all([c])[0][0] == verdict)
            out.append((small, *try_all([small])))
    return [c for c, _ in out], [v for _, v in out]


def run_all(cases, rxd, flags, operators, jobs):
    chunks = [cases[i : i + CHUNK] for i in range(0, len(cases), CHUNK)]
    with multiprocessing.Pool(jobs, start_worker, (rxd, flags, operators)) as pool:
        return [verdict for verdicts in pool.map(try_all, chunks, chunksize=1) for verdict in verdicts]


# --- the report ------------------------------------------------------------------------------------------------------


def describe(case, verdict, what):
    """One case for the eye: its operators, and a command that shows it again."""
    config = json.dumps(translate.config_of(case))
    events = "".join(json.dumps(row) + "\\n" for row in translate.notifications_of(case))
    lines = [f"--- case {case['id']} ({case['op']}): {verdict}"]
    lines += [f"  pipeline  {json.dumps(case['pipeline'])}"]
    lines += [f"  {name:9} {case['inputs'][name]['kind']} {json.dumps(case['inputs'][name]['events'])}"
              for name in translate.inputs_used(case)]
    if "unsubscribeAt" in case:
        lines += [f"  unsubscribed at {case['unsubscribeAt']}"]
    lines += [f"  again     printf '%b' {quote(events)} | rxd replay --subscriptions -c <(echo {quote(config)}) out"]
    if isinstance(what, str):
        return "\n".join([*lines, "  " + what.replace("\n", "\n  ")])
    for part, pair in what.items():
        lines += [f"  {part} {pair.get('source', '')}", f"    RxJS {json.dumps(pair['want'])}", f"    rxd  {json.dumps(pair['got'])}"]
    return "\n".join(lines)


def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def report(cases, verdicts, show):
    counts = collections.Counter(verdict for verdict, _ in verdicts)
    reasons = collections.Counter(what for verdict, what in verdicts if verdict == "scope")
    bad = [(c, v, w) for c, (v, w) in zip(cases, verdicts) if v in ("refused", "differs")]
    bad.sort(key=lambda row: len(json.dumps([row[0]["pipeline"], row[0]["inputs"]])))
    for row in bad[:show]:
        print(describe(*row))
    if bad:
        chains = collections.Counter((v, " ".join(ops_in(c["pipeline"]))) for c, v, _ in bad)
        print("differences by chain:")
        for (verdict, chain), n in chains.most_common(30):
            print(f"  {n:5} {verdict:8} {chain}")
    for reason, n in reasons.most_common():
        print(f"  {n:5} not in scope: {reason}")
    ran = counts["same"] + len(bad)
    print(f"{len(cases)} cases, {ran} run: {counts['same']} as RxJS, {counts['differs']} differ, "
          f"{counts['refused']} refused; {counts['scope']} not in scope")
    return 1 if bad or not ran else 0


def ops_in(pipeline):
    for step in pipeline:
        yield step["op"]
        inside = translate.chain_inside(step)
        if inside:
            yield "(" + " ".join(ops_in(inside)) + ")"


def created_in(what):
    """The names of the streams that are made in their place, in a case or a part of it."""
    if isinstance(what, list):
        return set().union(*map(created_in, what))
    if not isinstance(what, dict):
        return set()
    return ({what.get("op")} & translate.MADE.keys() - {"in"}) | set().union(*map(created_in, what.values()))


def operators_of(case):
    """The operators of rxd that the case runs; a fused keyed window and what makes a stream in its place count too."""
    pipelines = translate.config_of(case)["pipelines"].values()
    names = [translate.name_of(step) for p in pipelines for step in p["pipe"]]
    keyed = translate.any_step(case["pipeline"], translate.is_keyed)
    return set(names) | created_in([case["source"], case["pipeline"]]) | ({"keyed_window"} if keyed else set())


# What RxJS has no word for; marbles and unit tests hold them.
BEYOND = {"hysteresis", "http", "join", "lookup", "match", "median", "pivot", "quantile", "route", "silence"}


def coverage(cases, rxd):
    """Prints how many cases ran each operator; those that no case runs, if any, are the answer."""
    counts = collections.Counter(name for case in cases for name in operators_of(case))
    print("cases of each operator: " + ", ".join(f"{name} {n}" for name, n in sorted(counts.items())))
    return sorted((catalogue(rxd) | translate.MADE.keys() - {"in"}) - counts.keys() - BEYOND)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rxd", help="the binary (default: $RXD, build/bin/rxd)")
    parser.add_argument("--record", action="store_true", help="write the recorded cases")
    parser.add_argument("--flag", action="append", default=[], help="passed to rxd replay (--flag=--no-fusion)")
    parser.add_argument("--all-operators", action="store_true", help="do not ask the binary for its catalogue")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--show", type=int, default=10, help="how many differences to show, the shortest first")
    parser.add_argument("--shrink", action="store_true", help="make the shown ones as small as they get (needs node)")
    parser.add_argument("--out", help="write the differing cases there, as JSON lines")
    parser.add_argument("seed", type=int, nargs="?")
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("ops", nargs="*")
    args = parser.parse_args()
    if args.record:
        return record(args.seed or 1, args.count)
    rxd, fresh = find_rxd(args.rxd), args.seed is not None
    cases = generate(args.seed, args.count, args.ops) if fresh else recorded()
    operators = catalogue(rxd) if fresh and not args.all_operators else None
    verdicts = run_all(cases, rxd, args.flag, operators, args.jobs)
    without = [] if fresh else coverage(cases, rxd)
    if args.out:
        with open(args.out, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(c) + "\n" for c, (v, _) in zip(cases, verdicts) if v in ("refused", "differs"))
    if args.shrink:
        start_worker(rxd, args.flag, operators)
        report(*shrunk(cases, verdicts, args.show), args.show)
        args.show = 0
    status = report(cases, verdicts, args.show)
    if without:
        print("no recorded case runs " + ", ".join(without))
    return 1 if without else status


if __name__ == "__main__":
    sys.exit(main())
