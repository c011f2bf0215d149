#!/usr/bin/env python3
"""The curves and the main job's table as SVG: plots.py RESULT.json FOLDER. Needs matplotlib."""
import json
import os
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

STYLE = {"svg.fonttype": "none", "svg.hashsalt": "rxd", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
         "axes.grid": True, "grid.alpha": 0.3}


def save(figure, folder, name):
    figure.tight_layout()
    figure.savefig(os.path.join(folder, name + ".svg"), metadata={"Date": None})
    plt.close(figure)


def curve(folder, name, data):
    xs, medians, least, most = zip(*(point[:4] for point in data["points"]))
    figure, axes = plt.subplots(figsize=(5, 3))
    axes.fill_between(xs, least, most, alpha=0.25, linewidth=0)
    axes.plot(xs, medians, marker="o", markersize=4)
    axes.set_xscale("log")
    axes.set_ylim(0, max(most) * 1.15)
    axes.set_xlabel(data["x"])
    axes.set_title(data["y"], fontsize=9, loc="left")
    save(figure, folder, name)


def bars(folder, name, rows):
    rows = sorted(rows, key=lambda row: row["median_ns"])
    figure, axes = plt.subplots(figsize=(6, 0.6 + 0.3 * len(rows)))
    names = [row["who"] for row in rows]
    drawn = axes.barh(names, [row["median_ns"] for row in rows], color=["C1" if who == "rxd" else "C7" if who == "limit" else "C0" for who in names])
    axes.bar_label(drawn, ["%.0f" % row["median_ns"] for row in rows], padding=3)
    axes.set_xscale("log")
    axes.set_xlabel("ns of CPU an event (logarithmic)")
    axes.invert_yaxis()
    axes.margins(x=0.15)
    save(figure, folder, name)


def main():
    with open(sys.argv[1]) as f:
        result = json.load(f)
    folder = sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    with plt.rc_context(STYLE):
        for name, data in result.get("curves", {}).items():
            curve(folder, name, data)
        for name, job in (("file", "main job, file"), ("mqtt", "main job, canned MQTT")):
            rows = [row for row in result.get("rows", []) if row["job"] == job]
            if rows:
                bars(folder, name, rows)


if __name__ == "__main__":
    main()
