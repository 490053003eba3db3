# %% [markdown]
# # 3 · The forward algorithm
#
# [中文](zh/3_forward.py)
#
# A text has more paths than can be listed. This chapter lists them once, for a very small text, and then finds the same
# sum without listing them.

# %% tags=["hide-input"]
from itertools import product

import numpy as np
from _support import (
    BLUE,
    GREY,
    INK,
    OCHRE,
    RED,
    VIOLET,
    blank_figure,
    fading,
    only_bottom,
    picture,
    table,
)

import ctckit
from ctckit.topology import collapse, ctc_topology
from ctckit.viz import draw_states, draw_trellis

# %% [markdown]
# ## All paths of a tiny example
#
# Three frames, three classes, ∅, *a* and *b*; in each frame a network has said how likely each is. We ask for the text
# *ab*.

# %%
names = ["∅", "a", "b"]
probs = np.array(
    [  # ∅    a    b
        [0.3, 0.6, 0.1],
        [0.5, 0.2, 0.3],
        [0.2, 0.1, 0.7],
    ]
)
target = [1, 2]

found = {}
for path in product(range(3), repeat=3):  # 3³ = 27 paths
    if collapse(path) == target:
        found[path] = float(np.prod([probs[t, c] for t, c in enumerate(path)]))
rows = [
    [
        "".join(names[c] for c in path),
        " · ".join(str(probs[t, c]) for t, c in enumerate(path)),
        f"{p:.3f}",
    ]
    for path, p in found.items()
]
table([*rows, ["sum", "", f"{sum(found.values()):.3f}"]], ["path", "", "probability"])

# %% [markdown]
# Five of the 27 paths spell *ab*. The library gives the same sum:

# %%
item = ctckit.lattice(np.log(probs), target)
print(f"p(ab) = {np.exp(item.log_likelihood):.3f}   loss = {-item.log_likelihood:.4f}")
assert abs(np.exp(item.log_likelihood) - sum(found.values())) < 1e-12

# %% [markdown]
# ## What the paths have in common
#
# Write the text with blanks around and between its letters: ∅ a ∅ b ∅. These are five **states**, numbered from 0: a
# text of N letters has S = 2N + 1 of them. Every path that spells *ab* goes through them from left to right: it starts
# in the first blank or in *a*, ends in *b* or the last blank, and in each frame it may do one of three things. These
# are **the three arrows**, and there is nothing else to CTC:
#
# | arrow | from → to | meaning |
# |---|---|---|
# | **stay** | s → s | the letter, or the silence, lasts another frame |
# | **advance** | s → s + 1 | on to the next state |
# | **skip** | s → s + 2 | over a blank, straight from letter to letter; only if the two letters differ |
#
# Why only then? Two equal letters need the blank between them: a path without it collapses to one letter, and spells
# another text. And no skip leads from blank to blank: it would leave out a letter.

# %% tags=["hide-input"]
axes = draw_states(ctc_topology(target), names=names)
picture(
    axes,
    "The states of ab. Loops: stay. Straight: advance. Arc: skip. Short arrows from below: where a path may start;"
    " double rings: where it may end.",
)

# %% tags=["hide-input"]
letters = ["", *"abcdefghijklmnopqrstuvwxyz"]
picture(
    draw_states(ctc_topology([20, 15, 15]), names=letters),
    "The states of too: no arc leads from o to o; the blank between them has to be said.",
)

# %% [markdown]
# Now give each frame a column of these states. A path is a walk through the columns; here are our five. (This picture,
# states × frames, is called a *trellis*; with its numbers, a *lattice*.)

# %% tags=["hide-input"]
figure = blank_figure(6.4, 3.2)
axes = only_bottom(figure.add_subplot())
labels = item.topology.labels.tolist()
colors = [BLUE, RED, "#3a8a4d", OCHRE, VIOLET]
for number, (path, color) in enumerate(zip(found, colors, strict=True)):
    state, walk = 0 if path[0] == 0 else 1, []
    for c in path:  # the state of a class, from where the path is
        state = next(s for s in range(state, 5) if labels[s] == c)
        walk.append(state)
    heights = np.array(walk) + 0.06 * (number - 2)
    axes.plot(
        range(3),
        heights,
        color=color,
        marker="o",
        markersize=5,
        label="".join(names[c] for c in path),
    )
axes.set(xticks=range(3), xlabel="frame", ylim=(4.5, -0.5), xlim=(-0.3, 2.9))
axes.set_yticks(range(5), [names[c] for c in labels])
axes.grid(axis="y", color=GREY, alpha=0.25)
axes.legend(loc="center right", fontsize=9)
picture(
    figure,
    "The five paths of ab in three frames, drawn a little apart where they run together.",
)

# %% [markdown]
# They share pieces: four of the five begin in *a*. And whatever happened before a state no longer matters for what
# comes after it. So there is no need to remember the paths: it is enough to know, for each state, **how much
# probability has arrived there so far**. Call it α:
#
# > $\alpha_t(s)$ is the sum of the probabilities of all beginnings of a path, frames 0 … t, that are in state s at
# > frame t.
#
# What arrives in a state comes from at most three states of the frame before, along the three arrows. The frame must
# then say the state's class; the probability that it does is called its **emission**, and is one more factor:
#
# $$ \alpha_t(s) = [\alpha_{t-1}(s) + \alpha_{t-1}(s-1) + \alpha_{t-1}(s-2)] \cdot p_t(\text{class of } s) $$
#
# (stay, advance, and skip, the last only where it is allowed). It begins in frame 0: there, the first blank and the
# first letter have their own probabilities, and all other states have 0.
#
# This is the **forward algorithm**. Computing a sum over many paths column by column, from sums that are already known,
# is called **dynamic programming**. By hand, frame by frame (the last line compares with the library, which keeps
# logarithms):

# %%
before = np.zeros(5)
columns = []
for t in range(3):
    now = np.zeros(5)
    for s in range(5):
        if t == 0:
            arriving = 1.0 if s < 2 else 0.0  # a path starts in one of the first two states
        else:
            arriving = before[s]  # stay
            if s >= 1:
                arriving += before[s - 1]  # advance
            if s == 3:
                arriving += before[s - 2]  # skip: here only from a (state 1) to b (state 3)
        now[s] = arriving * probs[t, labels[s]]
    columns.append(now)
    before = now
alpha = np.array(columns)
end, last = alpha[-1, 3], alpha[-1, 4]
print(f"p(ab) = α(b) + α(last ∅) = {end:.3f} + {last:.3f} = {end + last:.3f}")
np.testing.assert_allclose(alpha, np.exp(item.alpha), atol=1e-15)

# %% tags=["hide-input"]
figure = blank_figure(5.2, 2.8)
axes = only_bottom(figure.add_subplot())
axes.imshow(alpha.T, cmap=fading(BLUE), vmin=0, vmax=0.7, aspect="auto")
for (t, s), value in np.ndenumerate(alpha):
    axes.text(
        t, s, f"{value:.3f}", ha="center", va="center", color=GREY if value == 0 else INK
    )
axes.set(xticks=range(3), xlabel="frame", title="α")
axes.set_yticks(range(5), [names[c] for c in labels])
picture(
    figure,
    "The same sum, by columns: each number is what arrives from the column before, times its own probability.",
)

# %% [markdown]
# The last two numbers of the last column are all the paths: those that end in *b* and those that end in the blank
# behind it.
#
# ## dog
#
# Seven states: ∅ d ∅ o ∅ g ∅. Let each class weigh 1 in every frame; then α counts paths, and one sees the algorithm
# count.

# %% tags=["hide-input"]
dog = ctc_topology([4, 15, 7])
picture(
    draw_states(dog, names=letters),
    "The states of dog. Every blank between two different letters may be skipped.",
)

# %% tags=["hide-input"]
frames = 6
counting = ctckit.lattice(np.zeros((frames, 27)), [4, 15, 7])
ways = np.exp(counting.alpha).round().astype(int)
reached = counting.occupancy > 0
figure = blank_figure(7, 3.4)
axes = only_bottom(figure.add_subplot())
axes.imshow(reached.T, cmap=fading(BLUE), vmin=0, vmax=4, aspect="auto")
for (t, s), number in np.ndenumerate(ways):
    axes.text(
        t, s, number or "", ha="center", va="center", color=INK if reached[t, s] else GREY
    )
axes.set(
    xticks=range(frames), xlabel="frame", title="how many partial paths are in each state"
)
axes.set_yticks(range(7), counting.state_names(letters))
total = int(ways[-1, -2:].sum())
picture(
    figure,
    f"dog in six frames: {ways[-1, -2]} + {ways[-1, -1]} = {total} paths. Pale cells: on no complete path.",
)

# %%
assert total == 84
# in each path T − 1 multiplications, then all paths are added; in each cell two additions
# and a multiplication
listed = total * (frames - 1) + total - 1
by_columns = np.count_nonzero(reached) * 3
print(f"operations for {total} paths, listed: {listed}; by columns: at most {by_columns}")
frames, tokens = 100, [1 + n % 26 for n in range(20)]
many = ctckit.lattice(np.zeros((frames, 27)), tokens)
print(
    f"20 letters in 100 frames: {np.exp(many.log_likelihood):.2e} paths;",
    f"by columns: at most {frames * 41 * 3:,} operations",
)

# %% [markdown]
# That is the whole trick: **sum first, then multiply**, which is allowed because multiplication distributes over
# addition. The work grows with T · N, not with the number of paths.
#
# In the live lattice, α runs frame by frame: <a
# href="lattice.html#source=uniform&amp;text=dog&amp;frames=6&amp;play=recursion">*dog* in six
# frames, all classes equally likely</a>.
#
# The pale cells are those that no complete path visits: early on, one cannot be in *g* yet; late, one can no longer be
# in the first blank. What remains is a slanted band. Chapter 9 leaves the rest out.
#
# ## The same thing as a hidden Markov model
#
# Readers who know hidden Markov models have recognised one: states in a row, left to right, each emits its class; "how
# likely is the observation" is the forward algorithm (Rabiner, 1989). Two things differ. First, the arrows have no
# probabilities of their own: each weighs 1, because the network's output already sums to 1 in each frame. Second, the
# emissions differ. In a hidden Markov model a state has a probability of the observation: how likely is this picture
# if the class is *a*? In CTC it is the other way round: how likely is the class *a* if this is the picture? That is
# $p_t(c)$, what the network computes. So CTC calculates like a hidden Markov model; what comes out is a probability of
# texts, which over all texts sums to 1 (exercise 3 of chapter 2).
#
# The matrix of a network's probabilities is also called its *posteriors*. A trained network gives nearly all of the
# probability to one or two classes of each frame, so most arrows are hardly ever taken. Here is *dog* under a network
# that is sure of the letters, and less of when they begin. Dots: how likely the path is there, given that the text is
# dog (chapter 5 computes that); lines: how likely each arrow is taken; red: the likeliest single path.

# %% tags=["hide-input"]
rng = np.random.default_rng(3)
said = [0, 4, 4, 0, 0, 15, 0, 7, 7, 0]
or_else = [4, 0, 0, 15, 15, 0, 7, 0, 0, 0]
logits = 0.5 * rng.normal(size=(10, 27))
logits[range(10), said] += 5.0
logits[range(10), or_else] += 4.0
log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
sure = ctckit.lattice(log_probs, [4, 15, 7])
picture(draw_trellis(sure, names=letters), "The trellis of dog in ten frames.")

# %% [markdown]
# ## Where this is in the package
#
# `ctc_topology` in [`topology.py`](../reference/topology.md) makes the states and the arrows. Everything is a logarithm
# (the next chapter says why): 0 stands for a weight of 1, the arrow is there, and −∞ for a weight of 0, it is not.

# %% tags=["remove-input"]
from _widgets import source_of

from ctckit.kernels.loss import reference

source_of(ctc_topology)

# %% [markdown]
# `forward` in [`kernels/loss/reference.py`](../reference/kernels.md) is the recursion:

# %% tags=["remove-input"]
source_of(reference.forward)

# %% tags=["remove-input"]
source_of(reference.arrivals)

# %% [markdown]
# `topology.transitions[k, s]` is the logarithm of the weight of the arrow from s − k into s: k = 0 is stay, 1 advance,
# 2 skip. `topology.start` says where a path may begin: it is 0 for the first two states and −∞ for the others.
# `IMPOSSIBLE` is −∞, for an arrow that is not there. `emissions` looks up, for each frame and state, the
# log-probability of the state's class. `log_sum` adds numbers that are given as logarithms: the log of the sum of their
# exponentials. So `alpha` here is the logarithm of the α above. The C++ core has the same three arrows in
# `native/simd/transitions.hpp`.
#
# ## Exercises
#
# **1.** In *aab*, why may the path not skip from the first *a* to the second? Which paths would be counted for the
# wrong text?

# %%
from _support import check

check(..., "fb8e20")  # the text whose paths would be counted, as "…"

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
# "a a b" without a blank collapses to "ab", not to "aab". If the skip were allowed, paths of
# ab would be counted for aab. The topology forbids it: the logarithm of the skip's weight
# is −∞ into the second a (state 3), and 0 into b (state 5), where it is allowed.
print(ctc_topology([1, 1, 2]).skip.tolist())
assert check("".join(" ab"[c] for c in collapse([1, 1, 2])), "fb8e20")

# %% [markdown]
# **2.** The number of paths of *dog* in T frames is the binomial coefficient of T + 3 over 6. Check it for T = 3 … 12.
# What is it for *dot* and for *too*?

# %%
check(..., "da0867")  # the paths of dot and of too in 12 frames, as (…, …)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
from math import comb

in_twelve = {}
for text in ("dog", "dot", "too"):
    tokens = [letters.index(letter) for letter in text]
    counts = [
        round(float(np.exp(ctckit.lattice(np.zeros((T, 27)), tokens).log_likelihood)))
        for T in range(3, 13)
    ]
    print(text, counts)
    in_twelve[text] = counts[-1]
    if text != "too":
        assert counts == [comb(T + 3, 6) for T in range(3, 13)]
assert check((in_twelve["dot"], in_twelve["too"]), "da0867")
# dot has as many as dog. too has fewer: the blank between the two o is compulsory, so it
# has what a text without repeats has with one frame less.

# %% [markdown]
# ## Sources
#
# * Graves and others, [Connectionist temporal classification](https://doi.org/10.1145/1143844.1143891), *ICML*
#   2006, section 4.1.
# * L. Rabiner, [A tutorial on hidden Markov models](https://doi.org/10.1109/5.18626), *Proceedings of the IEEE* 77,
#   1989.
# * D. Jurafsky, J. Martin, [Speech and language processing](https://web.stanford.edu/~jurafsky/slp3/), a textbook with
#   chapters on hidden Markov models and on CTC.
