"""Checkpoints of a training run: one safetensors file, written atomically, never pickled.

It holds the weights, the optimizer's state, the averaged weights, the best weights so far and, in its header, the step,
the curves and the settings, which must be the same when the run resumes. Nothing else is needed: the step number and
the seed determine the batch, the learning rate and the dropout of a step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ctckit._files import make_folder, write_atomically
from ctckit.errors import DataError, ModelFormatError
from ctckit.ocr.tensor_file import Tensors, expect_alike, read_tensors, tensor_bytes


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run between two steps.

    Attributes:
        step: The number of completed steps.
        weights: The network's state.
        best: The best weights so far; empty before the first validation.
        optimizer: The optimizer's state dict; only its ``state`` is kept, the settings determine the rest.
        progress: JSON-ready curves and counters of the run so far.
        average: The averaged weights; empty if the run has none.
    """

    step: int
    weights: Tensors
    best: Tensors
    optimizer: dict[str, Any]
    progress: dict[str, Any]
    average: Tensors = field(default_factory=dict)


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
    tensors |= {f"average/{name}": tensor for name, tensor in checkpoint.average.items()}
    for index, state in checkpoint.optimizer["state"].items():
        tensors |= {f"optimizer/{index}/{name}": torch.as_tensor(value) for name, value in state.items()}
    header = {"step": checkpoint.step, "progress": checkpoint.progress, "settings": dict(settings)}
    make_folder(path.parent)
    try:
        write_atomically(path, tensor_bytes(tensors, json.dumps(header)))
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
    tensors, header = read_tensors(path, remedy=_REMEDY, what="the checkpoint ")
    if not isinstance(header, dict) or not isinstance(header.get("settings"), dict):
        raise damaged(path, "its header has no settings")
    made_with = {"network": "CRNN", **header["settings"]}  # the only network when checkpoints did not name theirs
    if made_with.get("devices") == 1:  # when each device had batches of its own, their number had to be the same
        del made_with["devices"]
    _check_settings(path, made_with, json.loads(json.dumps(dict(settings))))
    step, progress = header.get("step"), header.get("progress")
    if not isinstance(step, int) or isinstance(step, bool) or step < 0 or not isinstance(progress, dict):
        raise damaged(path, f"its header has the step {step!r}" if isinstance(progress, dict) else "no curves")
    try:
        optimizer = {"state": _by_parameter(_under("optimizer/", tensors))}
    except ValueError as error:
        raise damaged(path, error) from error
    weights, best, average = (_under(part, tensors) for part in ("weights/", "best/", "average/"))
    return Checkpoint(step, weights, best, optimizer, progress, average)


def saved_step(path: Path) -> int:
    """Return the number of completed steps of the run in a checkpoint.

    Raises:
        ModelFormatError: If the file is damaged.
    """
    _, header = read_tensors(path, remedy=_REMEDY, what="the checkpoint ")
    try:
        return int(header["step"])
    except (TypeError, KeyError, ValueError) as error:
        raise damaged(path, "its header has no step") from error


_REMEDY = "Start without resuming."
_MOMENTS = ("exp_avg", "exp_avg_sq")  # what AdamW keeps for each parameter, besides the number of steps


def damaged(path: Path, found: object) -> ModelFormatError:
    """Return the error of a checkpoint that is damaged."""
    return ModelFormatError(f"{path}: the checkpoint is damaged ({found}). {_REMEDY}")


def expect_matching(path: Path, checkpoint: Checkpoint, weights: Mapping[str, Any], parameters: Sequence[Any]) -> None:
    """Check that a checkpoint fits a network before anything of it is used.

    Args:
        path: The file, for the message.
        checkpoint: Its content.
        weights: The network's state.
        parameters: The optimizer's parameters.

    Raises:
        ModelFormatError: If names or shapes differ.
    """
    try:
        expect_alike(checkpoint.weights, weights, what="the weight")
        if checkpoint.best:
            expect_alike(checkpoint.best, weights, what="the best weight")
        if checkpoint.average:
            expect_alike(checkpoint.average, weights, what="the averaged weight")
        for index, state in checkpoint.optimizer["state"].items():
            if not 0 <= index < len(parameters):
                raise ModelFormatError(f"the optimizer has no parameter {index}")
            moments = dict.fromkeys(_MOMENTS, parameters[index])
            expect_alike(state, {"step": torch.zeros(()), **moments}, what=f"the optimizer's value of {index}")
    except ModelFormatError as error:
        raise damaged(path, error) from error


def _by_parameter(tensors: Tensors) -> dict[int, Tensors]:
    state: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition("/")
        state.setdefault(int(index), {})[key] = tensor
    return state


def _under(prefix: str, tensors: Tensors) -> Tensors:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _check_settings(path: Path, made_with: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    if made_with != asked:
        raise DataError(
            f"{path}: this run cannot be resumed with other settings: {differences(made_with, asked, 'was', 'now')}. "
            "Use the same ones, or start without resuming."
        )


def differences(one: Mapping[str, Any], other: Mapping[str, Any], of_one: str, of_other: str) -> str:
    """Return what differs between two settings, in words.

    Example:
        >>> differences({"seed": 0, "batch_size": 4}, {"seed": 0, "batch_size": 8}, "was", "now")
        'batch_size was 4, now 8'
    """
    names = [name for name in {*one, *other} if one.get(name) != other.get(name)]
    names.sort(key=lambda name: (" " in name, name))  # options, then what follows from them for the lines
    return "; ".join(f"{name} {of_one} {_shown(name, one)}, {of_other} {_shown(name, other)}" for name in names)


def _shown(name: str, settings: Mapping[str, Any]) -> Any:
    return settings.get(name, "not recorded")
