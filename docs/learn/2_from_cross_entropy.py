# %% [markdown]
# # 2 · From cross-entropy to CTC
#
# [中文](zh/2_from_cross_entropy.py)
#
# Where a classifier is trained, there is one picture, one right class, and one number: the cross-entropy, −log of the
# probability that the network gave to the right class. This chapter walks from there to CTC, and meets the only two new
# things on the way: the *collapse* and the *blank*.

# %% tags=["hide-input"]
import math

import numpy as np
from _support import (
    BLUE,
    GREY,
    RED,
    blank_figure,
    only_bottom,
    picture,
    show_line,
    table,
)

import ctckit
from ctckit.topology import adjacent_repeats, collapse, frames_needed

# %%
probs = np.array([0.05, 0.05, 0.80, 0.10])  # what a network says about one picture
right = 2
print(f"cross-entropy = −log {probs[right]} = {-math.log(probs[right]):.3f}")

# %% [markdown]
# Two pictures in a row, each with its class: the probability that both are right is the product, so the losses add up.
# T frames, each with its class: a sum of T cross-entropies. If only we knew the class of each frame.
#
# ## The same word, wide and narrow
#
# Here the same digits, in the same hand, are set twice: narrow and close, then wide and apart. Below each line stands
# what one *could* write down as the right class of each frame.

# %% tags=["hide-input"]
from dataclasses import replace

from ctckit.ocr.data.synthetic import TEST_STYLE, compose_strings, load_digit_slice

digits = load_digit_slice("test")
calm = replace(
    TEST_STYLE,
    digits=(3, 3),
    noise=(0.0, 0.02),
    slant=(0.0, 0.0),
    margin=(4, 4),
    contrast=(0.7, 0.7),
)
narrow = replace(calm, aspect=(0.6, 0.6), gap=(3.0, 3.0))
wide = replace(calm, aspect=(1.3, 1.3), gap=(9.0, 9.0))
[thin], [broad] = (
    compose_strings(digits, 1, seed=42, style=style) for style in (narrow, wide)
)
assert thin.text == broad.text


def frame_labels(line) -> str:
    """A label for each frame of 4 columns by hand: the n-th stretch of ink is the n-th digit."""
    inked = (line.image < np.median(line.image) - 60).any(axis=0)
    number = np.cumsum(np.append(inked[0], inked[1:] & ~inked[:-1]))
    label = [
        line.text[min(n, 3) - 1] if ink else "·"
        for ink, n in zip(inked, number, strict=True)
    ]
    return "".join(
        max(part, key=part.count)
        for part in ("".join(label[x : x + 4]) for x in range(0, len(label), 4))
    )


figure = blank_figure(8, 2.2)
figure.get_layout_engine().set(wspace=0.12)
for axes, line in zip(
    figure.subplots(1, 2, width_ratios=[thin.image.shape[1], broad.image.shape[1]]),
    (thin, broad),
    strict=True,
):
    show_line(axes, line.image, frame_pixels=4)
    for t, label in enumerate(frame_labels(line)):
        axes.text(
            4 * t + 2,
            38,
            label,
            ha="center",
            color=GREY if label == "·" else RED,
            fontsize=11,
        )
    axes.set_title(f"{line.image.shape[1]} pixels, {len(frame_labels(line))} frames")
picture(
    figure,
    f"The same {thin.text}, narrow and wide, cut into frames, and a possible class for each frame.",
)

# %%
print("narrow ", frame_labels(thin))
print("wide   ", frame_labels(broad))

# %% [markdown]
# Both are the same text. But how many frames each digit takes depends on the hand; where one ends and the next begins
# is a matter of taste; and someone would have to write such a row for each training line. For speech it is worse:
# nobody can say in which 20 ms of "seven" the *v* begins. So a label for each frame cannot be given. All we have is the
# text.
#
# ## Collapse: many rows, one text
#
# But the two rows above have something in common. Merge repeats, leave out the dots: both become the same three digits.
# That is the **collapse**, the one definition on which everything else stands:
#
# 1. merge neighbours that are equal,
# 2. then remove the blanks.
#
# In that order. A row of classes, one for each frame, is called a **path**; many paths collapse to one text. The
# library has it as a function; `_` stands for the blank here, so that you can type it.

# %%
names = "_abcdefghijklmnopqrstuvwxyz"  # class 0 is the blank


def collapsed(path: str) -> str:
    """The text that a path spells."""
    return "".join(names[c] for c in collapse([names.index(letter) for letter in path]))


for path in [
    "aappple",
    "_a_pp_ple_",
    "aaapplle",
    "app_ppl_e",
    "a_p_p_l_e",
    "________",
    "c_a_aat",
]:
    print(f"{path:>12} → {collapsed(path) or '(nothing)'}")
assert collapsed("_a_pp_ple_") == "apple" and collapsed("aaapplle") == "aple"

# %% [markdown]
# Try it:

# %% tags=["hide-input"]
from _widgets import collapse_box

collapse_box("_a_pp_ple_")

# %% [markdown]
# ## The blank: two jobs
#
# Look at `aaapplle`. It should have been *apple*, but merging repeats has eaten a *p*. That is why there is a blank at
# all; step 2 then takes it out again. The blank has two jobs:
#
# * **between equal letters** it keeps them apart: `ap_ple` collapses to *apple*, `apple` to *aple*;
# * **anywhere else** it says *nothing here*: a gap in the ink, silence, or simply *I am not sure yet*. A network that
#   had to say a letter in every frame would have to decide in every frame. With a blank, it can wait, and say the
#   letter in the one frame in which it is sure.
#
# In the live lattice: <a href="lattice.html#source=synthetic&amp;text=apple&amp;drags=8.0.-600_9.0.-600">without the
# blank between the two *p*</a>, the same network reads *aple*.
#
# It is not the space between words, which is a character like any other. And it is not an invention of the training
# only: reading uses it in the same way.
#
# ## How many frames does a text need?
#
# One for each letter, and one more for each pair of equal neighbours, for the blank between:
#
# $$ T \ge N + \text{adjacent repeats} $$
#
# In the live lattice: <a href="lattice.html#source=synthetic&amp;text=apple&amp;frames=5">*apple* in five frames</a>
# has no path.
#
# Say a batch holds these three lines:

# %%
batch = ["I love you", "How are you", "what's your name"]
rows = [
    [
        text,
        len(text),
        adjacent_repeats([ord(c) for c in text]),
        frames_needed([ord(c) for c in text]),
    ]
    for text in batch
]
rows += [["apple", 5, 1, frames_needed([ord(c) for c in "apple"])]]
assert [row[3] for row in rows] == [10, 11, 16, 6]
table(rows, ["text", "N", "repeats", "frames needed"])

# %% [markdown]
# None of the three has a repeat, so 10, 11 and 16 frames will do. Where all items of a batch get the same number of
# frames, as images scaled to one size do, **T must be 16 or more**: the text that needs most decides. What happens if
# it is 15? The third text has no path at all. Its probability is 0 and its loss −log 0 = ∞. That is the true answer,
# and `ctc_loss` gives it; asked for an error, it says which item it is. (`ctc_loss` takes *logits*, a network's scores
# before the softmax. Log-probabilities may be given too: the softmax leaves them as they are.)

# %%
import torch

characters = sorted(set("".join(batch)))
vocabulary = ctckit.Vocabulary.from_characters(characters)
targets = torch.zeros(3, 16, dtype=torch.int64)
for row, text in zip(targets, batch, strict=True):
    row[: len(text)] = torch.tensor(vocabulary.encode(text))
target_lengths = [len(text) for text in batch]

for frames in (16, 15):
    logits = torch.zeros(
        3, frames, len(vocabulary)
    )  # a network that has no idea: all classes alike
    losses = ctckit.ctc_loss(
        logits, targets, [frames] * 3, target_lengths, reduction="none"
    )
    print(f"T = {frames}:", [round(loss, 3) for loss in losses.tolist()])
    if frames == 16:  # one letter a frame: the third text has one path, of 16 factors 1 / C
        assert abs(losses[2] - 16 * math.log(len(vocabulary))) < 1e-4

try:
    ctckit.ctc_loss(logits, targets, [15] * 3, target_lengths, infeasible="error")
except ctckit.errors.InfeasibleTargetError as error:
    print(error)

# %% [markdown]
# (At T = 16 the third text has a single path, one letter in each frame, and its loss is 16 · log 19: there are 19
# classes, all alike.)
#
# In a real training, such items hide in the data: a long text under a narrow image, a transcript of the wrong
# recording. One infinite loss spoils a batch's mean. `infeasible="zero"` leaves such items out,
# [`ctckit.diagnose`](../guides/diagnose.md) finds and names them.
#
# ## The loss
#
# Now the definition. For its input x, an image say, a network gives for each frame t = 0 … T − 1 probabilities of the
# classes, $p_t(c)$. A path $\pi = (\pi_0 … \pi_{T-1})$ has the probability that each frame says its class, a product. A
# text *y* has the probability of **all its paths together**, a sum:
#
# $$ p(y \mid x) = \sum_{\pi:\ \mathrm{collapse}(\pi) = y} \; \prod_{t=0}^{T-1} p_t(\pi_t)
#    \qquad\qquad \text{loss} = -\log p(y \mid x) $$
#
# That is all of CTC. It is still a cross-entropy: −log of the probability of the right answer, only that the right
# answer can be given in many ways. With one frame and one letter there is one path, and it *is* the cross-entropy we
# began with:

# %%
log_probs = torch.log(torch.tensor(probs))[None, None]  # (B, T, C) = (1, 1, 4)
loss = ctckit.ctc_loss(log_probs, [[right]], [1], [1])
print(f"CTC of one frame: {loss.item():.3f}")
assert abs(loss.item() + math.log(probs[right])) < 1e-12

# %% [markdown]
# How many paths does a text have? Give each class the weight 1 in every frame. Then each path weighs 1, and the sum
# over the paths is their number. `ctckit.lattice` can compute this sum: it takes the logarithms of any weights, and
# does no softmax. The logarithm of 1 is 0, so all its numbers are 0 here. For *orange* and growing T:

# %% tags=["hide-input"]
tokens = [names.index(letter) for letter in "orange"]
lengths = [6, 7, 8, 10, 15, 30, 60, 100]
counts = []
for frames in lengths:
    uniform = np.zeros((frames, 27))
    counts.append(math.exp(ctckit.lattice(uniform, tokens).log_likelihood))
assert [round(count) for count in counts[:4]] == [1, 13, 91, 1820]
assert round(counts[4]) == math.comb(
    15 + 6, 2 * 6
)  # T + N over 2N, where no letter repeats
figure = blank_figure(7, 2.3)
axes = only_bottom(figure.add_subplot())
axes.bar(range(len(lengths)), counts, color=BLUE, width=0.6)
for place, count in enumerate(counts):
    axes.text(
        place,
        count * 1.6,
        f"{count:,.0f}" if count < 1e6 else f"{count:.1e}",
        ha="center",
        fontsize=9,
    )
axes.set(yscale="log", yticks=[], xlabel="frames", ylim=(0.5, max(counts) * 30))
axes.set_xticks(range(len(lengths)), lengths)
axes.minorticks_off()
picture(
    figure,
    "The number of paths that spell orange, for 6 to 100 frames, on a logarithmic scale.",
)

# %% [markdown]
# For T = 15 there are 293,930, for a line of 100 frames about $10^{15}$ (if no letter repeats, T + N choose 2N). Nobody
# adds these up one by one. [The next chapter](3_forward.py) gets the sum with a few thousand additions.
#
# ## Where this is in the package
#
# [`topology.py`](../reference/topology.md) holds `collapse`, `frames_needed`, `adjacent_repeats`; here is the first of
# them:

# %% tags=["remove-input"]
from _widgets import source_of

source_of(collapse)

# %% [markdown]
# [`loss/functional.py`](../reference/loss.md) is the loss, [`_checks.py`](../errors.md) has the message above.
#
# ## Exercises
#
# **1.** Which texts can two frames spell with the classes ∅, a, b? How often each?

# %%
from _support import check

check(..., "a1e581")  # the number of texts, and of paths of a, as (…, …)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
from collections import Counter
from itertools import product

spelled = Counter(
    collapsed("".join(path)) or "(nothing)" for path in product("_ab", repeat=2)
)
assert check((len(spelled), spelled["a"]), "a1e581")
spelled
# Nine paths, five texts: a and b have three paths each (aa, a_, _a). "aa" cannot be said in
# two frames.

# %% [markdown]
# **2.** What if the order of the two steps were the other way round: first remove blanks, then merge repeats?

# %%
check(..., "9dd602")  # what a_p_p_l_e becomes, as "…"

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
import itertools


def wrong_order(path: str) -> str:
    """Blanks first, repeats after."""
    return "".join(letter for letter, _ in itertools.groupby(path.replace("_", "")))


print(wrong_order("a_p_p_l_e"))  # aple: no path at all could spell a double letter
assert check(wrong_order("a_p_p_l_e"), "9dd602")

# %% [markdown]
# **3.** Do the probabilities of all texts sum to 1?

# %%
check(..., "3cae67")  # what they sum to

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
# Every path collapses to exactly one text, so summing over texts and their paths is summing
# over all paths: 1. (ctckit.lattice sums the paths of one text; the next chapter says how.)
frames = np.log(np.random.default_rng(0).dirichlet(np.ones(3), size=4))  # T = 4, C = 3
texts = {tuple(collapse(path)) for path in product(range(3), repeat=4)}
total = sum(math.exp(ctckit.lattice(frames, list(text)).log_likelihood) for text in texts)
print(len(texts), "texts, together", round(total, 12))
assert check(total, "3cae67") and abs(total - 1) < 1e-12

# %% [markdown]
# ## Sources
#
# * Graves and others, [Connectionist temporal classification](https://doi.org/10.1145/1143844.1143891), *ICML*
#   2006, sections 2 and 3.
# * A. Hannun, [Sequence modeling with CTC](https://distill.pub/2017/ctc/), *Distill*, 2017, has another good
#   introduction, with drawings.
