"""The Linux platforms of the wheels, and the Pythons that wheels are built and tried with."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEWEST_GLIBC = "2.28"


@dataclass(frozen=True)
class Platform:
    """A system that a wheel runs on.

    Attributes:
        machine: The processor's architecture.
        library: The C library: "gnu" or "musl".
    """

    machine: str
    library: str

    @property
    def target(self) -> str:
        """The name of this platform for Zig's compiler."""
        version = f".{NEWEST_GLIBC}" if self.library == "gnu" else ""
        return f"{self.machine}-linux-{self.library}{version}"

    @property
    def tag(self) -> str:
        """The name of this platform in a wheel's file name."""
        family = f"manylinux_{NEWEST_GLIBC.replace('.', '_')}" if self.library == "gnu" else "musllinux_1_2"
        return f"{family}_{self.machine}"

    def suffix(self, version: str) -> str:
        """Return how the file of an extension module ends. Python 3.10 does not tell musl from glibc (bpo-43112)."""
        library = "gnu" if version == "3.10" else self.library
        return f".cpython-{version.replace('.', '')}-{self.machine}-linux-{library}.so"


PLATFORMS = [Platform(machine, library) for library in ("gnu", "musl") for machine in ("x86_64", "aarch64")]
BUILD_PYTHONS = ["3.10", "3.11", "3.12", "3.14t"]  # t: free-threaded
TRIED_PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.14t"]


def interpreter(version: str) -> Path | None:
    """Return the Python of this version that is on the path or among pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which(f"python{version}")
    candidates = [Path(on_path)] if on_path else []
    number = version.removesuffix("t")
    candidates += sorted(pyenv.glob(f"{number}.*[0-9]{version.removeprefix(number)}/bin/python"))
    return next((path for path in candidates if works(path)), None)


def works(python: Path) -> bool:
    """Return whether this is a Python, not a shim of one that is not selected."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
