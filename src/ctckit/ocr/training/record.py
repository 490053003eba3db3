"""The records of training and evaluation, for the model folder and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ctckit import _drawing

UNREAD_CER = 0.9  # above it, nothing is read: an empty text has a CER of 1


@dataclass(frozen=True)
class TrainingRecord:
    """The curves and the results of a training run.

    Attributes:
        steps: The steps of the points of the curves, ascending.
        loss: Mean CTC loss per token since the previous point.
        cer: Character error rate of the training batch at that step, read greedily.
        learning_rate: The learning rate at that step.
        validation_steps: Steps at which the validation lines were read.
        validation_cer: Their character error rate.
        validation_exact: The share of them read without any error, 0..1.
        best_step: The step of the kept weights: the last, or the one with the lowest validation CER.
        seconds: Wall time of the run; the sum of its parts if it was resumed.
        lines_per_second: Training lines per second of this time.
        loss_share: The share of this time spent in the CTC loss and its gradient, 0..1.
    """

    steps: tuple[int, ...] = ()
    loss: tuple[float, ...] = ()
    cer: tuple[float, ...] = ()
    learning_rate: tuple[float, ...] = ()
    validation_steps: tuple[int, ...] = ()
    validation_cer: tuple[float, ...] = ()
    validation_exact: tuple[float, ...] = ()
    best_step: int = 0
    seconds: float = 0.0
    lines_per_second: float = 0.0
    loss_share: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def __str__(self) -> str:
        lines = [f"training of {self.seconds:.0f} s, {self.lines_per_second:.0f} lines per second"]
        if self.steps:
            at = f"step {self.steps[-1]}"
            lines.append(f"{at:<12} loss {self.loss[-1]:.4f}, CER {self.cer[-1]:.2%} of a training batch")
        if self.best_step in self.validation_steps:
            kept, at = self.validation_steps.index(self.best_step), f"step {self.best_step}"
            lines.append(
                f"{at:<12} CER {self.validation_cer[kept]:.2%} of the validation lines; these weights are kept"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return _drawing.html(str(self))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingRecord:
        """Build it from :meth:`to_dict`'s values.

        Raises:
            TypeError: If a name is unknown, or a value is of another kind.
        """
        return cls(**numbers_of(cls, values, "the training record"))


def numbers_of(kind: Any, values: Any, what: str) -> dict[str, Any]:
    """Return the fields of a dataclass of numbers and tuples of numbers, checked, from values of JSON.

    Args:
        kind: The dataclass; the defaults of its fields tell what they hold.
        values: The values by name; a list becomes a tuple.
        what: What they are, for the message.

    Raises:
        TypeError: If a name is unknown, or a value is of another kind.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"{what} is {str(values)[:60]}, expected its values by name")
    kinds = {field.name: type(field.default) for field in fields(kind)}
    unknown = set(values) - set(kinds)
    if unknown:
        raise TypeError(f"unknown entries {sorted(unknown)}")
    return {name: _of_kind(kinds[name], name, value) for name, value in values.items()}


def _of_kind(kind: type, name: str, value: Any) -> Any:
    if kind is tuple and isinstance(value, list) and all(map(_is_number, value)):
        return tuple(value)
    if (kind is float and _is_number(value)) or (kind is int and _is_number(value) and isinstance(value, int)):
        return value
    raise TypeError(f"{name} is {str(value)[:60]}, expected {'numbers' if kind is tuple else 'a number'}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True)
class Evaluation:
    """How well a model reads lines with known texts.

    Attributes:
        truths: The known texts.
        reads: The texts that the model read, in the same order.
        cer: Character errors (substitutions, deletions, insertions) per true character.
        exact: The share of lines without any error, 0..1.
        seconds: Wall time of reading.
    """

    truths: tuple[str, ...]
    reads: tuple[str, ...]
    cer: float
    exact: float
    seconds: float

    @property
    def lines_per_second(self) -> float:
        """Lines read per second."""
        return len(self.truths) / self.seconds if self.seconds else 0.0

    @property
    def errors(self) -> tuple[int, ...]:
        """The positions of the lines that were misread."""
        return tuple(i for i, (truth, read) in enumerate(zip(self.truths, self.reads, strict=True)) if truth != read)
