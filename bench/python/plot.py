#!/usr/bin/env python3
"""Draws what `cargo xtask bench engine` measured: how many times as fast as ours each program is.

    VENV/bin/python bench/python/plot.py RESULTS.json OUT.svg
"""
import json
import sys
import textwrap

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.size": 8}
from matplotlib import pyplot

OURS, OTHERS, INK, RULE = "#2a78d6", "#a9a8a1", "#0b0b0b", "#e1e0d9"


def number(value):
    """Three digits, and no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main():
    results = json.load(open(sys.argv[1]))
    panels = results["panels"]
    columns = len({panel["threads"] for panel in panels})
    titles = list(dict.fromkeys(panel["title"] for panel in panels))
    counts = [max(len(panel["bars"]) for panel in panels if panel["title"] == title) for title in titles]
    figure, axes = pyplot.subplots(
        len(titles), columns, squeeze=False, figsize=(4.6 * columns, 0.24 * sum(counts) + 0.62 * len(titles)),
        height_ratios=[count + 1 for count in counts], layout="constrained")
    for panel in panels:
        column = sorted({other["threads"] for other in panels}).index(panel["threads"])
        axis = axes[titles.index(panel["title"])][column]
        bars = panel["bars"][::-1]
        speeds = [bar["speed"] for bar in bars]
        axis.barh([bar["label"] for bar in bars], speeds, height=0.7,
                  color=[OURS if bar["ours"] else OTHERS for bar in bars])
        for at, bar in enumerate(bars):
            axis.text(bar["speed"] + 0.02 * max(speeds), at, f"{number(bar['median'])} {panel['unit']}", va="center", color=INK)
        axis.axvline(1, color=INK, linewidth=0.6, linestyle=":")
        axis.set_xlim(0, 1.4 * max(speeds))
        axis.tick_params(length=0)
        axis.spines[["top", "right", "bottom", "left"]].set_color(RULE)
        threads = "1 thread" if panel["threads"] == 1 else f"{panel['threads']} threads"
        axis.set_title(f"{panel['title']} · {threads}", loc="left", fontsize=8, color=INK)
    for axis in axes[-1]:
        axis.set_xlabel("speed, ours = 1")
    figure.suptitle(textwrap.fill(results["host"], 60 * columns), fontsize=8, x=0.01, ha="left")
    figure.savefig(sys.argv[2], metadata={"Date": None})


if __name__ == "__main__":
    main()
