"""Files that are complete or absent: they are written under a temporary name, flushed to the disk, then renamed."""

from __future__ import annotations

import os
from pathlib import Path

from ctckit.errors import DataError


def write_atomically(path: Path, *parts: bytes | memoryview) -> None:
    """Replace ``path`` by a file of these parts; after a failure the old file or the new file is there, complete."""
    temporary = write_temporary(path, *parts)
    try:
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_temporary(path: Path, *parts: bytes | memoryview) -> Path:
    """Return a new file of these parts: beside ``path``, under a unique name, flushed to the disk."""
    import tempfile  # imported here, so that `import ctckit` stays fast

    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".new", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files, but others may read a model
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def make_folder(folder: Path) -> None:
    """Create the folder and its parents.

    Raises:
        DataError: If that fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: this folder cannot be made ({error.strerror}). Choose another.") from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power failure. No effect where folders cannot be opened."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
