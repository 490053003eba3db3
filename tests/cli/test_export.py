"""``ctckit export``, and ``ctckit read`` with an ONNX file."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from ctckit import Vocabulary
from ctckit.cli import app, requirements
from ctckit.ocr.model_folder import save_model
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from tests.support.line_files import TINY, bars, write_line

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

runner = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network that was never trained, its file, and lines."""
    folder = tmp_path_factory.mktemp("export")
    torch.manual_seed(0)
    model = CRNN(CRNNConfig(num_classes=4, **TINY))
    model.classes.bias.data[0] = -2.0
    save_model(folder / "model", model, Vocabulary.from_characters("ab "))
    (folder / "lines").mkdir()
    for text in ("ab", "ba", "aab"):
        write_line(folder / "lines", text, text)
    return folder


def run(*arguments, code=0):
    result = runner.invoke(app, [str(each) for each in arguments])
    assert result.exit_code == code, result.output
    return result


def test_export_and_read(folder):
    shown = run("export", folder / "model", "--onnx", folder / "model.onnx").stdout
    assert "its log-probabilities differ from the network's by" in shown
    assert shown.endswith(f"Next:  ctckit read IMAGE... --model {folder / 'model.onnx'}\n")
    options = ("read", folder / "lines", "--json", "--model")
    found, expected = (json.loads(run(*options, folder / name).stdout) for name in ("model.onnx", "model"))
    assert any(each["text"] for each in expected)
    for each, other in zip(found, expected, strict=True):
        assert each["text"] == other["text"]
        assert [(s["start"], s["end"], s["left"], s["right"]) for s in each["spans"]] == [
            (s["start"], s["end"], s["left"], s["right"]) for s in other["spans"]
        ]
        assert each["log_prob"] == pytest.approx(other["log_prob"], abs=1e-3)
    best = run("read", folder / "lines", "--model", folder / "model.onnx", "--beam-width", 5).stdout
    assert len(best.splitlines()) == 3


def test_whole_numbers_of_8_bits_and_probabilities(folder):
    path = folder / "int8.onnx"
    shown = run("export", folder / "model", "--onnx", path, "--int8", "--lines", folder / "lines").stdout
    assert "CER on 3 lines" in shown
    assert "with whole numbers of 8 bits" in shown
    assert len(run("read", folder / "lines", "--model", path).stdout.splitlines()) == 3
    shown = run("export", folder / "model", "--onnx", path, "--output", "probs", "--lines", folder / "lines").stdout
    assert "at most. CER on 3 lines" in shown
    assert len(run("read", folder / "lines", "--model", path).stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model", "--onnx", "m.bin"), "m.bin does not end with .onnx"),
        (("model", "--onnx", "m.onnx", "--int8"), "int8 needs lines"),
        (("nothing", "--onnx", "m.onnx"), "nothing: no such folder"),
        (("model", "--onnx", "m.onnx", "--lines", "no-lines"), "no-lines"),
    ],
)
def test_errors_of_export(folder, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    assert message in run("export", *arguments, code=2).stderr
    assert not (folder / "m.onnx").exists()


def test_errors_of_reading(folder, tmp_path, monkeypatch):
    image = tmp_path / "line.png"
    Image.fromarray(bars("ab").image).save(image)
    assert "m.onnx: there is no such file" in run("read", image, "--model", tmp_path / "m.onnx", code=2).stderr
    (tmp_path / "m.onnx").write_bytes(np.arange(99, dtype=np.uint8).tobytes())
    assert "cannot be read as an ONNX file" in run("read", image, "--model", tmp_path / "m.onnx", code=2).stderr
    monkeypatch.setattr(requirements, "find_spec", lambda name: None if name == "onnxruntime" else name)
    message = 'ctckit read needs onnxruntime, which is not installed. Install it: pip install "ctckit[onnx]"'
    assert message in run("read", image, "--model", tmp_path / "m.onnx", code=2).stderr
    monkeypatch.setattr(requirements, "find_spec", lambda name: None if name == "onnx" else name)
    assert 'pip install "ctckit[export]"' in run("export", folder / "model", "--onnx", "m.onnx", code=2).stderr
