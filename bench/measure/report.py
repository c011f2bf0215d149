"""The figures of README.md and docs/performance.md: written from a result between two marks, so that none is typed by hand."""
import re

from measure.table import machine_line

README_JOBS = ("main job, canned MQTT", "main job, file", "main job, HTTP in 1 MB bodies", "through mosquitto, 100,000/s", "billion-row job, 10 M rows")


def number(x):
    return "%.1f" % x if x < 10 else "{:,.0f}".format(x)


def ratio(times):
    return "%.0f %%" % (times * 100) if times < 2 else "%.1fx" % times if times < 10 else "%.0fx" % times


def by_job(rows):
    jobs = {}
    for row in rows:
        jobs.setdefault(row["job"], []).append(row)
    return jobs


def whole(result):
    """All rows; what rxd is against each: a share of the limit's speed, so many times a peer's."""
    lines = ["| job | who | ns of CPU an event | least to most | M events/s a core | RSS, MB | rxd is |", "|---|---|---:|---:|---:|---:|---:|"]
    for job, rows in by_job(result["rows"]).items():
        rxd = next((row["median_ns"] for row in rows if row["who"] == "rxd"), None)
        for row in rows:
            against = ratio(row["median_ns"] / rxd) if rxd and row["who"] != "rxd" else ""
            lines.append("| %s | %s | %s | %s to %s | %.3g | %.3g | %s |" % (
                job if row is rows[0] else "", row["who"], number(row["median_ns"]), number(min(row["ns"])), number(max(row["ns"])),
                1e3 / row["median_ns"], row["rss_mb"], against))
    return "%s; medians of %d rounds.\n\n" % (machine_line(result["machine"]), result["rounds"]) + "\n".join(lines) + "\n"


def short(result):
    """What a reader of README.md wants: rxd's own, and the limit."""
    lines = ["| feed | M events/s on one core | of what a C program for this alone does | RSS, MB |", "|---|---:|---:|---:|"]
    jobs = by_job(result["rows"])
    for job in README_JOBS:
        who = {row["who"]: row for row in jobs.get(job, [])}
        if "rxd" in who:
            share = ratio(who["limit"]["median_ns"] / who["rxd"]["median_ns"]) if "limit" in who else "-"
            lines.append("| %s | %.3g | %s | %.2g |" % (job, 1e3 / who["rxd"]["median_ns"], share, who["rxd"]["rss_mb"]))
    return "\n".join(lines) + "\n"


def write(result):
    for path, text in (("README.md", short(result)), ("docs/performance.md", whole(result))):
        with open(path) as f:
            before = f.read()
        with open(path, "w") as f:
            f.write(re.sub(r"(<!-- figures of .*? -->\n).*?(<!-- end -->)", lambda m: m[1] + "\n" + text + "\n" + m[2], before, flags=re.S))
