"""The files that all decoders read: posteriors, language models, words. Made once for each run, in its own folder."""

from __future__ import annotations

import lzma
import random
import shutil
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path

from benchmarks.common.posteriors import FOLDER, SETS, DataSet, expect_available
from benchmarks.decoding import exact
from benchmarks.decoding.cases import Row
from benchmarks.decoding.peers.base import Task
from benchmarks.decoding.peers.flashlight import words_of_arpa

UNITS = {"word3": "word", "char6": "char", "trained": "char"}
SHORTEST_HOTWORD = 4
SEED = 4


class TrainingError(Exception):
    """``ctckit lm train`` failed."""


class Files:
    """Everything is made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        expect_available()
        self.folder = folder
        self.sets: dict[tuple[str, int | None], DataSet] = {}
        self.training_seconds: float | None = None

    def data(self, row: Row, items: int | None) -> DataSet:
        """The items of a row, at most ``items``."""
        counts = [count for count in (row.items, items) if count]
        key = (row.data, min(counts, default=None))
        if key not in self.sets:
            whole = self.sets.get((row.data, None)) or SETS[row.data]()
            self.sets[row.data, None] = whole
            self.sets[key] = whole.first(key[1])
        return self.sets[key]

    def save(self, data: DataSet) -> Path:
        """Where the workers read it."""
        path = self.folder / f"{data.name}, {len(data)}.npz"
        if not path.exists():
            data.save(path)
        return path

    def task(self, row: Row) -> Task:
        """What a row asks of each decoder; the weights are added by who tunes them."""
        return Task(
            beam=row.beam,
            model=str(self.model(row.model)) if row.model else "",
            unit=UNITS.get(row.model, ""),
            lexicon=str(self.lexicon) if row.lexicon else "",
            hotwords=tuple(self.hotwords[: row.hotwords]),
        )

    def model(self, name: str) -> Path:
        """An ARPA file, unpacked: not every library reads compressed ones."""
        path = self.folder / f"{name}.arpa"
        if path.exists():
            return path
        if name == "trained":
            self.train(path)
        else:
            unpack(FOLDER / f"{name}.arpa.xz", path)
        return path

    def train(self, path: Path) -> None:
        """The command as a user gives it."""
        text = self.folder / "text.txt"
        unpack(FOLDER / "lm_text.txt.xz", text)
        command = [sys.executable, "-m", "ctckit", "lm", "train", text, "--order", "8", "--unit", "char", "--out", path]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.training_seconds = round(time.perf_counter() - start, 2)
        if done.returncode:
            raise TrainingError(f"ctckit lm train failed with status {done.returncode}")

    @cached_property
    def words(self) -> list[str]:
        """Of the word model."""
        return [word for word in words_of_arpa(str(self.model("word3"))) if word != "<unk>"]

    @cached_property
    def lexicon(self) -> Path:
        """A word a line: those of the word model, and those of the lines, so that every line can be read."""
        data = SETS["lower"]()
        read = {
            "".join(data.tokens[token] for token in word)
            for reference in data.references or ()
            for word in exact.words(reference, data.space)
        }
        path = self.folder / "words.txt"
        path.write_text("\n".join([*self.words, *sorted(read - set(self.words))]), encoding="utf-8")
        return path

    @cached_property
    def hotwords(self) -> list[str]:
        """Words of the word model in random order; a longer list begins with the shorter one."""
        words = [word for word in self.words if word.isascii() and word.isalpha() and len(word) >= SHORTEST_HOTWORD]
        random.Random(SEED).shuffle(words)
        return words


def unpack(source: Path, target: Path) -> None:
    """Xz."""
    with lzma.open(source) as packed, target.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
