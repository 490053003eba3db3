"""The gradient by the logits, written once: each entry is read, computed and stored, and no other program touches it.

    gradient_t(c) = scale_b · (p_t(c) − γ_t(c))        p_t(c) = e^(x_t(c) − top_t) / sum_t

    1. p from the logits and the frame's maximum and normaliser (e^x for log-probabilities, 0 for scores);
    2. γ: every class walks the chain of the target's tokens that are equal to it, see triton_targets.py, always in the
       target's order. Most blocks of a large vocabulary have no chain, and walk nowhere;
    3. scale: what the item counts in the loss, times what comes from above.

Beyond the item's length, and where the target cannot be emitted, the gradient is 0; where a logit is not a number, NaN.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["frames", "tokens"])
def gradient(
    logits_ptr,  # (B, T, C)
    top_ptr,  # (B, 2, T)
    facts_ptr,  # (B, 4)
    head_ptr,  # (B, C)
    following_ptr,  # (B, N)
    occupancy_ptr,  # (B, T, N)
    blanks_ptr,  # (B, T, W)
    losses_ptr,  # (B,) float64
    weights_ptr,  # (B,) float64
    upstream_ptr,  # (1,) or (B,)
    gradient_ptr,  # (B, T, C), contiguous, written
    blank_class,
    frames,
    tokens,
    classes,
    windows,
    stride_item,
    stride_frame,
    stride_upstream,
    KIND: tl.constexpr,  # "logits", "log_probs", "scores"
    ROWS: tl.constexpr,
    CLASS_BLOCK: tl.constexpr,
):
    """ROWS frames × CLASS_BLOCK classes of one item. Programs: items × blocks of frames × blocks of classes."""
    frame_blocks, class_blocks = tl.cdiv(frames, ROWS), tl.cdiv(classes, CLASS_BLOCK)
    block = tl.program_id(0) // class_blocks
    b = (block // frame_blocks).to(tl.int64)
    t = block % frame_blocks * ROWS + tl.arange(0, ROWS)
    c = tl.program_id(0) % class_blocks * CLASS_BLOCK + tl.arange(0, CLASS_BLOCK)
    length = tl.load(facts_ptr + b * 4)
    loss = tl.load(losses_ptr + b)
    weight = tl.load(weights_ptr + b)
    upstream = tl.load(upstream_ptr + b * stride_upstream).to(tl.float64)
    length = tl.where(loss == float("inf"), 0, length)
    length = tl.where(weight == 0, 0, length)
    here = t < length
    inside = here[:, None] & (c < classes)[None, :]

    # 1.
    place = t.to(tl.int64)[:, None] * stride_frame + c[None, :]
    if KIND == "scores":
        result = tl.zeros((ROWS, CLASS_BLOCK), tl.float32)
    else:
        x = tl.load(logits_ptr + b * stride_item + place, mask=inside, other=float("-inf")).to(tl.float32)
        if KIND == "logits":
            top = tl.load(top_ptr + 2 * b * frames + t, mask=here, other=0.0)
            total = tl.load(top_ptr + (2 * b + 1) * frames + t, mask=here, other=1.0)
            result = tl.exp(x - top[:, None]) * (1.0 / total)[:, None]
        else:
            result = tl.exp(x)

    # 2.
    of_frame = (b * frames + t) * tokens
    i = tl.load(head_ptr + b * classes + c, mask=c < classes, other=-1)
    while tl.max(i, axis=0) >= 0:
        walking = i >= 0
        result -= tl.load(
            occupancy_ptr + of_frame[:, None] + i[None, :], mask=here[:, None] & walking[None, :], other=0.0
        )
        i = tl.load(following_ptr + b * tokens + i, mask=walking, other=-1)
    for w in range(windows):
        blanks = tl.load(blanks_ptr + (b * frames + t) * windows + w, mask=here, other=0.0)
        result -= tl.where((c == blank_class)[None, :], blanks[:, None], 0.0)

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
