"""Images in a page."""

from __future__ import annotations

import base64
import io

from PIL import Image

from ctckit.ocr.data.images import GrayImage


def image_uri(image: GrayImage) -> str:
    """Return an image as a ``data:`` URI of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
