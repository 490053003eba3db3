"""The recursion, executed: ``reference`` defines it, the others are faster and agree with it.

``BACKENDS`` maps a name to a batch loss; all take the same arguments in the same order, see ``native.ctc_loss``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ctckit._checks import TargetBatch
from ctckit.kernels import native, reference_batch

BatchLoss = Callable[..., npt.NDArray[np.float64]]

BACKENDS: dict[str, BatchLoss] = {"native": native.ctc_loss, "reference": reference_batch.ctc_loss}

__all__ = ["BACKENDS", "BatchLoss", "TargetBatch", "native"]
