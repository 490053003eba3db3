"""A library under measurement: its versions, its settings, and how ctckit and torch are set up."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, ClassVar

CTCKIT, PEERS = "ctckit", "peers"  # the two environments


class Library(ABC):
    """One library, set up in one way. It imports its library in its constructor and nowhere else.

    Class attributes:
        packages: The packages whose versions are reported.
        environment: Where the library is installed: in ctckit's own environment or in that of the peers.
    """

    packages: ClassVar[tuple[str, ...]]
    environment: ClassVar[str] = PEERS

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        self.threads = threads
        self.instruction_set = instruction_set
        self.options = options

    def about(self) -> dict[str, str]:
        """Return the versions of the packages, as the installed packages report them."""
        return {package: version(package) for package in self.packages}


@dataclass(frozen=True)
class Setting:
    """A library in one setting.

    Attributes:
        make: The class.
        about: What is called and what is set, for the page.
        threads: The number of threads and of processors.
        instruction_set: For ctckit; the best one by default.
        options: Keyword arguments for the class.
    """

    make: type[Library]
    about: str
    threads: int = 1
    instruction_set: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def set_up_ctckit(threads: int, instruction_set: str) -> tuple[Any, str]:
    """Return the module ``ctckit`` and the instruction set that it uses."""
    import ctckit
    from ctckit.kernels import runtime

    ctckit.set_num_threads(threads)
    if instruction_set:
        runtime.set_instruction_set(instruction_set)
    return ctckit, runtime.instruction_set()


def set_up_torch(threads: int) -> Any:
    """Return the module ``torch`` with its number of threads set."""
    import torch

    torch.set_num_threads(threads)
    return torch
