"""Files that are complete or absent: they are written under a temporary name, flushed to the disk, then renamed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctckit.errors import DataError, MissingFileError


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without a byte-order mark.

    Raises:
        DataError: If it is not UTF-8 or cannot be read; ``MissingFileError`` if there is no such file.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingFileError(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a text in UTF-8 ({error}).") from None


_NOT_OURS = ("__MACOSX", "@eaDir", ".ipynb_checkpoints")


def files_under(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, by name, then those of its subfolders; a link to a parent is not followed."""
    for parent, folders, files in os.walk(folder, followlinks=True):
        here = os.path.realpath(parent)
        ours = [each for each in folders if each not in _NOT_OURS and not _is_loop(Path(parent, each), here)]
        folders[:] = sorted(ours)
        yield from (Path(parent, file) for file in sorted(files) if not file.startswith("._"))


def _is_loop(folder: Path, parent: str) -> bool:
    return folder.is_symlink() and Path(parent).is_relative_to(os.path.realpath(folder))


def write_atomically(path: Path, *parts: bytes | memoryview) -> None:
    """Replace ``path`` by a file of these parts; after a failure the old file or the new file is there, complete."""
    temporary = write_temporary(path, *parts)
    try:
        rename_into_place(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_temporary(path: Path, *parts: bytes | memoryview) -> Path:
    """Return a new file of these parts: beside ``path``, under a unique name, flushed to the disk."""
    import tempfile  # imported here, so that `import ctckit` stays fast

    prefix = f"{path.name}.{_host()}.{os.getpid()}."
    descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=".new", dir=path.parent)
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


def rename_into_place(temporary: Path, path: Path) -> None:
    """Replace ``path`` by its temporary file, after those that killed writers of ``path`` left are removed.

    In this order: a writer that is killed in between has not replaced the file, which is written again, and then they
    are removed. In the other order they would stay for ever, if the file is never written again.
    """
    for other in temporaries_of(path):
        if _is_abandoned(other, path):
            other.unlink(missing_ok=True)
    os.replace(temporary, path)


def temporaries_of(path: Path) -> list[Path]:
    """Return the temporary files of ``path`` that processes write now, or that killed processes left, by name."""
    start = f"{path.name}."
    return sorted(p for p in path.parent.iterdir() if p.name.startswith(start) and p.name.endswith(".new"))


_HOUR = 3600.0


def _is_abandoned(temporary: Path, path: Path) -> bool:
    """Return whether the writer is dead; an unknown writer, or one on another machine, is dead after an hour."""
    host, _, rest = temporary.name[len(path.name) + 1 :].partition(".")
    process = rest.partition(".")[0]
    try:
        if host != _host() or not process.isdecimal():
            return time.time() - temporary.stat().st_mtime > _HOUR
        os.kill(int(process), 0)
    except (FileNotFoundError, ProcessLookupError, OverflowError):
        return True
    except OSError:  # it runs, for another user
        return False
    return False


def _host() -> str:
    name = os.uname().nodename if hasattr(os, "uname") else "here"
    return name.replace(".", "-").replace("/", "-")[:16]  # a part of file names, which must not become too long


_SHORTEST_WAIT = 0.01


@contextmanager
def locked(folder: Path, name: str, *, doing: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock on a folder while the block runs. The system releases it when the process ends, however it ends.

    Args:
        folder: The folder.
        name: The file in it that is locked; it is there only while somebody holds the lock.
        doing: What the holder does to the folder, for the message: "is training a model in it".
        wait: Seconds to wait for the lock.

    Raises:
        DataError: If another process, or another thread, holds the lock, or the folder cannot be written.
    """
    path, last = folder / name, time.monotonic() + wait
    try:
        while (descriptor := _lock(path)) is None:
            if time.monotonic() >= last:
                raise DataError(
                    f"{folder}: another process{_holder(path)} {doing}. Wait until it ends, or choose another folder."
                )
            time.sleep(_SHORTEST_WAIT)
    except OSError as error:
        raise DataError(f"{folder}: cannot write into this folder ({error.strerror}). Choose another.") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is locked: whoever opened it before sees that it is not in the folder
        os.close(descriptor)


def _is_open(descriptor: int, path: Path) -> bool:
    """Return whether a descriptor is that of the file that has this path now."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _lock(path: Path) -> int | None:
    """Return the descriptor of the locked file, or None if another holds the lock."""
    import fcntl

    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_open(descriptor, path):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {_host()}".encode())
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the former holder has just removed this file: lock the one of that name now


def _holder(path: Path) -> str:
    try:
        holder = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return f" ({holder})" if holder else ""


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
