"""The public name of ``ctckit.loss.objectives``: losses on top of the CTC loss."""

from ctckit.loss.objectives import *  # noqa: F403
from ctckit.loss.objectives import __all__ as __all__
