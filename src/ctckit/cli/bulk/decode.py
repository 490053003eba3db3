"""Rows of ``ctckit decode``: one for each file of log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ctckit._padding import pad_frames
from ctckit.cli.inputs import read_items
from ctckit.cli.texts import DecodedText, text_columns
from ctckit.decoding.beam import BeamDecoder
from ctckit.errors import CTCKitError, DataError

SUFFIXES = (".npy", ".npz")


class DecodeColumns(DecodedText):
    """The best text, and with ``--n-best`` all."""

    hypotheses: Sequence[DecodedText]


@dataclass(frozen=True)
class DecodeWork:
    """Decodes files with one item each.

    Attributes:
        decoder: The decoder.
        n_best: The most texts of an item.
        frame_seconds: The length of a frame, or None.
        spans: Whether the rows have tokens and words.
        at_once: How many files are decoded together.
    """

    decoder: BeamDecoder
    n_best: int
    frame_seconds: float | None
    spans: bool
    at_once: int = 64

    def load(self, path: Path) -> npt.NDArray[Any]:
        """Return the log-probabilities (T, C) of a file."""
        items = read_items(path)
        if len(items) != 1:
            raise DataError(f"{path}: has {len(items)} items; expected one (T, C). Write a .npy file for each item.")
        [(_, item)] = items
        if isinstance(item, CTCKitError):
            raise item
        return item

    def compute(self, loaded: Sequence[npt.NDArray[Any]]) -> list[dict[str, Any]]:
        """Return the columns, see ``DecodeColumns``."""
        batch, lengths = pad_frames(loaded)
        found = []
        for hypotheses in self.decoder.decode(batch, lengths, n_best=self.n_best):
            texts = [text_columns(each, self.frame_seconds, spans=self.spans) for each in hypotheses]
            found.append({**texts[0], **({"hypotheses": texts} if self.n_best > 1 else {})})
        return found
