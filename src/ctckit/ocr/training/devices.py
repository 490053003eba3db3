"""The devices of a run, by Lightning Fabric, and which process of a run this is."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException

from ctckit.errors import InvalidInputError

RUN = "ctckit-"  # the name of a run that this package launches begins with it


def is_launched() -> bool:
    """Return whether torchrun started this process, or ``ctckit train --devices`` did, which uses the same launcher.

    The variables of SLURM and of other launchers in the environment may belong to something else: they are not read.
    """
    return torch.distributed.is_available() and torch.distributed.is_torchelastic_launched()


def process_number() -> int:
    """Return the number of this process among all that train together, on all machines; 0 if it trains alone."""
    return int(os.environ["RANK"]) if is_launched() else 0


def in_first_process() -> bool:
    """Return whether this process prints and writes."""
    return process_number() == 0


def is_supervised() -> bool:
    """Return whether ``ctckit train --devices`` started this process, and will tell how it ended."""
    return os.environ.get("TORCHELASTIC_RUN_ID", "").startswith(RUN)


def launched_fabric(accelerator: str, devices: int, precision: str) -> Fabric:
    """Return Lightning Fabric on these devices, one for each process that the launcher has started; they are connected.

    Args:
        accelerator: Lightning Fabric's name of the device.
        devices: The number of devices of this machine. In a process of torchrun, 1 is as many as there are processes.
        precision: Lightning Fabric's name of the number format.

    Raises:
        InvalidInputError: If they cannot be used here.
    """
    processes, machines = count_processes(devices)
    try:
        fabric = Fabric(
            accelerator=accelerator,
            devices=processes,
            num_nodes=machines,
            precision=precision,  # type: ignore[arg-type]
            plugins=TorchElasticEnvironment() if is_launched() else LightningEnvironment(),
        )
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise InvalidInputError(
            f"accelerator={accelerator!r} with devices={processes} and precision={precision!r} cannot be used here "
            f"({error}). {_remedy(accelerator, processes)}"
        ) from error
    with _quiet(logging.getLogger("lightning_fabric")):
        fabric.launch()
    return fabric


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Let a logger tell only warnings and errors while the block runs."""
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def count_processes(devices: int) -> tuple[int, int]:
    """Return the number of processes on this machine, and the number of machines.

    Args:
        devices: As for :func:`launched_fabric`.

    Raises:
        InvalidInputError: If the devices need other processes than those that the launcher has started.
    """
    if not is_launched():
        if devices == 1:
            return 1, 1
        raise InvalidInputError(
            f"devices is {devices}, but this is one process, and each device needs its own. Start the script with "
            f"torchrun --nproc-per-node {devices}, or use ctckit train --devices {devices}."
        )
    here, all_, machines = (int(os.environ[name]) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE", "GROUP_WORLD_SIZE"))
    if devices not in (1, here):
        raise InvalidInputError(
            f"devices is {devices}, but torchrun has started {here} processes on this machine; expected the same "
            "number. Leave devices out: there is one for each process."
        )
    if here * machines != all_:
        raise InvalidInputError(
            f"torchrun has started {here} processes on this machine, and {all_} on {machines} machines. Start the same "
            "number on each (--nproc-per-node)."
        )
    return here, machines


def _remedy(accelerator: str, devices: int) -> str:
    if devices > 1:
        return "Use fewer devices."
    return 'Use precision="32-true".' if accelerator == "cpu" else 'Use accelerator="cpu".'


def computes_bfloat16() -> bool:
    """Return whether the processor has instructions for products of bfloat16; elsewhere they are slow."""
    known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in known)
