"""Install each wheel in clean environments and test it there: `make try-wheels`.

A Python is a command, so that a foreign one can run in an emulator. Those of this machine are found; others are given:

    python -m release.trials dist --python "qemu-aarch64-static -L ROOT -0 SCRIPT ROOT/usr/bin/python3.11"

Tests start the Python again by its name. Where the kernel cannot run foreign programs (binfmt_misc), that name must be
a script, SCRIPT, which starts the emulator: `exec qemu-aarch64-static -L ROOT -0 SCRIPT ROOT/usr/bin/python3.11 "$@"`.

`ctckit doctor` and the tests below have to succeed, and the core has to find the instruction sets of the processor.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from release.platforms import ROOT, TRIED_PYTHONS, interpreter

TESTS = ["tests/kernels", "tests/language_models", "tests/test_topology.py"]
OLD_PROCESSOR = ["qemu-x86_64-static", "-cpu", "Nehalem"]  # without AVX
FACTS = """
import json, platform, sys, sysconfig
musl = "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "")
free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
print(json.dumps([sys.version_info[:2], free_threaded, platform.machine(), "musl" if musl else "gnu"]))
"""


@dataclass(frozen=True)
class Python:
    """A Python that a wheel is tried in.

    Attributes:
        command: What runs it.
        version: Its major and minor version.
        free_threaded: Whether it has no GIL.
        machine: The architecture that it sees.
        library: Its C library: "gnu" or "musl".
    """

    command: list[str]
    version: tuple[int, int]
    free_threaded: bool
    machine: str
    library: str

    @property
    def emulated(self) -> bool:
        """Whether an emulator runs it."""
        return Path(self.command[0]).name.startswith("qemu-")

    def takes(self, wheel: Path) -> bool:
        """Return whether a wheel is for this Python."""
        _, _, python, abi, platform = wheel.stem.split("-")
        lowest = (3, int(python.removeprefix("cp3")))
        if abi == "abi3":
            fits = self.version >= lowest and not self.free_threaded
        else:
            fits = self.version == lowest and self.free_threaded == abi.endswith("t")
        return fits and platform.endswith(self.machine) and ("musl" in platform) == (self.library == "musl")


def python_of(command: list[str]) -> Python:
    """Return the facts of a Python."""
    done = subprocess.run([*command, "-c", FACTS], capture_output=True, text=True, check=True)
    version, *facts = json.loads(done.stdout)
    return Python(command, tuple(version), *facts)


def pythons_here() -> list[Python]:
    """Return the Pythons of this machine, and the newest of them with a GIL on a processor without AVX."""
    found = {version: interpreter(version) for version in TRIED_PYTHONS}
    for version, path in found.items():
        if path is None:
            print(f"Python {version} is not installed: its wheels are not tried in it")
    commands = [[str(path)] for path in found.values() if path is not None]
    if shutil.which(OLD_PROCESSOR[0]):
        newest = [path for version, path in found.items() if path is not None and not version.endswith("t")][-1]
        commands.append([*OLD_PROCESSOR, str(newest)])
    else:
        print(f"{OLD_PROCESSOR[0]} is not installed: no wheel is tried on a processor without AVX")
    return [python_of(command) for command in commands]


def install(wheel: Path, python: Python, folder: Path) -> None:
    """Install the wheel, what it needs and what its tests need into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    version = ".".join(map(str, python.version))
    target = ["--target", folder, "--python-platform", f"{python.machine}-unknown-linux-{python.library}"]
    if not python.free_threaded:
        target += ["--python-version", version]
    elif here := interpreter(f"{version}t"):  # uv has no name for this ABI: it asks a Python of this machine
        target += ["--python", here]
    else:
        sys.exit(f"Python {version}t is not installed on this machine; uv needs it to choose the packages. Install it.")
    command = ["uv", "pip", "install", "--quiet", *target, "--only-binary", ":all:", wheel, "pytest", "hypothesis"]
    subprocess.run([str(part) for part in command], check=True)


def tried(wheel: Path, python: Python, tests: list[str]) -> bool:
    """Return whether a wheel installs and its tests pass."""
    folder = ROOT / "build" / "trials" / re.sub(r"[^\w.-]+", "-", f"{wheel.stem}-{shlex.join(python.command)}")[-200:]
    install(wheel, python, folder)
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    if python.emulated:
        environment["CTCKIT_EXPECTED_SETS"] = "baseline"
    for arguments in (["ctckit", "doctor"], ["pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *tests]):
        done = subprocess.run(
            [*python.command, "-s", "-m", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            print(done.stdout[-3000:], done.stderr[-3000:])
            return False
        if arguments[0] == "pytest":
            print(f"  {done.stdout.splitlines()[-1].strip('= ')}")
    return True


def main() -> int:
    """Try every wheel in every Python that takes it; return the number of failures."""
    parser = argparse.ArgumentParser(description="Install each wheel in clean environments and test it there.")
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "dist")
    parser.add_argument(
        "--python", action="append", type=shlex.split, help="a command that runs a Python; else: all here"
    )
    parser.add_argument("--tests", nargs="+", default=TESTS)
    arguments = parser.parse_args()
    if shutil.which("uv") is None:
        parser.error("uv is not installed. It installs the wheels: pip install uv.")
    pythons = [python_of(each) for each in arguments.python] if arguments.python else pythons_here()
    failed, untried = [], []
    for wheel in sorted(arguments.folder.glob("*.whl")):
        fitting = [python for python in pythons if python.takes(wheel)]
        untried += [] if fitting else [wheel.name]
        for python in fitting:
            start = time.monotonic()
            print(f"{wheel.name} in {shlex.join(python.command)}", flush=True)
            works = tried(wheel, python, arguments.tests)
            print(f"  {'works' if works else 'FAILS'}, {time.monotonic() - start:.0f} s", flush=True)
            failed += [] if works else [wheel.name]
    print("".join(f"{name}: no Python here takes it\n" for name in untried), end="")
    return len(failed)


if __name__ == "__main__":
    sys.exit(bool(main()))
