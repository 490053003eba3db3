"""The figure of the page: bars of ratios."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.table import Results, goal, peers_of, ratio

# Okabe and Ito's colours, which the colour-blind can tell apart. The ground is opaque: it reads on dark pages too.
COLOURS = {"torch": "#0072b2", "optax": "#e69f00", "tensorflow": "#009e73", "keras": "#cc79a7"}
GROUND, INK, GRID = "#fbfbf8", "#222222", "#d5d5d0"


def draw(runs: list[Results], path: Path) -> None:
    """One panel for each run."""
    figure = Figure(figsize=(9.4, 4.0), layout="constrained", facecolor=GROUND)
    panels = figure.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    for axes, run in zip(panels, runs, strict=True):
        draw_run(axes, run)
    panels[0].set_ylabel("times ctckit's time, forward + backward", color=INK)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, labelcolor=INK)
    figure.savefig(path, dpi=110, facecolor=GROUND, metadata={"Software": None})


def draw_run(axes: Axes, run: Results) -> None:
    """A group of bars for each workload, on a logarithmic scale; a tick where the goal against torch is."""
    others = peers_of(run)[1:]
    width = 0.84 / len(others)
    for i, peer in enumerate(others):
        bars = [(x, value) for x, row in enumerate(run["rows"]) if (value := ratio(row, peer))]
        places = [x + (i - (len(others) - 1) / 2) * width for x, _ in bars]
        drawn = axes.bar(places, [value for _, value in bars], 0.92 * width, color=COLOURS[peer], label=peer)
        axes.bar_label(drawn, [f"{value:.0f}" for _, value in bars], fontsize=7.5, color=INK, padding=1)
    first = -(len(others) - 1) / 2 * width
    goals = [(x + first, value) for x, row in enumerate(run["rows"]) if (value := goal(run, row))]
    axes.scatter(
        *zip(*goals, strict=True), marker="_", s=150, color=INK, linewidths=2, zorder=3, label="goal against torch"
    )
    axes.set_xticks(
        range(len(run["rows"])), [f"{row['workload']}\n{row['stands_for'].replace(', ', '\n')}" for row in run["rows"]]
    )
    axes.set_title("1 thread" if run["threads"] == 1 else f"{run['threads']} threads", color=INK, fontsize=11)
    dress(axes)


def dress(axes: Axes) -> None:
    """Scale, grid and colours."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes.set_facecolor(GROUND)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.axhline(1, color=INK, linewidth=1)
