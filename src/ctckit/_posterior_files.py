"""Files of posteriors and of training batches: their arrays, checked.

An item that cannot be used is left out with the reason; the others are read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctckit.errors import CTCKitError, DataError, InvalidInputError, MissingFileError

if TYPE_CHECKING:
    import numpy.typing as npt


Item = tuple[str, "npt.NDArray[Any] | CTCKitError"]
"""The name of an item and its log-probabilities, or why it cannot be used."""


def read_items(path: Path) -> list[Item]:
    """Return the items (T, C) of a .npz file, of a .npy file, or of all .npy files of a folder, in their order.

    An item that cannot be used comes with the reason.

    Raises:
        CTCKitError: If the file or the folder as a whole cannot be used.
    """
    if path.is_dir():
        items = [_item_of_file(each) for each in npy_files(path)]
        missing = "holds no .npy files."
    elif path.suffix.lower() == ".npy":
        array = _load_array(path)
        items = _split_items(path, {"log_probs": array}) if array.ndim == 3 else [_item_of_file(path)]
        missing = "holds no items."
    else:
        items = _split_items(path, _load_arrays(path, "log_probs=…"))
        missing = "holds no items."
    if not items:
        raise DataError(f"{path}: {missing}")
    return [_checked(b, *item) for b, item in enumerate(items)]


def npy_files(folder: Path) -> list[Path]:
    """Return the .npy files of a folder, in their order."""
    return sorted(each for each in folder.iterdir() if each.suffix.lower() == ".npy")


def read_posteriors(path: Path) -> tuple[list[str], list[npt.NDArray[Any]]]:
    """Return the names and the log-probabilities (T, C) of the items of a file; the first that is wrong is an error."""
    items = read_items(path)
    arrays = []
    for _, each in items:
        if isinstance(each, CTCKitError):
            raise each
        arrays.append(each)
    return [name for name, _ in items], arrays


def _item_of_file(path: Path) -> Item:
    try:
        array = _load_array(path)
    except DataError as error:
        return path.stem, error
    if array.ndim != 2:
        return path.stem, DataError(f"{path}: has shape {array.shape}; expected (T, C), one item.")
    return path.stem, array


def _checked(b: int, name: str, item: npt.NDArray[Any] | CTCKitError) -> Item:
    from ctckit import _checks

    if isinstance(item, CTCKitError):
        return name, item
    try:
        _checks.expect_frames(_checks.floats(item, f"log_probs[{b}]", "(T, C)"), b)
    except InvalidInputError as error:
        return name, error
    return name, item


def _split_items(path: Path, arrays: Mapping[str, npt.NDArray[Any] | CTCKitError]) -> list[Item]:
    from ctckit import _checks

    for name in ("log_probs", "logp", "offsets", "input_lengths"):
        if isinstance(broken := arrays.get(name), CTCKitError):
            raise broken
    whole: dict[str, Any] = dict(arrays)
    if "log_probs" in whole:
        log_probs = whole["log_probs"]
        log_probs = log_probs[None] if log_probs.ndim == 2 else log_probs
        _checks.expect_rank(log_probs.shape, "log_probs", "(B, T, C)")
        items, frames, _ = log_probs.shape
        given = whole.get("input_lengths", [frames] * items)
        lengths = _checks.lengths(given, "input_lengths", items, frames, f"log_probs has T = {frames} frames")
        return [(str(b), log_probs[b, :length]) for b, length in enumerate(lengths)]
    if "logp" in whole and "offsets" in whole:
        _checks.expect_rank(whole["logp"].shape, "logp", "(T, C)")
        offsets = _checks.integers(whole["offsets"], "offsets", "(B + 1,)").tolist()
        if not offsets or sorted(offsets) != offsets or offsets[0] < 0 or offsets[-1] > len(whole["logp"]):
            raise DataError(f"{path}: offsets must rise from 0 to at most the {len(whole['logp'])} frames of logp.")
        return [(str(b), whole["logp"][offsets[b] : offsets[b + 1]]) for b in range(len(offsets) - 1)]
    return [(name, _of_one_item(path, name, array)) for name, array in arrays.items()]


def _of_one_item(path: Path, name: str, array: npt.NDArray[Any] | CTCKitError) -> npt.NDArray[Any] | CTCKitError:
    if isinstance(array, CTCKitError) or array.ndim == 2:
        return array
    return DataError(
        f"{path}: {name} has shape {array.shape}; expected log_probs (B, T, C), or logp and offsets, or arrays "
        "(T, C), one for each item."
    )


def read_batch(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the four arrays of a training batch (logits, targets and their lengths) by name."""
    names = ("logits", "targets", "input_lengths", "target_lengths")
    arrays = _load_arrays(path, "logits=…, …", names)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise DataError(f"{path}: {missing[0]} is missing; expected {', '.join(names)}.")
    batch = {}
    for name, array in arrays.items():
        if isinstance(array, CTCKitError):
            raise array
        batch[name] = array
    return batch


def _load_arrays(
    path: Path, example: str, names: Collection[str] | None = None
) -> dict[str, npt.NDArray[Any] | CTCKitError]:
    """Return the arrays of a .npz file by name: all, or those of ``names`` that it has. A damaged one is an error."""
    import numpy as np

    damaged = DataError(f"{path}: not a .npz file of arrays. Write one with numpy.savez(path, {example}).")
    try:
        with np.load(path, allow_pickle=False) as file:
            found: dict[str, npt.NDArray[Any] | CTCKitError] = {}
            for name in file.files:
                if names is None or name in names:
                    found[name] = _member(path, file, name)
            return found
    except FileNotFoundError:
        raise MissingFileError(f"{path}: there is no such file.") from None
    except _damage():
        raise damaged from None


def _member(path: Path, file: Any, name: str) -> npt.NDArray[Any] | CTCKitError:
    try:
        array: npt.NDArray[Any] = file[name]
    except _damage() as error:
        return DataError(f"{path}: {name} is no array of numbers, or is damaged ({error}).")
    return array


def _load_array(path: Path) -> npt.NDArray[Any]:
    """Return the array of a .npy file."""
    import numpy as np

    try:
        with path.open("rb") as file:
            array = np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: there is no such file.") from None
    except _damage() as error:
        raise DataError(
            f"{path}: not a .npy file of numbers ({error}). Write one with numpy.save(path, array)."
        ) from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: is a .npz file; expected the ending .npz.")
    return array


def _damage() -> tuple[type[Exception], ...]:
    """Return the errors of NumPy for files that are damaged, or in another format."""
    import zlib
    from zipfile import BadZipFile

    return AttributeError, BadZipFile, EOFError, MemoryError, OSError, TypeError, ValueError, zlib.error
