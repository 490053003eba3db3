"""The rarer messages: full disks, options out of range, missing packages."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ctckit import _files
from ctckit.errors import DataError, InvalidInputError, MissingDependencyError
from ctckit.ocr.comparing import compare_characters
from ctckit.ocr.data.lines import Line
from ctckit.ocr.fit import FitConfig, FitResult
from ctckit.ocr.training.checkpoint import Checkpoint, save_checkpoint
from ctckit.ocr.training.evaluation import character_error_rate
from ctckit.ocr.training.record import Evaluation, TrainingRecord


@pytest.fixture
def full_disk(monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)


def test_a_checkpoint_that_cannot_be_written_leaves_nothing_behind(tmp_path, full_disk):
    state = Checkpoint(1, {"w": torch.zeros(2)}, {}, {"state": {}, "param_groups": []}, {})
    with pytest.raises(
        DataError, match=r"c\.safetensors: the checkpoint cannot be written \(No space left on device\)"
    ):
        save_checkpoint(tmp_path / "c.safetensors", state, settings={})
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_whole_or_not_there(tmp_path, full_disk):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(OSError, match="No space"):
        _files.write_atomically(tmp_path / "a", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_report_that_cannot_be_written(tmp_path, full_disk):
    from ctckit.ocr.demo.report import write_report
    from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
    from ctckit.ocr.recognizer import Recognizer
    from ctckit.vocabulary import Vocabulary

    recognizer = Recognizer(CRNN(CRNNConfig(num_classes=3)), Vocabulary.from_characters("ab"))
    line = Line(np.full((32, 40), 255, np.uint8), "a", "a.png")
    read = Evaluation(("a",), ("b",), 1.0, 0.0, 1.0)
    with pytest.raises(DataError, match=r"the report cannot be written \(No space left on device\)"):
        write_report(tmp_path / "index.html", recognizer, [line], read, TrainingRecord())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, r"epochs is 0; expected at least 1\."),
        ({"batch_size": 0}, r"batch_size is 0; expected more than 0\."),
        ({"learning_rate": -1.0}, r"learning_rate is -1\.0; expected more than 0\."),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(InvalidInputError, match=message):
        FitConfig(**options)


def test_a_summary_says_what_is_not_known_and_what_would_help():
    unknown = FitResult(Path("m"), TrainingRecord(seconds=3.0), 10, 0)
    assert unknown.summary == ("Trained on 10 lines in 3 s; no lines were held out, so its error rate is not known.")
    curves = {"validation_steps": (1, 2), "validation_exact": (0.0, 0.5), "best_step": 2}
    falling = FitResult(Path("m"), TrainingRecord(validation_cer=(0.9, 0.3), **curves), 10, 2)
    assert falling.summary.endswith("The error was still falling: a longer training will help.")
    started = TrainingRecord(validation_cer=(0.303, 0.2), **{**curves, "validation_steps": (0, 2)})
    assert " Before training: CER 30.30 %." in FitResult(Path("m"), started, 10, 2).summary
    assert "Before training" not in falling.summary
    good = FitResult(Path("m"), TrainingRecord(validation_cer=(0.9, 0.01), **curves), 10, 2)
    assert good.summary.endswith("50.0 % of the lines exact.")


def test_a_missing_package_is_named_with_the_command(monkeypatch):
    import ctckit.ocr

    for module in ("tensor_file", "model_folder", "starting", "fit"):
        monkeypatch.delitem(sys.modules, f"ctckit.ocr.{module}", raising=False)
    monkeypatch.delitem(ctckit.ocr.__dict__, "fit_lines", raising=False)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingDependencyError, match=r'ctckit\.ocr\.fit_lines needs safetensors.*"ctckit\[ocr\]"'):
        _ = ctckit.ocr.fit_lines
    with pytest.raises(MissingDependencyError, match=r'a model folder, needs safetensors.*"ctckit\[ocr\]"'):
        ctckit.ocr.Recognizer.load("model")
    with pytest.raises(AttributeError, match=r"module 'ctckit\.ocr' has no attribute 'Reader'"):
        _ = ctckit.ocr.Reader


def test_spaces_are_characters():
    """At the ends too: an error rate that strips them does not see what was read wrong there."""
    assert character_error_rate(["ab"], [" ab"]) == 0.5
    assert character_error_rate(["a b"], ["ab"]) == 1 / 3
    (chunks,) = compare_characters(["ab"], [" ab"]).alignments
    assert [(chunk.type, chunk.hyp_start_idx, chunk.hyp_end_idx) for chunk in chunks] == [
        ("insert", 0, 1),
        ("equal", 1, 3),
    ]
