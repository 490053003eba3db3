"""Warnings about input, shown at the line of the user's code that passes it."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from ctckit.errors import InputWarning

_PACKAGE = str(Path(__file__).parent)


def warn(message: str) -> None:
    """Give an ``InputWarning`` at the innermost call that is not in ctckit."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, InputWarning, stacklevel=level)
