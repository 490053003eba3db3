"""What all drawings of a report share. Their colors are the page's CSS variables, for light and dark screens."""

from __future__ import annotations

import base64
import io
from html import escape

from PIL import Image

from ctckit.ocr.data.images import GrayImage


def image_uri(image: GrayImage) -> str:
    """Return an image as a ``data:`` URI of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def open_svg(width: float, height: float, kind: str, label: str) -> str:
    """Return the opening tag of a drawing: its size in pixels, its class, and what it shows."""
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{escape(label, quote=True)}">'
    )
