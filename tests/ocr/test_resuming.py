"""Resuming: the same lines and options, or an error that names what differs."""

import os
import signal
import threading

import numpy as np
import pytest
import torch

from ctckit.errors import DataError, InvalidInputError
from ctckit.ocr.data.batches import LineBatches
from ctckit.ocr.fit import CHECKPOINT_FILE, FitConfig, fit_lines
from ctckit.ocr.model_folder import load_model
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.training import loop
from ctckit.ocr.training.config import TrainingConfig
from ctckit.ocr.training.interruption import Interruption, TrainingInterrupted
from ctckit.ocr.training.loop import train
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import TEXTS, bars, register_tiny, stopping_at_a_checkpoint, write_line, write_lines

pytestmark = pytest.mark.usefixtures("signals_as_usual")

VOCABULARY = Vocabulary.from_characters("ab")
TINY = CRNNConfig(num_classes=3, channels=(4, 8), strides=((4, 2), (4, 2)), hidden=8, dropout=0.1)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    register_tiny(monkeypatch)


@pytest.fixture
def data(tmp_path):
    return write_lines(tmp_path / "lines")


@pytest.fixture
def interrupted(data, tmp_path, monkeypatch):
    """A model folder with a run that was stopped after its first checkpoint."""
    out = tmp_path / "model"
    stop_after_saving(monkeypatch, data, out)
    return out


def stop_after_saving(monkeypatch, data, out, **options):
    with stopping_at_a_checkpoint(monkeypatch):
        fit_lines(data, out, config=config(), **options)
    assert (out / CHECKPOINT_FILE).is_file()


def config(**changes):
    return FitConfig(**{"epochs": 2, "batch_size": 4, "validation": 0.2, "network": "tiny", **changes})


def weights(folder):
    return load_model(folder).model.state_dict()


def test_a_resumed_run_gives_the_weights_of_an_uninterrupted_one(data, interrupted, tmp_path):
    fit_lines(data, interrupted, config=config(), resume=True)
    fit_lines(data, tmp_path / "whole", config=config())
    whole = weights(tmp_path / "whole")
    assert all(torch.equal(tensor, whole[name]) for name, tensor in weights(interrupted).items())
    assert sorted(path.name for path in interrupted.iterdir()) == [
        "model.json",
        "report.html",
        "training.jsonl",
        "weights.safetensors",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"validation": 0.4}, r"other settings: validation was 0\.2, now 0\.4; held-out images was"),
        ({"validation": 0.0}, r"validation was 0\.2, now 0\.0"),
        ({"batch_size": 5}, r"batch_size was 4, now 5"),
        ({"distort": False}, r"distort was True, now False"),
        ({"seed": 1}, r"seed was 0, now 1"),
        ({"epochs": 3}, r"steps was 4, now 6"),
        ({"learning_rate": 1e-3}, r"learning_rate was 0\.002, now 0\.001"),
        ({"charset": "abc"}, r"charset was ab, now abc"),
        ({"precision": "bf16-mixed"}, r"precision was 32-true, now bf16-mixed"),
    ],
)
def test_another_option_is_refused_by_name(data, interrupted, change, message):
    with pytest.raises(DataError, match=message):
        fit_lines(data, interrupted, config=config(**change), resume=True)
    assert (interrupted / CHECKPOINT_FILE).is_file()


def change_a_text(folder):
    (folder / "003.gt.txt").write_text("ab")


def change_an_image(folder):
    write_line(folder, "003", TEXTS[3], image=bars(TEXTS[3][::-1]).image)


def remove_a_line(folder):
    (folder / "003.png").unlink()
    (folder / "003.gt.txt").unlink()


def exchange_two_lines(folder):
    write_line(folder, "002", TEXTS[3])
    write_line(folder, "003", TEXTS[2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_a_text, r"(held-out|training) texts was \w+, now \w+\. "),
        (change_an_image, r"(held-out|training) images was \w+, now \w+\. "),
        (remove_a_line, r"(held-out|training) lines was \d, now \d"),
        (exchange_two_lines, r"texts was \w+, now \w+"),
    ],
)
def test_other_lines_are_refused_by_what_differs(data, interrupted, change, message):
    change(data)
    with pytest.raises(DataError, match=message):
        fit_lines(data, interrupted, config=config(), resume=True)


def test_the_place_of_the_lines_does_not_matter(data, interrupted, tmp_path):
    moved = data.rename(tmp_path / "elsewhere")
    assert fit_lines(moved, interrupted, config=config(), resume=True).record.validation_steps


def test_overwriting_removes_the_old_run(data, interrupted, tmp_path, monkeypatch):
    """So that an interruption before the new run saves anything cannot be continued with the old run."""
    monkeypatch.setattr(loop, "read_lines", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit_lines(data, interrupted, config=config(), overwrite=True)
    assert not (interrupted / CHECKPOINT_FILE).exists()


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_overwriting_with_lines_that_cannot_be_used_keeps_the_old_run(tmp_path, interrupted):
    with pytest.raises(DataError, match=r"nowhere: there is no such folder"):
        fit_lines(tmp_path / "nowhere", interrupted, config=config(), overwrite=True)
    assert (interrupted / CHECKPOINT_FILE).is_file()


def test_resuming_and_overwriting_contradict_each_other(data, tmp_path):
    with pytest.raises(InvalidInputError, match=r"resume and overwrite are both given"):
        fit_lines(data, tmp_path / "m", resume=True, overwrite=True)
    assert not (tmp_path / "m").exists()


def test_a_checkpoint_of_an_older_version_says_what_it_did_not_record(tmp_path, monkeypatch):
    """Older checkpoints hold neither the lines nor all options."""
    path = tmp_path / "checkpoint.safetensors"
    monkeypatch.setattr(loop, "describe_lines", lambda *_: {})
    run(path, stop_after=4)
    monkeypatch.undo()
    with pytest.raises(DataError, match=r"held-out lines was not recorded, now 0"):
        run(path, resume=True)


# --- signals, and checkpoints by time


class Batches(LineBatches):
    """Batches that call a function before they are made."""

    def __init__(self, before):
        super().__init__([bars(text) for text in TEXTS], VOCABULARY, TINY, batch_size=4, seed=1)
        self.before = before

    def batch(self, step):
        self.before(step)
        return super().batch(step)


def run(checkpoint, *, before=lambda step: None, save_seconds=60.0, **options):
    torch.manual_seed(0)
    model = CRNN(TINY)
    often = {"validate_every": 40, "report_every": 2, "save_seconds": save_seconds}
    settings = TrainingConfig(steps=40, learning_rate=1e-2, **often)
    train(model, Batches(before), VOCABULARY, config=settings, checkpoint=checkpoint, **options)
    return model.state_dict()


def send(number, at=20):
    return lambda step: os.kill(os.getpid(), number) if step == at else None


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_saves_the_run_before_the_first_validation(tmp_path, name):
    number, path = getattr(signal, name), tmp_path / "checkpoint.safetensors"
    before = signal.getsignal(number)
    message = rf"{name} stopped the training after step \d+; its state is saved"
    with pytest.raises(TrainingInterrupted, match=message) as stop:
        run(path, before=send(number))
    assert stop.value.signal == number
    assert 0 < stop.value.step < 40
    assert signal.getsignal(number) == before
    resumed, whole = run(path, resume=True), run(None)
    assert all(torch.equal(tensor, whole[each]) for each, tensor in resumed.items())


def test_the_time_between_checkpoints_is_limited_and_may_change(tmp_path, monkeypatch):
    saved = []
    save = loop.save_checkpoint

    def note(path, state, **rest):
        saved.append(state.step)
        save(path, state, **rest)

    monkeypatch.setattr(loop, "save_checkpoint", note)
    run(tmp_path / "often", save_seconds=1e-9)
    assert saved == list(range(1, 41))
    saved.clear()
    run(tmp_path / "seldom", stop_after=30)
    run(tmp_path / "seldom", resume=True, save_seconds=1e-9)
    assert saved == [30, *range(31, 41)]


def test_a_second_signal_interrupts_at_once():
    with Interruption() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_an_ignored_signal_stays_ignored():
    """As under nohup: the run must go on when the terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.number is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_may_train(tmp_path):
    failed = []

    def work():
        try:
            run(tmp_path / "checkpoint.safetensors")
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failed


def test_without_a_checkpoint_signals_act_as_usual(tmp_path):
    handlers = []
    run(None, before=lambda step: handlers.append(signal.getsignal(signal.SIGTERM)))
    assert set(handlers) == {signal.getsignal(signal.SIGTERM)}


def test_lines_are_told_apart_by_their_shape_too():
    flat = bars("a").image
    tall = type(bars("a"))(np.ascontiguousarray(flat.reshape(16, -1)), "a", "a")
    first, second = (loop.describe_lines([line], "x")["x images"] for line in (bars("a"), tall))
    assert first != second
