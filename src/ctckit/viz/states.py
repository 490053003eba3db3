"""A figure of the states of a target and the transitions between them, as topology.py defines them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ctckit import _checks
from ctckit.topology import IMPOSSIBLE, Topology
from ctckit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOKEN, BLANK = "#2a6f97", "#9aa5b1"
COLORS = ("#8d98a5", "#2a6f97", "#c17817", "#7a5aa6", "#7a5aa6")  # stay, advance, skip, and the two hops
RADIUS, RING = 0.27, 0.33


def draw_states(
    topology: Topology, *, names: Sequence[str] | Vocabulary | None = None, axes: Axes | None = None
) -> Axes:
    """Draw the states of a target from left to right, with an arrow for each transition.

    Blanks are pale, tokens are strong. Stay is a loop above its state, advance a straight arrow, skip an arc above;
    hops are arcs below. A path may begin in the states with an arrow from the left, and end in those with a ring.

    Args:
        topology: A result of ``ctc_topology`` or ``TokenGraphs.topology``.
        names: (C,) the text of each class; by default its number. The class of state 0 is the blank, written ∅.
        axes: The axes to draw on; by default new axes of a suitable size.

    Returns:
        The axes.

    Raises:
        MissingDependencyError: If Matplotlib is not installed.

    Example:
        >>> from ctckit.viz import draw_states
        >>> import matplotlib; matplotlib.use("Agg")
        >>> from ctckit.topology import ctc_topology
        >>> axes = draw_states(ctc_topology([3, 1, 1]), names=["", "a", "b", "c"])
        >>> [text.get_text() for text in axes.texts if text.get_text()]
        ['∅', 'c', '∅', 'a', '∅', 'a', '∅']
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise _checks.missing(error, "draw_states", "viz") from error
    states = topology.num_states
    if axes is None:
        axes = Figure(
            figsize=(float(np.clip(0.9 * states, 3, 14)), float(np.clip(0.9 * 1.75, 1.2, 3))), layout="constrained"
        ).add_subplot()
    for k, s in np.argwhere(topology.transitions > IMPOSSIBLE).tolist():
        _arrow(axes, s - k, s)
    blank = int(topology.labels[0])
    for s, label in enumerate(topology.labels.tolist()):
        name = "∅" if label == blank else (str(label) if names is None else names[label])
        _state(axes, s, name, BLANK if label == blank else TOKEN, bool(topology.final[s] > IMPOSSIBLE))
    for s in np.flatnonzero(topology.start > IMPOSSIBLE).tolist():
        _line(axes, (s - 0.44, -0.64), (s - 0.22, -0.3), BLANK, 0.0)
    axes.set(xlim=(-0.7, states - 0.3), ylim=(-0.7 if len(topology.transitions) < 4 else -1.5, 1.0), aspect="equal")
    axes.axis("off")
    return axes


def _state(axes: Axes, s: int, name: str, color: str, final: bool) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle((s, 0), RADIUS, facecolor=color, edgecolor="none", zorder=3))
    if final:
        axes.add_patch(Circle((s, 0), RING, facecolor="none", edgecolor=color, linewidth=1, zorder=3))
    axes.text(s, 0, name, ha="center", va="center_baseline", color="white", fontsize=11, zorder=4)


def _arrow(axes: Axes, source: int, target: int) -> None:
    length, color = target - source, COLORS[target - source]
    if length == 0:
        _line(axes, (source - 0.13, RING), (source + 0.13, RING), color, -1.7)
    elif length == 1:
        _line(axes, (source + RING, 0), (target - RING, 0), color, 0.0)
    elif length == 2:
        _line(axes, (source + 0.24, 0.26), (target - 0.24, 0.26), color, -0.42)
    else:
        _line(axes, (source + 0.24, -0.26), (target - 0.24, -0.26), color, 0.25 + 0.05 * (length % 2))


def _line(axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str, bend: float) -> None:
    from matplotlib.patches import FancyArrowPatch

    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=9,
            color=color,
            linewidth=1.1,
            shrinkA=0,
            shrinkB=0,
            connectionstyle=f"arc3,rad={bend}",
            zorder=2,
        )
    )
