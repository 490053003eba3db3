"""Write the live lattice beside the chapters, as ``learn/lattice.html``."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from ctckit.viz.live_page import write_live_page


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the page if the build succeeded and makes HTML."""
    if error is None and app.builder.format == "html":
        write_live_page(Path(app.outdir) / "learn" / "lattice.html", chapters=".")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register ``write`` for the end of a build."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
