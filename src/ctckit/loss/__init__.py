"""The CTC loss for PyTorch.

Read in this order: ``functional`` (``ctc_loss``), ``module`` (``CTCLoss``), ``options`` (the arguments that are not
tensors), ``autograd_cpu`` and ``autograd_cuda`` (the operators and their derivatives), ``objectives`` (losses on top).
"""

from __future__ import annotations

from ctckit.loss.functional import ctc_loss
from ctckit.loss.module import CTCLoss

__all__ = ["CTCLoss", "ctc_loss"]
