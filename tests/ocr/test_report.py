import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from ctckit._page.page import Figure
from ctckit.ocr.data.synthetic import CHARSET, held_out_strings
from ctckit.ocr.demo.drawings import draw_confusion
from ctckit.ocr.demo.report import count_confusions, write_report
from ctckit.ocr.demo.run import run_demo
from ctckit.ocr.model_folder import load_model
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.recognizer import Recognizer
from ctckit.ocr.report.curves import draw_curve
from ctckit.ocr.training.evaluation import evaluate
from ctckit.ocr.training.progress import TrainingProgress, figures
from ctckit.ocr.training.record import TrainingRecord
from ctckit.vocabulary import Vocabulary

RECORD = TrainingRecord(
    steps=(10, 20, 30), loss=(3.0, 1.0, 0.2), cer=(1.0, 0.3, 0.0), learning_rate=(1e-3, 2e-3, 0.0), seconds=3.0
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    torch.manual_seed(0)
    vocabulary = Vocabulary.from_characters(CHARSET)
    model = CRNN(CRNNConfig(num_classes=11, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=8))
    with torch.no_grad():
        model.classes.bias[0] = -0.5  # an untrained network that says something
    lines = held_out_strings(12)
    recognizer = Recognizer(model, vocabulary)
    path = tmp_path_factory.mktemp("report") / "new" / "index.html"
    evaluation = evaluate(model, vocabulary, lines)
    write_report(path, recognizer, lines, evaluation, RECORD, figures=[Figure("1 < 2 %", "a & b")])
    return path.read_text(encoding="utf-8")


def test_the_report_holds_everything_itself(page):
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
    assert not re.search(r"<(link|script|iframe)\b|@import|url\(", page)
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    for source in sources:
        kind, data = source.split(",", 1)
        assert kind == "data:image/png;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).height == 32


def test_the_report_has_its_parts(page):
    assert "$" not in page
    assert page.count('class="chart"') == 3
    assert page.count('class="reading"') == 10
    assert page.count('class="confusion"') == 1
    assert page.count('class="error"') >= 1
    assert "prefers-color-scheme: dark" in page
    assert "<b>1 &lt; 2 %</b><span>a &amp; b</span>" in page


def test_the_markup_is_balanced(page):
    for tag in ("svg", "g", "figure", "figcaption", "text", "div", "main", "ul", "li", "p", "mark"):
        assert len(re.findall(rf"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag


def test_confusions_are_counted_along_the_alignment():
    counts = count_confusions(["0123", "99", "5"], ["0173", "9", "54"], CHARSET)
    assert counts[2, 7] == 1
    assert counts[9, 9] == 1
    assert counts[9, 10] == 1
    assert counts[10, 4] == 1
    assert counts.sum() == 4 + 2 + 2
    assert np.trace(counts) == 3 + 1 + 1


@pytest.mark.parametrize("logarithmic", [True, False])
@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0, 0.0], [5.0], [3.0, 0.0, 1e-4], [1.0, 1.0]])
def test_any_curve_can_be_drawn(values, logarithmic):
    drawing = draw_curve(range(10, 10 * len(values) + 1, 10), values, title="t", logarithmic=logarithmic)
    (points,) = re.findall(r'points="([^"]*)"', drawing)
    numbers = np.array([[float(part) for part in point.split(",")] for point in points.split()])
    assert len(numbers) == len(values)
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()


@pytest.mark.parametrize(
    ("values", "labels"), [([3.4, 3.1], ["2", "5"]), ([2.0], ["2", "5"]), ([0.9, 0.03], ["0.02", "0.05", "0.1", "1"])]
)
def test_a_logarithmic_curve_has_numbers_at_both_ends(values, labels):
    drawing = draw_curve(range(len(values)), values, title="t", logarithmic=True)
    shown = re.findall(r'text-anchor="end">([0-9.]+)</text>', drawing)
    assert [shown[0], shown[-2]] == [labels[0], labels[-1]]  # the last one is a step
    assert set(labels) <= set(shown)


def test_a_confusion_matrix_marks_the_diagonal_as_right():
    drawing = draw_confusion(np.array([[5, 1, 0], [0, 7, 2], [3, 0, 0]]), ["a", "b", "none"])
    assert drawing.count('class="right"') == 2
    assert re.findall(r'class="wrong-text"[^>]*>(\d+)<', drawing) == ["1", "2", "3"]


def test_progress_prints_a_line_for_each_tenth_outside_a_terminal():
    stream = io.StringIO()
    progress = TrainingProgress(Console(file=stream, width=60))
    with progress.running(0, 20):
        for step in range(1, 21):
            progress.show(step, RECORD)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("step 2/20  loss 0.200  CER 0.0 %")


def test_progress_draws_a_bar_in_a_terminal():
    stream = io.StringIO()
    progress = TrainingProgress(Console(file=stream, force_terminal=True, width=160))
    with progress.running(0, 20):
        progress.show(7, RECORD)
    assert "7/20" in stream.getvalue()
    assert figures(RECORD) in stream.getvalue()


def test_the_demo_runs_from_end_to_end(tmp_path):
    stream = io.StringIO()
    result = run_demo(tmp_path / "demo", steps=3, strings=12, console=Console(file=stream, width=100))
    printed = stream.getvalue()
    assert "12 held-out strings of unseen digits" in printed
    assert "character error rate (CER)" in printed
    assert "lattice of" in printed
    assert result.report.is_file()
    assert load_model(result.model).record == result.record
    assert len(list(result.samples.glob("*.png"))) == len(list(result.samples.glob("*.gt.txt"))) == 10
    assert result.parameters <= 1_500_000
