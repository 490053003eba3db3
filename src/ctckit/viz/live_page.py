"""The live lattice: one HTML page, complete in itself, that computes what it shows.

``write_live_page`` puts the style sheet, the scripts of ``live/`` and the posteriors on offer into one file. The
scripts are ES modules, each a file; as a page opened from a disk may not load modules, they are joined in the order of
their imports. They compute by the same recursions as kernels/loss/reference.py, and tests hold them to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from ctckit._files import make_folder, write_atomically
from ctckit.errors import InvalidInputError
from ctckit.viz.bundled import shipped_posteriors
from ctckit.viz.live_posterior import LivePosterior

MOST_FRAMES = 1000
_LIVE = files("ctckit.viz") / "live"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const|function|class|async)", re.MULTILINE)


def write_live_page(
    path: str | Path,
    *,
    text: str = "apple",
    frames: int | None = None,
    posteriors: Sequence[LivePosterior] = (),
) -> Path:
    """Write the live lattice as one HTML file that needs nothing else, no network either.

    Args:
        path: The file.
        text: The target to begin with.
        frames: Frames of the made-up posterior to begin with; by default a few for each character.
        posteriors: What networks of yours said. The first one is shown at once; without any, a made-up one is.

    Returns:
        The path.

    Raises:
        DataError: If the folder cannot be made.
        InvalidInputError: If ``frames`` is more than the page shows.

    Example:
        >>> import tempfile
        >>> path = write_live_page(Path(tempfile.mkdtemp()) / "apple.html", text="apple")
        >>> path.read_text(encoding="utf-8").splitlines()[0]
        '<!doctype html>'
    """
    path = Path(path)
    make_folder(path.parent)
    write_atomically(path, live_page(text=text, frames=frames, posteriors=posteriors).encode())
    return path


def live_page(*, text: str = "apple", frames: int | None = None, posteriors: Sequence[LivePosterior] = ()) -> str:
    """The page as a string; see ``write_live_page``."""
    if frames is not None and not 0 <= frames <= MOST_FRAMES:
        raise InvalidInputError(f"frames is {frames}; the page shows 0 to {MOST_FRAMES}.")
    offered = {f"given-{number}": each for number, each in enumerate(posteriors)} | shipped_posteriors()
    data: dict[str, Any] = {"text": text, "posteriors": [each.to_dict(key) for key, each in offered.items()]}
    if posteriors:
        data["source"] = "given-0"
    if frames is not None:
        data["frames"] = frames
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    page = _read("page.html")
    for name, content in (("style", _read("page.css")), ("data", written), ("script", joined_modules())):
        page = page.replace(f"@@{name}@@", content.rstrip(), 1)
    return page


def joined_modules(entry: str = "main") -> str:
    """The modules that ``entry`` imports, and itself, as one: each after those that it imports.

    They share one scope then, so no two may use a name for two things, and no import renames; a test sees to it.
    """
    order: dict[str, str] = {}
    _visit(entry, order, ())
    return "\n".join(order.values())


def _visit(name: str, order: dict[str, str], path: tuple[str, ...]) -> None:
    if name in path:
        raise AssertionError(f"circular import: {' → '.join((*path, name))}")
    if name in order:
        return
    source = _read(f"{name}.js")
    for imported in _IMPORT.finditer(source):
        _visit(imported[2], order, (*path, name))
    order[name] = f"// ---- {name}.js\n{_EXPORT.sub('', _IMPORT.sub('', source))}"


def _read(name: str) -> str:
    return (_LIVE / name).read_text(encoding="utf-8")
