"""Lines of different widths as batches: which lines share one, and their levels side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ctckit.ocr.data.images import GrayImage

WHITE = 255
WIDE = 2048  # columns; a batch of B lines has at most B x WIDE columns, its padding included


def pad_levels(
    images: Sequence[GrayImage], columns: int | None = None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Pad lines of one height on the right, with white.

    Args:
        images: At least one line.
        columns: The columns of the result; by default those of the widest line.

    Returns:
        Levels (B, 1, height, W) uint8, and widths (B,) int64.

    Example:
        >>> import numpy as np
        >>> from ctckit.ocr.data.padding import pad_levels
        >>> levels, widths = pad_levels([np.zeros((2, 3), np.uint8), np.zeros((2, 1), np.uint8)])
        >>> levels[1, 0].tolist(), widths.tolist()
        ([[0, 255, 255], [0, 255, 255]], [3, 1])
    """
    widths = np.array([image.shape[1] for image in images], dtype=np.int64)
    padded = np.full((len(images), 1, images[0].shape[0], columns or int(widths.max())), WHITE, dtype=np.uint8)
    for row, image in zip(padded, images, strict=True):
        row[0, :, : image.shape[1]] = image
    return padded, widths


def group_by_width(widths: Sequence[int], batch_size: int, *, step: int = 0) -> list[slice]:
    """Group lines, ordered by width, into batches of at most ``batch_size`` lines and ``batch_size * WIDE`` columns.

    A batch is as wide as its widest line; so one wide line must not make a whole batch wide. A line that is wider than
    all the columns of a batch is a batch of its own.

    Args:
        widths: The widths in columns, ascending.
        batch_size: The most lines in a batch.
        step: If it is above 0, the widths of a batch must be equal after they are rounded up to multiples of it.

    Returns:
        The positions of each batch.

    Example:
        >>> from ctckit.ocr.data.padding import group_by_width
        >>> group_by_width([100, 100, 100, 5000, 5000], 4)
        [slice(0, 3, None), slice(3, 4, None), slice(4, 5, None)]
        >>> group_by_width([60, 64, 65], 4, step=64)
        [slice(0, 2, None), slice(2, 3, None)]
    """
    batches = []
    start = 0
    for end in range(1, len(widths) + 1):
        full = end - start == batch_size or end == len(widths)
        full = full or (step > 0 and -(-widths[start] // step) != -(-widths[end] // step))
        if full or (end - start + 1) * widths[end] > batch_size * WIDE:
            batches.append(slice(start, end))
            start = end
    return batches
