"""Decoders that return texts: each class is one character."""

from __future__ import annotations

from benchmarks.common.posteriors import NO_SPACE, DataSet
from benchmarks.decoding.peers.base import Decoder

SPACE_SUBSTITUTE = "␣"


class TextDecoder(Decoder):
    """A decoder whose results are texts; the characters are converted back to classes."""

    def spell(self, data: DataSet, spaces: bool = True) -> list[str]:
        """Return a character for each class, and keep the inverse map."""
        characters = data.characters()
        if not spaces and data.space != NO_SPACE:
            characters[data.space] = SPACE_SUBSTITUTE
        self.classes = {character: i for i, character in enumerate(characters) if i != data.blank}
        return characters

    def tokens(self, result: str) -> list[int]:
        """Return the class of each character."""
        return [self.classes[character] for character in result]
