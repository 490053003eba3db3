"""What the Triton kernels share: numbers, tiles of emissions, one step of the recursion.

Numbers. As in the C++ core (native/simd/number.hpp) a probability is a float32 mantissa times 2^exponent, the exponent
an int32: adding is a maximum, two exact shifts and an addition, and no length of the input costs digits. Mantissas are
brought back to [1, 2) at each step; 0 has the exponent ``ZERO``, below every other. What is smaller than 2^``FLOOR``
becomes 0, and a logit more than ``DEEPEST`` below its frame's maximum is as good as −∞.

States. Pair i holds state 2i, the blank before token i, and state 2i + 1, token i; pair N is the last blank alone. The
arrows of topology.py in pairs:

    into blank i    stay from blank i, advance from token i − 1
    into token i    stay from token i, advance from blank i, skip from token i − 1

so that one neighbour is all that a step has to ask for. Variants weigh each arrow, and have hops, from token i − 2 into
either, which is why they have kernels of their own (``WEIGHTED``), made from the same text.
One lane of a program holds one pair, or a few.

Frames go by in tiles of ``FRAMES``: the logits of a tile are asked for while the tile before is computed, so that
memory's latency is paid once, not at each step. A state before and behind a tile is all that has to be kept of the
recursion (a checkpoint): triton_occupancy.py computes the frames between again, all tiles at once.
"""

from __future__ import annotations

import triton
import triton.language as tl

ROUNDING = {"enable_fp_fusion": True}  # a product and its sum are rounded once, in every version of Triton
FRAMES = 8  # in a tile; half of that where a program has MOST_PAIRS, which fills its registers
FEWEST_PAIRS = 32  # one a lane
MOST_PAIRS = 1024  # in a program; longer targets are cut into windows

ZERO = tl.constexpr(-900_000_000)
FLOOR = tl.constexpr(-(1 << 29))
DEEPEST = tl.constexpr(-1e8)
LN2_HIGH = tl.constexpr(0.693359375)  # ten bits: times an exponent under 2^14 it is exact
LN2_LOW = tl.constexpr(-2.12194440e-4)


@triton.jit
def power_of_two(difference):
    """2^difference for differences ≤ 0; below 2^-126 it is 0."""
    return ((tl.maximum(difference, -127) + 127) << 23).to(tl.float32, bitcast=True)


@triton.jit
def renormalized(mantissa, exponent):
    """The same number, its mantissa in [1, 2) or 0."""
    bits = mantissa.to(tl.int32, bitcast=True)
    zero = (bits == 0) | (exponent < FLOOR)
    kept = ((bits & 0x007FFFFF) | 0x3F800000).to(tl.float32, bitcast=True)
    return tl.where(zero, 0.0, kept), tl.where(zero, ZERO, exponent + (bits >> 23) - 127)


@triton.jit
def add(a, a_exponent, b, b_exponent):
    """A sum of two numbers."""
    shared = tl.maximum(a_exponent, b_exponent)
    return a * power_of_two(a_exponent - shared) + b * power_of_two(b_exponent - shared), shared


@triton.jit
def add3(a, a_exponent, b, b_exponent, c, c_exponent):
    """A sum of three numbers."""
    shared = tl.maximum(tl.maximum(a_exponent, b_exponent), c_exponent)
    total = a * power_of_two(a_exponent - shared) + b * power_of_two(b_exponent - shared)
    return total + c * power_of_two(c_exponent - shared), shared


@triton.jit
def pack(mantissa, exponent):
    """Both halves in one int64, as they are kept in memory and handed from lane to lane."""
    return (exponent.to(tl.int64) << 32) | mantissa.to(tl.int32, bitcast=True).to(tl.int64)


@triton.jit
def unpack(packed):
    """Mantissa and exponent of what ``pack`` made."""
    return packed.to(tl.int32).to(tl.float32, bitcast=True), (packed >> 32).to(tl.int32)


@triton.jit
def neighbour(mantissa, exponent, lanes, STEP: tl.constexpr, PAIRS: tl.constexpr):
    """The numbers of pair i + STEP at each pair i; 0 past the edges."""
    wanted = lanes + STEP
    inside = (wanted >= 0) & (wanted < PAIRS)
    packed = tl.gather(pack(mantissa, exponent), tl.minimum(tl.maximum(wanted, 0), PAIRS - 1), 0)
    mantissa, exponent = unpack(packed)
    return tl.where(inside, mantissa, 0.0), tl.where(inside, exponent, ZERO)


@triton.jit
def exp_split(z, error):
    """e^(z + error) for z ≤ 0 as a number, packed; 0 where z is −∞, nearly, or not a number.

    With n = z / ln 2, rounded, e^z = 2^n · e^r and |r| ≤ ln 2 / 2; e^r is a polynomial, right to 1 ulp. Beyond −2^24 n
    is no longer known to the unit: r is kept in its range, which costs the last digit of z, not the sign of e^z.
    """
    possible = z >= DEEPEST
    z = tl.where(possible, z, 0.0)
    n = tl.floor(z * 1.44269504088896341 + 0.5)
    r = ((z - n * LN2_HIGH) - n * LN2_LOW) + tl.where(possible, error, 0.0)
    r = tl.minimum(tl.maximum(r, -0.4), 0.4)
    series = 1.9875691500e-4 * r + 1.3981999507e-3
    series = series * r + 8.3334519073e-3
    series = series * r + 4.1665795894e-2
    series = series * r + 1.6666665459e-1
    series = series * r + 5.0000001201e-1
    mantissa = (series * r) * r + r + 1.0
    return pack(tl.where(possible, mantissa, 0.0), tl.where(possible, n.to(tl.int32), 0))


@triton.jit
def emissions(x, top):
    """e^(x − top), packed. What rounding takes from a large difference is the relative error of its power: put back."""
    z = x - top
    back = z - x
    return exp_split(z, (x - (z - back)) - (top + back))


@triton.jit
def load_pairs(labels_ptr, pairs, tokens):
    """Of each pair: the class of its token, whether there is one, whether it may be skipped to."""
    live = (pairs >= 0) & (pairs < tokens)
    labels = tl.load(labels_ptr + pairs, mask=live, other=0)
    inner = live & (pairs > 0)
    return labels, live, inner & (tl.load(labels_ptr + pairs - 1, mask=inner, other=0) != labels)


@triton.jit
def load_tile(x_ptr, top_ptr, stride_frame, first, frames, labels, live, blank, FRAMES: tl.constexpr):
    """The logits of a tile, a tuple entry a frame: (PAIRS,) of the tokens, of the blank, the frame's maximum.

    Nothing beyond ``frames`` is read; there, and in pairs that are not ``live``, stands −∞.
    """
    x, of_blank, top = (), (), ()
    for f in tl.static_range(FRAMES):
        t = first + f
        inside = (t >= 0) & (t < frames)
        frame_ptr = x_ptr + tl.cast(t, tl.int64) * stride_frame
        until = tl.where(inside, labels, -1)
        x += (tl.load(frame_ptr + labels, mask=live & (until >= 0), other=float("-inf")).to(tl.float32),)
        of_blank += (tl.load(frame_ptr + blank, mask=inside, other=float("-inf")).to(tl.float32),)
        top += (tl.load(top_ptr + t, mask=inside, other=0.0),)
    return x, of_blank, top


@triton.jit
def load_arrows(arrows_ptr, labels_ptr, width, pairs, tokens, WEIGHTED: tl.constexpr):
    """The arrows into each pair, behind the classes and the mask of ``load_pairs``.

    Plain CTC: where a skip may be taken. Otherwise seven packed weights: stay, advance and hop into the blank; stay,
    advance, skip and hop into the token; and two of starting, in the blank and in the token.
    """
    labels, live, skips = load_pairs(labels_ptr, pairs, tokens)
    if WEIGHTED:
        arrows = ()
        for k in tl.static_range(9):
            arrows += (load_weight(arrows_ptr, k, width, pairs, tokens),)
        return labels, live, arrows
    else:  # noqa: RET505  # Triton asks for it: the two returns differ in type
        return labels, live, (skips,)


@triton.jit
def load_weight(arrows_ptr, k, width, pairs, tokens):
    """Row k of an item's (11, width) packed weights; 0 outside of its pairs."""
    inside = (pairs >= 0) & (pairs <= tokens)
    return tl.load(arrows_ptr + k * width + pairs, mask=inside, other=0)


@triton.jit
def times(mantissa, exponent, packed):
    """A product. Where it is 0 its exponent is that of 0: a sum would make way for any other."""
    factor, factor_exp = unpack(packed)
    product = mantissa * factor
    return product, tl.where(product > 0, exponent + factor_exp, ZERO)


@triton.jit
def alpha_step(
    blank,
    blank_exp,
    token,
    token_exp,
    of_token,
    of_blank,
    arrows,
    t,
    lanes,
    PAIRS: tl.constexpr,
    WEIGHTED: tl.constexpr,
):
    """α of frame t from α of the frame before; ``of_token`` and ``of_blank`` are the frame's emissions, packed."""
    before, before_exp = neighbour(token, token_exp, lanes, -1, PAIRS)
    if WEIGHTED:
        second, second_exp = neighbour(token, token_exp, lanes, -2, PAIRS)
        stay, stay_exp = times(token, token_exp, arrows[3])
        advance, advance_exp = times(blank, blank_exp, arrows[4])
        skip, skip_exp = times(before, before_exp, arrows[5])
        hop, hop_exp = times(second, second_exp, arrows[6])
        to_token, to_token_exp = add3(stay, stay_exp, advance, advance_exp, skip, skip_exp)
        to_token, to_token_exp = add(to_token, to_token_exp, hop, hop_exp)
        stay, stay_exp = times(blank, blank_exp, arrows[0])
        advance, advance_exp = times(before, before_exp, arrows[1])
        hop, hop_exp = times(second, second_exp, arrows[2])
        to_blank, to_blank_exp = add3(stay, stay_exp, advance, advance_exp, hop, hop_exp)
        start, start_exp = unpack(arrows[8])
        to_token, to_token_exp = tl.where(t == 0, start, to_token), tl.where(t == 0, start_exp, to_token_exp)
        start, start_exp = unpack(arrows[7])
        to_blank, to_blank_exp = tl.where(t == 0, start, to_blank), tl.where(t == 0, start_exp, to_blank_exp)
    else:
        skip, skip_exp = tl.where(arrows[0], before, 0.0), tl.where(arrows[0], before_exp, ZERO)
        to_token, to_token_exp = add3(token, token_exp, blank, blank_exp, skip, skip_exp)
        to_blank, to_blank_exp = add(blank, blank_exp, before, before_exp)
    token, token_exp = times(to_token, to_token_exp, of_token)
    blank, blank_exp = times(to_blank, to_blank_exp, of_blank)
    token, token_exp = renormalized(token, token_exp)
    blank, blank_exp = renormalized(blank, blank_exp)
    return blank, blank_exp, token, token_exp


@triton.jit
def beta_step(
    blank, blank_exp, token, token_exp, of_token, of_blank, arrows, lanes, PAIRS: tl.constexpr, WEIGHTED: tl.constexpr
):
    """β of the frame before from β of a frame, whose emissions are given: the same arrows, walked backwards."""
    token, token_exp = times(token, token_exp, of_token)
    blank, blank_exp = times(blank, blank_exp, of_blank)
    if WEIGHTED:
        advance, advance_exp = times(blank, blank_exp, arrows[1])
        skip, skip_exp = times(token, token_exp, arrows[5])
        ahead, ahead_exp = add(advance, advance_exp, skip, skip_exp)
        ahead, ahead_exp = neighbour(ahead, ahead_exp, lanes, 1, PAIRS)
        over, over_exp = times(blank, blank_exp, arrows[2])
        hop, hop_exp = times(token, token_exp, arrows[6])
        over, over_exp = add(over, over_exp, hop, hop_exp)
        over, over_exp = neighbour(over, over_exp, lanes, 2, PAIRS)
        stay, stay_exp = times(blank, blank_exp, arrows[0])
        advance, advance_exp = times(token, token_exp, arrows[4])
        blank, blank_exp = add(stay, stay_exp, advance, advance_exp)
        stay, stay_exp = times(token, token_exp, arrows[3])
        token, token_exp = add3(stay, stay_exp, ahead, ahead_exp, over, over_exp)
    else:
        skip, skip_exp = tl.where(arrows[0], token, 0.0), tl.where(arrows[0], token_exp, ZERO)
        ahead, ahead_exp = add(blank, blank_exp, skip, skip_exp)
        ahead, ahead_exp = neighbour(ahead, ahead_exp, lanes, 1, PAIRS)
        blank, blank_exp = add(blank, blank_exp, token, token_exp)
        token, token_exp = add(token, token_exp, ahead, ahead_exp)
    blank, blank_exp = renormalized(blank, blank_exp)
    token, token_exp = renormalized(token, token_exp)
    return blank, blank_exp, token, token_exp


@triton.jit
def alpha_tile(
    blank,
    blank_exp,
    token,
    token_exp,
    x,
    x_blank,
    top,
    first,
    frames,
    arrows,
    lanes,
    PAIRS: tl.constexpr,
    FRAMES: tl.constexpr,
    WEIGHTED: tl.constexpr,
):
    """α behind a tile from α before it."""
    for f in tl.static_range(FRAMES):
        here = first + f < frames
        of_token, of_blank = emissions(x[f], top[f]), emissions(x_blank[f], top[f])
        b, b_exp, k, k_exp = alpha_step(
            blank, blank_exp, token, token_exp, of_token, of_blank, arrows, first + f, lanes, PAIRS, WEIGHTED
        )
        blank, blank_exp = tl.where(here, b, blank), tl.where(here, b_exp, blank_exp)
        token, token_exp = tl.where(here, k, token), tl.where(here, k_exp, token_exp)
    return blank, blank_exp, token, token_exp


@triton.jit
def beta_tile(
    blank,
    blank_exp,
    token,
    token_exp,
    x,
    x_blank,
    top,
    first,
    frames,
    arrows,
    lanes,
    PAIRS: tl.constexpr,
    FRAMES: tl.constexpr,
    WEIGHTED: tl.constexpr,
):
    """β before a tile (of the last frame before it) from β of its last frame."""
    for f in tl.static_range(FRAMES - 1, -1, -1):
        here = first + f < frames
        of_token, of_blank = emissions(x[f], top[f]), emissions(x_blank[f], top[f])
        b, b_exp, k, k_exp = beta_step(
            blank, blank_exp, token, token_exp, of_token, of_blank, arrows, lanes, PAIRS, WEIGHTED
        )
        blank, blank_exp = tl.where(here, b, blank), tl.where(here, b_exp, blank_exp)
        token, token_exp = tl.where(here, k, token), tl.where(here, k_exp, token_exp)
    return blank, blank_exp, token, token_exp
