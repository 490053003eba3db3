"""The model folder: ``weights.safetensors`` and ``model.json``, saved atomically, never pickled.

``model.json`` holds the format version, the charset, the blank, the image geometry, the network's name and
configuration, the training record, and the history: what the model started from, and what it was trained on. The header
of ``weights.safetensors`` holds the same text. So one rename replaces a model: first the weights are renamed, then
``model.json``. Between the two renames, also if the process dies there, the complete new ``model.json`` exists under
its temporary name, and loading finds it. A reader that finds files of two models while another process saves one reads
again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from ctckit._files import locked, make_folder, rename_into_place, sync_folder, temporaries_of, write_temporary
from ctckit.errors import DataError, InvalidInputError, MissingModelError, ModelFormatError
from ctckit.ocr.data.rules import BEFORE, LineRules
from ctckit.ocr.networks import NETWORKS, Network, build, name_of, shapes_of
from ctckit.ocr.tensor_file import expect_alike, read_tensors, tensor_bytes
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary

FORMAT = "ctckit-crnn"
FORMAT_VERSION = 1
WEIGHTS_FILE = "weights.safetensors"
RECORD_FILE = "model.json"
FIRST_NETWORK = "crnn"  # the only network when folders did not name theirs
_LEVELS = "grey; ink 1, paper 0"  # in this spelling since format version 1
_LOCK_FILE = "saving.lock"
_LONGEST_SAVE = 60.0  # seconds that a second save into the same folder waits for the first
_READINGS = 100  # of a folder that is saved again and again


@dataclass(frozen=True)
class Stage:
    """One stage in the history of a model: a model that it started from, or data that it was trained on.

    Attributes:
        kind: "model" or "data".
        name: The name of the model, or of the folder or file with the data.
        license: Its license; "" if it is not known.
        sha256: The digest of the model's file; "" if it is not a single file.
        lines: The number of lines trained on; 0 for a model.
    """

    kind: str
    name: str
    license: str = ""
    sha256: str = ""
    lines: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not (int if field.name == "lines" else str):
                raise InvalidInputError(f"{field.name} of a stage is {str(value)[:60]!r}; expected a text or a number.")


@dataclass(frozen=True)
class SavedModel:
    """The content of a model folder.

    Attributes:
        model: The network, in eval mode.
        vocabulary: Its classes.
        record: Its training record; None if it was saved without one.
        rules: The form of its texts, and how it sees images.
        history: The models that it started from, and the data that it was trained on, the first stage first.
    """

    model: Network
    vocabulary: Vocabulary
    record: TrainingRecord | None
    rules: LineRules = BEFORE
    history: tuple[Stage, ...] = ()


def save_model(
    folder: str | Path,
    model: Network,
    vocabulary: Vocabulary,
    *,
    record: TrainingRecord | None = None,
    rules: LineRules = BEFORE,
    history: Sequence[Stage] = (),
) -> Path:
    """Save a model into a folder; a model that is already there is replaced atomically, or stays.

    Args:
        folder: The model folder; created if it does not exist.
        model: The network, of a registered kind.
        vocabulary: Its classes, as many as the network has.
        record: Its training record.
        rules: The form of its texts, and how it sees images.
        history: The models that it started from, and the data that it was trained on, the first stage first.

    Returns:
        The folder.

    Raises:
        DataError: If the folder cannot be written.
        InvalidInputError: If the class of the network is not registered.
    """
    folder = Path(folder)
    make_folder(folder)
    described = _describe(model, vocabulary, record, rules, history)
    description = json.dumps(described, ensure_ascii=False, indent=2, sort_keys=True)
    content = {RECORD_FILE: description.encode(), WEIGHTS_FILE: tensor_bytes(model.state_dict(), description)}
    with locked(folder, _LOCK_FILE, doing="is saving a model into it", wait=_LONGEST_SAVE):
        _replace(folder, content)
    return folder


def _replace(folder: Path, content: Mapping[str, bytes]) -> None:
    staged: dict[str, Path] = {}
    try:
        for name, part in content.items():
            staged[name] = write_temporary(folder / name, part)
        for name in (WEIGHTS_FILE, RECORD_FILE):
            rename_into_place(staged[name], folder / name)
        sync_folder(folder)
    except OSError as error:
        raise DataError(f"{folder}: the model cannot be saved ({error.strerror}). The old one stays.") from error
    finally:
        _discard(staged)


def _discard(staged: Mapping[str, Path]) -> None:
    """Remove temporary files, except a ``model.json`` that belongs to weights already renamed."""
    weights_renamed = len(staged) == 2 and not staged[WEIGHTS_FILE].exists()
    for name, path in staged.items():
        if not (weights_renamed and name == RECORD_FILE):
            path.unlink(missing_ok=True)


def load_model(folder: str | Path) -> SavedModel:
    """Load a model folder; the network is on the CPU and in eval mode.

    Raises:
        ModelFormatError: If the folder is incomplete, damaged, or of an unknown version.
    """
    folder = Path(folder)
    for name in (RECORD_FILE, WEIGHTS_FILE):
        if not os.path.isfile(folder / name):  # Path.is_file raises errors, of a name that is too long for example
            there = os.path.isdir(folder)
            found = f"{name} is missing" if there else "no such folder"
            kind = ModelFormatError if there else MissingModelError
            raise kind(
                f"{folder}: {found}. A model folder holds {WEIGHTS_FILE} and {RECORD_FILE}; `ctckit train` writes one."
            )
    return _build(folder, *_read(folder))


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return the description and the weights of one model, also while another process replaces it."""
    for _ in range(_READINGS):
        before = _versions(folder)
        description = _read_description(folder / RECORD_FILE)
        weights, embedded = read_tensors(folder / WEIGHTS_FILE, remedy="Save the model again.")
        if embedded == description:
            return description, weights
        if (newer := _being_saved(folder, embedded)) is not None:
            return newer, weights
        if _versions(folder) == before:
            break
    raise ModelFormatError(
        f"{folder}: {RECORD_FILE} and {WEIGHTS_FILE} do not belong together (edited, or copied from two models). "
        "Copy both files from one model."
    )


def _versions(folder: Path) -> list[tuple[int, int]]:
    """Return numbers that change when a file of the folder is replaced."""
    found = [(folder / name).stat() for name in (RECORD_FILE, WEIGHTS_FILE)]
    return [(each.st_ino, each.st_mtime_ns) for each in found]


def _being_saved(folder: Path, embedded: Any) -> dict[str, Any] | None:
    """Return the new ``model.json`` of a save between its two renames, where it still is or where it died."""
    for path in temporaries_of(folder / RECORD_FILE):
        try:
            if json.loads(path.read_bytes()) == embedded:
                return _check_version(path, embedded)
        except (OSError, ValueError, RecursionError):
            continue
    return None


def _describe(
    model: Network, vocabulary: Vocabulary, record: TrainingRecord | None, rules: LineRules, history: Sequence[Stage]
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "tokens": list(vocabulary.tokens),
        "blank": vocabulary.blank,
        "image": {"height": model.height, "levels": _LEVELS, "frame_pixels": model.frame_pixels},
        "lines": rules.to_dict(),
        "network_name": name_of(model),
        "network": asdict(model.config),
        "training": None if record is None else record.to_dict(),
        "history": [asdict(stage) for stage in history],
    }


def _read_description(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFormatError(f"{path}: is not readable JSON ({error}). Save the model again.") from error
    return _check_version(path, description)


def _check_version(path: Path, description: Any) -> dict[str, Any]:
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ModelFormatError(f'{path}: is not a ctckit model; expected "format": "{FORMAT}".')
    version = description.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelFormatError(
            f"{path}: format version {version!r}; this ctckit reads version {FORMAT_VERSION}. "
            "Use the ctckit that wrote it, or train again."
        )
    return description


def _build(folder: Path, description: dict[str, Any], weights: Mapping[str, torch.Tensor]) -> SavedModel:
    name = description.get("network_name", FIRST_NETWORK)
    if not isinstance(name, str) or name not in NETWORKS:
        raise ModelFormatError(
            f"{folder}: the network {name!r} is not known here; known are {', '.join(map(repr, NETWORKS))}. "
            "Import the package that registers it, or use the ctckit that wrote the folder."
        )
    try:
        model = _network(name, description["network"], weights)
        vocabulary = Vocabulary(_strings(description["tokens"]), blank=description["blank"])
        training = description["training"]
        record = None if training is None else TrainingRecord.from_dict(training)
        rules = LineRules.from_dict(description["lines"]) if "lines" in description else BEFORE
        history = tuple(Stage(**stage) for stage in description.get("history", ()))
    except Exception as error:  # a file can hold anything, and the network may be somebody else's
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelFormatError(f"{folder}: the model is damaged ({said}). Save the model again.") from error
    if len(vocabulary) != model.num_classes:
        raise ModelFormatError(
            f"{folder}: {len(vocabulary)} tokens for {model.num_classes} classes; the two must be equal."
        )
    return SavedModel(model, vocabulary, record, rules, history)


def _network(name: str, config: Any, weights: Mapping[str, torch.Tensor]) -> Network:
    """Return the network with its weights. Its shapes are compared before it takes any memory."""
    if not isinstance(config, dict):
        raise TypeError(f"network is {config!r}, expected its configuration by name")
    shapes = shapes_of(name, config)
    if shapes is not None:
        expect_alike(weights, shapes, what="the weight")
    model = build(name, config).eval()
    model.load_state_dict(weights)
    return model


def _strings(tokens: Any) -> tuple[str, ...]:
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise TypeError(f"tokens is {str(tokens)[:60]}, expected a list of texts")
    return tuple(tokens)
