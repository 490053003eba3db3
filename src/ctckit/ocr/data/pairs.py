"""A pair: the picture and the text of a line, wherever they come from; and what cannot be used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

from ctckit.errors import DataError
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

    def digest(self) -> bytes:
        """Return what tells its content from others, without decoding it.

        Raises:
            DataError: If it cannot be read.
        """

    @property
    def shared(self) -> object:
        """What it is a part of, such as a page that is loaded as a whole; None if it stands alone."""


def file_digest(path: Path) -> bytes:
    """Return a digest of the content of a file.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


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

    def digest(self) -> bytes:
        """Return a digest of the file."""
        return file_digest(self.path)

    @property
    def shared(self) -> None:
        """None: it stands alone."""
        return None


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
