"""The gradient by the logits: one program reads, computes and writes each entry, once.

    gradient_t(c) = scale_b · (p_t(c) − γ_t(c))        p_t(c) = e^(x_t(c) − top_t) / sum_t

    1. p: from the logits and the maximum and normalizer of the frame (e^x for log-probabilities, 0 for scores);
    2. γ: each class adds the tokens of the target that have this class, in the order of the target, see targets.py.
       Most blocks of a large vocabulary have no such token;
    3. scale: the weight of the item in the loss, times the upstream gradient.

Beyond the length of the item, and for a target that cannot be emitted, the gradient is 0. If a logit of the item is NaN
or +∞, it is NaN.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl


class Occupied(NamedTuple):
    """The results of ``occupancies``."""

    tokens_ptr: Any  # (B, T, N) float32
    blanks_ptr: Any  # (B, T, W) float32
    windows: Any  # W


class Scale(NamedTuple):
    """The factors of an item's gradient."""

    losses_ptr: Any  # (B,) float64
    weights_ptr: Any  # (B,) float64
    upstream_ptr: Any  # (1,) or (B,)
    stride_upstream: Any


@triton.jit(do_not_specialize=["sizes"])
def gradient(
    given,  # common.Input
    targets,  # common.Targets
    occupied,  # Occupied
    scale,  # Scale
    gradient_ptr,  # (B, T, C), contiguous, written
    sizes,  # common.Sizes
    classes,
    KIND: tl.constexpr,  # "logits", "log_probs", "scores"
    BLOCK: tl.constexpr,  # frames
    CLASS_BLOCK: tl.constexpr,
):
    """Write BLOCK frames × CLASS_BLOCK classes of one item. Programs: items × blocks of frames × blocks of classes."""
    frames, tokens = sizes.frames, sizes.tokens
    frame_blocks, class_blocks = tl.cdiv(frames, BLOCK), tl.cdiv(classes, CLASS_BLOCK)
    block = tl.program_id(0) // class_blocks
    b = (block // frame_blocks).to(tl.int64)
    t = block % frame_blocks * BLOCK + tl.arange(0, BLOCK)
    c = tl.program_id(0) % class_blocks * CLASS_BLOCK + tl.arange(0, CLASS_BLOCK)
    length = tl.load(targets.facts_ptr + b * 4)
    loss = tl.load(scale.losses_ptr + b)
    weight = tl.load(scale.weights_ptr + b)
    upstream = tl.load(scale.upstream_ptr + b * scale.stride_upstream).to(tl.float64)
    length = tl.where(loss == float("inf"), 0, length)
    length = tl.where(weight == 0, 0, length)
    here = t < length
    inside = here[:, None] & (c < classes)[None, :]

    # 1.
    place = t.to(tl.int64)[:, None] * given.stride_frame + c[None, :]
    if KIND == "scores":
        result = tl.zeros((BLOCK, CLASS_BLOCK), tl.float32)
    else:
        x = tl.load(given.x_ptr + b * given.stride_item + place, mask=inside, other=float("-inf")).to(tl.float32)
        if KIND == "logits":
            top = tl.load(given.top_ptr + 2 * b * frames + t, mask=here, other=0.0)
            total = tl.load(given.top_ptr + (2 * b + 1) * frames + t, mask=here, other=1.0)
            result = tl.exp(x - top[:, None]) * (1.0 / total)[:, None]
        else:
            result = tl.exp(x)

    # 2.
    of_frame = (b * frames + t) * tokens
    i = tl.load(targets.head_ptr + b * classes + c, mask=c < classes, other=-1)
    while tl.max(i, axis=0) >= 0:
        walking = i >= 0
        result -= tl.load(
            occupied.tokens_ptr + of_frame[:, None] + i[None, :], mask=here[:, None] & walking[None, :], other=0.0
        )
        i = tl.load(targets.following_ptr + b * tokens + i, mask=walking, other=-1)
    for w in range(occupied.windows):
        blanks = tl.load(occupied.blanks_ptr + (b * frames + t) * occupied.windows + w, mask=here, other=0.0)
        result -= tl.where((c == given.blank)[None, :], blanks[:, None], 0.0)

    # 3.
    result *= (weight * upstream).to(tl.float32)
    result = tl.where(loss == loss, result, float("nan"))
    result = tl.where(inside, result, 0.0)
    place = (b * frames + t)[:, None] * classes + c[None, :]
    tl.store(
        gradient_ptr + place,
        result.to(gradient_ptr.dtype.element_ty),
        mask=(t < frames)[:, None] & (c < classes)[None, :],
    )
