"""The words of a text: between white space, and within texts of languages that write none between words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

from ctckit._unicode import clusters
from ctckit.errors import InvalidInputError

Segment = Callable[[str], Sequence[str]]
# Scripts without spaces: Thai and Lao, Myanmar, Khmer, Japanese syllables, Chinese characters.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3006\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_SYLLABLES, _THAI, _CHINESE = (
    re.compile("[\u3040-\u30ff]"),
    re.compile("[\u0e00-\u0e7f]"),
    re.compile("[\u3400-\u9fff]"),
)


def words_of(text: str, segment: Segment | None = None) -> Iterator[tuple[str, int]]:
    """Yield the words of a text, each with the index of its first character.

    Args:
        text: The text.
        segment: See ``Transcript``.
    """
    begin = 0
    for part in text.split():
        begin = text.index(part, begin)
        for word in _divided(part, segment or segments) if _UNSPACED.search(part) else (part,):
            yield word, begin
            begin += len(word)


def _divided(text: str, segment: Segment) -> Sequence[str]:
    parts = [part for part in segment(text) if part]
    if "".join(parts) != text:
        raise InvalidInputError(f"segment({text!r}) is {parts}; expected parts that together are the text.")
    return parts


def segments(text: str) -> list[str]:
    """Return the parts of a text without spaces: phrases by BudouX, if it is installed, or else characters.

    BudouX knows Japanese, Chinese and Thai. Punctuation is in the part before it, an opening bracket in the part
    behind it.

    Example:
        >>> segments("ສະບາຍດີ!")                                      # Lao
        ['ສ', 'ະ', 'ບ', 'າ', 'ຍ', 'ດີ!']
    """
    composed = unicodedata.normalize("NFC", text)  # as BudouX knows it
    parser = _parser(_language(composed))
    characters, written = list(clusters(composed)), list(clusters(text))
    if parser is None or len(characters) != len(written):
        return _characters(text)
    ends, at, parts = set(accumulate(map(len, parser.parse(composed)))), 0, [""]
    for character, original in zip(characters, written, strict=True):
        if at in ends:
            parts.append("")
        parts[-1] += original
        at += len(character)
    return parts


def _language(text: str) -> str | None:
    if _SYLLABLES.search(text):
        return "japanese"
    if _THAI.search(text):
        return "thai"
    return "simplified_chinese" if _CHINESE.search(text) else None


@cache
def _parser(language: str | None) -> Any:
    if language is None:
        return None
    try:
        import budoux
    except ModuleNotFoundError:
        return None
    return getattr(budoux, f"load_default_{language}_parser")()


def _characters(text: str) -> list[str]:
    parts: list[str] = []
    joins = False  # whether the next character is in the same part
    for cluster in clusters(text):
        punctuation = unicodedata.category(cluster[0])[0] in "PSZ"
        opens = unicodedata.category(cluster[0]) in ("Ps", "Pi")
        alone = _UNSPACED.match(cluster) is not None
        if parts and (joins or (punctuation and not opens) or not (alone or opens or _UNSPACED.search(parts[-1]))):
            parts[-1] += cluster
        else:
            parts.append(cluster)
        joins = opens
    return parts
