"""The graph of a network: operations on named values, as they are stored in ``model.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Operation:
    """One operation of a graph.

    Attributes:
        kind: Its name in :data:`~ctckit.ocr.networks.pretrained.operations.OPERATIONS`.
        inputs: The names of its inputs: values, parameters or constants; "" for one that is left out.
        output: The name of its result.
        attributes: Its settings by name: JSON values, or tuples of them.
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """Operations in an order in which they can run.

    Attributes:
        operations: The operations.
        shapes: The shapes of the parameters, by name.
        constants: Values that are not trained, by name: numbers, or tuples of them.
        image: The name of the input: images (B, channels, height, W).
        channels: The channels of the images.
        features: The name of the output: features (B, T, F).
    """

    operations: tuple[Operation, ...]
    shapes: Mapping[str, tuple[int, ...]]
    constants: Mapping[str, Any]
    image: str
    channels: int
    features: str

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Graph:
        """Build a graph from the values of ``dataclasses.asdict``, also after they were JSON."""
        values = {name: as_tuples(value) for name, value in values.items()}
        return cls(**{**values, "operations": tuple(Operation(**each) for each in values["operations"])})

    def last_uses(self) -> Iterator[tuple[Operation, tuple[str, ...]]]:
        """Yield each operation with the values that no later operation needs."""
        needed = {self.features}
        unneeded: list[tuple[str, ...]] = []
        for operation in reversed(self.operations):
            last = {name for name in operation.inputs if name and name not in needed}
            unneeded.append(tuple(sorted(last)))
            needed |= last
        yield from zip(self.operations, reversed(unneeded), strict=True)


def as_tuples(value: Any) -> Any:
    """Return a JSON value with its lists as tuples."""
    if isinstance(value, Mapping):
        return {name: as_tuples(each) for name, each in value.items()}
    return tuple(map(as_tuples, value)) if isinstance(value, (list, tuple)) else value
