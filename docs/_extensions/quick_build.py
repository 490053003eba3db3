"""Say on each chapter of a quick build that its numbers and pictures differ from its text."""

from __future__ import annotations

import os
from pathlib import Path

from downloads import chapters
from sphinx.application import Sphinx

QUICK = "CTCKIT_LEARN_QUICK"  # as docs/learn/_support.py reads it

_NOTES = {
    "en": "Built quickly, with less training: numbers and pictures differ from the text.",
    "zh": "本页为快速生成，训练较少：数字和图片与正文不同。",
}


def note(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the note under the title of a chapter, if the build is quick."""
    path = Path(app.env.doc2path(name))
    if os.environ.get(QUICK) and path in chapters(Path(app.srcdir)):
        words = _NOTES["zh" if path.parent.name == "zh" else "en"]
        title, rest = source[0].split("\n#\n", maxsplit=1)
        source[0] = f"{title}\n#\n# ```{{note}}\n# {words}\n# ```\n#\n{rest}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register ``note`` for each page that is read."""
    app.connect("source-read", note)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
