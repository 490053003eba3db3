"""The height and the frames of a network, before its classes are known: as asked for, or as the texts need them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ctckit.errors import InvalidInputError
from ctckit.ocr.data.lines import LineSet, leave_out_narrow
from ctckit.ocr.networks import Network, build, type_of

_FEW = 0.005  # of the lines


def shaped(kind: str, height: int | None, frame_pixels: int | None) -> Network:
    """Return a network of a kind, with this height and these frames; its classes do not matter yet.

    Args:
        kind: A name in ``ctckit.ocr.networks.NETWORKS``.
        height: The height of the lines in pixels; None is the usual one.
        frame_pixels: The pixel columns of a frame; None is the usual number.

    Raises:
        InvalidInputError: If the network has no such choice.
    """
    if height is None and frame_pixels is None:
        return build(kind, {"num_classes": 2})
    usual = type_of(kind).config(num_classes=2)
    if not hasattr(usual, "shaped"):
        raise InvalidInputError(f"the network {kind!r} has no choice of height or frame_pixels; give neither.")
    return build(kind, fields_of(usual.shaped(height=height, frame_pixels=frame_pixels)))


def with_frames_for(lines: LineSet, shape: Network, kind: str, height: int | None) -> tuple[Network, list[str]]:
    """Return the network with the coarsest frames that hold the texts, at most the usual ones; and why, in a line.

    A few texts may be wrong. So finer frames are taken only if a share of the lines needs them.
    """
    if not hasattr(shape.config, "shaped"):
        return shape, []
    chosen = shape
    narrow = usually = _count_narrow(lines, shape)
    choices = [pixels for pixels in shape.config.frame_choices if pixels < shape.frame_pixels]  # type: ignore[attr-defined]
    for pixels in reversed(choices if narrow else []):
        finer = shaped(kind, height, pixels)
        left = _count_narrow(lines, finer)
        if narrow - left > _FEW * len(lines.lines):
            chosen, narrow = finer, left
    if chosen is shape:
        return shape, []
    why = f"{usually - narrow} of {len(lines.lines)} texts do not fit into frames of {shape.frame_pixels}"
    return chosen, [f"A frame has {chosen.frame_pixels} pixel columns: {why}."]


def fields_of(config: Any) -> dict[str, Any]:
    """Return the fields of a configuration by name."""
    return {each.name: getattr(config, each.name) for each in fields(config)}


def _count_narrow(lines: LineSet, shape: Network) -> int:
    return len(leave_out_narrow(lines, shape).skipped) - len(lines.skipped)
