"""Write formulas as MathML, which browsers draw without a script and without a network.

Browsers do not break a formula into lines. A formula of its own is therefore written in parts, which begin behind
``qquad`` and ``allowbreak``. In a narrow window they are on lines of their own.
"""

from __future__ import annotations

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula within a line."""
    self.body.append(convert(node.astext(), display="inline"))
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula in a paragraph of its own."""
    equations = re.split(r"(?:\\qquad\s*)+", node.astext())
    self.body.append(f'<div class="formula">{"".join(map(_equation, equations))}</div>')
    raise nodes.SkipNode


def _equation(latex: str) -> str:
    parts = re.split(r"\\allowbreak\s*", latex)
    return f'<div class="equation">{"".join(convert(part, display="block") for part in parts)}</div>'


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
