"""The report of an evaluation: complete, self-contained, and readable on a phone."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from ctckit.errors import DataError
from ctckit.ocr import evaluate_model
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.judging.calibration import Calibration
from ctckit.ocr.report.evaluation import write_evaluation
from ctckit.ocr.report.reliability import draw_reliability
from ctckit.ocr.report.texts import draw_alignment, show
from tests.support import bars_network
from tests.support.bars_network import draw, write
from tests.support.markup import assert_balanced


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lines")
    write(folder, "one_1", "ab cab ba" * 8, "ab <b>&" + "ccc" * 30)
    write(folder, "one_2", "ab", "ab")
    write(folder, "two_1", "a b", "a\u0301b")
    (folder / "two_2<.gt.txt").write_text("a")
    return evaluate_model(
        bars_network.recognizer(odds=20, rules=LineRules(direction="ltr", invert="no", find="no")), folder
    )


@pytest.fixture(scope="module")
def path(evaluation, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "new" / "report.html"
    write_evaluation(path, evaluation, model="model<1>", data="lines & more")
    return path


@pytest.fixture
def page(path):
    return path.read_text(encoding="utf-8")


def test_it_holds_everything_itself(page):
    assert not re.search(r"<(link|script|iframe)\b|@import|url\(|https?:", page)
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 2
    kind, data = sources[0].split(",", 1)
    assert kind == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), draw("ab cab ba" * 8))


def test_it_has_its_parts(page, evaluation):
    titles = re.findall(r"<h2>([^<]*)</h2>", page)
    assert titles == [
        "By document",
        "What is confused",
        "Characters that the model does not have",
        "Confidence",
        "The worst lines",
        "Skipped lines",
    ]
    assert f"<b>{100 * evaluation.cer:.2f} %</b><span>character error rate (CER)</span>" in page
    assert page.count('class="card line"') == 2
    assert page.count('class="chart"') == 2
    assert "prefers-color-scheme: dark" in page


def test_texts_and_names_are_escaped(page):
    assert "ab &lt;b&gt;&amp;ccc" in page  # the text of a line
    assert "<title>model&lt;1&gt; on lines &amp; more: evaluation</title>" in page
    assert "two_2&lt;.gt.txt" in page
    assert "two_2<" not in page


def test_the_markup_is_balanced(page):
    assert_balanced(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_on_a_phone(chromium, path, scheme):
    context = chromium.new_context(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    window = context.new_page()
    requests = []
    window.on("request", lambda request: requests.append(request.url))
    window.goto(path.as_uri())
    assert window.evaluate("document.documentElement.scrollWidth") == 390
    background = window.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background))) > 600) == (scheme == "light")
    assert all(each.startswith(("file:", "data:")) for each in requests)
    context.close()


def test_a_perfect_reading_has_a_page_too(tmp_path):
    write(tmp_path, "x", "ab")
    found = evaluate_model(bars_network.recognizer(rules=LineRules(direction="ltr", invert="no", find="no")), tmp_path)
    write_evaluation(tmp_path / "report.html", found)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h1>Evaluation</h1>" in page
    assert page.count('<p class="quiet">None.</p>') == 2
    assert "Skipped lines" not in page


def test_a_report_that_cannot_be_written(tmp_path, evaluation):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file: this folder cannot be made"):
        write_evaluation(tmp_path / "file" / "report.html", evaluation)


def test_a_text_stands_above_what_was_read():
    found = re.findall(r"<(?:i|mark)>([^<]*)</(?:i|mark)>", draw_alignment("gray cats ate", "grey cat  aten"))
    pairs = list(zip(found[::2], found[1::2], strict=True))
    assert pairs == [
        ("gr", "gr"),
        ("a", "e"),
        ("y ", "y "),
        ("cat", "cat"),
        ("s", "␣"),
        (" ate", " ate"),
        ("·", "n"),
    ]


def test_characters_without_a_picture_are_shown():
    assert show(" <\u0301\u200d\u00a0") == "␣&lt;◌\u0301U+200DU+00A0"


def test_a_bar_for_each_bin_with_readings():
    drawn = draw_reliability(Calibration.measure([(0.95, True), (0.95, False), (0.55, True)]), title="t")
    shares = re.findall(r'class="share" x="([\d.]+)" width="[\d.]+" y="[\d.]+" height="([\d.]+)"', drawn)
    assert [float(height) for _, height in shares] == [200.0, 100.0]
    assert float(shares[0][0]) == pytest.approx(46 + 0.5 * 342 + 1)
    assert "confidence 90 % to 100 %: 2 readings, 50.0 % right, mean confidence 95.0 %" in drawn
    assert draw_reliability(Calibration.measure([]), title="t").count("<g>") == 0
