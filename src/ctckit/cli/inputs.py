"""The files that commands read: posteriors, vocabularies, texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctckit.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt


def read_posteriors(path: Path) -> tuple[list[str], list[npt.NDArray[Any]]]:
    """The names and the frames of the items in a .npz file."""
    from zipfile import BadZipFile

    import numpy as np

    from ctckit import _checks

    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except (AttributeError, BadZipFile, EOFError, OSError, TypeError, ValueError):
        raise DataError(f"{path}: not a .npz file of arrays. Write one with numpy.savez(path, log_probs=…).") from None
    items = _parted(path, arrays)
    if not items:
        raise DataError(f"{path}: holds no items.")
    for b, item in enumerate(items.values()):
        _checks.expect_frames(_checks.floats(item, f"log_probs[{b}]", "(T, C)"), b)
    return list(items), list(items.values())


def _parted(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
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
            raise DataError(f"{path}: offsets must rise from 0 to at most the {len(arrays['logp'])} rows of logp.")
        return {str(b): arrays["logp"][offsets[b] : offsets[b + 1]] for b in range(len(offsets) - 1)}
    for name, array in arrays.items():
        if array.ndim != 2:
            raise DataError(
                f"{path}: {name} has shape {array.shape}; expected log_probs (B, T, C), or logp and offsets, or arrays "
                "(T, C), one for each item."
            )
    return arrays


def read_text(path: Path) -> str:
    """A text in UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a text in UTF-8 ({error}).") from None


def read_lines(path: Path) -> Iterator[str]:
    """The lines that are not empty; only line feeds part them, for a token may be any other space."""
    return (line.rstrip("\r") for line in read_text(path).split("\n") if line.strip())


def read_tokens(path: Path, blank: int | None) -> tuple[str, ...]:
    """The vocabulary; the token of a blank that was named is left out."""
    if path.suffix == ".json":
        tokens = _tokens_of_json(path)
    else:
        tokens = [line.rstrip("\r") for line in read_text(path).removesuffix("\n").split("\n")]
    if blank is not None and blank < len(tokens):
        tokens[blank] = ""
    return tuple(tokens)


def _tokens_of_json(path: Path) -> list[str]:
    try:
        content = json.loads(read_text(path))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}).") from None
    if isinstance(content, list) and all(isinstance(each, str) for each in content):
        return content
    if isinstance(content, dict) and sorted(map(repr, content.values())) == sorted(map(repr, range(len(content)))):
        return sorted(content, key=lambda token: int(content[token]))
    raise DataError(f"{path}: expected a list of tokens, or an object that gives each token a class of 0..C−1.")
