# %% [markdown]
# # 8 · Alignment
#
# The text is known; *where* is each part of it? Subtitles ask this, phoneticians, and everyone who cuts training data
# from recordings. The lattice has known the answer since chapter 5, and even two answers: the occupancy, and the best
# single path. Here both meet a recorded sentence.

# %% tags=["hide-input"]
import numpy as np
from _support import (
    BLUE,
    OCHRE,
    RED,
    blank_figure,
    fading,
    only_bottom,
    picture,
    table,
)
from _widgets import players

import ctckit
from ctckit.acoustic_models import example_recording
from ctckit.viz import draw_alignment

# %% [markdown]
# ## A recording
#
# Someone says "go forward ten meters" (from the test data of PocketSphinx). A small network, of the package `hama`, has
# listened: every 20 milliseconds it says which of 189 sounds of speech it hears, or the mark between words, or the
# blank. What it said is in ctckit, with the recording, so that no model needs to be installed to follow.

# %%
recording = example_recording()
sound, rate = recording.samples, recording.rate
sounds = recording.emissions.vocabulary
log_probs = recording.emissions.log_probs.astype(np.float64)  # (T, C)
print(
    f"{len(sound) / rate:.2f} s, {log_probs.shape[0]} frames of 20 ms, {log_probs.shape[1]} classes"
)
players([(sound, rate, "the recording")])

# %%
greedy = ctckit.greedy_decode(log_probs, blank=sounds.blank)[0]
print("heard:", " ".join(sounds[c].replace("<wb>", "|") for c in greedy.tokens))

# %% [markdown]
# ## Text in, times out
#
# The network writes sounds, not letters, so the words need a pronunciation. `Transcript` remembers which tokens belong
# to which word of the text, as it is written; `forced_align` finds the best path.

# %%
spoken = {
    "go": ["ɡ", "o"],  # in this network's symbols
    "forward": ["f", "ɔ", "ɹ", "w", "ɝ", "d"],
    "ten": ["t", "ɛ", "n"],
    "meters": ["m", "i", "t", "ɝ", "z"],
}
transcript = ctckit.Transcript("Go forward ten meters.", sounds, spell=spoken)
[found] = ctckit.forced_align(log_probs, transcript.tokens, blank=sounds.blank)
rows = [
    [
        word.text,
        f"{word.start * 0.02:.2f}",
        f"{word.end * 0.02:.2f}",
        f"{word.confidence:.2f}",
    ]
    for word in found.words(transcript, boundaries="occupancy")
]
table(rows, ["word", "from, s", "to, s", "confidence"])

# %%
from ctckit.alignment import TimedText

words = [
    TimedText(word.text, word.start * 0.02, word.end * 0.02, word.confidence)
    for word in found.words(transcript, boundaries="occupancy")
]
figure = draw_alignment(
    found,
    0.02,
    waveform=sound,
    rate=rate,
    words=words,
    names=sounds,
    figure=blank_figure(9, 6.4),
)
picture(
    figure,
    "Waveform, spectrogram, and below them where each sound is: its occupancy as a hill, its best path as a bar.",
)

# %% [markdown]
# The confidence of *forward* is low: the network did not hear its last sound, *d*. The picture says so by the pale bar
# of the *d*. (Not by its hill: the occupancy takes the text for granted, so the *d* has to be somewhere.) A word's
# confidence is the product of its sounds'.
#
# Cut out at these times, the words can be heard alone:

# %% tags=["hide-input"]
players(
    [
        (
            sound[int(each.start_seconds * rate) : int(each.end_seconds * rate)],
            rate,
            each.text,
        )
        for each in words
    ]
)

# %% [markdown]
# ## The best path: Viterbi
#
# Forced alignment is the forward algorithm with one change: where α adds up what arrives along the three arrows,
# Viterbi keeps the **largest**, and notes which it was.
#
# $$ v_t(s) = \max[v_{t-1}(s),\; v_{t-1}(s-1),\; v_{t-1}(s-2)] \cdot p_t(\text{class of } s) $$
#
# At the end one walks back along the notes. In logarithms, by hand:


# %%
def viterbi(
    log_probs: np.ndarray, target: list[int], blank: int
) -> tuple[list[int], float]:
    """The likeliest path of states, and its log-probability."""
    topology = ctckit.topology.ctc_topology(target, blank=blank)
    emission = log_probs[:, topology.labels]
    best, notes = topology.start + emission[0], []
    for row in emission[1:]:
        arriving = np.full((3, len(best)), -np.inf)
        for k in range(3):
            arriving[k, k:] = best[: len(best) - k] + topology.transitions[k, k:]
        notes.append(arriving.argmax(axis=0))
        best = arriving.max(axis=0) + row
    state = len(best) - 1 if best[-1] >= best[-2] else len(best) - 2
    path = [state]
    for note in reversed(notes):
        path.append(path[-1] - int(note[path[-1]]))
    return path[::-1], float(best[state])


target = transcript.tokens.tolist()
path, score = viterbi(log_probs, target, sounds.blank)
assert path == found.path.tolist() and abs(score - found.log_prob) < 1e-3
print(f"log p of the best path: {score:.3f}; forced_align: {found.log_prob:.3f}")

# %% [markdown]
# In the live lattice: <a href="lattice.html#source=word&amp;quantity=occupancy">a recorded word with its best path</a>.
#
# ## Viterbi against occupancy
#
# How much of the text's probability is in that one path?


# %%
def of_all_paths(log_probs: np.ndarray) -> tuple[ctckit.Lattice, list[str]]:
    """The lattice of our text, and what its best path has of it."""
    item = ctckit.lattice(log_probs, target, blank=sounds.blank)
    share = np.exp(viterbi(log_probs, target, sounds.blank)[1] - item.log_likelihood)
    return item, [f"{100 * share:.1f} %", f"{np.exp(item.entropy()):,.0f}"]


item, as_heard = of_all_paths(log_probs)
unsure = log_probs / 3  # the same network, much less sure of itself
unsure -= np.logaddexp.reduce(unsure, axis=1, keepdims=True)
soft, when_unsure = of_all_paths(unsure)
rows = [["as it was heard", *as_heard], ["if it were less sure", *when_unsure]]
table(rows, ["", "the best path has", "equivalent number of equally likely paths"])

# %% [markdown]
# This network speaks in spikes (chapter 6), so there is little to choose: one path has more than half, the others are
# its close relatives, a frame earlier here, a frame later there. The less sure the network, the more paths share the
# probability, and the less the best one says. (The second number is the exponential of the entropy of p(path | text).)
# The lattice can draw paths from p(path | text): here are 40 of them, in the less sure case, for the word *forward*,
# over the occupancy.

# %% tags=["hide-input"]
first, last = (
    2 * 3,
    2 * 9 + 1,
)  # the states of forward: tokens 3 to 8, and the blanks around them
start, end = int(found.starts[3]) - 4, int(found.ends[8]) + 4
figure = blank_figure(8.6, 3.8)
axes = figure.add_subplot()
axes.imshow(
    soft.occupancy[start:end, first:last].T,
    cmap=fading(BLUE),
    vmin=0,
    vmax=1,
    aspect="auto",
    extent=(start - 0.5, end - 0.5, last - 0.5, first - 0.5),
)
rng = np.random.default_rng(0)
for _ in range(40):
    axes.plot(
        range(len(log_probs)),
        soft.sample(rng) + rng.normal(scale=0.06),
        color=OCHRE,
        linewidth=0.7,
        alpha=0.35,
    )
axes.plot(range(len(log_probs)), soft.best_path(), color=RED)
names = item.state_names(sounds.tokens)
axes.set_yticks(range(first, last), names[first:last])
axes.set(
    xlim=(start - 0.5, end - 0.5), ylim=(last - 0.5, first - 0.5), xlabel="frame of 20 ms"
)
only_bottom(axes)
picture(
    figure, "Blue: the occupancy. Ochre: sampled paths. Red: the best path, one of many."
)

# %% [markdown]
# So the two answer different questions. **Viterbi**: one consistent alignment, each frame in one state; what a subtitle
# needs. **Occupancy**: what is known about each frame, with its doubt; what training needs, and what tells a sure
# boundary from a guess.
#
# ## When does a sound begin?
#
# CTC never learned it. The network says a token *somewhere* in its sound, often for a frame or two (chapter 6), and the
# best path calls the rest blank. Three readings:

# %%
kinds = ("spike", "midpoint", "occupancy")
times = {kind: found.boundaries(kind) * 0.02 for kind in kinds}
rows = [
    [
        sounds[target[n]],
        *(f"{times[kind][n, 0]:.3f}–{times[kind][n, 1]:.3f}" for kind in kinds),
    ]
    for n in range(3, 9)
]
table(rows, ["forward", "spike, s", "midpoint, s", "occupancy, s"])

# %% [markdown]
# `"spike"` takes the frames of the best path; `"midpoint"` lets neighbours meet halfway; `"occupancy"` does so on the
# average path, and on synthetic signals, whose truth is known, it was the nearest each time: its mean error was 0.26 to
# 1.15 frames, by network ([the measurement](../guides/alignment.md)). In speech a network is also late as a whole:
# [word borders against labels](../benchmarks/boundaries.md).
#
# ## When the text is not what was said: wildcards
#
# Transcripts are wrong in places. Say ours lacks a word: "go forward meters". The aligner has to put three words
# somewhere:

# %%
short = ctckit.Transcript("Go forward meters.", sounds, spell=spoken)
[forced] = ctckit.forced_align(log_probs, short.tokens, blank=sounds.blank)

# the same with a wildcard, −1, where a word may be missing
gap = 9  # behind go | forward
with_star = [*short.tokens[:gap], -1, *short.tokens[gap:]]
[free] = ctckit.forced_align(log_probs, with_star, blank=sounds.blank, star=-1)


def word_times(alignment: ctckit.Alignment, tokens: list[int]) -> str:
    """First and last token's times."""
    places = [alignment.tokens.tolist().index(tokens[0]), len(alignment.tokens) - 1]
    return (
        f"{alignment.starts[places[0]] * 0.02:.2f}–{alignment.ends[places[1]] * 0.02:.2f} s"
    )


meters = [sounds.tokens.index(each) for each in spoken["meters"]]
rows = [
    [
        name,
        word_times(alignment, meters),
        f"{np.nanmean(alignment.confidences):.2f}",
        f"{alignment.log_prob:.1f}",
    ]
    for name, alignment in (
        ("the right text", found),
        ("a word is missing", forced),
        ("… and a wildcard stands there", free),
    )
]
table(rows, ["", "meters", "mean confidence", "log p of the path"])

# %%
print(free.draw([name.replace("<wb>", "|") for name in sounds.tokens]))

# %% [markdown]
# (*meters* is where it was in all three: it is clear enough. What gives the missing word away is the rest of the path:
# its log p, and the confidence of the sounds beside the gap.) A wildcard is one more state, with the same three arrows,
# whose emission is as likely as the best class of each frame: it agrees with anything. For that it pays a price when
# paths are compared, `star_penalty` = 8 nats, once and not for each frame, so it is the last resort. The log p in the
# table is that of the other frames alone, without the price: the path with the wildcard is not likelier than the right
# text, it has fewer frames to account for. `edges=True` puts one before and behind the
# text: for a recording that says more than the transcript. It is what finds a sentence in an hour of speech:

# %%
part = ctckit.Transcript("ten", sounds, spell=spoken)
for edges in (False, True):
    [alignment] = ctckit.forced_align(
        log_probs, part.tokens, blank=sounds.blank, edges=edges
    )
    where = f"{alignment.starts[0] * 0.02:.2f}–{alignment.ends[-1] * 0.02:.2f} s"
    print(
        f"“ten” in the whole recording, edges={edges}: {where}, confidence {np.nanmean(alignment.confidences):.2f}"
    )
true_start, true_end = found.starts[10], found.ends[12]
assert (
    abs(alignment.starts[0] - true_start) <= 2 and abs(alignment.ends[-1] - true_end) <= 2
)

# %% [markdown]
# Without free ends, all frames before and behind must be blank, which speaks against every path; with them, the
# network's other sounds cost nothing.
#
# And if the text says what was not said? The path has to put it somewhere, and the **confidence** tells: the posterior
# of each token against any other in its place, or none.

# %%
wrong = ctckit.Transcript(
    "Go forward five meters.", sounds, spell={**spoken, "five": ["f", "aɪ", "v"]}
)
[misaligned] = ctckit.forced_align(log_probs, wrong.tokens, blank=sounds.blank)
rows = [
    [word.text, f"{word.start * 0.02:.2f}–{word.end * 0.02:.2f}", f"{word.confidence:.3f}"]
    for word in misaligned.words(wrong)
]
assert min(misaligned.words(wrong), key=lambda word: word.confidence).text == "five"
table(rows, ["word", "s", "confidence"])

# %% [markdown]
# ## Where this is in the package
#
# [`alignment/`](../reference/alignment.md): `forced.py` and `result.py`, transcripts, boundaries, utterances, writers
# of subtitle and annotation files. [`kernels/loss/reference.py`](../reference/kernels.md) has `viterbi`; the fast
# one never stores a T × N table and takes hours of speech: `native/align/align.hpp`. The
# [guide](../guides/alignment.md) has the rest, and [another](../guides/align_recordings.md) goes from a recording to
# files.
#
# ## Exercises
#
# **1.** Align "go go forward ten meters". Where does the second *go* end up, and how sure is it?

# %%
from _support import check

check(..., "5c3f2d")  # the second where the second go begins

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
twice = ctckit.Transcript("Go go forward ten meters.", sounds, spell=spoken)
[each] = ctckit.forced_align(log_probs, twice.tokens, blank=sounds.blank)
for word in each.words(twice):
    print(
        f"{word.text:8} {word.start * 0.02:.2f}–{word.end * 0.02:.2f} s  confidence {word.confidence:.3f}"
    )
assert check(each.words(twice)[1].start * 0.02, "5c3f2d")
# It is where go is; the first go is squeezed into the silence before, with a confidence of 0.

# %% [markdown]
# **2.** Is the best path the one that is in the likeliest state of each frame?

# %%
check(..., "939029")  # "yes" or "no"

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
vague, _ = of_all_paths(unsure / 3 - np.logaddexp.reduce(unsure / 3, axis=1, keepdims=True))
likeliest = vague.occupancy.argmax(axis=1)
print(
    "frames that differ:",
    int(np.count_nonzero(likeliest != vague.best_path())),
    "of",
    len(likeliest),
)
assert check("no" if (likeliest != vague.best_path()).any() else "yes", "939029")
jumps = np.diff(likeliest)
print("steps that no arrow makes:", int(np.count_nonzero((jumps < 0) | (jumps > 2))))
# Taking each frame for itself makes the fewest frames wrong on average, but the result need
# not be a path.

# %% [markdown]
# ## Sources
#
# * Graves and others, [Connectionist temporal classification](https://doi.org/10.1145/1143844.1143891), *ICML*
#   2006.
# * L. Rabiner, [A tutorial on hidden Markov models](https://doi.org/10.1109/5.18626), 1989, section III.B, for Viterbi.
# * V. Pratap and others, [Star temporal classification](https://arxiv.org/abs/2201.12208), 2022, and X. Cai and others,
#   [W-CTC](https://openreview.net/forum?id=0RqDp8FCW5Z), *ICLR* 2022, for wildcards.
# * The recording: test data of [PocketSphinx](https://github.com/cmusphinx/pocketsphinx), Carnegie Mellon University,
#   BSD-2-Clause.
