# %% [markdown]
# # 4 · By hand
#
# [中文](zh/4_by_hand.py)
#
# A batch of three words, every number on the table: the expanded target, the first column, the three conditions, the
# recursion in ten lines, the loss. It comes out as PyTorch's, to twelve digits. Then the same again for long inputs,
# where numbers become so small that the *representation* of a number decides.

# %% tags=["hide-input"]
import numpy as np
import torch
from _support import (
    BLUE,
    GREY,
    INK,
    OCHRE,
    QUICK,
    RED,
    blank_figure,
    only_bottom,
    picture,
    show_matrix,
    table,
)

import ctckit

# %% [markdown]
# ## The batch
#
# Three words; 15 frames; 27 classes, the blank and 26 letters. A network that has not learned anything gives random
# logits.

# %%
words = ["orange", "apple", "watermelon"]
T, C = 15, 27
alphabet = "abcdefghijklmnopqrstuvwxyz"
vocabulary = ctckit.Vocabulary.from_characters(alphabet)  # class 0 is the blank

generator = torch.Generator().manual_seed(0)
logits = torch.randn(3, T, C, generator=generator, dtype=torch.float64)  # (B, T, C)
targets = torch.zeros(3, 10, dtype=torch.int64)  # (B, N), padded with what is never read
for row, word in zip(targets, words, strict=True):
    row[: len(word)] = torch.tensor(vocabulary.encode(word))
input_lengths = torch.tensor([T, T, T])
target_lengths = torch.tensor([len(word) for word in words])
targets

# %% [markdown]
# From logits to probabilities: a softmax over the classes, in each frame.

# %%
probs = logits.softmax(dim=2).numpy()  # (B, T, C); each frame sums to 1

# %% [markdown]
# ## The expanded target
#
# A blank before, between and behind the letters: N letters become S = 2N + 1 states.


# %%
def expand(target: list[int], blank: int = 0) -> list[int]:
    """Blanks around and between the tokens."""
    states = [blank]
    for token in target:
        states += [token, blank]
    return states


word = "apple"
states = expand(vocabulary.encode(word))
print("target ", vocabulary.encode(word))
print("states ", states)
print("        ", " ".join(vocabulary[c] or "∅" for c in states))
assert states == ctckit.topology.ctc_topology(vocabulary.encode(word)).labels.tolist()

# %% [markdown]
# ## The first column
#
# A path begins with a blank or with the first letter. Nothing else has any probability in frame 0:

# %%
p = probs[1]  # (T, C) of apple
alpha = np.zeros((T, len(states)))
alpha[0, 0] = p[0, 0]  # ∅
alpha[0, 1] = p[0, states[1]]  # a
print("α₀ =", alpha[0].round(4).tolist())

# %% [markdown]
# ## The three conditions
#
# For every later cell (t, s), what may arrive depends on what state s is. There are three cases for state s, known as
# the three conditions. They are not the three arrows: each case says which of the arrows *stay*, *advance* and *skip*
# lead into s. Each case has a picture; in pictures 1 and 2 the *skip* is missing. The numbers are those of *apple*.
#
# 1. **State s is a blank.** It is reached by *stay* and by *advance*. No skip: from the blank two states back it would
#    pass over a letter. (The first blank has no state before it: only *stay*.)
# 2. **State s is the same letter as two states before** (the second *p*). Again *stay* and *advance* only: without the
#    blank in between, two *p* in a row would collapse to one.
# 3. **Otherwise**, s is a letter that differs from the letter before it: *stay*, *advance*, and *skip* over the blank.
#    (The first letter has no letter before it: only *stay* and *advance*.)


# %%
def arriving(alpha: np.ndarray, t: int, s: int) -> dict[str, float]:
    """What comes into state s at frame t, along each arrow."""
    arrows = {"stay": alpha[t - 1, s]}
    if s >= 1:
        arrows["advance"] = alpha[t - 1, s - 1]
    is_blank = states[s] == 0  # condition 1
    is_repeat = not is_blank and s >= 2 and states[s] == states[s - 2]  # condition 2
    if s >= 2 and not is_blank and not is_repeat:  # condition 3
        arrows["skip"] = alpha[t - 1, s - 2]
    return arrows


for t in range(1, T):
    for s in range(len(states)):
        alpha[t, s] = sum(arriving(alpha, t, s).values()) * p[t, states[s]]


# %% tags=["hide-input"]
def draw_condition(axes, t: int, s: int, title: str) -> None:
    """The cell (t, s), the cells it comes from, and the arrows with their numbers."""
    incoming = arriving(alpha, t, s)
    colors = {"stay": GREY, "advance": BLUE, "skip": OCHRE}
    for k, (arrow, color) in enumerate(colors.items()):
        there = arrow in incoming
        name = vocabulary[states[s - k]] or "∅"
        axes.plot(0, -k, "o", color=GREY, markersize=7, alpha=1 if there else 0.3)
        axes.text(-0.12, -k, name, ha="center", va="center", fontsize=13)
        said = f"{arrow}\n{incoming[arrow]:.2e}" if there else f"no {arrow}"
        axes.text(-0.24, -k, said, color=color, ha="right", va="center", fontsize=8.5)
        style = {"arrowstyle": "-|>", "color": color, "lw": 1.6}
        if not there:
            style = {"arrowstyle": "-", "color": GREY, "ls": ":"}
        goal = (0.95, -0.03 * k) if there else (0.4, -0.6 * k)
        axes.annotate("", goal, (0.06, -0.97 * k), arrowprops=style)
    axes.plot(1, 0, "o", color=INK, markersize=9)
    axes.text(1.13, 0, vocabulary[states[s]] or "∅", ha="center", va="center", fontsize=13)
    total = sum(incoming.values())
    product = f"{total:.2e} · {p[t, states[s]]:.4f}\n= {alpha[t, s]:.2e}"
    axes.text(1.1, 0.25, product, ha="right", va="top", fontsize=8.5)
    axes.set(xlim=(-0.8, 1.25), ylim=(1.05, -2.4))
    axes.set_xticks([0, 1], [f"frame {t - 1}", f"frame {t}"])
    axes.set_yticks([])
    only_bottom(axes).set_title(title)


figure = blank_figure(9, 2.9)
one, two, three = figure.subplots(1, 3)
draw_condition(one, 6, 4, "1. a blank: state 4")
draw_condition(two, 6, 5, "2. the letter of state s − 2: state 5")
draw_condition(three, 6, 7, "3. another letter: state 7")
picture(
    figure,
    "The three conditions at frame 6 of apple: what arrives, times the probability of the state's class.",
)

# %% [markdown]
# The same three cases in the live lattice, with another network's numbers: <a
# href="lattice.html#source=synthetic&amp;text=apple&amp;state=6.4">a blank</a>, <a
# href="lattice.html#source=synthetic&amp;text=apple&amp;state=6.5">the second *p*</a>, <a
# href="lattice.html#source=synthetic&amp;text=apple&amp;state=6.7">another letter</a>.
#
# ## The matrix, and the loss
#
# A path ends in the last letter or in the blank behind it, so the probability of the word is the sum of the last two
# cells of the last column. The loss is −log of it.

# %%
likelihood = alpha[-1, -1] + alpha[-1, -2]
print(f"p({word}) = {likelihood:.6e}     loss = −log p = {-np.log(likelihood):.12f}")

# %% tags=["hide-input"]
figure = blank_figure(8, 3.6)
axes = figure.add_subplot()
with np.errstate(divide="ignore"):
    logs = np.log10(alpha)
shade = np.where(np.isneginf(logs), 0, 1 - (logs.max() - np.maximum(logs, -25)) / 25)
show_matrix(axes, shade.T)
for (t, s), value in np.ndenumerate(logs):
    axes.text(
        t,
        s,
        "" if np.isneginf(value) else f"{value:.1f}",
        ha="center",
        va="center",
        fontsize=7,
    )
axes.set_yticks(range(len(states)), [vocabulary[c] or "∅" for c in states])
axes.set(xticks=range(T), xlabel="frame", title="log₁₀ α of apple")
for s in (len(states) - 2, len(states) - 1):
    axes.add_patch(
        __import__("matplotlib").patches.Rectangle(
            (T - 1.5, s - 0.5), 1, 1, fill=False, edgecolor=RED, linewidth=1.5
        )
    )
picture(
    figure,
    "The α matrix of apple. Empty cells cannot be reached; the two framed ones sum to p(apple).",
)

# %% [markdown]
# The recursion in ten lines, and one more for the loss:


# %%
def loss_by_hand(probs: np.ndarray, target: list[int], blank: int = 0) -> float:
    """−log p(target) of (T, C) probabilities."""
    y = [blank] + [state for token in target for state in (token, blank)]
    alpha = np.zeros(len(y), probs.dtype)
    alpha[:2] = probs[0, y[:2]]
    for row in probs[1:]:
        arriving = alpha.copy()  # stay
        arriving[1:] += alpha[:-1]  # advance
        for s in range(2, len(y)):
            if y[s] not in (blank, y[s - 2]):
                arriving[s] += alpha[s - 2]  # skip
        alpha = arriving * row[y]
    return -np.log(alpha[-2:].sum())


by_hand = [loss_by_hand(probs[b], vocabulary.encode(word)) for b, word in enumerate(words)]

# %% [markdown]
# And the two losses one would use, on the same batch:

# %%
lengths = (input_lengths, target_lengths)
by_torch = torch.nn.functional.ctc_loss(
    logits.log_softmax(2).transpose(0, 1), targets, *lengths, reduction="none"
)
by_ctckit = ctckit.ctc_loss(logits, targets, *lengths, reduction="none")
rows = [
    [
        word,
        f"{hand:.12f}",
        f"{theirs:.12f}",
        f"{ours:.12f}",
        f"{max(abs(hand - theirs), abs(hand - ours)):.0e}",
    ]
    for word, hand, theirs, ours in zip(
        words, by_hand, by_torch.tolist(), by_ctckit.tolist(), strict=True
    )
]
np.testing.assert_allclose(by_torch.numpy(), by_hand, rtol=1e-12)
np.testing.assert_allclose(by_ctckit.numpy(), by_hand, rtol=1e-12)
table(rows, ["word", "by hand", "torch", "ctckit", "largest difference"])

# %% [markdown]
# (torch wants log-probabilities with time first; `ctckit.ctc_loss` takes logits, batch first, and does the softmax
# itself.)
#
# ## Where it breaks: small numbers
#
# That was CTC's loss, all of it. What follows is about computers: you may go on to [chapter 5](5_backwards.py) first.
#
# α is a sum of products, each of as many probabilities as there have been frames. Let us follow the largest α of a
# column through a longer input, and through what a computer's numbers can hold.

# %%
rng = np.random.default_rng(1)


def problem(frames: int, tokens: int, classes: int = 32) -> tuple[np.ndarray, list[int]]:
    """Random logits, about as large as a trained network's, as log-probabilities (T, C); and a target."""
    z = 2.0 * rng.normal(size=(frames, classes))
    target = rng.integers(1, classes, size=tokens).tolist()
    return z - np.logaddexp.reduce(z, axis=1, keepdims=True), target


log_probs, target = problem(300, 40)
exact = ctckit.lattice(log_probs, target)
largest = exact.alpha.max(axis=1) / np.log(10)
for name, least in (("float32", -45.0), ("float64", -323.3)):
    print(f"{name}: every α is 0 from frame {int(np.argmax(largest < least))} on")

# %% tags=["hide-input"]
figure = blank_figure(8, 2.6)
axes = figure.add_subplot()
axes.plot(largest, color=BLUE, label="largest α of the frame")
for height, name, color in (
    (-45.0, "float32: nothing below 1e-45", RED),
    (-323.3, "float64: nothing below 5e-324", OCHRE),
):
    axes.axhline(height, color=color, linewidth=1, linestyle="--")
    axes.text(300, height + 8, name, color=color, ha="right")
axes.set(xlabel="frame", ylabel="log₁₀")
axes.legend(loc="lower left")
picture(
    figure,
    "The largest α of each frame for 40 tokens in 300 frames: soon smaller than any number that float32 can hold.",
)

# %% [markdown]
# Then the probability is exactly 0 and the loss is ∞. Ways out, from the oldest to ours; each holds the same recursion;
# they differ in what they call a number.
#
# | way | a state's α is | cost of a sum |
# |---|---|---|
# | probabilities | the number itself | an addition |
# | Graves' rescaling | a number; each column is divided by its sum, whose logarithm is kept | an addition |
# | log space | its logarithm | log(eᵃ + eᵇ): an exponential and a logarithm |
# | mantissa and exponent | m · 2ᵉ, with an integer e **for each state** | an addition and a shift |

# %% [markdown]
# Each is a short function, the same ten lines with another notion of a number; unfold them if you like.

# %% tags=["hide-input"]
from ctckit.topology import ctc_topology


def rescaled(log_probs: np.ndarray, target: list[int], dtype: type) -> float:
    """Graves et al. 2006, section 4.1: each column is divided by its sum."""
    topology = ctc_topology(target)
    emission = np.exp(log_probs[:, topology.labels]).astype(dtype)
    skip = np.exp(topology.skip).astype(dtype)
    alpha, logs = np.exp(topology.start).astype(dtype) * emission[0], 0.0
    for t in range(len(emission)):
        if t:
            arriving = alpha.copy()
            arriving[1:] += alpha[:-1]
            arriving[2:] += alpha[:-2] * skip[2:]
            alpha = arriving * emission[t]
        scale = alpha.sum(dtype=dtype)
        if scale == 0:
            return np.inf
        alpha, logs = alpha / scale, logs + float(np.log(scale))
    end = float(alpha[-2:].sum())
    return -(logs + np.log(end)) if end > 0 else np.inf


def log_space(log_probs: np.ndarray, target: list[int], dtype: type) -> float:
    """Every number by its logarithm."""
    topology = ctc_topology(target)
    emission, skip = (
        log_probs[:, topology.labels].astype(dtype),
        topology.skip.astype(dtype),
    )
    alpha = topology.start.astype(dtype) + emission[0]
    for row in emission[1:]:
        arriving = alpha.copy()
        arriving[1:] = np.logaddexp(arriving[1:], alpha[:-1])
        arriving[2:] = np.logaddexp(arriving[2:], alpha[:-2] + skip[2:])
        alpha = arriving + row
    return -float(np.logaddexp(alpha[-1], alpha[-2]))


def scaled_sum(terms: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Σ m · 2^e: all shifted to the largest exponent, then added."""
    top = np.maximum.reduce([e for _, e in terms])
    return sum(np.ldexp(m, np.maximum(e - top, -200)) for m, e in terms), top


def mantissa_exponent(log_probs: np.ndarray, target: list[int], dtype: type) -> float:
    """A mantissa and a power of two for every state: what the C++ core does, 16 states at a time."""
    topology = ctc_topology(target)
    m_emission, e_emission = np.frexp(np.exp(log_probs[:, topology.labels]).astype(dtype))
    skip, start = np.exp(topology.skip).astype(dtype), np.exp(topology.start).astype(dtype)
    m, e = start * m_emission[0], e_emission[0].copy()
    nothing, least = np.zeros(1, dtype), np.full(1, -(2**28))
    e = np.where(m > 0, e, least)
    for t in range(1, len(log_probs)):
        one_back = np.concatenate([nothing, m[:-1]]), np.concatenate([least, e[:-1]])
        two_back = (
            np.concatenate([nothing, nothing, m[:-2]]) * skip,
            np.concatenate([least, least, e[:-2]]),
        )
        m, e = scaled_sum([(m, e), one_back, two_back])
        m, shift = np.frexp(m * m_emission[t])
        e = np.where(m > 0, e + e_emission[t] + shift, least)
    m, e = scaled_sum([(m[-1:], e[-1:]), (m[-2:-1], e[-2:-1])])
    return -(float(np.log(m.astype(np.float64)[0])) + float(e[0]) * np.log(2))


# %% [markdown]
# The same problems through all of them, against float64 logarithms:

# %%
sizes = [(15, 5), (300, 40), (800, 200), (5000, 500)][: 3 if QUICK else 4]
ways = [
    (
        "probabilities, float32",
        lambda lp, y: loss_by_hand(np.exp(lp).astype(np.float32), y),
    ),
    ("probabilities, float64", lambda lp, y: loss_by_hand(np.exp(lp), y)),
    ("rescaling, float32", lambda lp, y: rescaled(lp, y, np.float32)),
    ("rescaling, float64", lambda lp, y: rescaled(lp, y, np.float64)),
    ("log space, float32", lambda lp, y: log_space(lp, y, np.float32)),
    ("mantissa and exponent, float32", lambda lp, y: mantissa_exponent(lp, y, np.float32)),
]
problems = [problem(*size) for size in sizes]
truth = [log_space(*each, np.float64) for each in problems]


def error(way, each, right: float) -> str:
    """Relative to the loss."""
    with np.errstate(divide="ignore", under="ignore"):
        loss = way(*each)
    return f"{abs(loss - right) / right:.0e}" if np.isfinite(loss) else "∞, wrong"


results = [
    [name, *(error(way, each, right) for each, right in zip(problems, truth, strict=True))]
    for name, way in ways
]


def ctckit_loss(lp: np.ndarray, y: list[int]) -> float:
    """The library, in float32."""
    return ctckit.ctc_loss(
        torch.tensor(lp[None], dtype=torch.float32),
        [y],
        [len(lp)],
        [len(y)],
        reduction="sum",
    ).item()


results.append(
    [
        "ctckit.ctc_loss, float32",
        *(
            error(ctckit_loss, each, right)
            for each, right in zip(problems, truth, strict=True)
        ),
    ]
)
assert results[0][2] == "∞, wrong"
assert (
    QUICK or float(results[3][-1]) > 1e-3
)  # rescaling in float64: wrong in the third digit
assert all(float(cell) < 1e-5 for cell in results[-1][1:])
table(
    results,
    [
        "relative error of the loss",
        *(f"T = {frames}, N = {tokens}" for frames, tokens in sizes),
    ],
)

# %% [markdown]
# Rescaling is the classic answer, and most introductions stop there. Look at the long input: in float64, at logits that
# are nothing special, it gives a finite number that is *wrong*, and no warning. The reason is that **one** number
# scales a whole column, while the states of a column live in different worlds. The column's sum is dominated by the
# states that are *now* the likeliest. In the middle of a long random input these are states far to the right: the more
# states lie behind, the more ways have led there. But a path that is there in the middle has to wait till the end, and
# the states that the complete paths really pass may be $10^{-400}$ of the sum; they become 0, and the probability of
# everything behind them is lost:

# %% tags=["hide-input"]
long_lp, long_target = problems[-1]
long_item = ctckit.lattice(long_lp, long_target)
t = len(long_lp) // 2
column = (long_item.alpha[t] - long_item.alpha[t].max()) / np.log(10)
figure = blank_figure(8, 2.8)
axes = figure.add_subplot()
axes.plot(column, color=BLUE, label=f"α of frame {t}, relative to the largest, log₁₀")
needed = np.flatnonzero(long_item.occupancy[t] > 1e-6)
axes.axvspan(needed[0], needed[-1], color=RED, alpha=0.25, linewidth=0)
axes.text(needed[-1] + 15, -800, "states that carry the complete paths", color=RED)
axes.axhline(-323, color=OCHRE, linestyle="--", linewidth=1)
axes.text(
    0,
    -318,
    "below: 0 in float64, if the column has one scale",
    color=OCHRE,
    va="bottom",
)
axes.set(xlabel="state", ylim=(-900, 60))
axes.legend(loc="upper left")
picture(
    figure,
    f"One column of a long lattice ({len(long_lp)} frames, {len(long_target)} tokens).",
)

# %% [markdown]
# Log space holds every state by itself, and is right, but in float32 it pays twice: a logarithm of −20,000 has its last
# digit at 0.001, so differences of neighbours, from which the **gradient** is made (chapter 5), are rough; and each sum
# costs an exponential and a logarithm. A mantissa with an exponent of its own for each state holds every state by
# itself *and* keeps 24 bits of it. The worst cases of the library's tests, 32 hard inputs of up to 5,000 frames
# against float64 (recorded, not computed with this page):
#
# | | loss, relative | gradient, absolute |
# |---|---|---|
# | mantissa float32 and exponent int32 for each state | 2.4e-6 | 6e-6 |
# | log space float32 | 3.6e-6 | 0.22 |
# | one scale for each column, float64 | fails on the longest | NaN |
# | torch 2.13, float32 | 1.4e-6 | 0.024 at ordinary logits, 0.22 at 30 times larger ones |
#
# A gradient's entries lie between −1 and 1, so an error of 0.22 is no longer rounding. Other inputs, other errors; on
# this chapter's longest one:


# %% tags=["hide-input"]
def gradient_error(of: str) -> float:
    """Largest absolute error of a float32 gradient on the longest problem."""
    z = torch.tensor(long_lp[None], dtype=torch.float32, requires_grad=True)
    sizes = torch.tensor([len(long_lp)]), torch.tensor([len(long_target)])
    if of == "torch":
        torch.nn.functional.ctc_loss(
            z.log_softmax(2).transpose(0, 1),
            torch.tensor([long_target]),
            *sizes,
            reduction="sum",
        ).backward()
    else:
        ctckit.ctc_loss(z, [long_target], *sizes, reduction="sum").backward()
    return float(
        np.abs(z.grad[0].numpy() - (np.exp(long_lp) - long_item.token_occupancy)).max()
    )


errors = {of: gradient_error(of) for of in ("torch", "ctckit")}
assert errors["ctckit"] < 1e-5 < errors["torch"]
print(
    f"largest error of the float32 gradient: torch {errors['torch']:.0e}, ctckit {errors['ctckit']:.0e}"
)

# %% [markdown]
# ## All of it in one file
#
# {download}`ctc.py <ctc.py>` is the loss of a batch, complete, in under 120 lines of PyTorch: the expanded targets, the
# three conditions, the recursion, the rescaling, padding, both layouts of targets and the three reductions. A second
# function in it computes the gradient with β (chapter 5). It needs nothing of this library. Its numbers are those of
# the row "rescaling, float64" above: right for lines and sentences, not for an hour of speech. With our batch:

# %%
from ctc import ctc_loss

arguments = (
    logits.log_softmax(2).transpose(0, 1),  # (T, B, C), as torch has it
    targets,
    input_lengths,
    target_lengths,
)
for reduction in ("none", "sum", "mean"):
    ours = ctc_loss(*arguments, reduction=reduction)
    torchs = torch.nn.functional.ctc_loss(*arguments, reduction=reduction)
    torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=0)
    print(reduction, ours.numpy().round(4))

# %% [markdown]
# ## Where this is in the package
#
# [`kernels/loss/reference.py`](../reference/kernels.md) is this chapter in log space and float64: the definition.
# `native/simd/number.hpp` is mantissa and exponent, `native/simd/lattice.hpp` the recursion on them.
# `tests/kernels/test_kernels_agree.py` checks that they agree.
#
# ## Exercises
#
# **1.** Break condition 2 in `loss_by_hand` (allow the skip between equal letters). Which of the three words changes
# its loss, and in which direction?

# %%
from _support import check

check(..., "476ec4")  # the word, and "higher" or "lower", as (…, …)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
import inspect

broken: dict = {"np": np}
exec(
    inspect.getsource(loss_by_hand).replace("not in (blank, y[s - 2])", "!= blank"), broken
)
for b, name in enumerate(words):
    print(
        f"{name:>10} {by_hand[b]:.6f} → {broken['loss_by_hand'](probs[b], vocabulary.encode(name)):.6f}"
    )
# Only apple has a repeat. Paths of "aple" are now counted as apple's: its probability is
# too high, its loss too low.
assert check(("apple", "lower"), "476ec4")

# %% [markdown]
# **2.** What is the loss of an empty target?

# %%
check(..., "eebc81")  # the loss if all 27 classes are equally likely in each of 15 frames

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
# One state, the blank; one path, all blanks: −Σ log p(blank).
empty = ctckit.ctc_loss(
    logits[:1], torch.zeros(1, 0, dtype=torch.int64), [T], [0], reduction="sum"
).item()
print(empty, -np.log(probs[0, :, 0]).sum())
assert abs(empty + np.log(probs[0, :, 0]).sum()) < 1e-12
assert check(T * np.log(C), "eebc81")

# %% [markdown]
# **3.** How many frames does *watermelon* need at least? And *apple*? Set T to one less and see what `ctc_loss` says.

# %%
check(..., "949396")  # the frames of watermelon and of apple, as (…, …)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
assert check((10, 6), "949396")
for name, needed in (("watermelon", 10), ("apple", 6)):
    assert ctckit.topology.frames_needed(vocabulary.encode(name)) == needed
    short = logits[:1, : needed - 1]
    print(
        name,
        ctckit.ctc_loss(short, [vocabulary.encode(name)], [needed - 1], [len(name)]).item(),
    )

# %% [markdown]
# ## Sources
#
# * Graves and others, [Connectionist temporal classification](https://doi.org/10.1145/1143844.1143891), *ICML*
#   2006, equations 5 to 8, and the paragraph on rescaling.
# * The measurements are those of [the benchmark page](../benchmarks/loss.md) and of
#   `tests/kernels/test_kernels_agree.py`.
