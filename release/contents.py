"""What is in a wheel: the package, the C++ core, and the description; nothing else."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from release.platforms import ROOT

CORE = re.compile(r"ctckit/_native\.[\w.-]*(so|pyd)")
LICENSED = ["native/bindings", "src/ctckit/acoustic_models/example", "src/ctckit/ocr/data/digits"]  # by others
DESCRIPTION = ["METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"]
DESCRIPTION += [f"licenses/{folder}/LICENSE" for folder in LICENSED]


def package_files() -> set[str]:
    """Return the files of the package, by their names in a wheel."""
    source = ROOT / "src"
    return {
        path.relative_to(source).as_posix()
        for path in (source / "ctckit").rglob("*")
        if path.is_file() and path.suffix not in (".so", ".pyd", ".pyc")
    }


def stray_and_missing(wheel: Path, *, with_core: bool = True) -> tuple[set[str], set[str]]:
    """Return the files that a wheel should not have, and those that it lacks."""
    _, version = wheel.name.split("-")[:2]
    found = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    core = {name for name in found if CORE.fullmatch(name)}
    expected = package_files() | {f"ctckit-{version}.dist-info/{name}" for name in DESCRIPTION}
    missing = expected - found
    if with_core != (len(core) == 1):
        missing |= {"ctckit/_native"} - core
    return found - expected - core, missing
