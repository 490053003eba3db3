# %% [markdown]
# # Gallery
#
# Pictures of CTC, each with the lines of code that draw it.

# %% tags=["hide-input"]
import numpy as np
from _support import BLUE, GREY, OCHRE, RED, blank_figure, picture, show_matrix

import ctckit
from ctckit.acoustic_models import example_recording
from ctckit.viz import draw_alignment, draw_states, draw_trellis

# %% [markdown]
# ## The states of a text
#
# Each letter is a state, with a blank before, between and behind. Arrows are the moves from a frame to the next.

# %%
vocabulary = ctckit.Vocabulary.from_characters("aelp")  # class 0 is the blank
apple = vocabulary.encode("apple")
axes = draw_states(ctckit.topology.ctc_topology(apple), names=vocabulary)
picture(axes, "No arc leads from p to p: the blank between them has to be said.")

# %% [markdown]
# ## The trellis
#
# States × frames, and all paths from the start to the end. The best one is red.

# %%
bumps = np.exp(-0.5 * (np.arange(20)[:, None] - (2, 6, 10, 14, 17)) ** 2)  # (T, N)
logits = np.zeros((20, 5))
np.maximum.at(logits.T, apple, 4 * bumps.T)
logits[:, 0] = 1.5
log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
lattice = ctckit.lattice(log_probs, apple)
picture(draw_trellis(lattice, names=vocabulary), "Dots: occupancies. Lines: transitions.")

# %% [markdown]
# ## The same in characters

# %%
print(lattice.draw(vocabulary.tokens))

# %% [markdown]
# ## α and β
#
# The sum over all beginnings and the sum over all ends of the paths through a state, as logarithms.

# %%
figure = blank_figure(8, 2.6)
for axes, name, values in zip(
    figure.subplots(1, 2), "αβ", (lattice.alpha, lattice.beta), strict=True
):
    shown = np.where(np.isneginf(values), 0, 1 + (values - values.max()) / 30).clip(0, 1)
    show_matrix(axes, shown.T)
    axes.set_title(f"log {name}")
    axes.set_yticks(range(11), lattice.state_names(vocabulary))
picture(figure, "α grows from the upper left corner, β from the lower right one.")

# %% [markdown]
# ## The gradient
#
# What the network says, less what the text asks for: p − γ.

# %%
gradient = np.exp(log_probs) - lattice.token_occupancy  # (T, C)
figure = blank_figure(7, 2.2)
axes = figure.add_subplot()
axes.imshow(gradient.T, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
axes.set_yticks(range(5), ["∅", *"aelp"])
axes.set(xlabel="frame", ylabel="class")
picture(figure, "Blue: this logit has to rise. Red: it has to fall.")

# %% [markdown]
# ## How many paths
#
# With all classes equally likely, α counts paths: the number of alignments of texts of some lengths.

# %%
axes = blank_figure(6, 2.8).add_subplot()
for letters, color in ((5, BLUE), (10, OCHRE), (20, RED)):
    frames = range(letters, 101)
    text = [1 + n % 2 for n in range(letters)]
    paths = [
        ctckit.lattice(np.zeros((T, 3)), text).log_likelihood / np.log(10) for T in frames
    ]
    axes.plot(frames, paths, color=color, label=f"{letters} letters")
axes.set(xlabel="frames", ylabel="paths, as a power of ten")
axes.legend()
assert 32 < paths[-1] < 33
picture(axes, "20 letters in 100 frames have some 10³² alignments.")

# %% [markdown]
# ## Paths from p(path | text)
#
# Where the network is unsure, many paths share the probability.

# %%
axes = blank_figure(7, 2.8).add_subplot()
random = np.random.default_rng(0)
for _ in range(50):
    path = lattice.sample(random)
    axes.plot(path + random.normal(scale=0.08), color=OCHRE, alpha=0.3, linewidth=0.7)
axes.plot(lattice.best_path(), color=RED)
axes.set_yticks(range(11), lattice.state_names(vocabulary))
axes.invert_yaxis()
axes.set(xlabel="frame")
picture(axes, "Ochre: fifty sampled paths. Red: the best path.")

# %% [markdown]
# ## A text over time
#
# A result of the decoder prints with its letters at their frames, and how sure each is.

# %%
[[best]] = ctckit.BeamDecoder(vocabulary).decode(log_probs)
print(best)

# %% [markdown]
# ## Words in a recording
#
# The recording is in the package, with the output of a network for it.

# %%
example = example_recording()
sounds, heard = example.emissions.vocabulary, example.emissions.log_probs
spoken = {"go": "ɡ o", "forward": "f ɔ ɹ w ɝ d", "ten": "t ɛ n", "meters": "m i t ɝ z"}
spelled = {word: said.split() for word, said in spoken.items()}
transcript = ctckit.Transcript(example.text, sounds, spell=spelled)
[found] = ctckit.forced_align(heard, transcript.tokens, blank=sounds.blank)
words = ctckit.alignment.timed(found.words(transcript), frame_seconds=0.02)
figure = draw_alignment(
    found,
    0.02,
    waveform=example.samples,
    rate=example.rate,
    words=words,
    names=sounds,
    figure=blank_figure(9, 6.4),
)
picture(figure, "Waveform, spectrogram, words, and the occupancy of each sound.")

# %% [markdown]
# ## Confidence
#
# The posterior of each sound against all others in its place.

# %%
axes = blank_figure(7, 2).add_subplot()
sure = found.confidences > 0.5
axes.bar(range(len(sure)), found.confidences, color=np.where(sure, BLUE, RED))
axes.set_xticks(
    range(len(sure)), [sounds[token].replace("<wb>", "|") for token in found.tokens]
)
axes.set(ylim=(0, 1), yticks=[0, 1], ylabel="confidence")
axes.axhline(0.5, color=GREY, linewidth=0.7)
picture(axes, "The network did not hear the d of forward.")

# %% [markdown]
# ## A diagnosis
#
# Why a batch does not train, as a page of text.

# %%
texts = np.array([[1, 2, 3], [4, 5, 5], [3, 1, 4], [2, 2, 1]])
silent = np.zeros((4, 12, 6))
silent[:, :, 0] = 5  # a network that only says blank
print(ctckit.diagnose(silent, texts, [12, 12, 12, 12], [3, 3, 3, 3]))

# %% [markdown]
# ## All of it, with the mouse
#
# The [live lattice](live.md) draws α, β, γ, the gradient, the best path and the beams while you change the network.
