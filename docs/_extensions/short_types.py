"""Write ``ArrayLike``, ``NDArray`` and the values of constants in signatures.

Sphinx would write the long types that NumPy means by them, and the names of the constants.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy.typing as npt
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

_LONG = tuple(
    stringify_annotation(npt.ArrayLike, mode) for mode in ("smart", "fully-qualified", "fully-qualified-except-typing")
)
_ARRAY = re.compile(
    r"(?:~?numpy\.)?ndarray\[tuple\[(?:~?typing\.)?Any, \.\.\.\], (?:~?numpy\.)?dtype\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\]"
)


def shorten(text: str) -> str:
    """Return a signature, or a part of one, with the short name."""
    for long in _LONG:
        text = text.replace(long, "ArrayLike")
    return _ARRAY.sub(r"NDArray[\1]", text)


def valued(text: str, names: dict[str, Any]) -> str:
    """Return a signature with values in place of constants.

    Args:
        text: The signature.
        names: The global names of the module that the signature is in.
    """

    def value(found: re.Match[str]) -> str:
        module, _, constant = found[1].rpartition(".")
        place = vars(names[module]) if module in names else names
        known = place.get(constant, ...)
        return repr(known) if isinstance(known, int | float | str | None) else found[1]

    return re.sub(r"(?<== )((?:\w+\.)?[A-Z][A-Z0-9_]+)\b", value, text)


def _in_signature(app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: Any, returns: Any) -> Any:
    names = vars(inspect.getmodule(obj) or inspect)
    return arguments and valued(shorten(arguments), names), returns and shorten(returns)


def _in_docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = map(shorten, lines)


def _in_property(app: Sphinx, domain: str, kind: str, content: addnodes.desc_content) -> None:
    """The type behind the name of a property is in no signature."""
    for annotation in content.parent.findall(addnodes.desc_annotation):
        text = annotation.astext()
        if shorten(text) != text:
            annotation.children = []
            annotation += nodes.Text(shorten(text))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hooks."""
    app.connect("object-description-transform", _in_property)
    app.connect("autodoc-process-signature", _in_signature)
    app.connect("autodoc-process-docstring", _in_docstring, priority=900)  # after napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
