"""The file formats that ``write_alignment`` knows: those of ctckit, and those that other packages add.

A *writer* is a function from ``Tiers`` to the content of a file: a string, which is encoded in UTF-8, or bytes. Each
format of ctckit has one line in ``FORMATS``. A format of another package is an entry point of the group
``ctckit.alignment_writers``. The name of the entry point is the ending of the file without the dot, in lower case::

    [project.entry-points."ctckit.alignment_writers"]
    new = "my_package.new_format:write"        # writes files whose names end in .new
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ctckit.alignment.writers import audiobooks, document, elan, karaoke, praat, subtitles, tables
from ctckit.alignment.writers.tiers import Tiers
from ctckit.errors import InvalidInputError

GROUP = "ctckit.alignment_writers"

Writer = Callable[[Tiers], str | bytes]

FORMATS: dict[str, Writer] = {  # by the ending of the file's name, in lower case
    ".textgrid": praat.textgrid,
    ".eaf": elan.eaf,
    ".srt": subtitles.srt,
    ".vtt": subtitles.webvtt,
    ".ttml": subtitles.ttml,
    ".ass": karaoke.ass,
    ".lrc": karaoke.lrc,
    ".smil": audiobooks.smil,
    ".xhtml": audiobooks.xhtml,
    ".ctm": tables.ctm,
    ".rttm": tables.rttm,
    ".txt": tables.audacity,
    ".json": document.json_text,
}


def format_of(path: Path) -> Writer:
    """Return the writer for the ending of a file's name. An ending of ``FORMATS`` always means ctckit's own writer.

    Raises:
        InvalidInputError: If no writer has this ending, if two packages have one, or if a package's writer cannot be
            imported.
    """
    ending = path.suffix.lower()
    if ending in FORMATS:
        return FORMATS[ending]
    added = entry_points(group=GROUP)
    found = [entry for entry in added if f".{entry.name.lower()}" == ending]
    if len(found) == 1:
        return _loaded(found[0], ending)
    if found:
        packages = " and ".join(sorted(_package(entry) for entry in found))
        raise InvalidInputError(f"{packages} each have a writer for {ending!r}; expected one. Uninstall the others.")
    known = [*FORMATS, *sorted(f".{entry.name.lower()}" for entry in added)]
    endings = ", ".join(f'"{each}"' for each in dict.fromkeys(known))
    raise InvalidInputError(
        f"the ending of {path.name} is {path.suffix.lower()!r}; expected one of {endings} (other packages can add some "
        f'by entry points of the group "{GROUP}").'
    )


def content_of(writer: Writer, tiers: Tiers) -> bytes:
    """Return what a writer writes, as bytes."""
    content: object = writer(tiers)  # a plug-in may return anything
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes):
        return content
    name = f"{writer.__module__}:{writer.__qualname__}" if hasattr(writer, "__qualname__") else repr(writer)
    raise InvalidInputError(
        f"the writer {name} returned a {type(content).__name__} for {tiers.name}; expected a string or bytes."
    )


def _loaded(entry: EntryPoint, ending: str) -> Writer:
    try:
        writer: Writer = entry.load()
    except (AttributeError, ImportError) as error:
        raise InvalidInputError(
            f"the writer for {ending!r} of the package {_package(entry)} ({entry.value}) cannot be imported: {error}"
        ) from error
    return writer


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value
