"""``ctckit evaluate``."""

import json
import re

import jiwer
import pytest
from typer.testing import CliRunner

from ctckit.cli import app
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.model_folder import save_model
from tests.support import bars_network
from tests.support.bars_network import write

runner = CliRunner()


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A model that reads bars, and lines of two documents."""
    bars_network.register(monkeypatch)
    recognizer = bars_network.recognizer(odds=3)
    rules = LineRules(direction="ltr", invert="no", find="no")
    save_model(tmp_path / "model", recognizer.model, recognizer.vocabulary, rules=rules)
    write(tmp_path / "lines", "one-1_1", "ab cab", "ab cac")
    write(tmp_path / "lines", "two-1_1", "ba", "bé")
    (tmp_path / "lines" / "two-1_2.gt.txt").write_text("a")
    return tmp_path


def evaluate(files, *arguments, code=0, data="lines"):
    result = runner.invoke(app, ["evaluate", str(files / "model"), str(files / data), *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def test_the_table(files):
    lines = [" ".join(line.split()) for line in evaluate(files).splitlines()]
    assert lines[0] == "2 lines"
    assert "CER 25.00 % 8 characters 2 0 0" in lines
    assert "WER 66.67 % 3 words 2 0 0" in lines
    assert "exact 0.00 % 2 lines" in lines
    assert lines.index("two 1 50.0 % 100.0 % 0.0 %") < lines.index("one 1 16.7 % 50.0 % 0.0 %")
    assert "c b 1" in lines
    assert "Characters that the model does not have: é (1)." in lines
    assert "1 of 3 lines are left out: 1 × no image." in lines
    assert any(re.fullmatch(r"characters \d+\.\d % 75\.0 % \d+\.\d %", line) for line in lines)


def test_all_numbers_as_json(files):
    found = json.loads(evaluate(files, "--json"))
    assert found["cer"] == jiwer.cer(["ab cac", "bé"], ["ab cab", "ba"])
    assert [line["read"] for line in found["readings"]] == ["ab cab", "ba"]
    assert found["skipped"][0]["reason"] == "no image"


def test_a_report(files):
    told = evaluate(files, "--report", files / "new" / "report.html")
    assert told.endswith(f"Report: {files / 'new' / 'report.html'}\n")
    assert "<h1>model on lines</h1>" in (files / "new" / "report.html").read_text(encoding="utf-8")
    assert json.loads(evaluate(files, "--json", "--report", files / "report.html"))
    assert (files / "report.html").exists()


def test_the_beam_search(files):
    (files / "lexicon.txt").write_text("cc\n")
    options = ("--lexicon", files / "lexicon.txt", "--closed", "--separator", " ", "--json")
    found = json.loads(evaluate(files, *options))
    assert {word for line in found["readings"] for word in line["read"].split()} == {"cc"}


def test_strict(files):
    assert "two-1_2.gt.txt: no image" in evaluate(files, "--strict", code=2)


def test_what_is_missing_is_named(files):
    assert "nothing: there is no such folder or table" in evaluate(files, code=2, data="nothing")
    result = runner.invoke(app, ["evaluate", str(files / "lines"), str(files / "lines")])
    assert result.exit_code == 2
    assert "model.json is missing" in result.stderr
