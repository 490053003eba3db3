"""The network outputs that decoding and alignment are measured on: those of real networks, and larger synthetic ones.

The files lie beside the repository, or in the folder that CTCKIT_BENCH_DATA names.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.arrays import Array

ROOT = Path(__file__).parent.parent.parent
FOLDER = Path(os.environ.get("CTCKIT_BENCH_DATA", ROOT.parent / "shared" / "data"))
NO_SPACE = -1
FLAT_SEED = 8


class MissingDataError(Exception):
    """The files with the posteriors are missing."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """Items of one model, with one vocabulary.

    Attributes:
        log_probs: (ΣT, C) float32 natural log-probabilities of all items, concatenated.
        offsets: (items + 1,) the frame at which each item begins.
        tokens: C strings; the blank is "".
        blank: The class of the blank.
        space: The class of the space between words; −1 if there is none.
        references: The correct classes of each item; None if they are unknown.
        count_space: Whether a missing space counts as an error; False for phonemes.
    """

    name: str
    log_probs: Array
    offsets: Array
    tokens: tuple[str, ...]
    blank: int
    space: int = NO_SPACE
    references: tuple[tuple[int, ...], ...] | None = field(default=None)
    count_space: bool = True

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, item: int) -> Array:
        return self.log_probs[self.offsets[item] : self.offsets[item + 1]]

    @property
    def classes(self) -> int:
        """C."""
        return int(self.log_probs.shape[1])

    def first(self, items: int | None) -> DataSet:
        """Return a data set of the first ``items`` items."""
        if items is None or items >= len(self):
            return self
        end = self.offsets[items]
        changed = {"log_probs": self.log_probs[:end], "offsets": self.offsets[: items + 1]}
        references = self.references and self.references[:items]
        return DataSet(**{**vars(self), **changed, "references": references})

    def characters(self) -> list[str]:
        """Return a character for each class, for libraries that return texts; long tokens get substitutes."""
        if all(len(token) == 1 for i, token in enumerate(self.tokens) if i != self.blank):
            return list(self.tokens)
        substitutes = [chr(0x20000 + i) for i in range(self.classes)]
        substitutes[self.blank] = ""
        if self.space != NO_SPACE:
            substitutes[self.space] = " "
        return substitutes

    def save(self, path: Path) -> None:
        """Write the data set to a file; all worker processes read the same bits."""
        arrays = ("log_probs", "offsets")
        rest = {name: value for name, value in vars(self).items() if name not in arrays}
        np.savez(path, log_probs=self.log_probs, offsets=self.offsets, rest=np.array(json.dumps(rest)))

    @staticmethod
    def load(path: Path) -> DataSet:
        """Read a data set that ``save`` wrote."""
        with np.load(path) as file:
            rest = json.loads(str(file["rest"]))
            references = rest.pop("references")
            rest["tokens"] = tuple(rest["tokens"])
            return DataSet(
                log_probs=file["log_probs"],
                offsets=file["offsets"],
                references=references and tuple(map(tuple, references)),
                **rest,
            )


def available() -> bool:
    """Return whether the files are there."""
    return (FOLDER / "ocr_ppv4.npz").exists()


def expect_available() -> None:
    """Raise an error if the files are missing."""
    if not available():
        raise MissingDataError(
            f"the posteriors are not in {FOLDER}: put them there, or name their folder in CTCKIT_BENCH_DATA."
        )


def normalized(log_probs: Array) -> Array:
    """Return float32 log-probabilities whose frames are contiguous and sum to 1, as networks return them.

    The files are transposed and in float16; the rounding of float16 is visible in the sums.
    """
    exact = log_probs.astype(np.float64)
    top = exact.max(axis=1, keepdims=True)
    return (exact - top - np.log(np.exp(exact - top).sum(axis=1, keepdims=True))).astype(np.float32, order="C")


def read(name: str) -> tuple[dict[str, Any], Array, Array]:
    """Return the metadata, the log-probabilities (ΣT, C) and the offsets of a file."""
    expect_available()
    about = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    with np.load(FOLDER / f"{name}.npz") as file:
        log_probs = file["logp"]
        offsets = file["offsets"] if "offsets" in file else np.arange(len(log_probs) + 1) * log_probs.shape[1]
    return about, normalized(log_probs.reshape(-1, log_probs.shape[-1])), offsets.astype(np.int64)


def lines(name: str) -> DataSet:
    """Return text lines, C = 96."""
    about, log_probs, offsets = read(name)
    tokens = tuple(about["labels"])
    index = {token: i for i, token in enumerate(tokens)}
    references = tuple(tuple(index[character] for character in item["ref"]) for item in about["items"])
    return DataSet(name, log_probs, offsets, tokens, about["blank"], index[" "], references)


def speech() -> DataSet:
    """Return recordings with phonemes. Recordings with words that the pronunciation dictionary lacks are left out."""
    about, log_probs, offsets = read("asr_hama")
    tokens = list(about["labels"])
    tokens[about["blank"]] = ""
    known = [i for i, item in enumerate(about["items"]) if item["ref_ids"] and None not in item["ref_ids"]]
    pieces = [log_probs[offsets[i] : offsets[i + 1]] for i in known]
    references = tuple(tuple(about["items"][i]["ref_ids"]) for i in known)
    ends = np.cumsum([0, *map(len, pieces)])
    space = about["word_boundary"]
    return DataSet("speech", np.concatenate(pieces), ends, tuple(tokens), about["blank"], space, references, False)


def nanopore() -> DataSet:
    """Return windows of a nanopore basecaller, C = 5."""
    about, log_probs, offsets = read("nanopore_chiron")
    return DataSet("nanopore", log_probs, offsets, tuple(about["labels"]), about["blank"])


def long() -> DataSet:
    """Return one item of 3,000 frames: concatenated text lines."""
    whole = lines("ocr_ppv4")
    frames = 3000
    changed = {"name": "long", "log_probs": whole.log_probs[:frames], "offsets": np.array([0, frames])}
    return DataSet(**{**vars(whole), **changed, "references": None})


def flat() -> DataSet:
    """Return one item of 8,000 frames in which all classes are nearly equal, C = 12, as from an untrained network."""
    logits = np.random.default_rng(FLAT_SEED).normal(0, 0.3, (8000, 12))
    tokens = ("", *"abcdefghijk")
    return DataSet("flat", normalized(logits), np.array([0, len(logits)]), tokens, 0)


def lower() -> DataSet:
    """Return text lines in lower case: the probability of each capital is added to that of its small letter."""
    whole = lines("ocr_ppv4")
    tokens = tuple(token for token in whole.tokens if token == token.lower())
    index = {token: i for i, token in enumerate(tokens)}
    target = np.array([index[token.lower()] for token in whole.tokens])
    probs = np.zeros((len(whole.log_probs), len(tokens)))
    np.add.at(probs.T, target, np.exp(whole.log_probs.astype(np.float64)).T)
    references = tuple(tuple(int(target[token]) for token in each) for each in whole.references or ())
    log_probs = np.log(probs).astype(np.float32)
    return DataSet("lower", log_probs, whole.offsets, tokens, index[""], index[" "], references)


def embedded(name: str, classes: int, items: int) -> DataSet:
    """Return text lines whose 96 classes are spread over a large vocabulary, as in the original model.

    The outputs of the models were restricted to ASCII. Only the mean probability of all other characters is known, for
    each line. Here it is distributed again: log-normally over frames, and over classes with a long tail that the frames
    of a line share.
    """
    whole = lines(name).first(items)
    about, _, _ = read(name)
    rng = np.random.default_rng(zlib.crc32(f"{name} {classes}".encode()))
    places = np.concatenate(([0], 1 + rng.permutation(classes - 1)[: whole.classes - 1]))
    bias = rng.normal(0, 2.5, classes)
    pieces = []
    for i in range(len(whole)):
        small = whole[i].astype(np.float64)
        outside = (1 - about["items"][i]["ascii_mass_mean"]) * np.exp(rng.normal(-1, 1.4, len(small)))
        outside = np.clip(outside, 1e-6, 0.3)[:, None]
        tail = bias + rng.normal(0, 1.5, (len(small), classes))
        tail -= np.log(np.exp(tail).sum(axis=1, keepdims=True))
        large = tail + np.log(outside)
        large[:, places] = small + np.log1p(-outside)
        pieces.append(normalized(large))
    others = iter(range(classes))
    names = [chr(0x4E00 + next(others)) for _ in range(classes)]
    for token, place in zip(whole.tokens, places, strict=True):
        names[place] = token
    references = tuple(tuple(int(places[token]) for token in each) for each in whole.references or ())
    space = int(places[whole.space])
    title = f"{name} in {classes}"
    return DataSet(title, np.concatenate(pieces), whole.offsets, tuple(names), 0, space, references)


def spread(log_probs: Array, classes: int, seed: int = 0) -> tuple[Array, Array]:
    """Return (T, C') the same frames among more classes, and the places of the old ones.

    About 1 % of the probability of a frame is that of the new classes, log-normally over frames, and over classes with
    a long tail.
    """
    frames, few = log_probs.shape
    rng = np.random.default_rng(seed)
    places = np.sort(rng.choice(classes, few, replace=False))
    outside = np.clip(np.exp(rng.normal(np.log(0.01), 1, (frames, 1))), None, 0.5)
    result = rng.standard_normal((frames, classes), dtype=np.float32)
    result += rng.normal(0, 2.5, classes).astype(np.float32)
    result[:, places] = -np.inf
    result += np.log(outside) - np.logaddexp.reduce(result, axis=1, keepdims=True)
    result[:, places] = log_probs + np.log1p(-outside)
    return result, places


SETS: dict[str, Callable[[], DataSet]] = {
    "ocr_ppv4": lambda: lines("ocr_ppv4"),
    "ocr_ppv6": lambda: lines("ocr_ppv6"),
    "speech": speech,
    "nanopore": nanopore,
    "long": long,
    "flat": flat,
    "lower": lower,
    "large": lambda: embedded("ocr_ppv4", 6625, 20),
    "huge": lambda: embedded("ocr_ppv6", 18710, 20),
}
