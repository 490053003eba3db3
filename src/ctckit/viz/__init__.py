"""Pictures of lattices. Drawing in characters is part of the objects themselves: ``print(lattice)``."""

from ctckit.viz.figures import draw_trellis

__all__ = ["draw_trellis"]
