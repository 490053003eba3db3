"""Pictures of lattices. Drawing in characters is part of the objects themselves: ``print(lattice)``."""

from ctckit.viz.figures import draw_trellis
from ctckit.viz.live_page import write_live_page
from ctckit.viz.live_posterior import LivePosterior

__all__ = ["LivePosterior", "draw_trellis", "write_live_page"]
