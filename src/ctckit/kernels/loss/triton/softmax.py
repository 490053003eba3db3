"""The maximum and the normaliser of each frame: the one pass over the logits that the forward computation makes.

    top_t = max_c x_t(c)      sum_t = Σ_c e^(x_t(c) − top_t)      p_t(c) = e^(x_t(c) − top_t) / sum_t

The lattice runs on e^(x − top), so the loss is Σ_t log sum_t − log P, and these logarithms are kept apart, in float64:
nothing cancels. Classes at the maximum are counted, not summed: where the network is sure, the rest is far below the
last digit of 1, and log(1 + rest) is what the loss is made of.

For scores, which need not be normalised, log sum_t is replaced by −top_t: the loss is −log P − Σ_t top_t.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["frames"])
def normalizers(
    logits_ptr,  # (B, T, C), strides of items and frames, classes side by side
    facts_ptr,  # (B, FACTS)
    top_ptr,  # (B, 2, T) float32, written: maximum, normaliser (NaN where a logit is NaN or +∞)
    shift_ptr,  # (B, T) float64, written: the frame's part of the loss
    frames,
    classes,
    stride_item,
    stride_frame,
    IS_LOGITS: tl.constexpr,
    ROWS: tl.constexpr,  # frames of a program
    CLASS_BLOCK: tl.constexpr,
    ONE_BLOCK: tl.constexpr,  # CLASS_BLOCK ≥ C: the row stays in registers and is read once
):
    """ROWS frames of one item. Programs: items × blocks of frames."""
    blocks = tl.cdiv(frames, ROWS)
    b = (tl.program_id(0) // blocks).to(tl.int64)
    t = tl.program_id(0) % blocks * ROWS + tl.arange(0, ROWS)
    length = tl.load(facts_ptr + b * 4)
    here = t < length
    rows = logits_ptr + b * stride_item + t.to(tl.int64)[:, None] * stride_frame
    c = tl.arange(0, CLASS_BLOCK)[None, :]

    if ONE_BLOCK:
        x = tl.load(rows + c, mask=here[:, None] & (c < classes), other=float("-inf")).to(tl.float32)
        top = tl.max(x, axis=1)
        top = tl.where(top == float("-inf"), 0.0, top)
        z = x - top[:, None]
        rest = tl.sum(tl.where(z == 0, 0.0, tl.exp(z)), axis=1)
        count = tl.sum((z == 0).to(tl.float32), axis=1)
    else:
        highest = tl.full((ROWS, CLASS_BLOCK), float("-inf"), tl.float32)
        for first in range(0, classes, CLASS_BLOCK):
            inside = here[:, None] & (first + c < classes)
            highest = tl.maximum(highest, tl.load(rows + first + c, mask=inside, other=float("-inf")).to(tl.float32))
        top = tl.max(highest, axis=1)
        top = tl.where(top == float("-inf"), 0.0, top)
        rests = tl.zeros((ROWS, CLASS_BLOCK), tl.float32)
        counts = tl.zeros((ROWS, CLASS_BLOCK), tl.float32)
        for first in range(0, classes, CLASS_BLOCK):  # from the cache
            inside = here[:, None] & (first + c < classes)
            z = tl.load(rows + first + c, mask=inside, other=float("-inf")).to(tl.float32) - top[:, None]
            rests += tl.where(z == 0, 0.0, tl.exp(z))
            counts += (z == 0).to(tl.float32)
        rest, count = tl.sum(rests, axis=1), tl.sum(counts, axis=1)

    total = count.to(tl.float64) + rest.to(tl.float64)
    if IS_LOGITS:
        shift = tl.where(total == 0, 0.0, tl.log(tl.where(total == 0, 1.0, total)))  # all masked: P is 0 anyway
    else:
        shift = tl.where(total == total, -top.to(tl.float64), total)
    tl.store(top_ptr + 2 * b * frames + t, top, mask=here)
    tl.store(top_ptr + (2 * b + 1) * frames + t, total.to(tl.float32), mask=here)
    tl.store(shift_ptr + b * frames + t, shift, mask=here)
