# %% [markdown]
# # 7 · Reading out
#
# A trained network gives probabilities for each frame. Which text do they say? This chapter reads handwritten dates:
# first in the obvious way, then in the right way, then with some knowledge of what dates look like.

# %% tags=["hide-input"]
import datetime
import math

import numpy as np
from _support import (
    BLUE,
    QUICK,
    RED,
    blank_figure,
    only_bottom,
    picture,
    reader,
    show_line,
    show_matrix,
    table,
)

import ctckit
from ctckit.ocr.data.synthetic import compose_texts, load_digit_slice


# %%
def dates(count: int, seed: int) -> list[str]:
    """Days between 1930 and 2025, as DDMMYYYY."""
    days = np.random.default_rng(seed).integers(0, 35_000, size=count)
    return [
        (datetime.date(1930, 1, 1) + datetime.timedelta(days=int(day))).strftime("%d%m%Y")
        for day in days
    ]


network = reader()  # the small CRNN of chapter 1: it makes mistakes, as we need here
vocabulary = network.vocabulary
texts = dates(60 if QUICK else 300, seed=7)
lines = compose_texts(load_digit_slice("test"), texts, seed=5)
posteriors = [
    each.numpy().astype(np.float64)
    for each in network.compute_log_probs([line.image for line in lines])
]
print(len(lines), "lines; the first says", texts[0], "in", len(posteriors[0]), "frames")

# %% [markdown]
# ## Greedy: the best path
#
# Take the likeliest class of each frame, and collapse. It is one line, and fast; its result is the text of the
# likeliest **path**.

# %%
greedy = [ctckit.greedy_decode(each, vocabulary=vocabulary)[0] for each in posteriors]
right = sum(found.text == text for found, text in zip(greedy, texts, strict=True))
print(f"greedy: {right} of {len(texts)} dates right")

# %% [markdown]
# But the likeliest path need not be a path of the likeliest **text**: a text has the sum of all its paths. The smallest
# example has two frames, and both say 60 % blank, 40 % *a*:

# %%
two = np.log([[0.6, 0.4], [0.6, 0.4]])
for name, target in (("(nothing)", []), ("a", [1])):
    print(
        f"{name:>10}: best path {['0.6 · 0.6 = 0.36', '0.6 · 0.4 = 0.24'][len(target)]},",
        f"all its paths {math.exp(ctckit.lattice(two, target).log_likelihood):.2f}",
    )
print(
    "greedy says",
    ctckit.greedy_decode(two)[0].tokens,
    "and the likeliest text is",
    ctckit.BeamDecoder(["", "a"]).decode(two)[0][0].tokens,
)

# %% [markdown]
# Greedy says *nothing*, in a case where *a* is nearly twice as likely. In real posteriors it happens where a network
# hesitates: between two digits, or about *when* a digit begins. Here is such a line:

# %%
beam = ctckit.BeamDecoder(vocabulary, beam_width=50)
best = [beam.decode(each)[0][0] for each in posteriors]
gain = [
    b.log_prob - g.log_prob if b.text == text else -1
    for b, g, text in zip(best, greedy, texts, strict=True)
]
shown = int(np.argmax(gain))
print("written ", texts[shown])
print(f"greedy   {greedy[shown].text}  log p = {greedy[shown].log_prob:.3f}")
print(f"beam     {best[shown].text}  log p = {best[shown].log_prob:.3f}")
assert all(  # never worse
    b.log_prob > g.log_prob - 1e-4 for b, g in zip(best, greedy, strict=True)
)

# %% tags=["hide-input"]
log_probs = posteriors[shown]
frames = len(log_probs)
figure = blank_figure(8.6, 4)
top, bottom = figure.subplots(2, 1, height_ratios=[1, 2.2])
show_line(top, lines[shown].image, frame_pixels=4, title=texts[shown])
top.set_xlim(0, 4 * frames)
show_matrix(bottom, np.exp(log_probs).T)
bottom.set_yticks(range(11), ["∅", *"0123456789"], fontsize=8)
bottom.set(xlabel="frame", title="the posterior")
path = log_probs.argmax(axis=1)
bottom.plot(range(frames), path, "o", color=RED, markersize=3)
picture(figure, "A line on which greedy errs; red: the likeliest class of each frame.")

# %% [markdown]
# ## Prefix beam search
#
# All texts cannot be tried. But texts can be *grown*, frame by frame: keep a **beam** of the likeliest beginnings, let
# each frame lengthen them, keep the best again. For this to be right, two numbers are needed for each beginning,
# because of the repeat rule:
#
# * **blank**: the sum of its paths that end, at this frame, in a blank;
# * **token**: the sum of those that end in its last digit.
#
# A further frame can then do four things to a beginning that ends in the digit *l*:
#
# | the frame says | what becomes of it |
# |---|---|
# | a blank | same text, now ends in a blank |
# | *l* again, after a digit *l* | same text: the digit lasts on |
# | *l* again, after a blank | a new text, with *l* twice |
# | another digit *c* | a new text, with *c* behind it |
#
# In the live lattice: <a href="lattice.html#source=digits&amp;step=15">a step of a training at which the greedy text
# and the beam's best text differ</a>. The player shows the beam after each frame.
#
# A text can be reached in several ways in the same frame: then they are added. This is again the forward algorithm, on
# all texts of the beam at once. In Python:


# %%
def prefix_beam_search(
    probs: np.ndarray, width: int
) -> list[dict[tuple[int, ...], tuple[float, float]]]:
    """The beam after each frame: {text: (blank, token)}, best first. Class 0 is the blank."""
    beam, history = {(): (1.0, 0.0)}, []
    for frame in probs:
        grown: dict[tuple[int, ...], list[float]] = {}
        for text, (blank, token) in beam.items():
            entry = grown.setdefault(text, [0.0, 0.0])
            entry[0] += (blank + token) * frame[0]
            if text:
                entry[1] += token * frame[text[-1]]
            for c in range(1, len(frame)):
                before = blank if text and c == text[-1] else blank + token
                grown.setdefault((*text, c), [0.0, 0.0])[1] += before * frame[c]
        ranked = sorted(grown.items(), key=lambda item: -sum(item[1]))[:width]
        beam = {text: (blank, token) for text, (blank, token) in ranked}
        history.append(beam)
    return history


history = prefix_beam_search(np.exp(log_probs), width=50)
final = next(iter(history[-1]))
print(
    vocabulary.decode(final),
    f"log p = {math.log(sum(history[-1][final])):.4f};",
    f"the library: {best[shown].text}, {best[shown].log_prob:.4f}",
)
assert vocabulary.decode(final) == best[shown].text
assert abs(math.log(sum(history[-1][final])) - best[shown].log_prob) < 0.5

# %% [markdown]
# The same beam, step by step. In each column, the four likeliest beginnings after that frame, with their share of all
# that is in the beam.

# %% tags=["hide-input"]
stops = np.unique(np.linspace(2, frames - 1, 9).round().astype(int))
figure = blank_figure(9.6, 3)
axes = figure.add_subplot()
for column, t in enumerate(stops):
    whole = sum(sum(masses) for masses in history[t].values())
    for row, (text, masses) in enumerate(list(history[t].items())[:4]):
        share = sum(masses) / whole
        axes.add_patch(
            __import__("matplotlib").patches.Rectangle(
                (column - 0.47, row - 0.42),
                0.94,
                0.84,
                color=BLUE,
                alpha=0.08 + 0.55 * share,
                linewidth=0,
            )
        )
        good = texts[shown].startswith(vocabulary.decode(text))
        axes.text(
            column,
            row - 0.08,
            vocabulary.decode(text) or "(nothing)",
            ha="center",
            va="center",
            fontsize=8.5,
            color=None if good else RED,
        )
        axes.text(
            column,
            row + 0.27,
            f"{100 * share:.0f} %",
            ha="center",
            va="center",
            fontsize=8,
        )
axes.set(xlim=(-0.6, len(stops) - 0.4), ylim=(3.6, -0.6), yticks=[], xlabel="after frame")
axes.set_xticks(range(len(stops)), [str(t) for t in stops])
only_bottom(axes)
picture(
    figure,
    "The beam over time; red: beginnings that are not those of the date.",
)

# %% [markdown]
# A beam of 1 decides at once, and cannot change its mind; with some tens of texts the truth can wait in the beam until
# later frames speak for it. `BeamDecoder` does what these twenty lines do, at some microseconds a frame, and then
# computes the exact log p of what it found (a text in the beam lacks the paths that came through beginnings that were
# dropped).

# %%
beam_right = sum(found.text == text for found, text in zip(best, texts, strict=True))
print(f"beam: {beam_right} of {len(texts)} dates right (greedy: {right})")

# %% [markdown]
# That is hardly more, and no surprise. The beam only repairs the *search*: it finds the text that the network holds for
# the likeliest. On most lines that greedy misreads, the network itself prefers a wrong text, and no search can help
# there. What helps is knowledge that the network does not have.
#
# ## A language model
#
# The beam finds the likeliest text *for the network*. A reader knows more: there is no 35th of May, and no month 54. A
# language model is that knowledge as a probability: of each next character, given those before it. We make one of 5,000
# other dates, and rank texts by
#
# $$ \text{score}(y) = \log p(y \mid x) + \lambda \log p_{\text{LM}}(y) $$
#
# How much to trust it, λ, is chosen on the first half of the lines, and judged on the other half. (`ctckit.tune` does
# this with folds.)

# %%
model = ctckit.NGramModel.train(dates(5000, seed=1), order=6, unit="char")
for text in ("31051984", "35051984", "31541984"):
    print(text, f"log p_LM = {model.log_prob(text):.1f}")

half = len(texts) // 2
decoders = {
    weight: ctckit.BeamDecoder(vocabulary, language_model=model, lm_weight=weight)
    for weight in (0.25, 0.5, 0.75, 1.0, 1.5)
}
found = {
    weight: [decoder.decode(each)[0][0] for each in posteriors]
    for weight, decoder in decoders.items()
}


def count(hypotheses: list, part: slice) -> int:
    """How many are right."""
    return sum(
        each.text == text for each, text in zip(hypotheses[part], texts[part], strict=True)
    )


first, second = slice(0, half), slice(half, None)
chosen = max(found, key=lambda weight: count(found[weight], first))
rows = [
    [name, count(each, second), f"{100 * count(each, second) / half:.0f} %"]
    for name, each in (
        ("greedy", greedy),
        ("beam", best),
        (f"beam + language model, λ = {chosen}", found[chosen]),
    )
]
if not QUICK:
    assert rows[2][1] > max(rows[1][1], rows[0][1])
table(rows, ["second half of the lines", f"right of {half}", ""])

# %% tags=["hide-input"]
corrected = [
    n
    for n in range(len(texts))
    if found[chosen][n].text == texts[n] != best[n].text and len(best[n].text) == 8
][:6]
figure = blank_figure(8.6, 1.5 * -(-len(corrected) // 3) + 0.2)
for place, n in enumerate(corrected):
    axes = figure.add_subplot(-(-len(corrected) // 3), 3, place + 1)
    show_line(axes, lines[n].image)
    axes.set_title(f"{best[n].text} → {found[chosen][n].text}", fontsize=9)
picture(figure, "What the language model put right: without it → with it.")

# %% [markdown]
# It also errs, in the other direction: where the writing is unclear it prefers what is common. A weight too high, and
# every date becomes the likeliest one.
#
# ## Hotwords
#
# Sometimes one knows something about *this* document: it is about 1984. A hotword adds some nats to every text that
# contains it. Here is a line that the plain beam misreads in its year, with and without the hint:


# %%
def year_wrong(n: int) -> bool:
    """Everything right but the year."""
    return (
        len(best[n].text) == 8
        and best[n].text[:4] == texts[n][:4]
        and best[n].text[4:] != texts[n][4:]
    )


hinted = -1
for n in filter(year_wrong, range(len(texts))):
    with_hint = ctckit.BeamDecoder(
        vocabulary, hotwords=[texts[n][4:]], hotword_weight=3.0
    ).decode(posteriors[n])[0][0]
    if with_hint.text == texts[n]:
        hinted = n
        break
if hinted >= 0:
    print("written ", texts[hinted])
    print("beam    ", best[hinted].text, f"log p = {best[hinted].log_prob:.2f}")
    print(
        "hinted  ",
        with_hint.text,
        f"log p = {with_hint.log_prob:.2f}, score = {with_hint.score:.2f}",
    )
else:
    print("In this run the beam misreads no year that the hint would put right.")

# %% [markdown]
# The hint does not force anything: it is worth 3 nats, a factor of 20. A line that clearly says another year keeps it.
#
# ## How sure?
#
# `decode(n_best=…)` gives the runners-up; each hypothesis has its exact log p and, for each token, a confidence: its
# posterior probability against every other token in its place, or none. `print` draws it: a column is a frame, the
# shade below a token says how sure it is, from · (hardly) to █ (quite):

# %%
print(best[shown])
for each in beam.decode(log_probs, n_best=4)[0]:
    print(f"{each.log_prob:8.3f}  {math.exp(each.log_prob):.3f}  {each.text}")

# %% [markdown]
# ## Where this is in the package
#
# [`kernels/search/reference.py`](../reference/kernels.md) is the search in dictionaries, with language models, lexicon
# and hotwords as factors; `native/search/search.hpp` says how the fast one does a frame;
# [`decoding/`](../reference/decoding.md) is the face. The [guide](../guides/decoding.md) has what this chapter leaves
# out: words, lexicons, streams, tuning.
#
# ## Exercises
#
# **1.** Decode the line above with beams of 1, 2, 5, 20. When is the date found? (`prefix_beam_search` is honest;
# `BeamDecoder` repairs single mistakes afterwards.)

# %%
from _support import check

check(..., "7dae7d")  # the mass of the best text: "grows" or "falls" with the beam

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
masses = []
for width in (1, 2, 5, 20):
    last = prefix_beam_search(np.exp(log_probs), width)[-1]
    text = next(iter(last))
    masses.append(sum(last[text]))
    print(f"{width:>3}: {vocabulary.decode(text)}, mass {masses[-1]:.4f}")
assert check("grows" if masses[-1] >= masses[0] else "falls", "7dae7d")

# %% [markdown]
# **2.** Why can a beam search not simply keep the likeliest *paths*, as one would for a hidden Markov model?

# %%
check(..., "644dbf")  # are there "more" or "fewer" texts than paths?

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
# Because many paths are one text. The best 50 paths of a line may all be the same text with
# its spikes shifted by a frame, so the beam would hold one text and call it 50. Count the
# texts among the best paths of ten frames:
z = np.exp(log_probs[:10])
paths = {(): 1.0}
for frame in z:
    paths = {(*path, c): p * frame[c] for path, p in paths.items() for c in range(11)}
    paths = dict(sorted(paths.items(), key=lambda item: -item[1])[:50])
different = len({tuple(ctckit.topology.collapse(path)) for path in paths})
print(different, "texts in the best 50 paths")
assert check("fewer" if different < len(paths) else "more", "644dbf")

# %% [markdown]
# **3.** The reader of this chapter was trained on strings of any digits. What would be different if it had been trained
# on dates?

# %%
check(..., "e823da")  # a "larger" or a "smaller" weight λ of the language model

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
# Its recurrent layer would have learned some of what the language model knows: p(y | x) of
# a network contains the prior of its training texts. A language model then counts it twice,
# and a smaller λ is right. Where training texts and use differ, as here, the model outside
# has the advantage that it can be changed without training.
assert check("smaller", "e823da")

# %% [markdown]
# ## Sources
#
# * A. Graves, N. Jaitly, [Towards end-to-end speech recognition with recurrent neural
#   networks](https://proceedings.mlr.press/v32/graves14.html), *ICML* 2014.
# * A. Hannun, A. Maas, D. Jurafsky, A. Ng, [First-pass large vocabulary continuous speech recognition using
#   bi-directional recurrent DNNs](https://arxiv.org/abs/1408.2873), 2014.
