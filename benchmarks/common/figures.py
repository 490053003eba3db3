"""Colors and axes of the figures."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# The colors of Okabe and Ito, which color-blind readers can distinguish.
BLUE, ORANGE, GREEN, PINK, SKY, RED, GRAY = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#888888"
GROUND, INK, GRID = "#fbfbf8", "#222222", "#d5d5d0"  # the ground is opaque, so that a figure is readable on dark pages


def panels(height: float, count: int, *, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels side by side."""
    figure = Figure(figsize=(9.4, height), layout="constrained", facecolor=GROUND)
    return figure, list(figure.subplots(1, max(1, count), sharey=sharey, squeeze=False)[0])


def dress(axes: Axes, grid: str = "both") -> None:
    """Set the colors and the grid of a panel."""
    axes.minorticks_off()
    axes.set_facecolor(GROUND)
    axes.set_axisbelow(True)
    axes.grid(axis=grid, color=GRID)  # type: ignore[arg-type]
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[:].set_visible(False)


def finish(figure: Figure, path: Path, **legend: object) -> None:
    """Draw the legend below the panels, from the labels of the first one, and save the figure."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, **legend)
    figure.savefig(path, dpi=110, facecolor=GROUND, metadata={"Software": None})
