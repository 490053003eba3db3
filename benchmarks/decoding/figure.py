"""The figure of the page: time and gap, one panel for each kind of posteriors."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.common.figures import BLUE, GRAY, GREEN, INK, ORANGE, PINK, RED, SKY, dress, finish, panels
from benchmarks.common.results import Results, case_of
from benchmarks.decoding.figures import Measurement, gap, microseconds
from benchmarks.decoding.peers import PEERS

CASES = ("ocr_ppv4", "speech", "nanopore")
COLORS = {
    "ctckit": RED,
    "greedy": GRAY,
    "pyctcdecode": BLUE,
    "ctc-beam-decoder": SKY,
    "flashlight": ORANGE,
    "fast-ctc-decode": GREEN,
    "tensorflow": PINK,
}
LEFT_OUT = ("ctckit AVX2",)  # its point would cover ctckit's


def draw(results: Results, path: Path) -> None:
    """Draw a point for each decoder: faster ones are further left, better ones are further down."""
    cases = [case for name in CASES if (case := case_of(results, name))]
    figure, all_axes = panels(3.9, len(cases))
    for axes, case in zip(all_axes, cases, strict=False):
        draw_case(axes, case)
    all_axes[0].set_ylabel("nats below the likeliest text found, mean", color=INK, fontsize=9)
    shown = {PEERS[name].library for case in cases for name in case["peers"]}
    for library in (each for each in COLORS if each in shown):
        all_axes[0].scatter([], [], color=COLORS[library], label=library, s=40)
    finish(figure, path, fontsize=8.5)


def draw_case(axes: Axes, case: Measurement) -> None:
    """Draw one panel."""
    for name in case["peers"]:
        if name in LEFT_OUT:
            continue
        color = COLORS[PEERS[name].library]
        axes.scatter(microseconds(case, name) or 0.0, gap(case, name) or 0.0, color=color, s=48, zorder=3)
    axes.set_xscale("log")
    axes.set_title(case["about"], color=INK, fontsize=10)
    axes.set_xlabel("µs a frame", color=INK, fontsize=9)
    dress(axes)
    axes.margins(0.08)
