"""When a stream commits its text: ``commit_after``.

A stream that commits makes a cut (streaming.py) as soon as it can. Every few frames, it aligns the best text of the
beam with the frames that it keeps. What ended more than ``commit_after`` frames ago is closed, in whole words if there
are words, with the mark that follows the last one; texts of the beam that do not begin with it are dropped. So

-   the text becomes final with this delay, with its spans and confidences;
-   the stream keeps ``commit_after`` frames and those of a word, so partial results and memory stay small;
-   the result is not exact: a text that later frames would prefer may have been dropped.

The cuts are at places that depend on the frames alone, not on the sizes of the chunks. A word that lasts longer than
``commit_after`` frames, or is not followed by a mark, is cut as in an exact stream with short windows.
"""

from __future__ import annotations

from dataclasses import dataclass

from ctckit import _checks
from ctckit.errors import InvalidInputError

LEAST_WINDOW = 64  # frames: a word that lasts so long, or is not followed by another one, may be cut
TRIES = 20  # in ``commit_after`` frames
MOST_FRAMES = 1 << 40


@dataclass(frozen=True)
class Commits:
    """When a stream commits.

    Attributes:
        after: Text is committed that ended more than this many frames ago.
    """

    after: int

    @property
    def window(self) -> int:
        """The length in frames of the windows of the stream: it keeps at most two of them."""
        return max(self.after, LEAST_WINDOW)

    @property
    def _step(self) -> int:
        return max(1, self.after // TRIES)

    def frames_to_next(self, frames: int) -> int:
        """Return the number of frames from the present one to the next that is ``due``."""
        return self._step - frames % self._step

    def due(self, frames: int) -> bool:
        """Tell whether the stream looks for text to commit after this many frames."""
        return frames % self._step == 0


def frames_of(duration: float, name: str, stride: float | None) -> int:
    """Return a duration in frames.

    Args:
        duration: Frames, or seconds if there is a stride.
        name: What it is called in messages.
        stride: The seconds from one frame to the next, or None.

    Raises:
        InvalidInputError: If it is not positive, or frames without being a whole number.
    """
    value = _checks.number(duration, name, 0, MOST_FRAMES)
    if stride is not None:
        value = round(value / _checks.number(stride, "stride", 1e-9, 1e9))
    elif value != round(value):
        raise InvalidInputError(
            f"{name} is {duration} frames; expected a whole number. For seconds, say stride=… (the seconds from one "
            "frame to the next) as well."
        )
    if not 1 <= value <= MOST_FRAMES:
        raise InvalidInputError(f"{name} is {value:.0f} frames; expected 1 to {MOST_FRAMES:,}.")
    return int(value)
