"""Pictures of lattices and alignments. Drawing in characters is part of the objects themselves: ``print(lattice)``."""

from ctckit.viz.alignment import draw_alignment
from ctckit.viz.figures import draw_trellis

__all__ = ["draw_alignment", "draw_trellis"]
