"""``TrainingConfig``: the settings of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ctckit.diagnosis.watch import PATIENCE
from ctckit.errors import InvalidInputError

_WHOLE = ("steps", "devices", "report_every", "validate_every", "patience", "early_stopping")
_REAL = ("minutes", "learning_rate", "clip_norm", "save_seconds")
_LIMITS = ("steps", "minutes", "early_stopping")  # None is no limit
_FREE = ("devices", "save_seconds", "workers")  # a run may resume with others
_LARGEST_SEED = 2**32 - 1


def expect_positive(config: Any, *, whole: Sequence[str], real: Sequence[str], limits: Sequence[str] = ()) -> None:
    """Check fields of a configuration: numbers above 0, and a seed of 32 bits.

    Args:
        config: The configuration; its field ``seed`` is checked too.
        whole: The names of the fields that are whole numbers.
        real: The names of the fields that are any numbers.
        limits: The names of those that may also be None.

    Raises:
        InvalidInputError: If one is wrong.
    """
    for name in (*whole, *real):
        value, kinds = getattr(config, name), (int,) if name in whole else (int, float)
        if value is None and name in limits:
            continue
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise InvalidInputError(f"{name} is {value!r}; expected a {'whole ' if name in whole else ''}number.")
        if not value > 0:  # NaN neither
            raise InvalidInputError(f"{name} is {value}; expected more than 0.")
    seed = config.seed
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= _LARGEST_SEED:
        raise InvalidInputError(f"seed is {seed!r}; expected a whole number, 0..{_LARGEST_SEED}.")


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of training.

    Attributes:
        steps: The number of optimizer steps. With ``minutes``, None is without a limit.
        minutes: The wall-clock time of the run, validations and checkpoints included; None is without a limit. With
            ``steps`` and ``minutes``, the run ends when the first of them is used up, and the learning rate follows the
            one of which more is used. A run whose time is limited cannot be repeated bit for bit.
        learning_rate: The highest learning rate, reached after the warm-up.
        warmup: The share of the run in which the learning rate rises; then it falls to zero along a cosine, 0..1.
        warmup_steps: The least number of steps in which it rises.
        weight_decay: The weight decay of AdamW.
        clip_norm: Gradients with a larger norm are scaled down to this norm.
        seed: Seeds the dropout; the batch source has its own seed.
        accelerator: Lightning Fabric's name of the device: ``"cpu"``, ``"cuda"``, ``"mps"``, ``"auto"``.
        devices: The number of devices of this machine. Each has a process of its own, which torchrun starts, and a part
            of each batch. A run may resume with another number.
        precision: Lightning Fabric's name of the number format: ``"32-true"``, ``"bf16-mixed"``, ``"16-mixed"``.
        report_every: Steps between two points of the curves.
        validate_every: Steps between two validations; each also writes a checkpoint. With ``minutes`` it is not used:
            there are about 20 validations, or fewer, so that they take at most a tenth of the time.
        average: Average the weights over about the last twentieth of the steps; each validation reads the lines with
            the averaged weights and with those of the step, and takes the better ones.
        early_stopping: Stop after this number of validations without a lower CER; None never stops early.
        save_seconds: The most seconds between two checkpoints, about; a run may resume with another number.
        workers: The number of processes that make the batches; 0 is a background thread.
        carried_rate: The learning rate of parameters that come from another model, as a share of that of others, 0..1.
        freeze_steps: The number of steps at the beginning in which these parameters do not change.
        flat_start: The number of steps at the beginning in which texts are also taken to lie evenly over their frames,
            less and less; 0 is none. See :mod:`ctckit.ocr.training.flat_start`.
        patience: If the loss does not fall in so many steps, a diagnosis is shown.
    """

    steps: int | None = 1000
    minutes: float | None = None
    learning_rate: float = 3e-3
    warmup: float = 0.07
    warmup_steps: int = 0
    weight_decay: float = 0.01
    clip_norm: float = 5.0
    seed: int = 0
    accelerator: str = "cpu"
    devices: int = 1
    precision: str = "32-true"
    report_every: int = 10
    validate_every: int = 100
    average: bool = True
    early_stopping: int | None = None
    save_seconds: float = 60.0
    workers: int = 0
    carried_rate: float = 1.0
    freeze_steps: int = 0
    flat_start: int = 0
    patience: int = PATIENCE

    def __post_init__(self) -> None:
        """Check the values."""
        expect_positive(self, whole=_WHOLE, real=_REAL, limits=_LIMITS)
        if self.steps is None and self.minutes is None:
            raise InvalidInputError("steps and minutes are both None; expected at least one, or the run has no end.")
        if not 0.0 <= self.warmup < 1.0:
            raise InvalidInputError(f"warmup is {self.warmup}; expected a share of the run, 0 <= warmup < 1.")
        for name, of in (("workers", "processes"), ("warmup_steps", "steps"), ("flat_start", "steps")):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise InvalidInputError(f"{name} is {value!r}; expected a number of {of}, 0 or more.")

    def learning_rate_at(self, step: int, time_share: float = 0.0) -> float:
        """Return the learning rate of a step.

        Args:
            step: The step, counted from 0.
            time_share: The share of ``minutes`` that is used, 0..1.
        """
        rise = time_share / self.warmup if self.warmup else 1.0
        fall = (time_share - self.warmup) / (1.0 - self.warmup)
        if self.steps is not None:
            rising = max(1, round(self.warmup * self.steps))
            rise = max(rise if self.minutes else 0.0, (step + 1) / rising)
            fall = max(fall, (step - rising) / max(1, self.steps - rising))
        if self.warmup_steps:
            rise = min(rise, (step + 1) / self.warmup_steps)
        return self.learning_rate * min(1.0, rise) * 0.5 * (1.0 + math.cos(math.pi * max(0.0, fall)))

    def carried_rate_at(self, step: int) -> float:
        """Return the share of the learning rate of a step for the parameters that come from another model."""
        return self.carried_rate if step >= self.freeze_steps else 0.0

    def of_the_run(self) -> dict[str, Any]:
        """Return the settings that must be the same when the run resumes."""
        return {name: value for name, value in asdict(self).items() if name not in _FREE}
