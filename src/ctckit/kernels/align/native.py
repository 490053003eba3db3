"""The aligner of the C++ core: the same names and the same paths as in ``reference``.

The computation is in float64, so that the paths are the reference's. Long float32 inputs are first computed in float32,
with scores that are kept near 0, and then in float64 for the states within 64 tokens of the path that was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import ctckit._native as _native
from ctckit.kernels.align.reference import BestPath
from ctckit.kernels.batch import rows_contiguous
from ctckit.topology import IMPOSSIBLE, Ints
from ctckit.variants import TokenGraphs


@dataclass(frozen=True)
class AlignSettings:
    """Settings of the core for tests and measurements. The paths are the same for all values. −1: chosen by the core.

    Attributes:
        checkpoint_frames: Frames between two saved vectors of state scores, from which the backtrace recomputes.
        single_from: T · 2N from which float32 inputs are first computed in float32.
        prune_from: T · 2N from which states that cannot be on the best path are pruned.
    """

    checkpoint_frames: int = -1
    single_from: int = -1
    prune_from: int = -1


def align_batch(
    log_probs: npt.NDArray[Any],
    input_lengths: Ints,
    targets: npt.NDArray[np.integer],
    target_lengths: Ints,
    *,
    blank: int,
    graphs: TokenGraphs | None = None,
    settings: AlignSettings | None = None,
    cells: Ints | None = None,
) -> list[BestPath | None]:
    """Return the most likely path of each item; see ``reference.align_batch``.

    Memory: at most about 128 bytes per frame in addition to the input. Results are the same bits for any number of
    threads.

    Args:
        log_probs: (B, T, C) float32 or float64 of any strides, natural logarithms, −∞ allowed; NaN and +∞ are not.
        input_lengths: (B,) frames.
        targets: (B, N) integers, padded.
        target_lengths: (B,) tokens.
        blank: The class of the blank.
        graphs: Token graphs other than plain CTC's; they replace ``targets``.
        settings: For tests and measurements.
        cells: (B,) int64, written: the number of states × frames that were computed.

    Returns:
        For each item its path, or None if there is none.
    """
    rows = rows_contiguous(log_probs)
    tokens, lengths = (targets, target_lengths) if graphs is None else (graphs.tokens, graphs.lengths)
    items, width = tokens.shape
    settings = settings or AlignSettings()
    scores = np.empty(items)
    starts, ends = np.empty((items, width), dtype=np.int64), np.empty((items, width), dtype=np.int64)
    _KERNELS[rows.dtype.name](
        rows,
        np.ascontiguousarray(tokens, dtype=np.int32),
        np.ascontiguousarray(input_lengths, dtype=np.int64),
        np.ascontiguousarray(lengths, dtype=np.int64),
        blank,
        None if graphs is None else np.ascontiguousarray(graphs.weights),
        None if graphs is None else graphs.empty,
        settings.checkpoint_frames,
        settings.single_from,
        settings.prune_from,
        scores,
        starts,
        ends,
        cells,
    )
    return [
        BestPath(score, starts[b, :count], ends[b, :count]) if score != IMPOSSIBLE else None
        for b, (score, count) in enumerate(zip(scores.tolist(), lengths.tolist(), strict=True))
    ]


_KERNELS = {"float32": _native.align_float32, "float64": _native.align_float64}
