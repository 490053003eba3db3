"""``ctckit doctor``: what is installed, and what ctckit uses of this machine."""

from __future__ import annotations

import os
import platform
import re
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ctckit.cli.output import echo_json
from ctckit.errors import CTCKitError

VARIABLES = ("CTCKIT_ISA", "CTCKIT_NUM_THREADS", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
DEVELOPERS_EXTRAS = ("dev", "docs", "test")

Facts = dict[str, str]


def doctor(
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show versions, instruction set, threads, extras, GPU and models. Paste its output into a bug report."""
    wanted = extras()
    sections = {
        "ctckit": installation(),
        "core": core(),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "GPU": gpu(),
        "extras": {name: _state(packages) for name, packages in wanted.items()},
        "packages": {name: version for name in sorted(set().union(*wanted.values())) if (version := _version(name))},
        "recognizers": recognizers(),
        "acoustic models": acoustic_models(),
    }
    if json_:
        echo_json(sections)
        return
    for title, facts in sections.items():
        typer.echo(title)
        for name, value in facts.items() or [("none", "")]:
            typer.echo(f"  {name:<20} {value}".rstrip())


def installation() -> Facts:
    """Return the versions of ctckit, of Python, of the system, and of the packages that ctckit always needs."""
    built_for = sysconfig.get_config_var("HOST_GNU_TYPE") or sysconfig.get_platform()  # the first tells musl from glibc
    return {
        "version": metadata.version("ctckit"),
        "folder": str(Path(__file__).parents[1]),
        "Python": f"{platform.python_version()} ({platform.python_implementation()}, {built_for})",
        "system": platform.platform(),
        **{name: metadata.version(name) for name in ("numpy", "rich", "typer")},
    }


def core() -> Facts:
    """Return the instruction sets and threads of the C++ core, or why it does not load."""
    try:
        from ctckit.kernels import runtime
    except (CTCKitError, ImportError) as error:
        return {"does not load": str(error)}
    return {
        "instruction set": f"{runtime.instruction_set()} (of {', '.join(runtime.instruction_sets())})",
        "threads": f"{runtime.num_threads()} (of {os.cpu_count()} processors)",
    }


def gpu() -> Facts:
    """Return the GPUs that torch sees."""
    if find_spec("torch") is None:
        return {"unknown": "torch is not installed"}
    import torch

    if not torch.cuda.is_available():
        return {"none": f"torch {torch.__version__} finds no GPU with CUDA"}
    return {f"cuda:{index}": torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())}


def extras() -> dict[str, set[str]]:
    """Return the packages of each extra."""
    names = metadata.metadata("ctckit").get_all("Provides-Extra") or []
    return {name: set(_packages(name)) for name in sorted(names) if name not in DEVELOPERS_EXTRAS}


def recognizers() -> Facts:
    """Return the file of each recognizer that lies in another package."""
    from ctckit.ocr.bundled import BUNDLED, file_of

    found = {}
    for name in BUNDLED:
        try:
            found[name] = str(file_of(name))
        except CTCKitError as error:
            found[name] = str(error)
    return found


def acoustic_models() -> Facts:
    """Return the plug-ins of acoustic models, and the package that each comes from."""
    points = metadata.entry_points(group="ctckit.acoustic_models")
    return {point.name: f"{point.value} ({point.dist.name if point.dist else 'unknown'})" for point in points}


def _packages(extra: str) -> Iterator[str]:
    for requirement in metadata.requires("ctckit") or []:
        wanted, _, marker = requirement.partition(";")
        if not re.search(rf"extra\s*==\s*['\"]{extra}['\"]", marker):
            continue
        found = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", wanted)
        assert found is not None
        if found[1] == "ctckit":
            for other in found[2].split(","):
                yield from _packages(other)
        else:
            yield found[1]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _state(packages: set[str]) -> str:
    missing = sorted(package for package in packages if _version(package) is None)
    return f"missing: {', '.join(missing)}" if missing else "complete"
