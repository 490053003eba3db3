"""Reading text lines: a CRNN, its training, its model folder, and a recogniser to use it.

    from ctckit.ocr import Recognizer
    print(Recognizer.load("model").read(["line.png"])[0].text)

In reading order:

- :mod:`~ctckit.ocr.crnn`: the network
- :mod:`~ctckit.ocr.data`, :mod:`~ctckit.ocr.batches`: your lines, from files to batches
- :mod:`~ctckit.ocr.synthetic`: the demo's handwritten digit strings
- :mod:`~ctckit.ocr.training`, :mod:`~ctckit.ocr.checkpoint`, :mod:`~ctckit.ocr.evaluation`,
  :mod:`~ctckit.ocr.record`, :mod:`~ctckit.ocr.progress`: learning
- :mod:`~ctckit.ocr.model_folder`: saving and loading
- :mod:`~ctckit.ocr.fit`: from a folder of lines to a model folder, what ``ctckit train`` does
- :mod:`~ctckit.ocr.recognizer`: reading
- :mod:`~ctckit.ocr.demo`, :mod:`~ctckit.ocr.report`, :mod:`~ctckit.ocr.drawings`, :mod:`~ctckit.ocr.report_page`:
  ``make demo``

Everything here needs ``pip install "ctckit[ocr]"``; nothing is imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ctckit.errors import MissingDependencyError

if TYPE_CHECKING:
    from ctckit.ocr.crnn import CRNN, CRNNConfig
    from ctckit.ocr.fit import FitConfig, fit_lines
    from ctckit.ocr.recognizer import Reading, Recognizer

__all__ = ["CRNN", "CRNNConfig", "FitConfig", "Reading", "Recognizer", "fit_lines"]

_ROOMS = {
    "CRNN": "crnn",
    "CRNNConfig": "crnn",
    "FitConfig": "fit",
    "Reading": "recognizer",
    "Recognizer": "recognizer",
    "fit_lines": "fit",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'ctckit.ocr' has no attribute {name!r}")
    try:
        value = getattr(import_module(f"ctckit.ocr.{_ROOMS[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("ctckit"):
            raise
        raise MissingDependencyError(f"ctckit.ocr.{name}", error.name, "ocr") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
