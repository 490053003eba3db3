"""The output of a network, for the live lattice."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.errors import InvalidInputError
from ctckit.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class LivePosterior:
    """The output of a network, for the live lattice to show.

    Attributes:
        title: Its name in the list.
        log_probs: (T, C) natural log-probabilities or logits; or (K, T, C) for K steps of a training.
        vocabulary: The classes.
        target: The first target; tokens of more than one character are separated by spaces.
        note: A sentence about it.
        steps: (K,) the names of the steps; by default 0 to K − 1. The page begins with the first.
        image: (H, W) uint8, the input image, from the first frame to the last.
        wave: (W, 2) lowest and highest value, −1..1, of each of W equal pieces of the input sound.
        credit: Its source.

    Example:
        >>> import numpy as np
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from ctckit import Vocabulary
        >>> from ctckit.viz import LivePosterior, write_live_page
        >>> vocabulary = Vocabulary.from_characters("aelp")
        >>> log_probs = np.log(0.02 + 0.9 * np.eye(5)[[1, 4, 0, 4, 3, 2]])
        >>> mine = LivePosterior("mine", log_probs, vocabulary, "apple")
        >>> write_live_page(Path(mkdtemp()) / "mine.html", posteriors=[mine]).name
        'mine.html'
    """

    title: str
    log_probs: npt.NDArray[Any]
    vocabulary: Vocabulary
    target: str
    note: str = ""
    steps: Sequence[int | str] = ()
    image: npt.NDArray[np.uint8] | None = None
    wave: npt.NDArray[Any] | None = None
    credit: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        """Raise an error for values that the page cannot show."""
        shape = np.shape(self.log_probs)
        if len(shape) not in (2, 3) or shape[-1] != len(self.vocabulary):
            raise InvalidInputError(
                f"log_probs has shape {shape}; expected (T, C) or (K, T, C) with C = {len(self.vocabulary)}, "
                "the size of the vocabulary."
            )
        if self.steps and (len(shape) != 3 or len(self.steps) != shape[0]):
            raise InvalidInputError(f"steps has {len(self.steps)} entries; log_probs has shape {shape}.")

    def to_dict(self, key: str) -> dict[str, Any]:
        """Return the data for the page; numbers are float32 in base64."""
        scores = np.asarray(self.log_probs, dtype=np.float32)
        steps = scores.reshape(-1, *scores.shape[-2:])
        content: dict[str, Any] = {
            "key": key,
            "title": self.title,
            "note": self.note,
            "credit": self.credit,
            "names": list(self.vocabulary.tokens),
            "blank": self.vocabulary.blank,
            "target": self.target,
            "steps": list(self.steps) or list(range(len(steps))),
            "shape": list(steps.shape),
            "data": _base64(steps.astype("<f4").tobytes()),
        }
        if self.image is not None:
            rows, columns = self.image.shape
            content["image"] = {"rows": rows, "columns": columns, "data": _base64(self.image.tobytes())}
        if self.wave is not None:
            content["wave"] = np.clip(np.round(np.asarray(self.wave) * 127), -127, 127).astype(int).ravel().tolist()
        return content


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
