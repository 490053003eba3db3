"""The live lattice: one self-contained HTML page that computes everything in the browser.

``write_live_page`` puts the style sheet, the scripts of ``live/`` and the bundled posteriors into one file. The scripts
are ES modules, one per file. A page that is opened from a disk cannot load modules, so they are joined in the order of
their imports. They use the same recursions as kernels/loss/reference.py, and tests compare the two.
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
from ctckit.viz.bundled import bundled_posteriors
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
    chapters: str | None = None,
) -> Path:
    """Write the live lattice as one HTML file that works without other files and without a network.

    Args:
        path: The file.
        text: The first target.
        frames: Frames of the synthetic posterior; by default a few for each character.
        posteriors: Outputs of your networks. The page shows the first one at the start; without any, a synthetic one.
        chapters: Where the chapters of the tutorial are, an address without a slash at its end. The page links to them.

    Returns:
        The path.

    Raises:
        DataError: If the folder cannot be made.
        InvalidInputError: If ``frames`` is more than the page can show.

    Example:
        >>> from pathlib import Path
        >>> from ctckit.viz import write_live_page
        >>> import tempfile
        >>> path = write_live_page(Path(tempfile.mkdtemp()) / "apple.html", text="apple")
        >>> path.read_text(encoding="utf-8").splitlines()[0]
        '<!doctype html>'
    """
    path = Path(path)
    make_folder(path.parent)
    write_atomically(path, live_page(text=text, frames=frames, posteriors=posteriors, chapters=chapters).encode())
    return path


def live_page(
    *,
    text: str = "apple",
    frames: int | None = None,
    posteriors: Sequence[LivePosterior] = (),
    chapters: str | None = None,
) -> str:
    """Return the page as a string; see ``write_live_page``."""
    if frames is not None and not 0 <= frames <= MOST_FRAMES:
        raise InvalidInputError(f"frames is {frames}; the page shows 0 to {MOST_FRAMES}.")
    available = {f"given-{number}": each for number, each in enumerate(posteriors)} | bundled_posteriors()
    data: dict[str, Any] = {"text": text, "posteriors": [each.to_dict(key) for key, each in available.items()]}
    if chapters is not None:
        data["chapters"] = chapters
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
    """Return the module ``entry`` and the modules that it imports as one script, each after its imports.

    They share one scope, so that no name may have two meanings, and no import may rename. A test checks this.
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
