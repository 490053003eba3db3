"""``TrainingConfig``: the settings of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ctckit.diagnosis.watch import PATIENCE
from ctckit.errors import InvalidInputError

_WHOLE = ("steps", "devices", "report_every", "validate_every", "patience")
_REAL = ("learning_rate", "clip_norm", "save_seconds")
_FREE = ("save_seconds", "workers")  # a run may resume with others
_LARGEST_SEED = 2**32 - 1


def expect_positive(config: Any, *, whole: Sequence[str], real: Sequence[str]) -> None:
    """Check fields of a configuration: numbers above 0, and a seed of 32 bits.

    Args:
        config: The configuration; its field ``seed`` is checked too.
        whole: The names of the fields that are whole numbers.
        real: The names of the fields that are any numbers.

    Raises:
        InvalidInputError: If one is wrong.
    """
    for name in (*whole, *real):
        value, kinds = getattr(config, name), (int,) if name in whole else (int, float)
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
        steps: The number of optimizer steps; fixed in advance, so that a run can be repeated.
        learning_rate: The highest learning rate, reached after the warm-up.
        warmup: The share of steps in which the learning rate rises; then it falls to zero along a cosine, 0..1.
        weight_decay: The weight decay of AdamW.
        clip_norm: Gradients with a larger norm are scaled down to this norm.
        seed: Seeds the dropout; the batch source has its own seed.
        accelerator: Lightning Fabric's name of the device: ``"cpu"``, ``"cuda"``, ``"mps"``, ``"auto"``.
        devices: The number of devices.
        precision: Lightning Fabric's name of the number format: ``"32-true"``, ``"bf16-mixed"``, ``"16-mixed"``.
        report_every: Steps between two points of the curves.
        validate_every: Steps between two validations; each also writes a checkpoint.
        save_seconds: The most seconds between two checkpoints, about; a run may resume with another number.
        workers: The number of processes that make the batches; 0 is a background thread.
        carried_rate: The learning rate of parameters that come from another model, as a share of that of others, 0..1.
        freeze_steps: The number of steps at the beginning in which these parameters do not change.
        patience: If the loss does not fall in so many steps, a diagnosis is shown.
    """

    steps: int = 1000
    learning_rate: float = 3e-3
    warmup: float = 0.07
    weight_decay: float = 0.01
    clip_norm: float = 5.0
    seed: int = 0
    accelerator: str = "cpu"
    devices: int = 1
    precision: str = "32-true"
    report_every: int = 10
    validate_every: int = 100
    save_seconds: float = 60.0
    workers: int = 0
    carried_rate: float = 1.0
    freeze_steps: int = 0
    patience: int = PATIENCE

    def __post_init__(self) -> None:
        """Check the values."""
        expect_positive(self, whole=_WHOLE, real=_REAL)
        if not 0.0 <= self.warmup < 1.0:
            raise InvalidInputError(f"warmup is {self.warmup}; expected a share of the steps, 0 <= warmup < 1.")
        if not isinstance(self.workers, int) or self.workers < 0:
            raise InvalidInputError(f"workers is {self.workers!r}; expected a number of processes, 0 or more.")

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rising = max(1, round(self.warmup * self.steps))
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        share = (step - rising) / max(1, self.steps - rising)
        return self.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))

    def carried_rate_at(self, step: int) -> float:
        """Return the share of the learning rate of a step for the parameters that come from another model."""
        return self.carried_rate if step >= self.freeze_steps else 0.0

    def of_the_run(self) -> dict[str, Any]:
        """Return the settings that must be the same when the run resumes."""
        return {name: value for name, value in asdict(self).items() if name not in _FREE}
