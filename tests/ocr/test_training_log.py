"""The logs of a training: JSON lines, and curves for TensorBoard."""

import json
import sys
from types import ModuleType
from typing import ClassVar

import pytest

from ctckit.errors import MissingDependencyError
from ctckit.ocr.fit import LOG_FILE, FitConfig, fit_lines
from ctckit.ocr.training.log import TrainingLog
from ctckit.ocr.training.tensorboard import TensorBoardCurves
from tests.support.line_files import register_tiny, stopping_at_a_checkpoint, write_lines
from tests.support.tiny_training import LINES, run

TIMES = ("seconds", "lines_per_second")


def entries(path):
    """Return the lines of a log, without the times."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in each.items() if name not in TIMES} for each in found]


def test_a_log_has_all_that_the_record_has(tmp_path):
    path = tmp_path / "training.jsonl"
    _, record = run(validation=LINES[:5], observers=[TrainingLog(path)])
    found = entries(path)
    points = [each for each in found if each["event"] == "point"]
    assert points == [
        {"event": "point", "step": step, "loss": loss, "cer": cer, "learning_rate": rate}
        for step, loss, cer, rate in zip(record.steps, record.loss, record.cer, record.learning_rate, strict=True)
    ]
    validations = [each for each in found if each["event"] == "validation"]
    assert [(each["step"], each["cer"], each["exact"]) for each in validations] == list(
        zip(record.validation_steps, record.validation_cer, record.validation_exact, strict=True)
    )
    assert [each["step"] for each in validations if each["best"]][-1] == record.best_step
    assert all(each["averaged"] in (True, False) for each in validations)
    assert found[-1] == {"event": "end", "step": 12, "best_step": record.best_step}
    assert len(found) == len(points) + len(validations) + 1


@pytest.mark.parametrize("stop", [3, 8])
@pytest.mark.parametrize("killed", [b"", b'{"event": "poi', b'{"event": "point", "step": 10, "loss": 1.0}\n'])
def test_the_log_of_a_resumed_run_is_that_of_an_uninterrupted_one(tmp_path, stop, killed):
    """Also if the process was killed after its last checkpoint, perhaps while it wrote a line."""
    whole, parts, checkpoint = tmp_path / "whole", tmp_path / "parts", tmp_path / "checkpoint"
    run(validation=LINES[:5], observers=[TrainingLog(whole)])
    run(validation=LINES[:5], observers=[TrainingLog(parts)], checkpoint=checkpoint, stop_after=stop)
    before = parts.read_bytes()
    parts.write_bytes(before + killed)
    for _ in range(2):  # the second time, the run is over
        run(validation=LINES[:5], observers=[TrainingLog(parts)], checkpoint=checkpoint, resume=True)
        assert parts.read_bytes().startswith(before)
        assert entries(parts) == entries(whole)


def test_a_new_run_starts_a_new_log(tmp_path):
    path = tmp_path / "training.jsonl"
    run(observers=[TrainingLog(path)])
    first = entries(path)
    run(observers=[TrainingLog(path)])
    assert entries(path) == first


def test_a_log_that_is_gone_does_not_matter(tmp_path):
    checkpoint = tmp_path / "checkpoint"
    run(checkpoint=checkpoint, stop_after=4)
    run(checkpoint=checkpoint, resume=True, observers=[TrainingLog(tmp_path / "log")])
    assert [each["step"] for each in entries(tmp_path / "log")] == [6, 8, 10, 12, 12]


def test_fit_lines_writes_a_log_into_the_model_folder(tmp_path, monkeypatch):
    register_tiny(monkeypatch)
    data, config = write_lines(tmp_path / "lines"), FitConfig(epochs=12, batch_size=4, network="tiny")
    fit_lines(data, tmp_path / "whole", config=config)
    with stopping_at_a_checkpoint(monkeypatch):
        fit_lines(data, tmp_path / "parts", config=config)
    fit_lines(data, tmp_path / "parts", config=config, resume=True)
    whole = entries(tmp_path / "whole" / LOG_FILE)
    assert entries(tmp_path / "parts" / LOG_FILE) == whole
    assert {each["event"] for each in whole} == {"point", "validation", "end"}


# --- TensorBoard


class Writer:
    """What TensorBoard's writer does, as far as it is used."""

    made: ClassVar[list] = []

    def __init__(self, folder, *, purge_step, flush_secs):
        self.folder, self.purge_step, self.scalars, self.closed = folder, purge_step, [], False
        self.made.append(self)

    def add_scalar(self, name, value, step):
        self.scalars.append((name, value, step))

    def flush(self):
        pass

    def close(self):
        self.closed = True


@pytest.fixture
def writers(monkeypatch):
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(Writer, "made", [])
    return Writer.made


def test_tensorboard_gets_the_curves(tmp_path, writers):
    _, record = run(validation=LINES[:5], observers=[TensorBoardCurves(tmp_path / "run")])
    (writer,) = writers
    assert (writer.folder, writer.purge_step, writer.closed) == (str(tmp_path / "run"), None, True)
    for name, steps, values in (
        ("training/loss", record.steps, record.loss),
        ("training/cer", record.steps, record.cer),
        ("training/learning_rate", record.steps, record.learning_rate),
        ("validation/cer", record.validation_steps, record.validation_cer),
        ("validation/exact", record.validation_steps, record.validation_exact),
    ):
        assert [each[1:] for each in writer.scalars if each[0] == name] == list(zip(values, steps, strict=True))


def test_a_resumed_run_hides_what_will_be_told_again(tmp_path, writers):
    checkpoint = tmp_path / "checkpoint"
    run(checkpoint=checkpoint, stop_after=6, observers=[TensorBoardCurves(tmp_path / "run")])
    run(checkpoint=checkpoint, resume=True, observers=[TensorBoardCurves(tmp_path / "run")])
    assert [writer.purge_step for writer in writers] == [None, 7]
    assert [writer.closed for writer in writers] == [False, True]


def test_without_tensorboard_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingDependencyError, match=r'needs tensorboard.*pip install "ctckit\[tensorboard\]"'):
        TensorBoardCurves(tmp_path / "run")


def test_tensorboard_reads_what_is_written(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, record = run(validation=LINES[:5], observers=[TensorBoardCurves(tmp_path / "run")])
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    assert tuple(each.step for each in events.Scalars("training/loss")) == record.steps
    assert [each.value for each in events.Scalars("validation/cer")] == pytest.approx(record.validation_cer)
