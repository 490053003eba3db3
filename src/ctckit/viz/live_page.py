"""The live lattice: one HTML page, complete in itself, that computes what it shows.

``write_live_page`` puts the style sheet, the scripts of ``live/`` and the posteriors on offer into one file. The scripts
are ES modules, each a file; as a page opened from a disk may not load modules, they are joined in the order of their
imports. In the page they compute with the same recursions as kernels/reference.py, to which tests hold them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit._files import make_folder, write_atomically
from ctckit.errors import InvalidInputError
from ctckit.vocabulary import Vocabulary

MOST_FRAMES = 1000
_LIVE = files("ctckit.viz") / "live"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const|function|class|async)", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class LivePosterior:
    """What a network said, for the page to show.

    Attributes:
        title: Its name in the list.
        log_probs: (T, C) natural log-probabilities or logits; or (K, T, C), those of K steps of a training.
        vocabulary: The classes.
        target: The text to begin with, tokens of more than one character with a space between.
        note: A sentence about it.
        steps: (K,) what the steps are called; by default 0 to K − 1.
        image: (H, W) uint8, what the network saw, from the first frame to the last.
        wave: (W, 2) lowest and highest value, −1..1, of each of W equal pieces of the sound that it heard.
        credit: Where it comes from.
    """

    title: str
    log_probs: npt.NDArray[Any]
    vocabulary: Vocabulary
    target: str
    note: str = ""
    steps: Sequence[int | str] = ()
    image: npt.NDArray[np.uint8] | None = None
    wave: npt.NDArray[Any] | None = None
    credit: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        """Refuse what the page could not show."""
        shape = np.shape(self.log_probs)
        if len(shape) not in (2, 3) or shape[-1] != len(self.vocabulary):
            raise InvalidInputError(
                f"log_probs has shape {shape}; expected (T, C) or (K, T, C) with C = {len(self.vocabulary)}, "
                "the size of the vocabulary."
            )
        if self.steps and (len(shape) != 3 or len(self.steps) != shape[0]):
            raise InvalidInputError(f"steps has {len(self.steps)} entries; log_probs has shape {shape}.")

    def to_dict(self, key: str) -> dict[str, Any]:
        """As the page reads it; numbers are float32 in base64."""
        scores = np.asarray(self.log_probs, dtype=np.float32)
        steps = scores.reshape(-1, *scores.shape[-2:])
        content: dict[str, Any] = {
            "key": key,
            "title": self.title,
            "note": self.note,
            "credit": self.credit,
            "names": list(self.vocabulary.tokens),
            "blank": self.vocabulary.blank,
            "target": self.target,
            "steps": list(self.steps) or list(range(len(steps))),
            "shape": list(steps.shape),
            "data": _base64(steps.astype("<f4").tobytes()),
        }
        if self.image is not None:
            rows, columns = self.image.shape
            content["image"] = {"rows": rows, "columns": columns, "data": _base64(self.image.tobytes())}
        if self.wave is not None:
            content["wave"] = np.clip(np.round(np.asarray(self.wave) * 127), -127, 127).astype(int).ravel().tolist()
        return content


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
    offered = [each.to_dict(f"given-{number}") for number, each in enumerate(posteriors)]
    data: dict[str, Any] = {"text": text, "posteriors": [*offered, *shipped_posteriors()]}
    if offered:
        data["source"] = offered[0]["key"]
    if frames is not None:
        data["frames"] = frames
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    page = _read("page.html")
    for name, content in (("style", _read("page.css")), ("data", written), ("script", joined_modules())):
        page = page.replace(f"@@{name}@@", content.rstrip(), 1)
    return page


def joined_modules(entry: str = "main") -> str:
    """The modules that ``entry`` imports, and itself, as one: each after those that it imports.

    They share one scope then, so no two may use a name for two things, and imports rename nothing; a test holds them to it.
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


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def shipped_posteriors() -> list[dict[str, Any]]:
    """The posteriors in the package: a trained reader's string, at each step of its training, and a recorded word."""
    return []
