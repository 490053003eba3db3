"""Figures of lattices with Matplotlib, on given axes or on new ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ctckit import _checks
from ctckit.lattices import Lattice
from ctckit.vocabulary import Vocabulary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NODES = 1500  # with more states × frames, dots and arrows are not legible: the matrix is drawn instead
INK, PATH, FAINT = "#2a6f97", "#d1495b", "#9aa5b1"
MOST_LABELS = 45
FAINTEST = 1e-3  # transitions below this probability are not drawn


def draw_trellis(
    lattice: Lattice,
    *,
    names: Sequence[str] | Vocabulary | None = None,
    axes: Axes | None = None,
    best_path: bool = True,
) -> Axes:
    """Draw the trellis of a lattice: a row for each state, a column for each frame.

    The area of a dot is the occupancy of its state. The strength of a line is the probability of its transition. The
    most likely single path is red. Large lattices are drawn as a matrix of occupancies.

    Args:
        lattice: A result of ``ctckit.lattice``.
        names: (C,) the text of each class; by default its number, and ∅ for the blank.
        axes: The axes to draw on; by default new axes of a suitable size.
        best_path: Whether to mark the most likely path.

    Returns:
        The axes.

    Raises:
        MissingDependencyError: If Matplotlib is not installed.

    Example:
        >>> from ctckit.viz import draw_trellis
        >>> import numpy as np, ctckit
        >>> import matplotlib; matplotlib.use("Agg")
        >>> axes = draw_trellis(ctckit.lattice(np.log(np.full((5, 3), 1 / 3)), [1, 2]), names=["", "a", "b"])
        >>> [label.get_text() for label in axes.get_yticklabels()]
        ['∅', 'a', '∅', 'b', '∅']
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise _checks.missing(error, "draw_trellis", "viz") from error
    frames, states = lattice.alpha.shape
    if axes is None:
        size = (float(np.clip(0.42 * frames + 1, 4, 14)), float(np.clip(0.34 * states + 1, 2.5, 9)))
        axes = Figure(figsize=size, layout="constrained").add_subplot()
    if frames * states > NODES:
        axes.imshow(lattice.occupancy.T, aspect="auto", cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    else:
        _draw_transitions(axes, lattice)
        _draw_nodes(axes, lattice)
    if best_path and lattice.feasible and frames:
        axes.plot(range(frames), lattice.best_path(), color=PATH, linewidth=1.6, alpha=0.85, zorder=3)
    _label(axes, lattice, names)
    return axes


def _draw_nodes(axes: Axes, lattice: Lattice) -> None:
    t, s = np.indices(lattice.occupancy.shape)
    axes.scatter(t, s, s=4, color=FAINT, linewidths=0, zorder=1)
    axes.scatter(t, s, s=110 * lattice.occupancy, color=INK, linewidths=0, zorder=4)


def _draw_transitions(axes: Axes, lattice: Lattice) -> None:
    from matplotlib.collections import LineCollection

    segments, strengths = [], []
    for t in range(1, len(lattice.alpha)):
        probs = lattice.arrow_occupancy(t)
        for jump, s in np.argwhere(probs > FAINTEST):
            segments.append([(t - 1, s), (t, s + jump)])
            strengths.append(float(probs[jump, s]))
    colors = [(0.165, 0.435, 0.592, 0.15 + 0.85 * strength) for strength in strengths]
    axes.add_collection(LineCollection(segments, colors=colors, linewidths=[0.4 + 2 * p for p in strengths], zorder=2))


def _label(axes: Axes, lattice: Lattice, names: Sequence[str] | Vocabulary | None) -> None:
    from matplotlib.ticker import MaxNLocator

    labels = lattice.state_names(names)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    count = len(labels)
    shown = range(count) if count <= MOST_LABELS else range(1, count, 2 * -(-(count // 2) // MOST_LABELS))
    axes.set_yticks(shown, [labels[s] for s in shown])  # if there are too many, those of some tokens, not of blanks
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(-0.6, len(lattice.alpha) - 0.4)
    axes.set_xlabel("frame")
    impossible = "" if lattice.feasible else ": no path"
    axes.set_title(f"log p = {lattice.log_likelihood:.3f}{impossible}", fontsize="medium", loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
