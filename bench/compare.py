#!/usr/bin/env python3
"""Two results of ./dev bench, one against the other.

    bench/compare.py A.json B.json [--absolute]      exit status: 0 nothing is slower beyond the noise, 1 something is, 2 no row in common

Each row is held against the limit of its own run where its job has one, since two runs on a machine that others use too have their own
speed; --absolute compares nanoseconds. A change counts when it is over 3 % and the middle halves of the rounds do not meet.
"""
import argparse
import json
import statistics
import sys

LEAST = 0.03
FIELDS = ("cpu", "kernel", "compiler", "build", "rounds")


def load(path):
    with open(path) as f:
        result = json.load(f)
    return result, {(row["job"], row["who"]): row["ns"] for row in result["rows"]}


def scale_of(rows, job, absolute):
    limit = rows.get((job, "limit"))
    return 1.0 if absolute or not limit else statistics.median(limit)


def middle(rounds):
    """Where the middle half lies."""
    rounds = sorted(rounds)
    cut = len(rounds) // 4
    return rounds[cut], rounds[len(rounds) - 1 - cut]


def change_of(a, b):
    """B against A, and whether it is beyond the noise."""
    change = statistics.median(b) / statistics.median(a) - 1
    (low_a, high_a), (low_b, high_b) = middle(a), middle(b)
    apart = low_b > high_a or low_a > high_b
    return change, apart and abs(change) > LEAST


def compare(a, b, absolute):
    """Prints each row that is in both; answers how many are slower, and how many there are."""
    slower = both = 0
    for key in a:
        if key not in b or (key[1] == "limit" and not absolute):
            continue
        both += 1
        scales = scale_of(a, key[0], absolute), scale_of(b, key[0], absolute)
        change, real = change_of(*([x / scale for x in rounds] for rounds, scale in zip((a[key], b[key]), scales)))
        said = "" if not real else "slower" if change > 0 else "faster"
        slower += said == "slower"
        print("%-34s %-12s %10.1f %10.1f %+7.1f %%  %s" % (*key, statistics.median(a[key]), statistics.median(b[key]), change * 100, said))
    return slower, both


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--absolute", action="store_true")
    args = parser.parse_args()
    (first, a), (second, b) = load(args.a), load(args.b)
    for field in FIELDS:
        was, now = ({**result["machine"], "rounds": result["rounds"]}.get(field) for result in (first, second))
        if was != now:
            print("not the same %s: %s, %s" % (field, was, now))
    print("%-34s %-12s %10s %10s %9s" % ("job", "who", *(result["machine"]["commit"] for result in (first, second)), "change"))
    slower, both = compare(a, b, args.absolute)
    for what, left, right in (("only in the first", a, b), ("only in the second", b, a)):
        for job, who in left.keys() - right.keys():
            print("%s: %s, %s" % (what, job, who))
    print("%d rows in both, %d slower" % (both, slower))
    sys.exit(2 if not both else 1 if slower else 0)


if __name__ == "__main__":
    main()
