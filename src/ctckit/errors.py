"""The exceptions that ctckit raises.

::

    CTCKitError
    ├── InvalidInputError (also a ValueError)     an argument is wrong; the message says which, where, and the remedy
    │   ├── InfeasibleTargetError                 no alignment can emit a target
    │   └── BackendError                          a backend that was named in a call cannot compute it
    ├── DataError (also a ValueError)             a file, an image or a text cannot be used
    │   ├── MissingFileError (also an OSError)    a file or a folder does not exist
    │   ├── CharsetError                          a text has characters that the model does not know
    │   └── ModelFormatError                      a model folder is incomplete, damaged or of another version
    │       └── MissingModelError                 there is no model folder; also a MissingFileError
    ├── MissingDependencyError (also ImportError) an optional package is not installed; the message has the command
    ├── MissingDerivativeError                    the loss has no such derivative; also a NotImplementedError
    └── InputWarning (also a UserWarning)         a warning: input can be used, but is probably not what was meant
"""

from __future__ import annotations


class CTCKitError(Exception):
    """Base class of all errors that ctckit raises."""


class InvalidInputError(CTCKitError, ValueError):
    """An argument has a wrong type, shape, size or content."""


class InfeasibleTargetError(InvalidInputError):
    """The given frames cannot emit a target.

    Attributes:
        items: The batch positions of these targets, ascending.
    """

    def __init__(self, message: str, items: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.items = items


class BackendError(InvalidInputError):
    """A backend that was named in a call cannot compute it."""


class DataError(CTCKitError, ValueError):
    """A file, an image or a text cannot be used."""


class MissingFileError(DataError, FileNotFoundError):
    """A file or a folder does not exist. It is an ``OSError`` as well, like that of Python's ``open``."""


class CharsetError(DataError):
    """A text contains characters that are not in the charset."""


class ModelFormatError(DataError):
    """A model folder is incomplete, damaged or of an unknown version."""


class MissingModelError(ModelFormatError, MissingFileError):
    """There is no model in this folder."""


class MissingDependencyError(CTCKitError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f'{what} needs {package}, which is not installed. Install it: pip install "ctckit[{extra}]"')
        self._what = what
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingDependencyError], tuple[str, str, str]]:
        return type(self), (self._what, self.package, self.extra)


class MissingDerivativeError(CTCKitError, NotImplementedError):
    """The loss has no derivative of this kind. PyTorch raises a ``NotImplementedError`` in such cases."""


class InputWarning(CTCKitError, UserWarning):  # noqa: N818 - a warning
    """A warning: input is probably not what the function expects, or a part of it is left out.

    It is an error where warnings are turned into errors.
    """
