"""Draws the figures of a run: plot.py results.json plot.svg"""

import json
import sys

import matplotlib

matplotlib.use("agg")
matplotlib.rcParams["svg.hashsalt"] = "py-executor"
from matplotlib import pyplot  # noqa: E402

OURS, OTHERS = "#1f6f8b", "#c9c9c9"


def main(source, target):
    with open(source) as file:
        results = json.load(file)
    figure, axes = pyplot.subplots(2, 2, figsize=(13, 8), layout="constrained")
    latency(axes[0][0], results, "basic")
    latency(axes[0][1], results, "pandas")
    throughput(axes[1][0], results)
    sizes(axes[1][1], results)
    machine = results["machine"]
    figure.suptitle(f"{machine['processors']} × {machine['model']}, Linux {machine['kernel']}", fontsize=10)
    figure.savefig(target, metadata={"Date": None} if target.endswith(".svg") else None)


def latency(axis, results, case):
    rows = [row for row in results["latency"] if row["case"] == case]
    axis.set_title(f"{case}: one client, median ms (logarithmic)", fontsize=10)
    if not rows:
        return  # a part of a run
    rows.sort(key=lambda row: row["p50"], reverse=True)
    names = [row["who"] for row in rows]
    values = [row["p50"] for row in rows]
    bars = axis.barh(names, values, color=[OURS if name == "service" else OTHERS for name in names])
    axis.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
    axis.set_xscale("log")
    axis.margins(x=0.15)
    axis.tick_params(axis="y", labelsize=8)


def throughput(axis, results):
    ours = [row for row in results["throughput"] if row["who"] == "service"]
    for case in dict.fromkeys(row["case"] for row in ours):
        clients = sorted({row["clients"] for row in ours if row["case"] == case})
        rates = [mean(row["per_second"] for row in ours if (row["case"], row["clients"]) == (case, n)) for n in clients]
        axis.plot(clients, rates, marker="o", label=case)
    scales(axis)
    axis.set_xlabel("clients")
    axis.set_title("scripts a second", fontsize=10)


def sizes(axis, results):
    for row in results["sizes"]:
        points = sorted((int(size), value) for size, value in row["p50"].items())
        style = "-" if row["who"] == "service" else ":"
        axis.plot(*zip(*points), style, marker=".", label=f"{row['what']}: {row['who']}")
    scales(axis)
    axis.set_xlabel("bytes")
    axis.set_title("median ms by size", fontsize=10)


def scales(axis):
    if axis.lines:
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)


def mean(values):
    values = list(values)
    return sum(values) / len(values)


main(*sys.argv[1:])
