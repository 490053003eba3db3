"""The C++ core's aligner: the same names as reference_align.py, and the same paths.

All is computed in float64, so that the paths are the reference's. Long float32 inputs are computed in float32 first, in
numbers that are kept near 0, and then in float64 for the states within 64 tokens of the path that was found.
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
    """How the core goes about it, for tests and measurements: the paths are the same for all. −1: as it is best.

    Attributes:
        checkpoint_frames: Frames between two rows of states that are kept to go back from.
        single_from: T · 2N from which on float32 is first computed in float32.
        prune_from: T · 2N from which on states are given up that cannot be on the best path.
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
    """The likeliest path of each item; see ``reference_align.align_batch``.

    It needs memory for some 128 bytes a frame or less, beyond its input. Results are the same bits for any number of
    threads.

    Args:
        log_probs: (B, T, C) float32 or float64 of any strides, natural logarithms, −∞ allowed; NaN and +∞ are not.
        input_lengths: (B,) frames.
        targets: (B, N) integers, padded.
        target_lengths: (B,) tokens.
        blank: The class of the blank.
        graphs: Other chains than plain CTC's; they stand for ``targets``.
        settings: For tests and measurements.
        cells: (B,) int64, to be written: states × frames that were computed.

    Returns:
        For each item its path, or None where there is none.
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
