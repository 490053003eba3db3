# %% [markdown]
# # 9 · How it is fast
#
# The recursion of chapter 4 is ten lines of Python. The library runs the same recursion hundreds of times faster, and
# this chapter says by what: the *cell*, the *vector*, the *band*, the *checkpoint*, and what is left when all these are
# done. Times on this page were taken while it was built, on whatever machine that was; the figures against other
# libraries come from the [benchmark](../benchmarks/loss.md).

# %% tags=["hide-input"]
import math
import time

import numpy as np
import torch
from _support import (
    BLUE,
    GREEN,
    GREY,
    OCHRE,
    QUICK,
    RED,
    blank_figure,
    picture,
    table,
)
from _recorded import loss_benchmark

import ctckit
from ctckit.topology import ctc_topology

# %% [markdown]
# ## Three executions of one definition


# %%
def milliseconds(work, repeats: int = 5) -> float:
    """The fastest of some runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


rng = np.random.default_rng(0)
T, N, C = 400, 60, 32
logits = rng.normal(size=(T, C))
log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
target = rng.integers(1, C, size=N).tolist()


def by_loops() -> float:
    """Chapter 4, in logarithms: one number at a time."""
    y = [0] + [state for token in target for state in (token, 0)]
    alpha = [-math.inf] * len(y)
    alpha[0], alpha[1] = log_probs[0, 0], log_probs[0, y[1]]
    for row in log_probs[1:].tolist():
        now = []
        for s, c in enumerate(y):
            arriving = [alpha[s]]
            if s >= 1:
                arriving.append(alpha[s - 1])
            if s >= 2 and c not in (0, y[s - 2]):
                arriving.append(alpha[s - 2])
            top = max(arriving)
            now.append(
                top + math.log(sum(math.exp(a - top) for a in arriving)) + row[c]
                if top > -math.inf
                else top
            )
        alpha = now
    return -np.logaddexp(alpha[-1], alpha[-2])


def by_numpy() -> float:
    """The reference: all states of a frame at once, forwards only."""
    topology = ctc_topology(target)
    from ctckit.kernels.loss import reference

    return -reference.log_likelihood(reference.forward(log_probs, topology), topology)


z = torch.tensor(logits[None], dtype=torch.float32)


def by_ctckit() -> float:
    """The C++ core, from logits, in float32."""
    return ctckit.ctc_loss(z, [target], [T], [N], reduction="sum").item()


ctckit.set_num_threads(1)
ways = {
    "Python, number by number": by_loops,
    "NumPy, frame by frame": by_numpy,
    "ctckit.ctc_loss": by_ctckit,
}
losses = [way() for way in ways.values()]
assert np.ptp(losses) < 1e-3
times = {name: milliseconds(way) for name, way in ways.items()}
rows = [
    [name, f"{loss:.4f}", f"{ms:.3f}", f"{times['Python, number by number'] / ms:,.0f}×"]
    for (name, ms), loss in zip(times.items(), losses, strict=True)
]
table(rows, ["", "loss", "milliseconds", "times as fast"])

# %% [markdown]
# (The library's time includes the softmax, the checks and the way through PyTorch, some tens of microseconds whatever
# the size.)
#
# ## The cell
#
# A lattice has about T · 2N cells, and in each the same thing happens: three numbers are added, and multiplied by an
# emission. So what counts is what an addition costs. In log space it costs an exponential and a logarithm. As a
# mantissa with an exponent, it costs a comparison, a shift and an addition, and gives a better result (chapter 4). On
# arrays of float32, here:

# %%
a, b = rng.normal(size=(2, 1 << 16)).astype(np.float32)
e = rng.integers(-5, 5, size=1 << 16).astype(np.int32)
log_sum, plain, shifted = (
    milliseconds(work, 50) * 1e6 / len(a)
    for work in (lambda: np.logaddexp(a, b), lambda: a + b, lambda: np.ldexp(a, e))
)
print(
    f"NumPy, nanoseconds a number: logaddexp {log_sum:.2f}, addition {plain:.2f}, shift by an exponent {shifted:.2f}"
)

# %% [markdown]
# In the core a shift by an exponent is an addition of integers to the bits of the number. Two more savings come with
# it: the emission needs no logarithm (the softmax's exponential is used as it is), and mantissas are brought back to
# [0.5, 1) in every sixteenth frame only, because in sixteen they cannot grow or shrink beyond what a float32 holds.
#
# ## The vector
#
# A modern core adds 16 float32 numbers at once, if they lie side by side and all want the same. In the chain ∅ a ∅ p ∅
# … they do not: every second state is a blank, with other arrows. So the states are kept in **two rows**, letters and
# blanks:
#
#     label[i] ← label[i] (stay) + blank[i] (advance) + label[i−1] (skip, where y_i ≠ y_{i−1})
#     blank[i] ← blank[i] (stay) + label[i−1] (advance)
#
# Now neighbours do the same thing, and the three arrows are three loads, one of them shifted by one. In NumPy it reads:


# %%
def two_rows(probs: np.ndarray, target: list[int]) -> float:
    """Letters and blanks apart; float64, no scaling: for short inputs."""
    y = np.array(target)
    may_skip = np.append(0.0, y[1:] != y[:-1])
    label, blank = (
        np.zeros(len(y) + 1),
        np.zeros(len(y) + 1),
    )  # label[-1] stays 0: what comes from nowhere
    label[0], blank[0] = probs[0, y[0]], probs[0, 0]
    for frame in probs[1:]:
        before = np.roll(label, 1)  # label[i − 1]
        arriving = label[:-1] + blank[:-1] + may_skip * before[:-1]
        blank = (blank + before) * frame[0]
        label[:-1] = arriving * frame[y]
    return -math.log(label[-2] + blank[-1])


short = log_probs[:120], target[:30]
assert (
    abs(two_rows(np.exp(short[0]), short[1]) + ctckit.lattice(*short).log_likelihood) < 1e-9
)
print("the same loss:", two_rows(np.exp(short[0]), short[1]))

# %% [markdown]
# The C++ core is this, in blocks of 16 states, compiled once for each set of vector instructions (plain x86-64, AVX2,
# AVX-512, NEON), chosen when it is loaded.
#
# ## The band
#
# Not every cell can lie on a complete path: at frame t the path is at most in state 2t + 1, and must be near enough to
# the end to reach it. And among those that can, most are so unlikely that they change nothing. For a long recording,
# with a network that knows what it hears:

# %% tags=["hide-input"]
frames, tokens = (300, 60) if QUICK else (1200, 240)
y = rng.integers(1, C, size=tokens)
places = np.sort(rng.choice(frames, size=tokens, replace=False))
sure = 1.5 * rng.normal(size=(frames, C))
sure[:, 0] += 4
sure[places, 0] -= 4
sure[places, y] += 7
long = ctckit.lattice(sure - np.logaddexp.reduce(sure, axis=1, keepdims=True), y)
reachable = np.isfinite(long.alpha) & np.isfinite(long.beta)
matters = long.occupancy > 2.0**-64
figure = blank_figure(7.6, 3.4)
axes = figure.add_subplot()
axes.imshow(
    reachable.T,
    cmap="Blues",
    vmin=0,
    vmax=5,
    aspect="auto",
    alpha=reachable.T.astype(float),
)
t, s = np.nonzero(matters)
axes.scatter(t, s, s=0.3, color=BLUE, linewidths=0, rasterized=True)
axes.plot(range(frames), long.best_path(), color=RED, linewidth=0.8)
axes.set(
    xlabel="frame",
    ylabel="state",
    ylim=(2 * tokens + 1, 0),
    title=f"{frames} frames × {2 * tokens + 1} states",
)
picture(
    figure,
    "Pale: cells on any complete path. Blue: cells with an occupancy over 2⁻⁶⁴. Red: the likeliest path.",
)

# %%
print(
    f"cells: {long.alpha.size:,}; on a path: {reachable.sum():,}; with an occupancy over 2⁻⁶⁴: {matters.sum():,}"
)
assert long.occupancy[~matters].sum() < 1e-12

# %% [markdown]
# The forward pass walks the band of the reachable; the backward pass knows p and α, and drops blocks of states whose
# occupancy is under 2⁻⁶⁴: an error of at most T · S · 2⁻⁶⁴ in the gradient, far under what float32 shows. On the
# benchmark's long recordings it touches a third of the cells, those computed again (next section) included.
#
# ## The checkpoint
#
# The gradient needs α and β at the same frame. α comes from the left, β from the right, so one of them has to be kept:
# T · S numbers, often more than the logits. Or kept *here and there*: every k-th column of α is written down, a
# checkpoint. The backward pass then computes α again from the nearest checkpoint, k columns at a time, and meets β
# there, which need not be stored at all. Memory falls from T columns to T / k + k, which is least at k = √T.


# %%
def occupancy_by_checkpoints(
    log_probs: np.ndarray, target, every: int
) -> tuple[np.ndarray, int]:
    """γ (T, S), and the most columns that were held at once."""
    from ctckit.kernels.loss import reference

    topology = ctc_topology(target)
    emission = reference.emissions(log_probs, topology)

    def step(before: np.ndarray, t: int) -> np.ndarray:
        return reference.log_sum(reference.arrivals(before, topology)) + emission[t]

    kept, alpha = {}, topology.start + emission[0]
    for t in range(len(emission)):
        alpha = step(alpha, t) if t else alpha
        if t % every == 0:
            kept[t] = alpha
    total = reference.log_sum(alpha + topology.final)
    gamma, beta, most = np.zeros(emission.shape), topology.final, 0
    for first in sorted(kept, reverse=True):
        block = [kept[first]]
        for t in range(first + 1, min(first + every, len(emission))):
            block.append(step(block[-1], t))  # α, once more
        most = max(most, len(kept) + len(block))
        for t in reversed(range(first, first + len(block))):
            if t < len(emission) - 1:
                beta = reference.log_sum(
                    reference.departures(beta + emission[t + 1], topology)
                )
            gamma[t] = np.exp(block[t - first] + beta - total)
    return gamma, most


gamma, columns = occupancy_by_checkpoints(log_probs, target, every=20)
np.testing.assert_allclose(gamma, ctckit.lattice(log_probs, target).occupancy, atol=1e-9)
print(f"{T} frames: {columns} columns held instead of {T}, the same γ")

# %% [markdown]
# The price is a second forward pass; it stays in the cache, so it costs less than fetching α from memory would.
#
# ## The rest is the softmax
#
# Where there are many classes (97 for Latin text, 6,625 for Chinese), the lattice is the smaller part: it looks at a
# handful of classes, the softmax at all of them. So logits are read once for the normaliser, never written as
# log-probabilities, and the gradient is written once, as softmax with the occupancies subtracted on the way. What
# cannot be avoided is then: logits read once, gradient written once, at the speed of the memory. The benchmark measures
# how near it comes:

# %% tags=["hide-input"]
results = loss_benchmark()
rows = []
for row in results["rows"]:
    ours = row["peers"]["ctckit"]["both"]["median"]
    limit = row["bytes_moved"] / results["limits"]["copy"] / 1e6
    rows.append(
        [
            row["stands_for"],
            " × ".join(map(str, row["shape"])),
            f"{ours:.1f}",
            f"{ours / limit:.1f}",
            f"{row['cells'] / ours / 1e6:.2f}",
        ]
    )
table(
    rows,
    [
        "",
        "B × T × C",
        "ms, forward + backward",
        "times the memory's limit",
        "10⁹ cells a second",
    ],
)

# %% tags=["hide-input"]
peers = [name for name in results["rows"][0]["peers"] if name != "ctckit"]
colors = dict(zip(peers, (BLUE, OCHRE, GREEN, GREY), strict=False))
figure = blank_figure(8.6, 3)
axes = figure.add_subplot()
for i, peer in enumerate(peers):
    for x, row in enumerate(results["rows"]):
        if peer in row["peers"]:
            ratio = (
                row["peers"][peer]["both"]["median"]
                / row["peers"]["ctckit"]["both"]["median"]
            )
            place = x + (i - (len(peers) - 1) / 2) * 0.2
            axes.bar(place, ratio, 0.18, color=colors[peer], label=peer if x == 0 else None)
            axes.text(place, ratio * 1.08, f"{ratio:.0f}", ha="center", fontsize=7.5)
axes.set(yscale="log", ylim=(1, 2500), ylabel="times ctckit's time")
axes.minorticks_off()
axes.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
axes.set_xticks(
    range(len(results["rows"])),
    [row["stands_for"].replace(", ", "\n") for row in results["rows"]],
)
axes.legend(ncols=len(peers), loc="upper left", fontsize=8)
picture(
    figure,
    f"Other libraries' time over ctckit's, one thread, both ways ({results['date']}, {results['processor']}).",
)

# %% [markdown]
# This table and this picture are recorded measurements, not made with this page. The more classes, the nearer to the
# limit of the memory: 1.7 times its time with 6,625 classes, 4.3 times with 1,024, 11.3 times with 97. With 32 classes
# the lattice is the work, the limit says nothing (57 and 127 times), and the last column counts: up to two billion
# cells a second, on one core, forwards and backwards.
#
# ## Decoding
#
# The same thoughts again (`native/search/search.hpp`):
#
# * a frame of the beam search is a table of texts × classes, with one multiplication for each entry;
# * its numbers are plain probabilities with a common exponent, not logarithms;
# * the worst text that is still in the beam is a bound, which most classes cannot reach: they are never looked at;
# * a text that is reached in two ways is found by an index into an array, not by hashing it.
#
# The figures are on [their own page](../benchmarks/decoding.md).
#
# ## Where this is in the package
#
# `native/simd/number.hpp` (mantissa and exponent), `native/simd/lattice.hpp` (the two rows),
# `native/simd/loss_kernel.cpp` (band, checkpoints, softmax and gradient), `native/core/threads.cpp` (a pool: the
# costliest item first). [The benchmark](../benchmarks/loss.md) says what bounds each workload now.
#
# ## Exercises
#
# **1.** How many columns are held at best for T = 5,000, and how many with checkpoints of checkpoints?

# %%
from _support import check

check(..., "b7dbb0")  # both numbers, as (…, …)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
one_level = min((math.ceil(5000 / k) + k, k) for k in range(1, 5000))
two_levels = min(
    (math.ceil(5000 / (j * k)) + j + k, j, k) for j in range(1, 100) for k in range(1, 100)
)
print("one level", one_level, "two levels", two_levels)
assert check((one_level[0], two_levels[0]), "b7dbb0")
# T / k + k is least at k = √T: about 142 columns. With two levels 3 · T^(1/3): about 52,
# for one more pass over the lattice.

# %% [markdown]
# **2.** Two threads: how would you share out a batch of lines whose lengths differ?

# %%
check(..., "4a10fc")  # the "longest" or the "shortest" line first

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
# Item by item, each thread taking the next one when it is done, the costliest (T · N)
# first: a long line taken last would leave the others waiting. Each item is computed by one
# thread in one order, so the result is the same bits for any number of threads:
many = torch.randn(16, 100, 32, generator=torch.Generator().manual_seed(0))
texts, lengths = (
    torch.randint(1, 32, (16, 20), generator=torch.Generator().manual_seed(1)),
    [100] * 16,
)
same = []
for threads in (1, 2):
    ctckit.set_num_threads(threads)
    same.append(ctckit.ctc_loss(many, texts, lengths, [20] * 16, reduction="none"))
assert torch.equal(*same) and check("longest", "4a10fc")

# %% [markdown]
# ## Sources
#
# * A. Griewank, A. Walther, [Algorithm 799: revolve](https://doi.org/10.1145/347837.347846), *ACM Transactions on
#   Mathematical Software* 26, 2000, on checkpointing.
# * Everything else was measured; the [benchmark page](../benchmarks/loss.md) says how.
