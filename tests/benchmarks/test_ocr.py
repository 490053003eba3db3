"""The benchmark of recognizers: the lines, kraken's report, the page."""

import zipfile

import pytest

from benchmarks.common.commands import chosen
from benchmarks.common.results import saved
from benchmarks.common.workers import WorkerError
from benchmarks.ocr import kraken, lines, page
from benchmarks.ocr.__main__ import NAMES

REPORT = """
=== report ===

343\tCharacters
336\tErrors
2.04%\tCharacter Accuracy
2.04%\tCharacter Accuracy (Case-insensitive)
12.50%\tWord Accuracy
"""


@pytest.fixture
def results():
    trained = {"cpu_minutes": 10.04, "lines_per_second": 21.3, "passes": 7.2, "cer": 0.18, "wer": 0.55}
    scratch = {"cpu_minutes": 30.1, "lines_per_second": 61.0, "passes": 60.0, "cer": 0.4, "wer": 0.8}
    slow = {"cpu_minutes": 33.0, "passes": 9, "cer": 0.9, "wer": 1.0}
    language = {
        "settings": {"lm_weight": 0.5},
        "order": 6,
        "greedy": {"cer": 0.18, "wer": 0.55},
        "with_model": {"cer": 0.153, "wer": 0.45},
    }
    return {
        "cases": [
            {"case": "scratch", "about": "x", "minutes": 30.0, "peers": {"ctckit": scratch, "kraken": slow}},
            {"case": "pretrained", "about": "x", "minutes": 10.0, "peers": {"ctckit": trained}},
            {"case": page.LANGUAGE, "about": "x", "of": "pretrained", "peers": {"ctckit": language}},
        ],
        "refused": {"kraken, other": "not installed"},
        "versions": {"torch": "2"},
        "quick": False,
        "load_before": 3.0,
        "processor": "p",
        "cores": 2,
        "system": "s",
        "date": "d",
        "commit": "c",
    }


def test_the_report_of_kraken():
    assert kraken.report(REPORT) == {"cer": pytest.approx(336 / 343), "wer": pytest.approx(0.875)}
    with pytest.raises(WorkerError, match=r"no report: Traceback"):
        kraken.report("Traceback")


def test_kraken_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(kraken, "python_of", lambda environment: tmp_path / "python")
    with pytest.raises(WorkerError, match="make bench-peers-ocr"):
        kraken.measure(1.0, tmp_path, tmp_path / "model")


def test_lines_are_unpacked_or_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CTCKIT_BENCH_DATA", str(tmp_path))
    with pytest.raises(lines.MissingLinesError, match=r"poilus-train\.zip is not in .* Set CTCKIT_BENCH_DATA"):
        lines.unpack(tmp_path / "out")
    (tmp_path / "htr").mkdir()
    for name in ("train", "test"):
        with zipfile.ZipFile(tmp_path / "htr" / f"poilus-{name}.zip", "w") as archive:
            for n in range(5):
                archive.writestr(f"{n}.jpg", b"")
                archive.writestr(f"{n}.gt.txt", "a")
    train, test = lines.unpack(tmp_path / "out", first=2)
    assert sorted(path.name for path in train.iterdir()) == ["0.gt.txt", "0.jpg", "1.gt.txt", "1.jpg"]
    assert len(list(test.iterdir())) == 10


def test_figures_of_the_page(results):
    assert page.fewer_errors(results) == pytest.approx(0.15)
    text = page.page(results)
    for part in (
        "| from random weights, 30 CPU minutes | 90.0 % | 40.0 % |",
        "| from PP-OCRv6 small, 60 CPU minutes | – | – |",
        "| with a model of characters | – | 15.0 % fewer errors |",
        "| with the model of characters | 15.3 % | 45.0 % |",
        "Rough figures",
        "CC BY 4.0",
        "No figure for kraken, other: not installed.",
    ):
        assert part in text


def test_the_page_agrees_with_the_saved_results():
    found = saved(page.RESULTS)
    if found is None:
        pytest.skip("no results in ocr.json")
    assert page.PAGE.read_text(encoding="utf-8") == page.page(found)


def test_all_cases_can_be_chosen():
    assert chosen(",".join(NAMES), tuple(NAMES), "--cases") == NAMES
