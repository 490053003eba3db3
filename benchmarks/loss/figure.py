"""The figure of the page: bars of ratios."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.loss.tables import Results, goal, peers_of, ratio

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
    goal_line, *bars = zip(*panels[0].get_legend_handles_labels(), strict=True)
    handles, labels = zip(*bars, goal_line, strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, labelcolor=INK)
    figure.savefig(path, dpi=110, facecolor=GROUND, metadata={"Software": None})


def draw_run(axes: Axes, run: Results) -> None:
    """A group of bars for each workload, on a logarithmic scale; a tick where the goal against torch is."""
    others = peers_of(run)[1:]
    width = 0.84 / len(others)
    for i, peer in enumerate(others):
        bars = [(x, value) for x, row in enumerate(run["rows"]) if (value := ratio(row, peer))]
        places = [x + (i - (len(others) - 1) / 2) * width for x, _ in bars]
        axes.bar(places, [value for _, value in bars], 0.92 * width, color=COLOURS[peer], label=peer)
        tops = [max(value, (goal(run, run["rows"][x]) or 0) if i == 0 else 0) for x, value in bars]
        for place, top, (_, value) in zip(places, tops, bars, strict=True):
            axes.text(place, 1.06 * top, f"{value:.0f}", fontsize=7.5, color=INK, ha="center", va="bottom")
    mark_goals(axes, run, -(len(others) - 1) / 2 * width)
    names = [
        f"{row['workload']}\n" + row["stands_for"].replace(", ", "\n").replace("long ", "long\n") for row in run["rows"]
    ]
    axes.set_xticks(range(len(names)), names)
    axes.set_title("1 thread" if run["threads"] == 1 else f"{run['threads']} threads", color=INK, fontsize=11)
    dress(axes)


def mark_goals(axes: Axes, run: Results, shift: float) -> None:
    """A stroke across torch's bars, which are ``shift`` away from the middle of their groups."""
    goals = {x + shift: goal(run, row) for x, row in enumerate(run["rows"]) if goal(run, row)}
    style = {"marker": "_", "s": 150, "color": INK, "linewidths": 2, "zorder": 3}
    axes.scatter(list(goals), list(goals.values()), label="goal against torch", **style)


def dress(axes: Axes) -> None:
    """Scale, grid and colours."""
    axes.set_yscale("log")
    axes.set_ylim(bottom=1)
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes.set_facecolor(GROUND)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.axhline(1, color=INK, linewidth=1)
