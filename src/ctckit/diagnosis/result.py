"""``Diagnosis``: the figures and findings of a batch, as a page and as a dict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from ctckit import _drawing
from ctckit.diagnosis.page import draw_page
from ctckit.diagnosis.records import Finding, Record


@dataclass(frozen=True)
class Diagnosis(Record):
    """The result of ``diagnose``: a ``Record`` that ``print`` shows as a page.

    Example:
        >>> import numpy as np
        >>> from ctckit import diagnose
        >>> found = diagnose(np.zeros((2, 4, 5)), [[1, 2, 2, 3], [4, 0, 0, 0]], [4, 3], [4, 1])
        >>> found.cause, found.infeasible[0].missing
        ('infeasible-data', 1)
        >>> str(found).splitlines()[0]
        'diagnosis: infeasible-data, 2 items, T = 4, C = 5, blank 0'
    """

    def with_findings(self, findings: tuple[Finding, ...]) -> Diagnosis:
        """Return a copy with these findings."""
        return replace(self, findings=findings)

    def to_dict(self) -> dict[str, Any]:
        """Return numbers, strings, lists and dicts, ready for JSON; a number that is not finite becomes None."""
        result: dict[str, Any] = _as_json(asdict(self))
        return result

    def __str__(self) -> str:
        return draw_page(self)

    def _repr_html_(self) -> str:
        return _drawing.html(draw_page(self))


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
