"""Tensors in a file, with a text in its header: safetensors, read whole and never memory-mapped, never pickled.

A mapped file must not be shortened while it is in use, and keeps its room on the disk after it was replaced. These
files are small and are replaced often, so they are read into memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors

from ctckit.errors import ModelFormatError

Tensors = dict[str, torch.Tensor]
_KEY = "ctckit"
_LENGTH_BYTES = 8  # the file begins with the length of its header


def tensor_bytes(tensors: Mapping[str, torch.Tensor], text: str) -> bytes:
    """Return the content of a file of these tensors, with a text in its header."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return to_safetensors(plain, metadata={_KEY: text})


def read_tensors(path: Path, *, remedy: str, what: str = "") -> tuple[Tensors, Any]:
    """Return the tensors of a file, and the value of the JSON in its header; None if there is none.

    Args:
        path: The file.
        remedy: What to do about a damaged file, for the message.
        what: What is in the file, for the message: "the checkpoint ".

    Raises:
        ModelFormatError: If the file is damaged.
    """
    try:
        content = path.read_bytes()
        end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
        tensors = from_safetensors(content)  # checks the header
        metadata = json.loads(content[_LENGTH_BYTES:end]).get("__metadata__") or {}
        return tensors, json.loads(metadata.get(_KEY, "null"))
    except (SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
        raise ModelFormatError(f"{path}: {what}is damaged ({_said(error)}). {remedy}") from error


def expect_alike(given: Mapping[str, torch.Tensor], expected: Mapping[str, Any], *, what: str) -> None:
    """Check that tensors have the expected names and shapes, before they are used.

    Args:
        given: The tensors of a file.
        expected: Tensors, also of the ``meta`` device, of the right names and shapes.
        what: What they are, for the message.

    Raises:
        ModelFormatError: If one differs.
    """
    differing = sorted(set(given) ^ set(expected))
    if differing:
        where = "missing" if differing[0] in expected else "not expected"
        raise ModelFormatError(f"{what} {differing[0]!r} is {where}; {len(differing)} names differ")
    for name, tensor in sorted(given.items()):
        if tensor.shape != expected[name].shape:
            raise ModelFormatError(
                f"{what} {name!r} has shape {tuple(tensor.shape)}, expected {tuple(expected[name].shape)}"
            )
        if tensor.is_floating_point() != expected[name].is_floating_point():
            raise ModelFormatError(f"{what} {name!r} is {tensor.dtype}, expected {expected[name].dtype}")


def _said(error: Exception) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
