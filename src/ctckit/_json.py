"""Results as JSON: numbers that JSON does not have, and checked entries of objects that come back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.errors import InvalidInputError

_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def as_json(value: float) -> float | str:
    """Return a number that JSON has: infinities and NaN become the strings "inf", "-inf" and "nan"."""
    return float(value) if math.isfinite(value) else str(float(value))


def all_as_json(values: npt.NDArray[Any]) -> list[float | str]:
    """Return the numbers of an array; see ``as_json``."""
    return [as_json(value) for value in values.tolist()]


class Entries:
    """The entries of an object from JSON. A missing entry, or one of another type, is an ``InvalidInputError``.

    Args:
        data: The object.
        kind: The class that it is made into, for the messages. If the object has a "type", it must be this.
    """

    def __init__(self, data: Any, kind: str) -> None:
        if not isinstance(data, Mapping):
            raise InvalidInputError(f"data is of type {type(data).__name__}; expected the dict of {kind}.to_dict().")
        if data.get("type", kind) != kind:
            raise InvalidInputError(f"data is that of a {data['type']!r}; expected the dict of {kind}.to_dict().")
        self._data, self._kind = data, kind

    def __getitem__(self, name: str) -> Any:
        if name not in self._data:
            raise InvalidInputError(f"data[{name!r}] is missing; expected the dict of {self._kind}.to_dict().")
        return self._data[name]

    def entries(self, name: str) -> Entries:
        """Return an object in this object."""
        return Entries(self._typed(name, Mapping, "an object"), self._kind)

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return an object in this object, as it is."""
        found: Mapping[str, Any] = self._typed(name, Mapping, "an object")
        return found

    def items(self, name: str) -> list[Entries]:
        """Return a list of objects."""
        return [Entries(each, self._kind) for each in self._typed(name, (list, tuple), "a list")]

    def text(self, name: str) -> str:
        """Return a string."""
        found: str = self._typed(name, str, "a string")
        return found

    def flag(self, name: str) -> bool:
        """Return True or False."""
        found: bool = self._typed(name, bool, "true or false")
        return found

    def integer(self, name: str, least: int = -(2**62)) -> int:
        """Return an integer that is not below ``least``."""
        return self._integer(name, self[name], least)

    def integers(self, name: str, least: int = -(2**62)) -> npt.NDArray[np.int64]:
        """Return a list of integers."""
        values = self._typed(name, (list, tuple), "a list")
        return np.array([self._integer(f"{name}[{n}]", each, least) for n, each in enumerate(values)], dtype=np.int64)

    def number(self, name: str) -> float:
        """Return a number; see ``as_json``."""
        return self._number(name, self[name])

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """Return a list of numbers; null is NaN."""
        values = self._typed(name, (list, tuple), "a list")
        return np.array(
            [math.nan if each is None else self._number(f"{name}[{n}]", each) for n, each in enumerate(values)]
        )

    def _integer(self, name: str, value: Any, least: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**62:
            raise InvalidInputError(f"data[{name!r}] is {value!r}; expected an integer from {least} on.")
        return value

    def _number(self, name: str, value: Any) -> float:
        if isinstance(value, str) and value in _NOT_FINITE:
            return _NOT_FINITE[value]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InvalidInputError(f'data[{name!r}] is {value!r}; expected a number, "inf", "-inf" or "nan".')
        return float(value)

    def _typed(self, name: str, kind: Any, expected: str) -> Any:
        value = self[name]
        if not isinstance(value, kind):
            raise InvalidInputError(f"data[{name!r}] is {value!r}; expected {expected}.")
        return value
