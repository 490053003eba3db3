"""Checkpoints of a training run: one safetensors file, written atomically, never pickled.

It holds the weights, the optimizer's state, the best weights so far and, in its header, the step, the curves and the
settings, which must be the same when the run resumes. Nothing else is needed: the step number and the seed determine
the batch, the learning rate and the dropout of a step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors

from ctckit._files import make_folder, write_atomically
from ctckit.errors import DataError, ModelFormatError

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run between two steps.

    Attributes:
        step: The number of completed steps.
        weights: The network's state.
        best: The best weights so far; empty before the first validation.
        optimizer: The optimizer's state dict.
        progress: JSON-ready curves and counters of the run so far.
    """

    step: int
    weights: Tensors
    best: Tensors
    optimizer: dict[str, Any]
    progress: dict[str, Any]


def save_checkpoint(path: Path, checkpoint: Checkpoint, *, settings: Mapping[str, Any]) -> None:
    """Write a checkpoint; it replaces an older one.

    Args:
        path: The file.
        checkpoint: The state to write.
        settings: JSON-ready settings that must be the same when the run resumes.

    Raises:
        DataError: If it cannot be written.
    """
    tensors = {f"weights/{name}": tensor for name, tensor in checkpoint.weights.items()}
    tensors |= {f"best/{name}": tensor for name, tensor in checkpoint.best.items()}
    for index, state in checkpoint.optimizer["state"].items():
        tensors |= {f"optimizer/{index}/{name}": torch.as_tensor(value) for name, value in state.items()}
    header = {
        "step": checkpoint.step,
        "progress": checkpoint.progress,
        "groups": checkpoint.optimizer["param_groups"],
        "settings": dict(settings),
    }
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    make_folder(path.parent)
    try:
        write_atomically(path, to_safetensors(plain, metadata={"ctckit": json.dumps(header)}))
    except OSError as error:
        raise DataError(f"{path}: the checkpoint cannot be written ({error.strerror}).") from error


def load_checkpoint(path: Path, *, settings: Mapping[str, Any]) -> Checkpoint:
    """Return the checkpoint in a file.

    Raises:
        DataError: If there is none, or if it was made with other settings; the message names each that differs.
        ModelFormatError: If the file is damaged.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: there is no checkpoint to resume from; no run was interrupted here. Start without resuming."
        )
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["ctckit"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        step, progress, groups, made_with = (header[name] for name in ("step", "progress", "groups", "settings"))
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelFormatError(f"{path}: the checkpoint is damaged ({error}). Start without resuming.") from error
    made_with.setdefault("network", "CRNN")  # the only network when checkpoints did not name theirs
    _check_settings(path, made_with, json.loads(json.dumps(dict(settings))))
    state: dict[int, Tensors] = {}
    for name, tensor in _under("optimizer/", tensors).items():
        index, key = name.split("/")
        state.setdefault(int(index), {})[key] = tensor
    optimizer = {"state": state, "param_groups": groups}
    return Checkpoint(step, _under("weights/", tensors), _under("best/", tensors), optimizer, progress)


def _under(prefix: str, tensors: Tensors) -> Tensors:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _check_settings(path: Path, made_with: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    names = sorted(set(made_with) | set(asked))
    differing = [
        f"{name} was {made_with.get(name)}, now {asked.get(name)}"
        for name in names
        if made_with.get(name) != asked.get(name)
    ]
    if differing:
        raise DataError(
            f"{path}: this run cannot be resumed with other settings: {'; '.join(differing)}. "
            "Use the same ones, or start without resuming."
        )
