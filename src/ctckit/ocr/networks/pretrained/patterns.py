"""Patterns of operations in a draft of a graph.

A pattern is written as nested tuples, each an operation and the patterns of its inputs::

    ("Mul", "x", ("Sigmoid", "x"))

A string stands for any value, and the same string for the same value; one with a capital letter for a constant only; a
number for a constant of this value. Inputs of ``Add`` and ``Mul`` may come in any order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import torch

from ctckit.ocr.networks.pretrained.graph import Operation

Pattern = Any  # str | float | tuple[Any, ...]: mypy has no types that contain themselves
_COMMUTATIVE = ("Add", "Mul")
_CLOSE = 1e-5  # relative: constants of files are rounded to single precision


@dataclass
class Draft:
    """A graph while it is simplified.

    Attributes:
        operations: The operations, in an order in which they can run.
        constants: Tensors, by name.
        image: The name of the input.
        output: The name of the output.
    """

    operations: list[Operation]
    constants: dict[str, torch.Tensor]
    image: str
    output: str

    def replace_value(self, old: str, new: str) -> None:
        """Let all operations use another value."""
        self.operations = [
            Operation(
                each.kind, tuple(new if name == old else name for name in each.inputs), each.output, each.attributes
            )
            for each in self.operations
        ]
        self.output = new if self.output == old else self.output

    def remove_unneeded(self) -> None:
        """Remove the operations and constants that the output does not need."""
        needed = {self.output}
        kept = []
        for operation in reversed(self.operations):
            if operation.output in needed:
                kept.append(operation)
                needed.update(operation.inputs)
        self.operations = kept[::-1]
        self.constants = {name: value for name, value in self.constants.items() if name in needed}


@dataclass(frozen=True)
class Match:
    """A place where a pattern was found.

    Attributes:
        names: What the strings of the pattern stand for.
        operations: The operations that it covers, the last one first.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    operations: tuple[Operation, ...] = ()

    def attributes(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the attributes of its operations of one kind."""
        return [each.attributes for each in self.operations if each.kind == kind]


class Matcher:
    """Finds patterns in a draft, which must not change meanwhile."""

    def __init__(self, draft: Draft) -> None:
        self.constants = draft.constants
        self.output = draft.output
        self.makers = {operation.output: operation for operation in draft.operations}
        self.uses = Counter(name for operation in draft.operations for name in operation.inputs)

    def find(self, operation: Operation, pattern: Pattern) -> Match | None:
        """Return a match that ends in this operation, and of which no other operation uses a value; or None."""
        return next(
            (match for match in self._match(operation.output, pattern, Match()) if self._is_closed(match)), None
        )

    def _is_closed(self, match: Match) -> bool:
        inner = {each.output: each for each in match.operations[1:]}
        used = Counter(name for each in {id(each): each for each in match.operations}.values() for name in each.inputs)
        return self.output not in inner and all(used[name] == self.uses[name] for name in inner)

    def _match(self, name: str, pattern: Pattern, match: Match) -> Iterator[Match]:
        if isinstance(pattern, str):
            bound = match.names.get(pattern)
            fits = name in self.constants or not pattern[0].isupper()
            if bound == name or (bound is None and fits):
                yield Match({**match.names, pattern: name}, match.operations)
        elif isinstance(pattern, tuple):
            kind, *parts = pattern
            operation = self.makers.get(name)
            if operation is None or operation.kind != kind or len(operation.inputs) != len(parts):
                return
            orders = permutations(operation.inputs) if kind in _COMMUTATIVE else (operation.inputs,)
            for inputs in orders:
                yield from self._match_all(inputs, parts, Match(match.names, (*match.operations, operation)))
        elif self._is_number(name, pattern):
            yield match

    def _match_all(self, names: Sequence[str], patterns: Sequence[Pattern], match: Match) -> Iterator[Match]:
        if not names:
            yield match
            return
        for first in self._match(names[0], patterns[0], match):
            yield from self._match_all(names[1:], patterns[1:], first)

    def _is_number(self, name: str, number: float) -> bool:
        value = self.constants.get(name)
        return value is not None and value.numel() == 1 and abs(float(value) - number) <= _CLOSE * abs(number)
