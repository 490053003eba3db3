"""A row of a job: one for each input, also for one that cannot be used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from ctckit.errors import CTCKitError


class Problem(TypedDict):
    """Why an input cannot be used.

    Attributes:
        what: What is wrong.
        remedy: What to do about it; "" if the message does not say it.
    """

    what: str
    remedy: str


@dataclass(frozen=True)
class Row:
    """What a job has for one input.

    Attributes:
        path: The input.
        error: Why it cannot be used, or None.
        found: What was found in it, by the names of columns; nothing if there is an error.
    """

    path: str
    error: Problem | None = None
    found: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the columns, path and error first."""
        return {"path": self.path, "error": self.error, **self.found}


def shown(path: str) -> str:
    r"""Return a path as the rows have it: bytes that are not UTF-8 become escapes, such as ``\xe9``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def problem_of(message: CTCKitError | str, path: str = "") -> Problem:
    """Return a message about a path as what is wrong and its last sentence, if it has several: the remedy."""
    text = str(message).removeprefix(f"{path}: ")
    what, stop, remedy = text.rpartition(". ")
    return {"what": f"{what}.", "remedy": remedy} if stop else {"what": text, "remedy": ""}
