"""Lines cut out of pages: upright, straight, and masked."""

import numpy as np
import pytest
from PIL import Image

from ctckit.errors import DataError
from ctckit.ocr.data.pages.cutting import cut_line, with_outlines
from ctckit.ocr.data.pages.layout import PageLine
from ctckit.ocr.data.rules import LineRules
from tests.support.page_files import box, differ, draw_page, turned


def cut(image, line, *, baseline=True, outline=True, turned=0.0):
    found = PageLine("l", line.text, line.outline if outline else (), line.baseline if baseline else (), turned)
    return cut_line(image, with_outlines((found,))[0]).image


def straight(image, line):
    left, top, right, bottom = (*line.outline[0], *line.outline[2])
    return image.crop((left, top, right, bottom))


def test_a_horizontal_line_is_cut_as_it_is():
    image, lines = draw_page()
    for line in lines:
        assert differ(cut(image, line), straight(image, line)) < 1.0


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_page_turned_by_quarters_gives_the_same_lines(quarters):
    image, lines = draw_page()
    for line, same in zip(lines, turned(image, lines, quarters)[1], strict=True):
        assert differ(cut(turned(image, lines, quarters)[0], same), cut(image, line)) < 2.0


@pytest.mark.parametrize("degrees", [-30, -5, 12, 45, 80])
def test_a_turned_line_comes_out_upright(degrees):
    image, (_, line, _) = draw_page(size=(600, 600), left=230, pitch=230)
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # as seen, counterclockwise
    moved = [tuple(map(tuple, (np.array(each) - 300) @ matrix.T + 300)) for each in (line.baseline, line.outline)]
    page = image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=230)
    assert differ(cut(page, type(line)(line.text, *moved)), cut(image, line)) < 4.0


def test_a_curved_line_comes_out_straight():
    image, (line, *_) = draw_page(("a longer line of text",), size=(480, 240))
    rise = 40.0
    xs = np.arange(480)
    bent = np.full((240, 480), 230, np.uint8)
    levels = np.asarray(image)
    shift = np.round(rise * np.sin(np.pi * xs / 480) + 40).astype(int)
    for x in xs:
        bent[shift[x] : 240, x] = levels[: 240 - shift[x], x]
    steps = np.linspace(line.baseline[0][0], line.baseline[1][0], 40).astype(int)
    baseline = tuple((int(x), int(line.baseline[0][1] + shift[x])) for x in steps)
    outline = (*((x, y - 32) for x, y in baseline), *((x, y + 12) for x, y in reversed(baseline)))
    found = cut(Image.fromarray(bent), type(line)(line.text, baseline, outline))
    assert abs(found.height - 44) <= 4
    ink = np.asarray(found) < 128
    lowest = np.array([np.flatnonzero(column).max(initial=-1) for column in ink.T])
    parts = [np.median(part[part >= 0]) for part in np.array_split(lowest, 3)]
    assert max(parts) - min(parts) <= 2  # the letters stand on one straight line


def test_nothing_of_the_lines_around_it_is_left():
    image, (_, second, _) = draw_page(pitch=34)  # lines so near that their boxes overlap
    x0, y0 = second.baseline[0]
    x1, _ = second.baseline[1]
    spike = ((x0 - 30, y0 - 20), (x0 - 30, y0 - 40), (x0 - 20, y0 - 40), (x0 - 20, y0 - 20))  # beside the other line
    outline = (*spike, (x1, y0 - 20), (x1, y0 + 1), (x0 - 30, y0 + 1))
    found = np.asarray(cut(image, type(second)(second.text, second.baseline, outline)))
    assert np.asarray(image)[y0 - 40 : y0 - 22, x0:x1].min() < 60  # the other line
    assert found[:18, 30:].min() > 200


def test_the_border_of_a_scanner_in_the_outline_becomes_paper():
    image, (*_, line) = draw_page()
    (left, top), (right, _) = line.outline[:2]
    end = line.baseline[0][1] + 14  # of the page
    bordered = image.copy()
    bordered.paste(8, (0, end, image.width, image.height))
    outline = ((left, top), (right, top - 4), (right, end + 16), (left, end + 20))
    line = type(line)(line.text, line.baseline, outline)
    assert differ(cut(bordered, line), cut(image, line)) < 1.0
    seen = [LineRules().view(cut(each, line), 32).frame.height for each in (bordered, image)]
    assert seen[0] == pytest.approx(seen[1], rel=0.05)


def test_the_ground_of_a_dark_page_stays_dark():
    image, (line, *_) = draw_page()
    dark = Image.fromarray(255 - np.asarray(image))
    (x0, y0), (x1, _) = line.baseline
    slanted = type(line)(line.text, line.baseline, ((x0, y0 - 32), (x1, y0 - 40), (x1, y0 + 4), (x0, y0 + 12)))
    assert np.asarray(cut(dark, slanted))[0, 2] < 60


def test_a_baseline_drawn_from_right_to_left_is_turned():
    image, (line, *_) = draw_page()
    assert differ(cut(image, type(line)(line.text, line.baseline[::-1], line.outline)), cut(image, line)) < 1.0


def test_a_line_without_a_baseline_or_without_an_outline():
    image, lines = draw_page()
    line = lines[0]
    assert differ(cut(image, line, baseline=False), cut(image, line)) < 1.0
    found = cut_line(
        image, with_outlines(tuple(PageLine("l", each.text, (), each.baseline) for each in lines))[0]
    ).image
    assert (np.asarray(found) < 100).sum() > 0.9 * (np.asarray(straight(image, line)) < 100).sum()


def test_the_turn_of_a_block_counts_where_there_is_no_baseline():
    image, lines = draw_page()
    page, (line, *_) = turned(image, lines, 1)
    assert differ(cut(page, line, baseline=False, turned=-90.0), cut(image, lines[0])) < 2.0


def test_a_line_that_reaches_over_the_edge_has_paper_there():
    image, (line, *_) = draw_page(left=0)
    (x0, y0), (x1, _) = line.baseline
    over = type(line)(line.text, ((-20, y0), (x1, y0)), box(-20, y0 - 32, x1 + 4, y0 + 12))
    assert x0 == 0
    assert np.asarray(cut(image, over))[:, :15].min() > 200


@pytest.mark.parametrize("outline", [box(900, 900, 950, 920), box(0, 0, 90_000, 20), ((5, 5), (5, 5), (5, 5))])
def test_a_line_that_cannot_be_cut_is_an_error(outline):
    image, _ = draw_page()
    with pytest.raises(DataError, match=r"(Check|Draw)"):
        cut_line(image, PageLine("l", "a", outline))
