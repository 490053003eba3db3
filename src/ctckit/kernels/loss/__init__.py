"""The loss of a batch: ``reference`` defines it; the other kernels are faster and agree with it.

``BACKENDS`` maps a name to a function for the loss of a batch. All of them take the same arguments in the same order,
see ``native.ctc_loss``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.kernels.loss import native, reference_batch

BatchLoss = Callable[..., npt.NDArray[np.float64]]


def _triton(*arguments: Any, **options: Any) -> npt.NDArray[np.float64]:
    from ctckit.kernels.loss.triton import launch as triton_loss  # imports torch and triton, only when it is called

    return triton_loss.ctc_loss(*arguments, **options)


BACKENDS: dict[str, BatchLoss] = {
    "native": native.ctc_loss,
    "reference": reference_batch.ctc_loss,
    "triton": _triton,
}

__all__ = ["BACKENDS", "BatchLoss"]
