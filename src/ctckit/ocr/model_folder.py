"""The model folder: ``weights.safetensors`` and ``model.json``, saved atomically, never pickled.

``model.json`` holds the format version, the charset, the blank, the image geometry, the network's name and
configuration, and the training record. The header of ``weights.safetensors`` holds the same text. So one rename
replaces a model: first the weights are renamed, then ``model.json``. If the process dies between the two renames, the
complete new ``model.json`` still exists under its temporary name, and loading finds it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors

from ctckit._files import make_folder, sync_folder, write_temporary
from ctckit.errors import CTCKitError, DataError, MissingModelError, ModelFormatError
from ctckit.ocr.networks import NETWORKS, Network, build, name_of
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary

FORMAT = "ctckit-crnn"
FORMAT_VERSION = 1
WEIGHTS_FILE = "weights.safetensors"
RECORD_FILE = "model.json"
FIRST_NETWORK = "crnn"  # the only network when folders did not name theirs
_LEVELS = "grey; ink 1, paper 0"  # in this spelling since format version 1


@dataclass(frozen=True)
class SavedModel:
    """The content of a model folder.

    Attributes:
        model: The network, in eval mode.
        vocabulary: Its classes.
        record: Its training record; None if it was saved without one.
    """

    model: Network
    vocabulary: Vocabulary
    record: TrainingRecord | None


def save_model(
    folder: str | Path, model: Network, vocabulary: Vocabulary, *, record: TrainingRecord | None = None
) -> Path:
    """Save a model into a folder; a model that is already there is replaced atomically, or stays.

    Args:
        folder: The model folder; created if it does not exist.
        model: The network, of a registered kind.
        vocabulary: Its classes, as many as the network has.
        record: Its training record.

    Returns:
        The folder.

    Raises:
        DataError: If the folder cannot be written.
        InvalidInputError: If the class of the network is not registered.
    """
    folder = Path(folder)
    make_folder(folder)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    description = json.dumps(_describe(model, vocabulary, record), ensure_ascii=False, indent=2, sort_keys=True)
    content = to_safetensors(weights, metadata={"ctckit": description})
    staged: list[Path] = []
    try:
        staged.append(write_temporary(folder / RECORD_FILE, description.encode()))
        staged.append(write_temporary(folder / WEIGHTS_FILE, content))
        os.replace(staged[1], folder / WEIGHTS_FILE)
        os.replace(staged[0], folder / RECORD_FILE)
        sync_folder(folder)
    except OSError as error:
        raise DataError(f"{folder}: the model cannot be saved ({error.strerror}). The old one stays.") from error
    finally:
        _discard(folder, staged)
    return folder


def _discard(folder: Path, staged: list[Path]) -> None:
    """Remove temporary files, except a ``model.json`` that belongs to weights already renamed."""
    weights_renamed = len(staged) == 2 and not staged[1].exists()
    for path in staged:
        if path.exists() and not (weights_renamed and path.name.startswith(RECORD_FILE)):
            path.unlink()


def load_model(folder: str | Path) -> SavedModel:
    """Load a model folder; the network is on the CPU and in eval mode.

    Raises:
        ModelFormatError: If the folder is incomplete, damaged, or of an unknown version.
    """
    folder = Path(folder)
    for name in (RECORD_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            found = "no such folder" if not folder.is_dir() else f"{name} is missing"
            kind = ModelFormatError if folder.is_dir() else MissingModelError
            raise kind(
                f"{folder}: {found}. A model folder holds {WEIGHTS_FILE} and {RECORD_FILE}; `ctckit train` writes one."
            )
    description = _read_description(folder / RECORD_FILE)
    weights, embedded = _read_weights(folder / WEIGHTS_FILE)
    if embedded != description:
        description = _interrupted_save(folder, embedded)
    return _build(folder, description, weights)


def _describe(model: Network, vocabulary: Vocabulary, record: TrainingRecord | None) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "tokens": list(vocabulary.tokens),
        "blank": vocabulary.blank,
        "image": {"height": model.height, "levels": _LEVELS, "frame_pixels": model.frame_pixels},
        "network_name": name_of(model),
        "network": asdict(model.config),
        "training": None if record is None else record.to_dict(),
    }


def _read_description(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
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


def _read_weights(path: Path) -> tuple[dict[str, torch.Tensor], Any]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        return weights, json.loads(metadata.get("ctckit", "null"))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFormatError(f"{path}: is damaged ({error}). Save the model again.") from error


def _interrupted_save(folder: Path, embedded: Any) -> dict[str, Any]:
    """Return the new ``model.json`` of a save that died between its two renames, if that is what happened."""
    for path in sorted(folder.glob(f"{RECORD_FILE}.*.new")):
        try:
            if json.loads(path.read_bytes()) == embedded:
                return _check_version(path, embedded)
        except ValueError:
            continue
    raise ModelFormatError(
        f"{folder}: {RECORD_FILE} and {WEIGHTS_FILE} do not belong together (edited, or copied from two models). "
        "Copy both files from one model."
    )


def _build(folder: Path, description: dict[str, Any], weights: Mapping[str, torch.Tensor]) -> SavedModel:
    name = description.get("network_name", FIRST_NETWORK)
    if name not in NETWORKS:
        raise ModelFormatError(
            f"{folder}: the network {name!r} is not known here; known are {', '.join(map(repr, NETWORKS))}. "
            "Import the package that registers it, or use the ctckit that wrote the folder."
        )
    try:
        model = build(name, description["network"]).eval()
        model.load_state_dict(weights)
        vocabulary = Vocabulary(tuple(description["tokens"]), blank=description["blank"])
        training = description["training"]
        record = None if training is None else TrainingRecord.from_dict(training)
    except (KeyError, TypeError, ValueError, RuntimeError, CTCKitError) as error:
        raise ModelFormatError(f"{folder}: the model is damaged ({error}). Save the model again.") from error
    if len(vocabulary) != model.num_classes:
        raise ModelFormatError(
            f"{folder}: {len(vocabulary)} tokens for {model.num_classes} classes; the two must be equal."
        )
    return SavedModel(model, vocabulary, record)
