# %% [markdown]
# # 1 · Why CTC
#
# [中文](zh/1_why_ctc.py)
#
# A picture of some handwritten digits goes in, the string of digits comes out. Nobody says where in the picture each
# digit is. This chapter looks at four ways to set up that task, at what a network for the last way sees, and at the one
# thing that is then missing. That one thing is CTC.
#
# What you read below the code is what the code printed when this page was built. Three things on the later pages are
# recorded instead: a table of worst cases in chapter 4, the network's output in chapter 8, the benchmarks in chapter 9.

# %% tags=["hide-input"]
import numpy as np
from _support import (
    BLUE,
    GREEN,
    GREY,
    QUICK,
    RED,
    blank_figure,
    picture,
    reader,
    show_line,
    show_matrix,
    table,
)

from ctckit.ocr.data.synthetic import held_out_strings

lines = held_out_strings(60 if QUICK else 400)
figure = blank_figure(8, 2.4)
for place, line in enumerate(lines[:6]):
    axes = figure.add_subplot(2, 3, place + 1)
    show_line(axes, line.image, title=line.text)
    axes.set_aspect("equal")
picture(
    figure,
    "Six lines of handwritten digits, with their texts. The digits are real, the lines are set from them.",
)

# %% [markdown]
# ## Four ways to read
#
# **Character by character.** Cut the line into characters, classify each one. The classifier is easy: one small
# picture, one of ten classes. The cutting is not. Let us cut wherever a column of the picture has no ink, which is the
# best that can be done without knowing what is written:


# %%
def pieces(image: np.ndarray) -> int:
    """How many stretches of columns with ink there are."""
    paper = np.median(image)
    inked = (image < paper - 60).any(axis=0)
    return int(np.count_nonzero(inked[1:] & ~inked[:-1]) + inked[0])


right = [pieces(line.image) == len(line.text) for line in lines]
print(f"{sum(right)} of {len(lines)} lines fall into as many pieces as they have digits.")

# %% [markdown]
# Digits touch, the upper stroke of a 5 is apart from the rest, noise makes specks. And in joined handwriting, or in
# speech, there is nothing to cut at all: one has to know what is written to see where its parts are. (Sayre wrote this
# down as a paradox in 1973, and it has his name: to recognise a letter one must segment it, to segment it one must
# recognise it.)
#
# **Word by word.** One class for each whole string. That is a fine idea for "yes" and "no". For numbers:

# %%
strings = sum(10**n for n in range(3, 9))
print(f"{strings:,} classes for strings of 3 to 8 digits.")

# %% [markdown]
# Nearly all of them would never be seen in training. For strings of few digits there is a middle way, used for house
# numbers (Goodfellow and others, 2014): one classifier for the length, and one for each position, the first digit, the
# second, and so on. It has to fix the greatest length beforehand, and the classifier for the fifth digit learns nothing
# from the first.
#
# **Sequence to sequence, with attention.** A network looks at the whole line, then a second one writes the digits one
# by one. For each digit it computes weights over the line, its *attention*, which say where to look next; it has also
# seen the digits that it wrote before (Bahdanau, Cho and Bengio, 2014). Nothing has to be cut, and any length will do.
# But nothing says that reading goes from left to right: the network has to learn it from many examples. On long lines
# it may skip a part or write one twice, and it writes one digit after the other.
#
# **Frame by frame: CRNN + CTC.** Slide over the line, and say for each narrow slice what is there: a digit, or nothing.
# Then read the answers from left to right. Nothing has to be cut beforehand, any length will do, a 7 is learned in
# whatever place it stands, and all slices are computed at once. This is what a CRNN does, a *convolutional recurrent
# neural network* (Shi, Bai and Yao, 2015).
#
# Side by side:
#
# | way | a training example needs | where it fails |
# |---|---|---|
# | character by character | the position of each character | cutting needs reading; joined writing |
# | whole words as classes | a closed list of texts, each seen often | every text that is not in the list |
# | sequence to sequence, attention | the text; many lines | little data; long lines: skips and repeats |
# | CRNN + CTC | the text; a loss that knows only the text | more characters than frames; see "CTC or something else?" |
#
# ## What a CRNN sees
#
# Here is one, trained for a few hundred steps while this page was built (by `reader`, among the functions that
# draw the pictures). It has three parts:

# %% tags=["hide-input"]
blocks = (
    ("image", "(B, 1, 32, W)", GREY),
    ("convolutions", "(B, 64, 4, W/4)", GREEN),
    ("columns as\nvectors", "(B, T, 256)", GREEN),
    ("recurrent layer,\nboth directions", "(B, T, 256)", BLUE),
    ("linear layer", "(B, T, C)", RED),
)
figure = blank_figure(9, 1.7)
axes = figure.add_subplot()
for place, (name, shape, color) in enumerate(blocks):
    box = {"boxstyle": "round,pad=0.5", "facecolor": "none", "edgecolor": color}
    axes.text(place, 0.6, name, ha="center", va="center", fontsize=9, bbox=box)
    axes.text(place, -0.25, shape, ha="center", va="center", fontsize=9)
    if place:
        arrow = {"arrowstyle": "-|>", "color": GREY}
        axes.annotate("", (place - 0.36, 0.6), (place - 0.62, 0.6), arrowprops=arrow)
axes.set(xlim=(-0.5, len(blocks) - 0.5), ylim=(-0.6, 1.3))
axes.axis("off")
picture(
    figure,
    "The blocks of the CRNN and the shape behind each: B lines, W pixel columns, T = W / 4 frames, C classes.",
)

# %% [markdown]
# In numbers, for the first of the six lines:

# %%
import torch

from ctckit.ocr.data.batches import pad_images

network = reader().model
line = lines[0]
images, widths = pad_images([line.image])
with torch.inference_mode():
    slices, input_lengths = network.slices(images, widths)
    logits, _ = network(images, widths)
print("image   (B, 1, 32, W) =", tuple(images.shape))
print("slices  (B, T, 256)   =", tuple(slices.shape))
print("logits  (B, T, C)     =", tuple(logits.shape))

# %% [markdown]
# 1. **Convolutions** turn the picture into columns of features. They halve the width twice and the height three times,
#    so one column of the result stands for 4 pixel columns of the picture (and sees a bit more on both sides). Each
#    column is laid out as one vector of 64 channels × 4 rows = 256 numbers. From here on there is no height any more:
#    just a **sequence**.
# 2. **A recurrent layer**, read from left to right and from right to left, lets each slice know about its neighbours.
# 3. **One linear layer** gives each slice a score for each of C = 11 classes: ten digits, and an eleventh, the *blank*,
#    written ∅. What it is for is the subject of the next chapter.
#
# The four pictures below share one horizontal axis. Follow a digit downwards. (The network is young: where the last row
# differs from the title, it misreads.)

# %% tags=["hide-input"]
probs = logits[0].softmax(dim=1).numpy()
frames, classes = probs.shape
pixels = network.config.frame_pixels
figure = blank_figure(8, 7.4)
top, middle, bottom, sure = figure.subplots(4, 1, height_ratios=[1.1, 2, 2, 1])
show_line(
    top,
    line.image,
    frame_pixels=pixels,
    title=f"the image, 32 × {line.image.shape[1]} pixels, cut into slices of 4",
)
top.set_xlim(0, frames * pixels)
# features in the order of where they are strongest
order = np.argsort(slices[0].numpy().argmax(axis=0), kind="stable")
features = slices[0].numpy()[:, order]
show_matrix(middle, (features / (features.max(axis=0) + 1e-9)).T, color=GREEN)
middle.set(
    title="256 features of each slice, ordered by where they are strongest",
    yticks=[],
    ylabel="features",
)
show_matrix(bottom, probs.T)
names = ["∅", *"0123456789"]
bottom.set_yticks(range(classes), names, fontsize=8)
bottom.set(title="probabilities of the classes: one column for each frame", ylabel="class")
best = probs.argmax(axis=1)
for t, c in enumerate(best):
    sure.bar(
        t,
        probs[t, c],
        width=0.9,
        color=GREY if c == 0 else BLUE,
        alpha=0.35 if c == 0 else 1,
    )
    sure.text(t, 1.04, names[c], ha="center", color=GREY if c == 0 else RED, fontsize=9)
sure.set(
    xlim=(-0.5, frames - 0.5),
    ylim=(0, 1.25),
    xlabel="frame",
    yticks=[0, 1],
    title="the likeliest class of each frame",
)
picture(
    figure,
    f"From a line ({line.text}) to frames: image, features, probabilities, the likeliest class of each frame.",
)

# %% [markdown]
# We call a slice a **frame**, as in speech, where it is some 20 milliseconds of sound. From here on, four letters mean
# the same on every page and in every docstring of the library: **B** items in a batch, **T** frames, **C** classes,
# **N** tokens in the text to be read (a token is a class that is no blank: here, a digit).
#
# ## What is missing
#
# The network says T things. The text has N letters, and N is smaller:

# %%
print(f"T = {frames} frames:  {''.join(names[c] for c in best)}")
print(f"N = {len(line.text)} digits:  {line.text}")

# %% [markdown]
# To *train* it we need a loss, and the usual one, cross-entropy, wants the right class for each frame. We do not have
# that: we have the text. A digit is several frames wide, how many depends on the writer, and nobody has written down
# which frames they are.
#
# And to *read* with it, someone has to turn a row of T answers into a text of N letters.
#
# Connectionist temporal classification (Graves, Fernández, Gomez and Schmidhuber, 2006) answers both with one idea:
# **do not choose an alignment** (which frame says which letter), **add up all of them.** The next chapter says which
# "all", the third how to add up more alignments than there are atoms in the room with some ten thousand additions.
#
# ## CTC or something else?
#
# CTC makes three assumptions, and each tells when to take something else:
#
# * **Conditional independence.** Given the picture, the frames are independent: p(path) is a product over frames. The
#   network cannot say "if this is a 1, then that is a 7". A language model adds such knowledge afterwards (chapter 7).
# * **Monotonic.** Text and frames run in the same direction. That is right for reading and for speech, and wrong for
#   translation, or for a page of which the reading order is not known.
# * **Many to one.** Each token takes a frame or more, so a text cannot have more tokens than there are frames. Each
#   pair of equal neighbors takes one frame more, for a blank between them (chapter 2).
#
# | | depends on earlier tokens | monotonic | all frames at once | take it for |
# |---|---|---|---|---|
# | CTC | no | yes | yes | lines and speech, little data, alignment, speed; with a language model |
# | transducer (RNN-T) | yes | yes | no: token by token | speech that is written while it is spoken, much data |
# | attention | yes | no | no: token by token | other orders, translation, summaries, much data |
#
# A *transducer* (Graves, 2012) has the blank and the lattice of CTC, and a second network that sees the tokens written
# so far; it may write several tokens in one frame. Many systems combine them: CTC as a second loss keeps attention
# monotonic (Kim, Hori and Watanabe, 2017), and attention chooses among the best texts of CTC (the guide on
# [rescoring](../guides/rescoring.md) does it with a language model).

# %% [markdown]
# ## Where this is in the package
#
# [`ocr/networks/crnn.py`](../reference/ocr.md) is the network, with the same three parts; `CRNN.slices` gives the
# (B, T, 256) of the picture, and `CRNNConfig.frames` says how many frames a line of some width has.
# [`ocr/data/synthetic.py`](../reference/ocr.md) sets the lines of digits.
#
# ## Exercises
#
# In the notebook or the script, put your answer in the place of `...`: `check` then says `True` or `False`.
#
# **1.** How many frames does this network give for a line 300 pixels wide? And for one of 301? Can a line of 8 digits
# be too narrow for it?

# %%
from _support import check

check(..., "b3956a")  # the frames of 300 and of 301, as (…, …)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
print([network.frames(width) for width in (300, 301)])
# Each halving rounds up: 300 → 150 → 75, and 301 → 151 → 76. The network must say at least
# one thing for each digit, so T must be 8 or more (a little more, if digits repeat: next
# chapter). 8 digits in less than 29 pixels do not fit.
assert check(tuple(network.frames(width) for width in (300, 301)), "b3956a")
assert [network.frames(width) for width in (29, 28)] == [8, 7]

# %% [markdown]
# **2.** How does cutting at empty columns fare with lines of different lengths?

# %%
check(..., "e760bd")  # "better" or "worse" the longer the line is

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
rows = []
for digits in range(3, 9):
    of_this_length = [
        ok for ok, line in zip(right, lines, strict=True) if len(line.text) == digits
    ]
    rows.append([digits, len(of_this_length), f"{100 * np.mean(of_this_length):.0f} %"])
# Every digit is one more chance to go wrong: what works for one in 8 of 10 cases works
# for 3 in a row in 0.8³ = 51 %, and for 8 in a row in 0.8⁸ = 17 %.
assert check("worse", "e760bd")
table(rows, ["digits", "lines", "cut right"])

# %% [markdown]
# ## Sources
#
# * K. Sayre, [Machine recognition of handwritten words: a project
#   report](https://doi.org/10.1016/0031-3203%2873%2990044-7), *Pattern Recognition* 5, 1973.
# * A. Graves, S. Fernández, F. Gomez, J. Schmidhuber, [Connectionist temporal
#   classification](https://doi.org/10.1145/1143844.1143891), *ICML* 2006.
# * I. Goodfellow, Y. Bulatov, J. Ibarz, S. Arnoud, V. Shet, [Multi-digit number recognition from Street View
#   imagery](https://arxiv.org/abs/1312.6082), *ICLR* 2014.
# * D. Bahdanau, K. Cho, Y. Bengio, [Neural machine translation by jointly learning to align and
#   translate](https://arxiv.org/abs/1409.0473), *ICLR* 2015.
# * B. Shi, X. Bai, C. Yao, [An end-to-end trainable neural network for image-based sequence
#   recognition](https://arxiv.org/abs/1507.05717), 2015.
# * A. Graves, [Sequence transduction with recurrent neural networks](https://arxiv.org/abs/1211.3711), 2012.
# * S. Kim, T. Hori, S. Watanabe, [Joint CTC-attention based end-to-end speech
#   recognition](https://arxiv.org/abs/1609.06773), *ICASSP* 2017.
