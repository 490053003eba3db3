"""Limits of a run: steps, time on a clock, validations without a lower CER."""

import dataclasses
import io
from itertools import pairwise

import pytest
from rich.console import Console

from ctckit.errors import DataError, InvalidInputError
from ctckit.ocr.fit import FitConfig, fit_lines
from ctckit.ocr.model_folder import load_model
from ctckit.ocr.networks.crnn import CRNN
from ctckit.ocr.training import loop
from ctckit.ocr.training.budget import Budget
from ctckit.ocr.training.config import TrainingConfig
from ctckit.ocr.training.evaluation import compare
from ctckit.ocr.training.observing import TrainingObserver
from ctckit.ocr.training.progress import TrainingProgress
from ctckit.ocr.training.record import TrainingRecord
from tests.support.line_files import register_tiny, write_lines
from tests.support.tiny_training import CONFIG, LINES, assert_same_weights, run

MINUTE = dataclasses.replace(CONFIG, steps=None, minutes=1.0, report_every=1)


class Clock(TrainingObserver):
    """A clock on which each step and each validation takes as long as we say."""

    def __init__(self, *, step=1.0, validation=0.0, start=1000.0):
        self.now, self.step, self.validation = start, step, validation
        self.validations = []

    def __call__(self):
        return self.now

    def on_point(self, point):
        self.now += self.step

    def on_validation(self, validation):
        self.now += self.validation
        self.validations.append(validation.step)


def run_by(clock, config=MINUTE, **options):
    return run(config, clock=clock, observers=[clock], **options)


# --- time


def test_a_run_takes_its_time_and_its_learning_rate_follows_it():
    _, record = run_by(Clock())
    assert record.steps == tuple(range(1, 61))
    rates = record.learning_rate
    assert rates[0] == 0.0
    assert max(rates) == pytest.approx(CONFIG.learning_rate, rel=0.01)
    assert rates.index(max(rates)) in (4, 5)  # 7 % of 60 s
    assert all(a > b for a, b in pairwise(rates[5:]))
    assert rates[-1] < 0.01 * CONFIG.learning_rate


def test_steps_that_get_slower_do_not_change_the_end():
    clock = Clock()

    class Slower(TrainingObserver):
        def on_point(self, point):
            clock.step = 1.0 if point.step < 20 else 4.0

    _, record = run(MINUTE, clock=clock, observers=[clock, Slower()])
    assert len(record.steps) == 30
    assert record.learning_rate[-1] < 0.03 * CONFIG.learning_rate
    assert clock.now == 1060.0


@pytest.mark.parametrize("seconds", [0.5, 2.0, 7.0])
def test_the_last_validation_is_in_the_time(seconds):
    clock = Clock(validation=seconds)
    _, record = run_by(clock, validation=LINES[:3])
    assert 1058.0 <= clock.now <= 1060.5
    assert record.validation_steps[-1] == record.steps[-1]
    assert len(record.validation_steps) <= 21
    assert seconds * len(record.validation_steps) <= 0.2 * 60.0 + 2 * seconds  # a tenth, and the first and the last one


def test_the_curves_go_up_to_the_last_step(monkeypatch):
    clock, forward = Clock(step=0.0), CRNN.forward

    def forward_slowly(network, *batch):
        clock.now += 1.0 if network.training else 0.0
        return forward(network, *batch)

    monkeypatch.setattr(CRNN, "forward", forward_slowly)
    _, record = run_by(clock, dataclasses.replace(MINUTE, minutes=0.5, report_every=8), validation=LINES[:3])
    assert record.steps == (8, 16, 24, 30)
    assert record.validation_steps[-1] == 30


def test_saving_is_in_the_time(tmp_path, monkeypatch):
    clock = Clock()
    save = loop.save_checkpoint

    def save_slowly(*arguments, **settings):
        save(*arguments, **settings)
        clock.now += 5.0

    monkeypatch.setattr(loop, "save_checkpoint", save_slowly)
    run_by(clock, validation=LINES[:3], checkpoint=tmp_path / "checkpoint.safetensors")
    assert clock.now <= 1055.5  # the model is still to be saved


def test_steps_and_time_end_when_the_first_is_used_up():
    both = dataclasses.replace(MINUTE, steps=10)
    _, record = run_by(Clock(), both)
    assert record.steps[-1] == 10
    assert record.learning_rate[-1] < 0.05 * CONFIG.learning_rate
    _, record = run_by(Clock(), dataclasses.replace(both, steps=1000))
    assert record.steps[-1] == 60
    assert record.learning_rate[-1] < 0.01 * CONFIG.learning_rate


@pytest.mark.parametrize("validation", [(), LINES[:3]])
def test_the_time_before_an_interruption_counts(tmp_path, validation):
    path = tmp_path / "checkpoint.safetensors"
    run_by(Clock(), checkpoint=path, stop_after=25, validation=validation)
    clock = Clock(start=5.0)
    _, record = run_by(clock, checkpoint=path, resume=True, validation=validation)
    assert record.steps[-1] == 60
    assert clock.now == 5.0 + 35.0
    _, again = run_by(clock, checkpoint=path, resume=True, validation=validation)  # the run was over
    assert again.steps == record.steps
    assert clock.now == 40.0


def test_a_run_resumes_with_the_same_limit_only(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    run_by(Clock(), checkpoint=path, stop_after=5)
    with pytest.raises(DataError, match=r"minutes was 1\.0, now 2\.0"):
        run_by(Clock(), dataclasses.replace(MINUTE, minutes=2.0), checkpoint=path, resume=True)


def test_without_a_limit_of_time_the_clock_changes_nothing():
    fast, _ = run_by(Clock(step=0.0), CONFIG)
    slow, _ = run_by(Clock(step=1000.0), CONFIG)
    assert_same_weights(fast, slow)


def test_no_time_at_all_still_takes_a_step():
    _, record = run_by(Clock(step=100.0))
    assert record.steps == (1,)


def test_a_budget_is_over_when_no_step_fits_in():
    clock = Clock(start=0.0)
    budget = Budget(None, 10.0, clock=clock)
    with budget.measure("step"):
        clock.now = 4.0
    assert (budget.spent, budget.share(1), budget.is_over(1)) == (4.0, 0.4, False)
    with budget.measure("validation"):
        clock.now += 1.0
    assert budget.time_share == pytest.approx(5 / 9)
    with budget.measure("step"):
        clock.now = 8.0
    assert budget.is_over(2)  # 1 s is left beside a validation, less than half of a step


def test_steps_alone():
    budget = Budget(8)
    assert [budget.is_over(done) for done in (0, 7, 8, 9)] == [False, False, True, True]
    assert budget.share(2) == 0.25
    assert [done for done in range(1, 9) if budget.is_validation_due(done, 3)] == [3, 6]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": None}, r"steps and minutes are both None; expected at least one"),
        ({"minutes": 0.0}, r"minutes is 0\.0; expected more than 0"),
        ({"minutes": float("nan")}, r"minutes is nan"),
        ({"minutes": "30"}, r"minutes is '30'; expected a number"),
        ({"early_stopping": 0}, r"early_stopping is 0"),
        ({"warmup_steps": -1}, r"warmup_steps is -1"),
    ],
)
def test_limits_that_cannot_be_trained_with(options, message):
    with pytest.raises(InvalidInputError, match=message):
        TrainingConfig(**options)


@pytest.mark.parametrize("options", [{"minutes": 0}, {"patience": 0}, {"patience": 2.0}])
def test_limits_of_a_fit_that_cannot_be_trained_with(options):
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        FitConfig(**options)


def test_a_least_number_of_warm_up_steps():
    config = TrainingConfig(steps=20, learning_rate=1.0, warmup=0.05, warmup_steps=8)
    rates = [config.learning_rate_at(step) for step in range(20)]
    assert rates[0] == pytest.approx(1 / 8)
    assert rates.index(max(rates)) == 7
    timed = TrainingConfig(steps=None, minutes=1.0, learning_rate=1.0, warmup=0.05, warmup_steps=8)
    assert timed.learning_rate_at(1, time_share=0.05) == pytest.approx(2 / 8)


def test_lines_of_progress_follow_the_time():
    stream = io.StringIO()
    progress = TrainingProgress(Console(file=stream, width=60))
    record = TrainingRecord(steps=(1,), loss=(1.0,), cer=(1.0,))
    with progress.running(0, None, share=lambda done: done / 50):
        for step in range(1, 51):
            progress.show(step, record)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[1].startswith("step 10  loss 1.000")


def test_fit_lines_takes_minutes(tmp_path, monkeypatch):
    register_tiny(monkeypatch)
    data = write_lines(tmp_path / "lines")
    config = FitConfig(minutes=0.02, batch_size=4, network="tiny")
    record = fit_lines(data, tmp_path / "m", config=config).record
    assert load_model(tmp_path / "m").record == record
    assert record.validation_steps[-1] == record.steps[-1]
    record = fit_lines(data, tmp_path / "n", config=dataclasses.replace(config, minutes=60.0, epochs=2)).record
    assert record.steps[-1] == 4


# --- early stopping


def script(monkeypatch, *cers):
    """Let the validations have these CERs, one after the other."""
    waiting = list(cers)

    def compare_as_written(*arguments, **options):
        return dataclasses.replace(compare(*arguments, **options), cer=waiting.pop(0))

    monkeypatch.setattr(loop, "compare", compare_as_written)


PATIENT = dataclasses.replace(CONFIG, steps=20, validate_every=2, early_stopping=2, average=False)


def test_a_run_stops_when_validations_do_not_get_better(monkeypatch):
    script(monkeypatch, 0.8, 0.5, 0.4, 0.45, 0.4, 0.1)
    stream = io.StringIO()
    _, record = run(PATIENT, validation=LINES[:3], progress=TrainingProgress(Console(file=stream, width=200)))
    assert record.validation_cer == (0.8, 0.5, 0.4, 0.45, 0.4)
    assert "Stopped after step 10: 2 validations without a lower CER." in stream.getvalue()


def test_a_run_that_reads_nothing_yet_is_not_stopped(monkeypatch):
    script(monkeypatch, *[1.0] * 4, 0.95, 1.0, 1.0, 0.5, 0.6, 0.6)
    _, record = run(PATIENT, validation=LINES[:3])
    assert len(record.validation_cer) == 10


def test_a_resumed_run_stops_where_the_whole_one_does(monkeypatch, tmp_path):
    cers = (0.8, 0.4, 0.5, 0.45, 0.1)
    script(monkeypatch, *cers)
    whole, record = run(PATIENT, validation=LINES[:3])
    path = tmp_path / "checkpoint.safetensors"
    script(monkeypatch, *cers)
    run(PATIENT, validation=LINES[:3], checkpoint=path, stop_after=6)
    resumed, again = run(PATIENT, validation=LINES[:3], checkpoint=path, resume=True)
    assert_same_weights(whole, resumed)
    assert again.validation_cer == record.validation_cer == cers[:4]
    finished, last = run(PATIENT, validation=LINES[:3], checkpoint=path, resume=True)  # it was over
    assert_same_weights(whole, finished)
    assert last.validation_cer == cers[:4]


def test_without_patience_a_run_is_complete(monkeypatch):
    script(monkeypatch, 0.1, *[0.5] * 9)
    _, record = run(dataclasses.replace(PATIENT, early_stopping=None), validation=LINES[:3])
    assert record.steps[-1] == 20
    assert record.best_step == 2


class Fickle(Budget):
    """A budget that is used up after step 4, until the state is saved: saving took less time than before."""

    ends = saved = False

    def is_over(self, done):
        self.ends |= done >= 4
        return self.ends and not self.saved

    def measure(self, what):
        self.saved |= self.ends and what == "saving"
        return super().measure(what)


def test_a_run_whose_time_is_used_up_does_not_blame_the_validations(monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "Budget", Fickle)
    console = Console(file=io.StringIO())
    _, record = run(PATIENT, validation=LINES[:3], checkpoint=tmp_path / "c", progress=TrainingProgress(console))
    assert record.validation_steps == (2, 4)
    assert "Stopped" not in console.file.getvalue()
