"""Figures of lattices and alignments. The objects themselves draw in characters: ``print(lattice)``."""

from ctckit.viz.alignment import draw_alignment
from ctckit.viz.figures import draw_trellis
from ctckit.viz.live_page import write_live_page
from ctckit.viz.live_posterior import LivePosterior
from ctckit.viz.states import draw_states

__all__ = ["LivePosterior", "draw_alignment", "draw_states", "draw_trellis", "write_live_page"]
