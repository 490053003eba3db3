"""How a written word is spoken, for ``Transcript``: from a list, numbers as words, other scripts in Latin letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ctckit import _checks
from ctckit._unicode import TextIndex
from ctckit.alignment.spelling import bare
from ctckit.errors import InvalidInputError

Spoken = Callable[[str], str | None]
Replacements = Mapping[str, str] | Spoken

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b", re.IGNORECASE)
_POINT = {"en", "he", "ja", "ko", "th", "bn", "kn", "te"}  # the languages of num2words that write 3.14, not 3,14
_YEARS = range(1100, 2000)  # read as two numbers: nineteen eighty-four
_MOST_DIGITS = 9  # longer numbers are read digit by digit


def replacer(replacements: Replacements | None) -> Spoken | None:
    """Return a function from a written word to the words that are spoken, or to None; None without replacements."""
    if replacements is None or callable(replacements):
        return replacements
    _checks.expect_instance(replacements, "replacements", Mapping, "a mapping of words, or a function")
    index = TextIndex(replacements.get, replacements)
    return lambda word: index.find(word, bare(word), bare(word).lower())


def number_words(language: str) -> Spoken:
    """Return a function that writes the numbers of a word in words, by the package num2words.

    Numbers from 1100 to 1999 without separators are read as years. Numbers that begin with 0, or have more than nine
    digits, are read digit by digit.

    Args:
        language: A code that num2words knows, such as "en", "de", "pt_BR".

    Returns:
        A function from a word to the same word with its numbers in words; None if it has none.

    Raises:
        InvalidInputError: If num2words does not know the language.
        MissingDependencyError: If num2words is not installed.

    Example:
        >>> from ctckit.alignment import number_words
        >>> from ctckit import Transcript, Vocabulary
        >>> letters = Vocabulary.from_characters("abcdefghijklmnopqrstuvwxyz ", separator=" ")
        >>> letters.decode(Transcript("In 1984", letters, replacements=number_words("en")).tokens)
        'in nineteen eighty four'
    """
    try:
        import num2words
    except ModuleNotFoundError as error:
        raise _checks.missing(error, "numbers as words", "text") from error
    known = num2words.CONVERTER_CLASSES
    if language not in known:
        raise InvalidInputError(f"language is {language!r}; num2words knows {', '.join(sorted(known))}.")

    def read(number: Any, kind: str = "cardinal") -> str:
        try:
            return str(num2words.num2words(number, lang=language, to=kind))
        except NotImplementedError:  # a language has no ordinals, for example
            return str(num2words.num2words(number, lang=language))

    def in_words(found: re.Match[str], *, ordinal: bool) -> str:
        whole, fraction = _parts(found.group(), language)
        if fraction is None and (len(whole) > _MOST_DIGITS or (whole.startswith("0") and len(whole) > 1)):
            return " ".join(read(int(digit)) for digit in whole)
        if fraction is not None:
            return read(f"{int(whole)}.{fraction}")
        if ordinal:
            return read(int(whole), "ordinal")
        return read(int(whole), "year" if int(whole) in _YEARS and found.group().isdigit() else "cardinal")

    def spoken(word: str) -> str | None:
        if not _NUMBER.search(word):
            return None
        ordinal = language.startswith("en") and _ORDINAL.search(word) is not None
        word = _ORDINAL.sub("", word) if ordinal else word
        return " ".join(_NUMBER.sub(lambda found: f" {in_words(found, ordinal=ordinal)} ", word).split())

    return spoken


def _parts(number: str, language: str) -> tuple[str, str | None]:
    """Return the digits before and behind the decimal mark of a number; None without a mark."""
    mark, other = (".", ",") if language[:2] in _POINT else (",", ".")
    grouped = re.fullmatch(rf"\d{{1,3}}(?:\{other}\d{{3}})+(?:\{mark}\d+)?|\d+(?:\{mark}\d+)?", number)
    if grouped is None:
        return re.sub(r"\D", "", number), None
    whole, _, fraction = number.replace(other, "").partition(mark)
    return whole, fraction or None


def romanized(word: str) -> str | None:
    """Return a word in Latin letters, by the package uroman; None if it has no letters of other scripts.

    The package takes some seconds to load at the first call.

    Raises:
        MissingDependencyError: If uroman is not installed.

    Example:
        >>> from ctckit.alignment import romanized
        >>> from ctckit import Transcript, Vocabulary
        >>> letters = Vocabulary.from_characters("abcdefghijklmnopqrstuvwxyz ", separator=" ")
        >>> letters.decode(Transcript("नमस्ते", letters, replacements=romanized).tokens)  # doctest: +SKIP
        'namaste'
    """
    if not any(each.isalpha() and not unicodedata.name(each, "LATIN").startswith("LATIN") for each in word):
        return None
    return str(_uroman().romanize_string(word))


@cache
def _uroman() -> Any:
    try:
        import uroman
    except ModuleNotFoundError as error:
        raise _checks.missing(error, "texts in Latin letters", "text") from error
    return uroman.Uroman()
