"""The devices of a run, by Lightning Fabric, and which of several processes prints and writes."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.utilities.rank_zero import rank_zero_only

from ctckit.errors import InvalidInputError


def in_first_process(devices: int = 1) -> bool:
    """Return whether this process prints and writes. With one device it always does, whatever the environment says.

    Args:
        devices: The number of devices that train together.
    """
    return devices == 1 or int(getattr(rank_zero_only, "rank", 0)) == 0


def make_fabric(accelerator: str, devices: int, precision: str) -> Fabric:
    """Return Lightning Fabric on these devices.

    One device needs no cluster: the variables of SLURM and of other launchers in the environment, which may belong to
    something else, are not read then.

    Raises:
        InvalidInputError: If they cannot be used here.
    """
    plugins: Any = LightningEnvironment() if devices == 1 else None
    try:
        return Fabric(accelerator=accelerator, devices=devices, precision=precision, plugins=plugins)  # type: ignore[arg-type]
    except (RuntimeError, ValueError) as error:
        raise InvalidInputError(
            f"accelerator={accelerator!r} with devices={devices} and precision={precision!r} cannot be used here "
            f"({error}). {_remedy(accelerator, devices)}"
        ) from error


def _remedy(accelerator: str, devices: int) -> str:
    if devices > 1:
        return "Use devices=1."
    return 'Use precision="32-true".' if accelerator == "cpu" else 'Use accelerator="cpu".'


def computes_bfloat16() -> bool:
    """Return whether the processor has instructions for products of bfloat16; elsewhere they are slow."""
    known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in known)
