"""Keep sentences with a colon whole: types are in signatures, so what napoleon reads before a colon is no type."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

_SECTIONS = ("Returns:", "Yields:")
_ATTRIBUTES = ("attribute", "data", "property")


def state_no_type(what: str, lines: list[str]) -> None:
    """Begin the sentences in which napoleon looks for ``type: description`` with a colon: an empty type."""
    if what in _ATTRIBUTES and lines:
        lines[0] = f": {lines[0]}"
    for n in range(len(lines) - 1):
        if lines[n] in _SECTIONS:
            text = lines[n + 1].lstrip()
            lines[n + 1] = f"{lines[n + 1].removesuffix(text)}: {text}"


def _in_docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    state_no_type(what, lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook."""
    app.connect("autodoc-process-docstring", _in_docstring, priority=100)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
