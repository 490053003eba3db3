"""The lines of French handwriting: wills of 1898 to 1918, each page in another hand.

They are *CREMMA-AN-TestamentsDePoilus* (Alix Chagué, Thibault Clérice, Anaïs Mazoue, Elsa Van Kote; HTR-United), CC BY
4.0, cut into lines of at most 64 pixels. They are not part of the repository.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from benchmarks.common.workers import ROOT

LICENSE = (
    "The lines are from *CREMMA-AN-TestamentsDePoilus* (Alix Chagué, Thibault Clérice, Anaïs Mazoue, Elsa Van Kote; "
    "HTR-United), CC BY 4.0. They were cut out of their pages and scaled to at most 64 pixels."
)


class MissingLinesError(Exception):
    """The lines are not there."""


def home() -> Path:
    """Return the folder of the lines: that of CTCKIT_BENCH_DATA, or ``shared/data`` beside the repository."""
    return Path(os.environ.get("CTCKIT_BENCH_DATA", ROOT.parent / "shared" / "data")) / "htr"


def unpack(folder: Path, *, first: int = 0) -> tuple[Path, Path]:
    """Unpack the lines.

    Args:
        folder: Where to.
        first: Leave out all but the first training lines, in the order of their names; 0 keeps all.

    Returns:
        The folders of the training lines and of the test lines.

    Raises:
        MissingLinesError: If they are not there.
    """
    found = {name: home() / f"poilus-{name}.zip" for name in ("train", "test")}
    if missing := [path for path in found.values() if not path.exists()]:
        raise MissingLinesError(f"{missing[0].name} is not in {home()}. Set CTCKIT_BENCH_DATA to the folder of htr/.")
    for name, path in found.items():
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / name)
    if first:
        for image in sorted((folder / "train").glob("*.jpg"))[first:]:
            image.unlink()
            image.with_suffix(".gt.txt").unlink()
    return folder / "train", folder / "test"
