"""Texts of lines: read from files in UTF-8 or UTF-16, and normalized."""

from __future__ import annotations

import codecs
import unicodedata
from pathlib import Path

from ctckit.errors import DataError

# they change no picture of a text; U+200C and U+200D do, in Persian and in Indic scripts
_INVISIBLE = dict.fromkeys(
    map(ord, "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
)
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_text(path: Path) -> str:
    """Return the text of a file: UTF-8, or UTF-16 with a byte order mark.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        content = path.read_bytes()
        return content.decode(_MARKS.get(content[:2], "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: is not {error.encoding.upper()} text (byte {error.start}). Save it as UTF-8."
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).") from error


def normalize_text(text: str) -> str:
    r"""Return a text as a picture of it can be read: Unicode NFC, single spaces, nothing invisible.

    White space of any kind and length, such as tabs, two spaces or a no-break space, becomes one space; at both ends it
    is removed. Soft hyphens, zero-width spaces, byte order marks and marks of direction are removed. Joiners (U+200C,
    U+200D) stay, because they change the picture.

    Example:
        >>> normalize_text(" to\u00a0 be\u200b ")
        'to be'
    """
    return " ".join(unicodedata.normalize("NFC", text).translate(_INVISIBLE).split())


def unusable_because(text: str) -> str | None:
    r"""Return why a text cannot be the text of a line, before it is normalized; None if it can.

    Example:
        >>> unusable_because("one\ntwo")
        '2 lines of text; expected one. Split the image into lines.'
    """
    if not normalize_text(text):
        return "the text is empty. Expected the text of the line; or remove the line."
    lines = text.strip().splitlines()
    if len(lines) > 1:
        return f"{len(lines)} lines of text; expected one. Split the image into lines."
    controls = sorted({each for each in text.strip() if unicodedata.category(each) in ("Cc", "Cs") and each != "\t"})
    if controls:
        named = ", ".join(f"U+{ord(character):04X}" for character in controls)
        return f"the text has control characters: {named}. Remove them, or save the text as UTF-8."
    return None


def is_right_to_left(text: str) -> bool:
    """Return whether most letters of a text are of a script that is written from right to left.

    Example:
        >>> [is_right_to_left(text) for text in ("שלום", "peace", "1948")]
        [True, False, False]
    """
    kinds = [unicodedata.bidirectional(character) for character in text]
    return sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")


def show_characters(characters: str) -> str:
    r"""Return characters for a message; those that have no picture of their own by their numbers.

    Example:
        >>> show_characters("a\u200d\u0301")
        'a<U+200D><U+0301>'
    """
    return "".join(f"<U+{ord(each):04X}>" if unicodedata.category(each)[0] in "CM" else each for each in characters)
