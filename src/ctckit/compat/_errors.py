"""Errors that several adapters raise."""

from __future__ import annotations

from ctckit.errors import InvalidInputError


class ArgumentTypeError(InvalidInputError, TypeError):
    """An argument has a wrong type. It is a ``TypeError`` as well, as in the original."""
