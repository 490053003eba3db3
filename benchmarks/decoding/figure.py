"""The figure of the page: time over what was missed, one panel for each kind of posteriors."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.decoding.figures import Results, gap, microseconds, row_of
from benchmarks.decoding.peers import PEERS
from benchmarks.loss.figure import GRID, GROUND, INK

ROWS = ("ocr_ppv4", "speech", "nanopore")
# Okabe and Ito's colours, which the colour-blind can tell apart.
COLOURS = {
    "ctckit": "#d55e00",
    "greedy": "#888888",
    "pyctcdecode": "#0072b2",
    "ctc-beam-decoder": "#56b4e9",
    "flashlight": "#e69f00",
    "fast-ctc-decode": "#009e73",
    "tensorflow": "#cc79a7",
}
LEFT_OUT = ("ctckit AVX2",)  # would lie on ctckit's point


def draw(results: Results, path: Path) -> None:
    """A point for each decoder: faster is further left, better further down."""
    rows = [row for name in ROWS if (row := row_of(results, name))]
    figure = Figure(figsize=(9.4, 3.9), layout="constrained", facecolor=GROUND)
    panels = figure.subplots(1, max(1, len(rows)), squeeze=False)[0]
    for axes, row in zip(panels, rows, strict=False):
        draw_row(axes, row)
    panels[0].set_ylabel("nats below the likeliest text found, mean", color=INK, fontsize=9)
    shown = {library for row in rows for library in (PEERS[name].library for name in row["peers"])}
    for library in (each for each in COLOURS if each in shown):
        panels[0].scatter([], [], color=COLOURS[library], label=library, s=40)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8.5)
    figure.savefig(path, dpi=110, facecolor=GROUND, metadata={"Software": None})


def draw_row(axes: Axes, row: Results) -> None:
    """One panel."""
    for name in row["peers"]:
        if name in LEFT_OUT:
            continue
        colour = COLOURS[PEERS[name].library]
        axes.scatter(microseconds(row, name) or 0.0, gap(row, name) or 0.0, color=colour, s=48, zorder=3)
    axes.set_xscale("log")
    axes.set_title(row["about"], color=INK, fontsize=10)
    axes.set_xlabel("µs a frame", color=INK, fontsize=9)
    axes.set_facecolor(GROUND)
    axes.set_axisbelow(True)
    axes.grid(color=GRID)
    axes.minorticks_off()
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.margins(0.08)
