"""The settings of a job, in a file beside its rows: a later run must have the same ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctckit._files import files_under, read_text, write_atomically
from ctckit.bulk.shards import shards_of
from ctckit.errors import DataError, InvalidInputError

SETTINGS = "_job.json"  # readers of data sets pass over names that begin so


def record_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings of a job into its folder; they have values that JSON has.

    Raises:
        DataError: If they cannot be written.
    """
    path = folder / SETTINGS
    try:
        write_atomically(path, f"{json.dumps(settings, indent=2)}\n".encode())
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}). Choose another folder.") from error


def expect_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Check that the settings of a folder, if it has rows, are these.

    Raises:
        InvalidInputError: If a setting differs.
        DataError: If the file cannot be read, or the folder has rows without settings.
    """
    path = folder / SETTINGS
    if not shards_of(folder):
        return
    if not path.exists():
        raise DataError(f"{folder}: has shards, but no {SETTINGS}, which says what they are. Name another folder.")
    try:
        recorded: dict[str, Any] = dict(json.loads(read_text(path)))
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: is not the record of a job ({error}). Name another folder.") from None
    differ = [
        f"{name} is {_said(settings, name)}, was {_said(recorded, name)}"
        for name in {**recorded, **settings}
        if recorded.get(name) != settings.get(name)
    ]
    if differ:
        raise InvalidInputError(
            f"{folder} has rows with other settings: {'; '.join(differ)}. Use the same settings, or name another "
            "folder."
        )


def identity(path: Path | str, name: str | None = None) -> str:
    """Return the name of a file or folder with a digest of its content; of anything else, its name.

    Args:
        path: The file or folder, or a name that is no path.
        name: What it is called; by default the path.
    """
    path, name = Path(path), str(path) if name is None else name
    if not path.exists():
        return name
    digest = hashlib.blake2b(digest_size=8)
    for file in files_under(path) if path.is_dir() else [path]:
        with file.open("rb") as opened:
            while part := opened.read(1 << 20):
                digest.update(part)
    return f"{name} ({digest.hexdigest()})"


def _said(settings: Mapping[str, Any], name: str) -> str:
    return json.dumps(settings[name], ensure_ascii=False) if name in settings else "not set"
