"""Work on many machines: what a worker does with its inputs, in Ray, Spark, or a thread of this process.

::

    batches.py    BatchFunction: a batch of columns in, the same batch with more columns out
    read.py       ReadLines: images of lines → texts
    decode.py     DecodeLogits: the output of a network → texts
    align.py      AlignUtterances: recordings and their texts → the times of words
    transcribe.py the work of ctckit transcribe
    columns.py    the columns that several of them have
    threads.py    how many threads a worker computes with
    on_ray.py     --engine ray of the commands: the rows of inputs, computed by actors of Ray

The works of the commands are here as well (``ReadWork`` and others), so a row is the same whoever computes it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctckit.distributed.align import AlignUtterances
    from ctckit.distributed.decode import DecodeLogits
    from ctckit.distributed.read import ReadLines

__all__ = ["AlignUtterances", "DecodeLogits", "ReadLines"]

_MODULES = {"AlignUtterances": "align", "DecodeLogits": "decode", "ReadLines": "read"}  # each needs other packages


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'ctckit.distributed' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"ctckit.distributed.{_MODULES[name]}"), name)
    return value
