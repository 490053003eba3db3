"""Lines with their pictures: the text, and what was read."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ctckit._page.page import percent
from ctckit.ocr.comparing import ComparedLine
from ctckit.ocr.data.images import GrayImage
from ctckit.ocr.report.images import image_uri
from ctckit.ocr.report.texts import draw_alignment


def draw_lines(lines: Sequence[tuple[ComparedLine, GrayImage]]) -> str:
    """Return lines with their pictures, their texts and the readings."""
    if not lines:
        return '<p class="quiet">None.</p>'
    return "".join(_draw_line(*each) for each in lines)


def _draw_line(line: ComparedLine, image: GrayImage) -> str:
    height, width = image.shape
    errors = line.characters.errors
    said = [f"{errors} error{'s' * (errors != 1)}, CER {percent(line.characters.rate)}"]
    if line.confidence is not None:
        said.append(f"confidence {percent(line.confidence)}")
    return (
        f'<figure class="card line"><div class="scroll"><img alt="{escape(line.text, quote=True)}" '
        f'src="{image_uri(image)}" width="{width}" height="{height}"></div>'
        f'<div class="pair"><div class="rows"><span>text</span><span>read</span></div>'
        f"{draw_alignment(line.text, line.read)}</div>"
        f'<figcaption class="quiet"><span>{escape(line.name)}</span><span>{" · ".join(said)}</span></figcaption>'
        "</figure>"
    )
