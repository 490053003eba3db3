"""The characters of PP-OCR's recognizers, as they stand in metadata and in text files: one on each line."""

from __future__ import annotations

from collections.abc import Sequence

from ctckit.errors import ModelFormatError


def split_characters(text: str) -> list[str]:
    r"""Return the characters of a text with one on each line.

    Example:
        >>> split_characters("a\r\nb\n \n")
        ['a', 'b', ' ']
    """
    return [each.removesuffix("\r") for each in text.removesuffix("\n").split("\n")]


def with_space(characters: Sequence[str], num_classes: int) -> list[str]:
    """Return the characters, and the space if there is one class more: the convention of PP-OCR.

    Raises:
        ModelFormatError: If there are more or fewer classes.
    """
    found = [*characters, " "] if len(characters) == num_classes - 2 else list(characters)
    if len(found) != num_classes - 1:
        raise ModelFormatError(
            f"{len(found)} characters for {num_classes} classes; expected {num_classes - 1}, or one less if the last "
            "class is the space."
        )
    return found
