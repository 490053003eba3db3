"""The files that all decoders read: posteriors, language models, word lists. They are made once for each run."""

from __future__ import annotations

import lzma
import random
import shutil
import string
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path

from benchmarks.common.posteriors import FOLDER, SETS, DataSet, expect_available
from benchmarks.decoding import exact
from benchmarks.decoding.cases import Case
from benchmarks.decoding.peers.base import Task
from benchmarks.decoding.peers.flashlight import words_of_arpa

UNITS = {
    "word3": "word",
    "word3.probing": "word",
    "word3.trie": "word",
    "char6": "char",
    "char6.trie": "char",
    "trained": "char",
}
BUILD_BINARY = "build_binary"  # KenLM's own program, in the path
SHORTEST_HOTWORD = 4
SEED = 4


class ModelError(Exception):
    """A language model cannot be made: ``ctckit lm train`` failed, or KenLM's program did or is missing."""


class Files:
    """Makes each file when it is first needed."""

    def __init__(self, folder: Path) -> None:
        expect_available()
        self.folder = folder
        self.sets: dict[tuple[str, int | None], DataSet] = {}
        self.training_seconds: float | None = None

    def data(self, case: Case, items: int | None) -> DataSet:
        """Return the items of a case, at most ``items``."""
        counts = [count for count in (case.items, items) if count]
        key = (case.data, min(counts, default=None))
        if key not in self.sets:
            whole = self.sets.get((case.data, None)) or SETS[case.data]()
            self.sets[case.data, None] = whole
            self.sets[key] = whole.first(key[1])
        return self.sets[key]

    def save(self, data: DataSet) -> Path:
        """Write a data set for the worker processes and return the path."""
        path = self.folder / f"{data.name}, {len(data)}.npz"
        if not path.exists():
            data.save(path)
        return path

    def task(self, case: Case) -> Task:
        """Return the task of a case; the tuning adds the weights."""
        return Task(
            beam=case.beam,
            model=str(self.model(case.model)) if case.model else "",
            unit=UNITS.get(case.model, ""),
            lexicon=str(self.longer_lexicon(case.words)) if case.lexicon else "",
            hotwords=tuple(self.hotwords[: case.hotwords]),
            per_call=case.per_call,
        )

    def model(self, name: str) -> Path:
        """Return the path of an uncompressed ARPA file, or of a binary file of KenLM: "word3.trie".

        Not every library reads compressed ARPA files.
        """
        arpa, _, kind = name.partition(".")
        if kind:
            return self.binary(self.model(arpa), kind)
        path = self.folder / f"{name}.arpa"
        if path.exists():
            return path
        if name == "trained":
            self.train(path)
        else:
            unpack(FOLDER / f"{name}.arpa.xz", path)
        return path

    def binary(self, arpa: Path, kind: str) -> Path:
        """Return the path of a binary file that KenLM makes of an ARPA file."""
        path = arpa.with_suffix(f".{kind}.bin")
        program = shutil.which(BUILD_BINARY)
        if program is None:
            raise ModelError(f"KenLM's program {BUILD_BINARY} is not in the path")
        if not path.exists():
            done = subprocess.run([program, kind, arpa, path], capture_output=True, text=True, check=False)
            if done.returncode:
                raise ModelError(f"{BUILD_BINARY} failed with status {done.returncode}")
        return path

    def train(self, path: Path) -> None:
        """Train a model by ``ctckit lm train``."""
        text = self.folder / "text.txt"
        unpack(FOLDER / "lm_text.txt.xz", text)
        command = [sys.executable, "-m", "ctckit", "lm", "train", text, "--order", "8", "--unit", "char", "--out", path]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.training_seconds = round(time.perf_counter() - start, 2)
        if done.returncode:
            raise ModelError(f"ctckit lm train failed with status {done.returncode}")

    @cached_property
    def words(self) -> list[str]:
        """The words of the word model."""
        return [word for word in words_of_arpa(str(self.model("word3"))) if word != "<unk>"]

    @cached_property
    def lexicon(self) -> Path:
        """The path of a file with one word a line: words of the word model and of all references."""
        data = SETS["lower"]()
        read = {
            "".join(data.tokens[token] for token in word)
            for reference in data.references or ()
            for word in exact.words(reference, data.space)
        }
        path = self.folder / "words.txt"
        path.write_text("\n".join([*self.words, *sorted(read - set(self.words))]), encoding="utf-8")
        return path

    def longer_lexicon(self, size: int) -> Path:
        """Return the path of the lexicon, with made-up words of eight letters if it has fewer than ``size`` words."""
        known = self.lexicon.read_text(encoding="utf-8").split("\n")
        if len(known) >= size:
            return self.lexicon
        rng = random.Random(SEED)
        words = dict.fromkeys(known)
        while len(words) < size:
            words["".join(rng.choices(string.ascii_lowercase, k=8))] = None
        path = self.folder / f"{size} words.txt"
        path.write_text("\n".join(words), encoding="utf-8")
        return path

    @cached_property
    def hotwords(self) -> list[str]:
        """Words of the word model in random order; hotword lists are prefixes of it."""
        words = [word for word in self.words if word.isascii() and word.isalpha() and len(word) >= SHORTEST_HOTWORD]
        random.Random(SEED).shuffle(words)
        return words


def unpack(source: Path, target: Path) -> None:
    """Unpack an xz file."""
    with lzma.open(source) as packed, target.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
