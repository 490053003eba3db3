"""The report of a training that runs."""

import re
from dataclasses import replace

import pytest

from ctckit.ocr.data.lines import Line
from ctckit.ocr.data.pairs import Skipped
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.fit import FitConfig, fit_lines
from ctckit.ocr.report.curves import draw_curve
from ctckit.ocr.report.training import TrainingReport
from ctckit.ocr.training.record import TrainingRecord
from tests.support.line_files import register_tiny, write_lines
from tests.support.markup import assert_balanced
from tests.support.tiny_training import LINES, run

SKIPPED = (Skipped("x<.png", "no text file", "x<.png: no text file."),)


class Watched(TrainingReport):
    """A report whose pages are kept."""

    def __init__(self, path, **options):
        super().__init__(path, title="tiny & small", **options)
        self.pages = []
        self.best = None

    def on_validation(self, validation):
        super().on_validation(validation)
        self.pages.append(self._path.read_text(encoding="utf-8"))
        if validation.best:
            self.best = len(self.pages) - 1

    def on_end(self, record):
        super().on_end(record)
        self.pages.append(self._path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    report = Watched(path, rules=LineRules(direction="ltr"), skipped=SKIPPED)
    run(validation=LINES[:5], observers=[report])
    return report


def readings(page):
    return page[page.index("<h2>The alignment of a line</h2>") : page.index("<h2>Skipped lines</h2>")]


def test_it_is_written_at_each_validation_and_at_the_end(watched):
    assert len(watched.pages) == 4
    for page, step in zip(watched.pages, (4, 8, 12), strict=False):
        assert f"Training, step {step}." in page
        assert '<meta http-equiv="refresh" content="10">' in page
    last = watched.pages[-1]
    assert 'http-equiv="refresh"' not in last
    assert "Trained until step 12; the weights after step" in last
    assert readings(last) == readings(watched.pages[watched.best])


def test_it_has_its_parts(watched):
    for page in watched.pages:
        titles = ["Training", "The alignment of a line", "What is confused", "The worst lines", "Skipped lines"]
        assert re.findall(r"<h2>([^<]*)</h2>", page) == titles
        assert page.count('class="chart"') == 4
        assert page.count('class="reading"') == 1
        assert page.count('class="card line"') >= 1
        assert "x&lt;.png: no text file." in page
        assert "<h1>tiny &amp; small</h1>" in page
        assert not re.search(r"<(link|script|iframe)\b|@import|url\(|https?:", page)


def test_the_markup_is_balanced(watched):
    assert_balanced(watched.pages[1])


def test_it_fits_on_a_phone(chromium, watched):
    context = chromium.new_context(viewport={"width": 390, "height": 800})
    window = context.new_page()
    window.goto(watched._path.as_uri())
    assert window.evaluate("document.documentElement.scrollWidth") == 390
    context.close()


def test_texts_are_shown_in_logical_order(tmp_path):
    """The network learns "ab" for what is written "ba" from right to left: here with Latin letters that are turned."""

    class Turned(LineRules):
        def displayed(self, text):
            return text[::-1]

    report = Watched(tmp_path / "report.html", rules=Turned())
    line = Line(LINES[5].image, "abb", "x")
    run(validation=[line], observers=[report])
    assert 'alt="bba"' in report.pages[0]


def test_it_can_go_on_after_the_best_validation(watched, tmp_path):
    """A run that is resumed may have its best validation behind it."""
    seen = []

    class Later(TrainingReport):
        def on_validation(self, validation):
            super().on_validation(replace(validation, best=False))
            seen.append(validation.step)

    run(validation=LINES[:5], observers=[Later(tmp_path / "report.html", title="t", rules=LineRules())])
    assert len(seen) == 3
    assert "Held-out lines after step 4:" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_without_held_out_lines_there_are_the_curves(tmp_path):
    report = Watched(tmp_path / "report.html", rules=LineRules())
    run(observers=[report])
    assert len(report.pages) == 1
    assert re.findall(r"<h2>([^<]*)</h2>", report.pages[0]) == ["Training"]
    assert report.pages[0].count('class="chart"') == 3


def test_a_curve_that_begins_before_the_first_step():
    assert 'points="46.0,' in draw_curve([0], [0.5], title="t")


def test_an_empty_record_has_a_page(tmp_path):
    TrainingReport(tmp_path / "report.html", title="t", rules=LineRules()).on_end(TrainingRecord())
    assert "<h1>t</h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_it_is_in_the_model_folder(tmp_path, monkeypatch):
    register_tiny(monkeypatch)
    data = write_lines(tmp_path / "lines")
    (data / "alone.gt.txt").write_text("a")
    fit_lines(data, tmp_path / "m", config=FitConfig(epochs=1, network="tiny"))
    page = (tmp_path / "m" / "report.html").read_text(encoding="utf-8")
    assert "<h1>m</h1>" in page
    assert "alone.gt.txt: no image" in page


def test_a_report_that_cannot_be_written_ends_no_training(tmp_path, monkeypatch):
    register_tiny(monkeypatch)
    data = write_lines(tmp_path / "lines")
    (tmp_path / "m" / "report.html").mkdir(parents=True)
    with pytest.warns(RuntimeWarning, match=r"report\.html: the report cannot be written"):
        result = fit_lines(data, tmp_path / "m", config=FitConfig(epochs=1, network="tiny"))
    assert (result.model / "model.json").exists()
