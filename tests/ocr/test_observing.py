"""Observers of a training run: what they are told, and what they cannot break."""

import dataclasses

import pytest
import torch

from ctckit.ocr.training.observing import TrainingObserver
from tests.support.tiny_training import CONFIG, LINES, VOCABULARY, assert_same_weights, run


class Notes(TrainingObserver):
    """Notes all that it is told."""

    def __init__(self):
        self.starts, self.points, self.validations, self.ends = [], [], [], []

    def on_start(self, step, record):
        self.starts.append((step, record))

    def on_point(self, point):
        self.points.append(point)

    def on_validation(self, validation):
        assert not validation.model.training
        self.validations.append(validation)

    def on_end(self, record):
        self.ends.append(record)


def test_an_observer_is_told_all_that_the_record_has():
    notes = Notes()
    _, record = run(validation=LINES[:5], observers=[notes])
    assert [step for step, _ in notes.starts] == [0]
    for name in ("loss", "cer", "learning_rate"):
        assert tuple(getattr(point, name) for point in notes.points) == getattr(record, name)
    assert tuple(point.step for point in notes.points) == record.steps
    assert [each.seconds for each in notes.points] == sorted(each.seconds for each in notes.points)
    assert tuple(each.step for each in notes.validations) == record.validation_steps
    assert tuple(each.evaluation.cer for each in notes.validations) == record.validation_cer
    assert [each.step for each in notes.validations if each.best][-1] == record.best_step
    for each in notes.validations:
        assert each.evaluation.truths == tuple(line.text for line in each.lines)
        assert each.vocabulary is VOCABULARY
        assert each.record.validation_steps[-1] == each.step
    assert notes.ends == [record]


def test_a_resumed_run_says_where_it_goes_on(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    first, second = Notes(), Notes()
    run(checkpoint=path, stop_after=6, observers=[first])
    assert first.ends == []
    run(checkpoint=path, resume=True, observers=[second])
    ((step, record),) = second.starts
    assert step == 6
    assert record.steps == (2, 4, 6)
    assert [point.step for point in first.points + second.points] == [2, 4, 6, 8, 10, 12]


class Broken(TrainingObserver):
    """Fails, and draws random numbers."""

    def on_point(self, point):
        torch.randn(3)
        raise OSError(28, "No space left on device")

    def on_validation(self, validation):
        validation.unknown  # noqa: B018 - an error in somebody's code


def test_a_broken_observer_is_a_warning_and_changes_nothing():
    expected, record = run(validation=LINES[:5])
    notes = Notes()
    message = r"the observer Broken failed \((OSError: .*device|AttributeError: .*unknown.*)\); the training goes on"
    with pytest.warns(RuntimeWarning, match=message):
        model, again = run(validation=LINES[:5], observers=[Broken(), notes])
    assert_same_weights(expected, model)
    assert again.loss == record.loss
    assert len(notes.points) == 6


def test_a_user_may_stop_the_run_in_an_observer():
    class Impatient(TrainingObserver):
        def on_point(self, point):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(observers=[Impatient()])


def test_a_class_with_the_methods_is_an_observer():
    class Duck:
        told = 0

        def on_start(self, step, record):
            self.told += 1

        on_point = on_validation = on_end = lambda self, _: setattr(self, "told", self.told + 1)

    duck = Duck()
    run(dataclasses.replace(CONFIG, steps=4), observers=[duck])  # two points
    assert duck.told == 4
