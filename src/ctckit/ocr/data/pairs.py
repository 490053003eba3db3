"""A pair: the picture and the text of a line, wherever they come from; and what cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

from ctckit.ocr.data.images import load_image


class Picture(Protocol):
    """The picture of a line, loaded when it is needed. Pictures pickle, and are equal if they are the same."""

    @property
    def name(self) -> str:
        """Where it comes from, for messages."""

    def load(self) -> Image.Image:
        """Return the image in gray levels (mode ``L``).

        Raises:
            DataError: If it cannot be read.
        """


@dataclass(frozen=True)
class ImageFile:
    """A picture in a file of its own."""

    path: Path

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    def load(self) -> Image.Image:
        """Return the image in gray levels (mode ``L``)."""
        return load_image(self.path)


@dataclass(frozen=True)
class Skipped:
    """A line that cannot be used.

    Attributes:
        name: Its image, or its text file, or its row in the table.
        reason: The kind of reason, one of a few: "no text file", "the image cannot be read".
        detail: The whole message.
    """

    name: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Pair:
    """The picture and the text of a line.

    Attributes:
        picture: The picture.
        written: Its text as it is in the file.
        where: Where the text is, for messages.
    """

    picture: Picture
    written: str
    where: str


Found = Pair | Skipped
