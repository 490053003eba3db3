"""Write ``ArrayLike`` in signatures, where Sphinx would write the eight types that NumPy means by it."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

_LONG = tuple(
    stringify_annotation(npt.ArrayLike, mode) for mode in ("smart", "fully-qualified", "fully-qualified-except-typing")
)


def shorten(text: str) -> str:
    """Return a signature, or a part of one, with the short name."""
    for long in _LONG:
        text = text.replace(long, "ArrayLike")
    return text


def _in_signature(app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: Any, returns: Any) -> Any:
    return arguments and shorten(arguments), returns and shorten(returns)


def _in_docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = map(shorten, lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook."""
    app.connect("autodoc-process-signature", _in_signature)
    app.connect("autodoc-process-docstring", _in_docstring, priority=900)  # after napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
