"""Texts to align, from plain files and from files with times; the times are not used.

::

    praat.py       .TextGrid
    elan.py        .eaf
    subtitles.py   .srt, .vtt

All other endings (.txt, .lab) are plain text: each line that is not empty is a line.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctckit.alignment.readers import elan, praat, subtitles
from ctckit.alignment.writers.tiers import CONFIDENCE, NOT_FOUND
from ctckit.errors import DataError, MissingFileError

Reader = Callable[[str], Mapping[str, Sequence[str]]]

READERS: dict[str, Reader] = {  # by the ending of the file's name, in lower case
    ".srt": subtitles.srt,
    ".vtt": subtitles.webvtt,
    ".textgrid": praat.textgrid,
    ".eaf": elan.eaf,
}


@dataclass(frozen=True)
class TextLine:
    """A line of a text file, or an entry of a file with times.

    Attributes:
        number: Its number in the file, from 1; empty lines and entries count too.
        text: As it is written, without white space around it.
        spoken: The text without the markup of subtitles.
    """

    number: int
    text: str
    spoken: str


@dataclass(frozen=True)
class TextFile:
    """What a file says.

    Attributes:
        path: The file.
        lines: Its lines or entries that are not empty.
        timed: Whether they are entries of a file with times.
    """

    path: Path
    lines: tuple[TextLine, ...]
    timed: bool


def read_lines(path: Path, tier: str | None = None) -> TextFile:
    r"""Return the lines of a text, or the entries of subtitles, of a TextGrid or of an ELAN file.

    Args:
        path: The file. Its ending tells the format.
        tier: The tier to read. By default "lines", or else the only tier with texts.

    Raises:
        DataError: If the file cannot be read, if it contains no text, or if it is not clear which tier to read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "talk.srt"
        ...     _ = path.write_text("1\n00:00:01,000 --> 00:00:02,000\n<i>So</i> be it.\n")
        ...     read_lines(path).lines
        (TextLine(number=1, text='<i>So</i> be it.', spoken='So be it.'),)
    """
    content = decoded(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        texts: Sequence[str] = content.split("\n")
    else:
        try:
            texts = _chosen(path, reader(content), tier)
        except ValueError as error:
            raise error if isinstance(error, DataError) else DataError(f"{path}: {error}") from None
    plain = subtitles.without_markup if path.suffix.lower() == ".srt" else str.strip
    lines = tuple(TextLine(number, text.strip(), plain(text)) for number, text in enumerate(texts, 1) if plain(text))
    if not lines:
        raise DataError(f"{path}: it contains no text.")
    return TextFile(path, lines, reader is not None)


def decoded(path: Path) -> str:
    """Return the content of a text file in UTF-8, or in UTF-16 with its mark, with its lines ended by line feeds."""
    try:
        content = path.read_bytes()
        utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as Praat writes
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except FileNotFoundError:
        raise MissingFileError(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a text in UTF-8 ({error}).") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _chosen(path: Path, tiers: Mapping[str, Sequence[str]], tier: str | None) -> Sequence[str]:
    known = {name: texts for name, texts in tiers.items() if any(text.strip() for text in texts)}
    if tier is not None:
        if tier not in tiers:
            raise DataError(f"{path}: it has no tier {tier!r}; expected one of {_names(tiers)}.")
        return tiers[tier]
    own = [name for name in known if not name.endswith((f": {CONFIDENCE}", f": {NOT_FOUND}"))]
    if "lines" in own:
        return known["lines"]
    if len(own) > 1:
        raise DataError(f"{path}: it has {len(own)} tiers with texts: {_names(own)}; expected --text-tier with one.")
    return known[own[0]] if own else ()


def _names(tiers: Mapping[str, object] | Sequence[str]) -> str:
    return ", ".join(map(repr, tiers))
