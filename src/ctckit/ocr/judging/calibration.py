"""Calibration: is a confidence of 0.9 right nine times of ten?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ctckit.errors import InvalidInputError

BINS = 10
Judged = tuple[float, bool]  # the confidence of a reading, and whether it is right


@dataclass(frozen=True)
class CalibrationBin:
    """What was read with a confidence in ``[low, high)``; the last bin includes 1.

    Attributes:
        low: The lowest confidence.
        high: The upper end.
        count: The number of readings.
        confidence: Their mean confidence, 0..1; 0 if there are none.
        right: The share of them that is right, 0..1; 0 if there are none.
    """

    low: float
    high: float
    count: int
    confidence: float
    right: float


@dataclass(frozen=True)
class Calibration:
    """How well confidences tell how often a reading is right.

    Attributes:
        bins: Readings of similar confidence, from 0 to 1.
    """

    bins: tuple[CalibrationBin, ...]

    @classmethod
    def measure(cls, judged: Sequence[Judged], *, bins: int = BINS) -> Calibration:
        """Compare confidences with what is right.

        Args:
            judged: The confidence of each reading, 0..1, and whether the reading is right.
            bins: The number of bins, all of the same width.

        Raises:
            InvalidInputError: If a confidence is not in 0..1.

        Example:
            >>> from ctckit.ocr.judging.calibration import Calibration
            >>> measured = Calibration.measure([(0.9, True), (0.9, True), (0.9, False), (0.5, True)])
            >>> round(measured.error, 3)  # 3/4 · |0.9 - 2/3| + 1/4 · |0.5 - 1|
            0.3
        """
        given, truth = np.array(judged, np.float64).reshape(-1, 2).T
        wrong = np.flatnonzero(~((given >= 0.0) & (given <= 1.0)))
        if wrong.size:
            raise InvalidInputError(f"judged[{wrong[0]}] has the confidence {given[wrong[0]]}; expected 0..1.")
        place = np.minimum((given * bins).astype(np.int64), bins - 1)
        counts, shares = np.bincount(place, minlength=bins), np.maximum(1, np.bincount(place, minlength=bins))
        means = np.bincount(place, given, bins) / shares
        rights = np.bincount(place, truth, bins) / shares
        rows = zip(range(bins), counts.tolist(), means.tolist(), rights.tolist(), strict=True)
        return cls(tuple(CalibrationBin(n / bins, (n + 1) / bins, *row) for n, *row in rows))

    @property
    def count(self) -> int:
        """The number of readings."""
        return sum(each.count for each in self.bins)

    @property
    def confidence(self) -> float:
        """The mean confidence, 0..1."""
        return sum(each.count * each.confidence for each in self.bins) / max(1, self.count)

    @property
    def right(self) -> float:
        """The share of readings that is right, 0..1."""
        return sum(each.count * each.right for each in self.bins) / max(1, self.count)

    @property
    def error(self) -> float:
        """The expected calibration error, 0..1: the mean distance of confidence and share of right ones over the bins.

        Each bin counts by its readings (Guo et al., 2017, equation 3).
        """
        apart = sum(each.count * abs(each.confidence - each.right) for each in self.bins)
        return apart / max(1, self.count)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "count": self.count,
            "confidence": self.confidence,
            "right": self.right,
            "expected_calibration_error": self.error,
            "bins": [asdict(each) for each in self.bins],
        }
