"""The figure of the page: bars of ratios."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.common.figures import BLUE, GREEN, INK, ORANGE, PINK, dress, finish, panels
from benchmarks.common.results import Results
from benchmarks.loss.tables import peers_of, ratio

COLORS = {"torch": BLUE, "optax": ORANGE, "tensorflow": GREEN, "keras": PINK}


def draw(runs: list[Results], path: Path) -> None:
    """Draw one panel for each run."""
    figure, all_axes = panels(4.0, len(runs), sharey=True)
    for axes, run in zip(all_axes, runs, strict=True):
        draw_run(axes, run)
    all_axes[0].set_ylabel("times ctckit's time, forward + backward", color=INK)
    finish(figure, path, labelcolor=INK)


def draw_run(axes: Axes, run: Results) -> None:
    """Draw a group of bars for each workload, on a logarithmic scale."""
    others = peers_of(run)[1:]
    width = 0.84 / len(others)
    for i, peer in enumerate(others):
        bars = [(x, value) for x, each in enumerate(run["rows"]) if (value := ratio(each, peer))]
        places = [x + (i - (len(others) - 1) / 2) * width for x, _ in bars]
        axes.bar(places, [value for _, value in bars], 0.92 * width, color=COLORS[peer], label=peer)
        for place, (_, value) in zip(places, bars, strict=True):
            axes.text(place, 1.06 * value, f"{value:.0f}", fontsize=7.5, color=INK, ha="center", va="bottom")
    names = [
        f"{each['workload']}\n" + each["stands_for"].replace(", ", "\n").replace("long ", "long\n")
        for each in run["rows"]
    ]
    axes.set_xticks(range(len(names)), names)
    axes.set_title("1 thread" if run["threads"] == 1 else f"{run['threads']} threads", color=INK, fontsize=11)
    axes.set_yscale("log")
    axes.set_ylim(bottom=1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    dress(axes, "y")
    axes.axhline(1, color=INK, linewidth=1)
