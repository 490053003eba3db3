"""The files that commands read: posteriors, batches, texts, hotwords, lexicons."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctckit._files import read_text as read_text
from ctckit.errors import DataError, MissingFileError

if TYPE_CHECKING:
    import numpy.typing as npt


def read_posteriors(path: Path) -> tuple[list[str], list[npt.NDArray[Any]]]:
    """Return the names and the log-probabilities (T, C) of the items in a .npz file."""
    from ctckit import _checks

    arrays = _load_arrays(path, "log_probs=…")
    items = _split_items(path, arrays)
    if not items:
        raise DataError(f"{path}: holds no items.")
    for b, item in enumerate(items.values()):
        _checks.expect_frames(_checks.floats(item, f"log_probs[{b}]", "(T, C)"), b)
    return list(items), list(items.values())


def _split_items(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    from ctckit import _checks

    if "log_probs" in arrays:
        log_probs = arrays["log_probs"]
        log_probs = log_probs[None] if log_probs.ndim == 2 else log_probs
        _checks.expect_rank(log_probs.shape, "log_probs", "(B, T, C)")
        items, frames, _ = log_probs.shape
        given = arrays.get("input_lengths", [frames] * items)
        lengths = _checks.lengths(given, "input_lengths", items, frames, f"log_probs has T = {frames} frames")
        return {str(b): log_probs[b, :length] for b, length in enumerate(lengths)}
    if "logp" in arrays and "offsets" in arrays:
        _checks.expect_rank(arrays["logp"].shape, "logp", "(T, C)")
        offsets = _checks.integers(arrays["offsets"], "offsets", "(B + 1,)").tolist()
        if not offsets or sorted(offsets) != offsets or offsets[0] < 0 or offsets[-1] > len(arrays["logp"]):
            raise DataError(f"{path}: offsets must rise from 0 to at most the {len(arrays['logp'])} frames of logp.")
        return {str(b): arrays["logp"][offsets[b] : offsets[b + 1]] for b in range(len(offsets) - 1)}
    for name, array in arrays.items():
        if array.ndim != 2:
            raise DataError(
                f"{path}: {name} has shape {array.shape}; expected log_probs (B, T, C), or logp and offsets, or arrays "
                "(T, C), one for each item."
            )
    return arrays


def read_lines(path: Path) -> Iterator[str]:
    """Return the lines that are not empty. Only line feeds separate lines: a token may be any other white space."""
    return (line.rstrip("\r") for line in read_text(path).split("\n") if line.strip())


def read_lexicon(path: Path) -> list[str] | dict[str, list[list[str]]]:
    """Return the words of a lexicon, or its words with their spellings; a word on several lines has several."""
    lines = [line.split("\t") for line in read_lines(path)]
    if all(len(line) == 1 for line in lines):
        return _words(path, [word for (word,) in lines])
    spelled: dict[str, list[list[str]]] = {}
    for n, line in enumerate(lines, 1):
        if len(line) != 2 or not line[1].split():
            raise DataError(f"{path}: line {n} is {chr(9).join(line)!r}; expected a word, a tab and its tokens.")
        spelled.setdefault(line[0], []).append(line[1].split())
    return spelled


def _words(path: Path, words: list[str]) -> list[str]:
    """Return the words of a lexicon without spellings; check that they are words."""
    for n, word in enumerate(words, 1):
        if len(word.split()) > 1:
            raise DataError(
                f"{path}: line {n} is {word!r}, and no line has a tab; expected one word a line, or a word, a tab and "
                "its tokens with spaces between them."
            )
    return words


def read_hotwords(path: Path, weight: float | None) -> dict[str, float | None]:
    """Return the hotwords of a file with their weights; ``weight`` is for lines that have none."""
    found: dict[str, float | None] = {}
    for n, line in enumerate(read_lines(path), 1):
        phrase, tab, own = line.partition("\t")
        try:
            found[phrase] = float(own) if tab else weight
        except ValueError:
            raise DataError(f"{path}: line {n} is {line!r}; expected a phrase, or a phrase, a tab and nats.") from None
    return found


def read_batch(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the four arrays of a training batch (logits, targets and their lengths) by name."""
    names = ("logits", "targets", "input_lengths", "target_lengths")
    arrays = _load_arrays(path, "logits=…, …", names)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise DataError(f"{path}: {missing[0]} is missing; expected {', '.join(names)}.")
    return arrays


def _load_arrays(path: Path, example: str, names: Collection[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a .npz file by name: all, or those of ``names`` that it has."""
    from zipfile import BadZipFile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if names is None or name in names}
    except FileNotFoundError:
        raise MissingFileError(f"{path}: there is no such file.") from None
    except (AttributeError, BadZipFile, EOFError, OSError, TypeError, ValueError):
        raise DataError(f"{path}: not a .npz file of arrays. Write one with numpy.savez(path, {example}).") from None
