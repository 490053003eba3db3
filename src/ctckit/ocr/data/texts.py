"""Texts of lines: read from files in UTF-8 or UTF-16, and normalized."""

from __future__ import annotations

import codecs
import re
import unicodedata
from pathlib import Path

from ctckit.errors import DataError, MissingDependencyError

# they change no picture of a text; U+200C and U+200D do, in Persian and in Indic scripts
_INVISIBLE = dict.fromkeys(
    map(ord, "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
)
FORMS = ("NFC", "NFD", "NFKC", "NFKD", "none")
_LEFTWARD = ("R", "AL", "AN")
_JOINER = "\u034f"  # the combining grapheme joiner: no picture, and the direction of what it follows
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


def normalize_text(text: str, *, form: str = "NFC", single_spaces: bool = True) -> str:
    r"""Return a text as a picture of it can be read: in one Unicode form, single spaces, nothing invisible.

    Soft hyphens, zero-width spaces, byte order marks and marks of direction are removed. Joiners (U+200C, U+200D) stay,
    because they change the picture.

    Args:
        text: The text.
        form: "NFC", "NFD", "NFKC", "NFKD", or "none".
        single_spaces: White space of any kind and length, such as tabs, two spaces or a no-break space, becomes one
            space; at both ends it is removed. Otherwise only line ends are removed.

    Example:
        >>> from ctckit.ocr.data.texts import normalize_text
        >>> normalize_text(" to\u00a0 be\u200b ")
        'to be'
    """
    if form != "none":
        text = unicodedata.normalize(form, text)  # type: ignore[arg-type] # one of FORMS
    text = text.translate(_INVISIBLE)
    return " ".join(text.split()) if single_spaces else text.strip("\r\n")


def unusable_because(text: str) -> str | None:
    r"""Return why a text cannot be the text of a line, before it is normalized; None if it can.

    Example:
        >>> from ctckit.ocr.data.texts import unusable_because
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


def display_order(text: str, *, rightward: bool = True) -> str:
    """Return the characters of a text as they stand in a picture of it, from left to right.

    The same function brings them back in logical order, except in rare mixtures of directions. The order is that of the
    Unicode Bidirectional Algorithm; mirrored characters, such as brackets, are those that are seen.

    Args:
        text: The text.
        rightward: Whether the whole text runs from left to right.

    Raises:
        MissingDependencyError: If python-bidi is not installed, and the text needs it.

    Example:
        >>> from ctckit.ocr.data.texts import display_order
        >>> display_order("(\u05d0\u05d1) 12", rightward=False) == "12 (\u05d1\u05d0)"
        True
    """
    if not any(unicodedata.bidirectional(character) in _LEFTWARD for character in text):
        return text
    try:
        from bidi import get_display
        from bidi.mirror import MIRRORED
    except ImportError:
        raise MissingDependencyError("right-to-left text", "python-bidi", "ocr") from None
    # The library reorders, but does not mirror. A joiner after each mirrored character stands before it afterwards,
    # where the text runs to the left.
    marked = "".join(each + _JOINER if each in MIRRORED else each for each in text)
    shown = str(get_display(marked, base_dir="L" if rightward else "R"))
    leftward, others = f"{_JOINER}(.)", f"([{re.escape(''.join(MIRRORED))}]){_JOINER}"
    return re.sub(f"{leftward}|{others}", lambda found: MIRRORED[found[1]] if found[1] else found[2], shown)


def is_right_to_left(text: str) -> bool:
    """Return whether most letters of a text are of a script that is written from right to left.

    Example:
        >>> from ctckit.ocr.data.texts import is_right_to_left
        >>> [is_right_to_left(text) for text in ("שלום", "peace", "1948")]
        [True, False, False]
    """
    kinds = [unicodedata.bidirectional(character) for character in text]
    return sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")


def show_characters(characters: str) -> str:
    r"""Return characters for a message; those that have no picture of their own by their numbers.

    Example:
        >>> from ctckit.ocr.data.texts import show_characters
        >>> show_characters("a\u200d\u0301")
        'a<U+200D><U+0301>'
    """
    return "".join(f"<U+{ord(each):04X}>" if unicodedata.category(each)[0] in "CM" else each for each in characters)
