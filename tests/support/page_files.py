"""Pages for tests: an image with drawn lines of text, and its file in ALTO or PAGE."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ALTO = '<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">{}</alto>'
PAGE = '<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">{}</PcGts>'


@dataclass(frozen=True)
class Drawn:
    """A line that is drawn on a page."""

    text: str
    baseline: tuple
    outline: tuple


def draw_page(texts=("first line", "second", "the third one"), *, size=(420, 300), left=40, pitch=80):
    """Return an image of horizontal lines of text, and the lines."""
    image = Image.new("L", size, 230)
    font = ImageFont.load_default(30)
    pen = ImageDraw.Draw(image)
    lines = []
    for n, text in enumerate(texts):
        y = 60 + n * pitch
        pen.text((left, y), text, font=font, fill=20, anchor="ls")
        right = left + round(pen.textlength(text, font=font))
        lines.append(Drawn(text, ((left, y), (right, y)), box(left - 4, y - 32, right + 4, y + 12)))
    return image, lines


def box(left, top, right, bottom):
    """Return the corners of a box."""
    return (left, top), (right, top), (right, bottom), (left, bottom)


def turned(image, lines, quarters):
    """Return the page turned counterclockwise by quarters, its lines with it."""
    for _ in range(quarters):
        width = image.width
        lines = [
            Drawn(line.text, *(tuple((y, width - x) for x, y in each) for each in (line.baseline, line.outline)))
            for line in lines
        ]
        image = image.transpose(Image.Transpose.ROTATE_90)
    return image, lines


def alto(lines, *, size, image="page.png"):
    """Return an ALTO file."""
    written = "".join(
        f'<TextLine ID="l{n}" BASELINE="{_points(line.baseline)}">'
        f'<Shape><Polygon POINTS="{_points(line.outline)}"/></Shape><String CONTENT="{line.text}"/></TextLine>'
        for n, line in enumerate(lines)
    )
    return ALTO.format(
        f"<Description><MeasurementUnit>pixel</MeasurementUnit><sourceImageInformation><fileName>{image}</fileName>"
        f'</sourceImageInformation></Description><Layout><Page WIDTH="{size[0]}" HEIGHT="{size[1]}"><PrintSpace>'
        f"<TextBlock>{written}</TextBlock></PrintSpace></Page></Layout>"
    )


def page_xml(lines, *, size, image="page.png"):
    """Return a PAGE file."""
    written = "".join(
        f'<TextLine id="l{n}"><Coords points="{_points(line.outline, ",")}"/>'
        f'<Baseline points="{_points(line.baseline, ",")}"/>'
        f"<TextEquiv><Unicode>{line.text}</Unicode></TextEquiv></TextLine>"
        for n, line in enumerate(lines)
    )
    return PAGE.format(
        f'<Page imageFilename="{image}" imageWidth="{size[0]}" imageHeight="{size[1]}"><TextRegion id="r">{written}'
        "</TextRegion></Page>"
    )


def _points(points, comma=" "):
    return " ".join(f"{x:g}{comma}{y:g}" for x, y in points)


def write_page(folder, write=alto, *, name="page", texts=("first line", "second", "the third one")):
    """Write a page and its image into a folder; return the path of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    image, lines = draw_page(texts)
    image.save(folder / f"{name}.png")
    path = folder / f"{name}.xml"
    path.write_text(write(lines, size=image.size, image=f"{name}.png"), encoding="utf-8")
    return path


def differ(one, other):
    """Return the mean difference of two images in gray levels; their sizes may differ by a pixel."""
    assert np.abs(np.subtract(one.size, other.size)).max() <= 1, (one.size, other.size)
    width, height = min(one.width, other.width), min(one.height, other.height)
    pair = [np.asarray(each, dtype=float)[:height, :width] for each in (one, other)]
    return float(np.abs(pair[0] - pair[1]).mean())
