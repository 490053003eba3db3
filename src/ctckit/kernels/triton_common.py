"""What the Triton kernels share: numbers, tiles of emissions, one step of the recursion.

Numbers. As in the C++ core (native/number.hpp) a probability is a float32 mantissa times 2^exponent, the exponent an
int32: adding is a maximum, two exact shifts and an addition, and no length of the input costs digits. Mantissas are
brought back to [1, 2) at each step; 0 has the exponent ``ZERO``, below every other. What is smaller than 2^``FLOOR``
becomes 0, and a logit more than ``DEEPEST`` below its frame's maximum is as good as −∞.

States. Pair i holds state 2i, the blank before token i, and state 2i + 1, token i; pair N is the last blank alone. The
arrows of topology.py in pairs:

    into blank i    stay from blank i, advance from token i − 1
    into token i    stay from token i, advance from blank i, skip from token i − 1

so that one neighbour is all that a step has to ask for. One lane of a program holds one pair, or a few.

Frames go by in tiles of ``FRAMES``: the logits of a tile are asked for while the tile before is computed, so that
memory's latency is paid once, not at each step. A state before and behind a tile is all that has to be kept of the
recursion (a checkpoint): triton_occupancy.py computes the frames between again, all tiles at once.
"""

from __future__ import annotations

import triton
import triton.language as tl

FRAMES = 8  # in a tile
FEWEST_PAIRS = 32  # one a lane
MOST_PAIRS = 1024  # in a program; longer targets are cut into windows

ZERO = tl.constexpr(-900_000_000)
FLOOR = tl.constexpr(-(1 << 29))
DEEPEST = tl.constexpr(-1e8)
LN2_HIGH = tl.constexpr(0.693359375)  # ten bits: times an exponent it is exact
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

    With n = z / ln 2, rounded, e^z = 2^n · e^r and |r| ≤ ln 2 / 2; e^r is a polynomial, right to 1 ulp.
    """
    possible = z >= DEEPEST
    z = tl.where(possible, z, 0.0)
    n = tl.floor(z * 1.44269504088896341 + 0.5)
    r = ((z - n * LN2_HIGH) - n * LN2_LOW) + tl.where(possible, error, 0.0)
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
def alpha_step(blank, blank_exp, token, token_exp, of_token, of_blank, skips, lanes, PAIRS: tl.constexpr):
    """α of a frame from α of the frame before; ``of_token`` and ``of_blank`` are the frame's emissions, packed."""
    before, before_exp = neighbour(token, token_exp, lanes, -1, PAIRS)
    by_skip, by_skip_exp = tl.where(skips, before, 0.0), tl.where(skips, before_exp, ZERO)
    to_token, to_token_exp = add3(token, token_exp, blank, blank_exp, by_skip, by_skip_exp)
    to_blank, to_blank_exp = add(blank, blank_exp, before, before_exp)
    emission, emission_exp = unpack(of_token)
    token, token_exp = renormalized(to_token * emission, to_token_exp + emission_exp)
    emission, emission_exp = unpack(of_blank)
    blank, blank_exp = renormalized(to_blank * emission, to_blank_exp + emission_exp)
    return blank, blank_exp, token, token_exp


@triton.jit
def beta_step(blank, blank_exp, token, token_exp, of_token, of_blank, skips, lanes, PAIRS: tl.constexpr):
    """β of the frame before from β of a frame, whose emissions are given: the same arrows, walked backwards."""
    emission, emission_exp = unpack(of_token)
    token, token_exp = token * emission, token_exp + emission_exp
    emission, emission_exp = unpack(of_blank)
    blank, blank_exp = blank * emission, blank_exp + emission_exp
    by_skip, by_skip_exp = tl.where(skips, token, 0.0), tl.where(skips, token_exp, ZERO)
    entered, entered_exp = add(blank, blank_exp, by_skip, by_skip_exp)
    behind, behind_exp = neighbour(entered, entered_exp, lanes, 1, PAIRS)
    blank, blank_exp = add(blank, blank_exp, token, token_exp)
    token, token_exp = add(token, token_exp, behind, behind_exp)
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
    skips,
    lanes,
    PAIRS: tl.constexpr,
    FRAMES: tl.constexpr,
):
    """α behind a tile from α before it."""
    for f in tl.static_range(FRAMES):
        here = first + f < frames
        of_token, of_blank = emissions(x[f], top[f]), emissions(x_blank[f], top[f])
        b, b_exp, k, k_exp = alpha_step(blank, blank_exp, token, token_exp, of_token, of_blank, skips, lanes, PAIRS)
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
    skips,
    lanes,
    PAIRS: tl.constexpr,
    FRAMES: tl.constexpr,
):
    """β before a tile (of the last frame before it) from β of its last frame."""
    for f in tl.static_range(FRAMES - 1, -1, -1):
        here = first + f < frames
        of_token, of_blank = emissions(x[f], top[f]), emissions(x_blank[f], top[f])
        b, b_exp, k, k_exp = beta_step(blank, blank_exp, token, token_exp, of_token, of_blank, skips, lanes, PAIRS)
        blank, blank_exp = tl.where(here, b, blank), tl.where(here, b_exp, blank_exp)
        token, token_exp = tl.where(here, k, token), tl.where(here, k_exp, token_exp)
    return blank, blank_exp, token, token_exp
