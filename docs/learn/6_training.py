# %% [markdown]
# # 6 · Training, watched
#
# A network that learns with CTC behaves strangely at first: it falls silent, says nothing but blanks, for a hundred
# steps or a thousand; many give up on it there. Then it speaks, and what it says are spikes. This chapter trains one,
# looks over its shoulder, and says why both happen.

# %% tags=["hide-input"]
import copy
import time

import numpy as np
import torch
from _support import (
    BLUE,
    GREY,
    QUICK,
    RED,
    blank_figure,
    picture,
    show_line,
    show_matrix,
    table,
)

import ctckit
from ctckit.ocr import CRNN, CRNNConfig
from ctckit.ocr.data.batches import make_batch
from ctckit.ocr.data.synthetic import (
    CHARSET,
    DigitBatches,
    held_out_strings,
    load_digit_slice,
)
from ctckit.ocr.training.loop import TrainingConfig

# %% [markdown]
# The demo's CRNN, a little narrower, and its handwritten digit strings, composed afresh for each step. As there is no
# end to them, an "epoch" is what we call one: here, 60 steps of 32 lines. The training loop is as plain as can be.

# %%
vocabulary = ctckit.Vocabulary.from_characters(CHARSET)
torch.manual_seed(0)
model = CRNN(
    CRNNConfig(num_classes=len(vocabulary), channels=(16, 32, 32, 64, 64), hidden=96)
)
source = DigitBatches(
    load_digit_slice("train+validation"), vocabulary, batch_size=32, seed=0
)
steps = 60 if QUICK else 420
schedule = TrainingConfig(steps=steps, warmup=0.1)
optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.05)


def learn(
    step: int, learning_rate: float, variant: ctckit.CTCVariant | None = None
) -> float:
    """One step; returns the loss."""
    batch = source.batch(step)
    optimizer.param_groups[0]["lr"] = learning_rate
    logits, input_lengths = model(batch.images, batch.widths)
    loss = ctckit.ctc_loss(
        logits, batch.targets, input_lengths, batch.target_lengths, variant=variant
    )
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    return loss.item()


# %% [markdown]
# What we watch: 32 lines that are in no training batch, of digits that no training line contains. At a few steps we
# keep what the network says about them, and what `ctckit.diagnose` finds.

# %%
lines = held_out_strings(32)
held_out = make_batch(lines, vocabulary)


def look() -> tuple[np.ndarray, torch.Tensor, ctckit.Diagnosis]:
    """The held-out logits (B, T, C), their lengths, and the diagnosis."""
    model.eval()
    with torch.inference_mode():
        logits, input_lengths = model(held_out.images, held_out.widths)
    model.train()
    found = ctckit.diagnose(
        logits, held_out.targets, input_lengths, held_out.target_lengths
    )
    return logits.numpy().astype(np.float64), input_lengths, found


watched = [0, 6, 12, 25, 60, 140, 160, 180, 240, 300]
losses, seen, start = [], {}, time.perf_counter()
model.train()
for step in range(steps):
    if step in watched:
        seen[step] = look()
    losses.append(learn(step, schedule.learning_rate_at(step)))
seen[steps] = look()
print(f"{steps} steps of 32 lines in {time.perf_counter() - start:.0f} s")

# %% [markdown]
# ## The occupancy of one line
#
# For one held-out line, each panel shows the occupancy of its text at one moment: for each state (row) and frame
# (column), how likely the path is there *given the right text*. It is what the gradient asks the network to say.


# %% tags=["hide-input"]
def lattice_of(step: int, item: int) -> ctckit.Lattice:
    """The lattice of a held-out line's text at one moment of the training."""
    logits, input_lengths, _ = seen[step]
    z = logits[item, : int(input_lengths[item])]
    log_probs = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    return ctckit.lattice(log_probs, vocabulary.encode(lines[item].text))


shown = next(n for n, line in enumerate(lines) if len(line.text) == 5)
moments = sorted(seen)
figure = blank_figure(9, 0.6 + 1.75 * -(-(len(moments) + 1) // 4))
panels = figure.subplots(-(-(len(moments) + 1) // 4), 4).ravel()
show_line(
    panels[0], lines[shown].image, frame_pixels=4, title=f"the line: {lines[shown].text}"
)
for axes, step in zip(panels[1:], moments, strict=False):
    item = lattice_of(step, shown)
    show_matrix(axes, item.occupancy.T, color=RED if step == steps else BLUE)
    axes.set_title(f"step {step}: loss {-item.log_likelihood:.2f}", fontsize=9)
    axes.set_yticks(
        range(item.topology.num_states), item.state_names(vocabulary), fontsize=6
    )
    axes.tick_params(labelbottom=False, length=0)
for axes in panels[len(moments) + 1 :]:
    axes.axis("off")
picture(
    figure,
    "From a cloud to spikes: the occupancy of one held-out line during training.",
)

# %% [markdown]
# At step 0 the network says the same everywhere, and the text can be anywhere: a cloud, from the first state in the
# first frame to the last in the last. Then **the blank rows win**: the cloud thins out into the blanks, the letters'
# rows become faint smears. For a long time nothing seems to happen. Then, within some forty steps, the smears contract
# to dots, one for each digit.
#
# ## In numbers
#
# Of all frames, how many are likeliest blank; the mean probability of the blank; the mean of what the texts ask of it;
# the blank's part of the gradient, Σ |p − γ| over frames; how many frames a digit is said for; how many digits are read
# right; and what `diagnose` makes of it.

# %%
rows = []
for step, (_, _, found) in sorted(seen.items()):
    blank, peaks = found.blank_shares, found.peakiness
    of_all = [
        f"{100 * share:.0f} %"
        for share in (blank.argmax, blank.prob, blank.occupancy, blank.gradient)
    ]
    read = f"{100 * found.reading.agreement:.0f} %"
    rows.append([step, *of_all, f"{peaks.frames_per_token:.2f}", read, found.cause])
head = [
    "step",
    "blank likeliest",
    "p(∅)",
    "γ(∅)",
    "∅ in gradient",
    "frames a digit",
    "digits right",
    "diagnose",
]
table(rows, head)

# %% tags=["hide-input"]
moments = sorted(seen)
figure = blank_figure(8.4, 2.9)
left, right = figure.subplots(1, 2)
left.plot(losses, color=BLUE)
left.set(
    xlabel="step", title="loss of the batch, nats a digit", ylim=(0, max(losses[5:]) * 1.05)
)
shares = {step: found.blank_shares for step, (_, _, found) in seen.items()}
right.plot(
    moments,
    [shares[step].prob for step in moments],
    color=BLUE,
    marker="o",
    markersize=3,
    label="the network says blank, p",
)
right.plot(
    moments,
    [shares[step].occupancy for step in moments],
    color=RED,
    marker="o",
    markersize=3,
    label="the text asks for blank, γ",
)
right.plot(
    moments,
    [shares[step].gradient for step in moments],
    color=GREY,
    marker="o",
    markersize=3,
    label="the blank's share of the gradient",
)
right.set(xlabel="step", ylim=(0, 1), title="the blank")
right.legend(fontsize=8)
picture(
    figure,
    "The loss has a plateau; meanwhile the blank's probability meets what the texts ask for.",
)

# %%
if not QUICK:
    assert seen[60][2].cause == "blank-phase" and seen[steps][2].cause == "healthy"
    assert seen[60][2].blank_shares.argmax > 0.95 > seen[steps][2].blank_shares.argmax
print(str(seen[60][2]).split("\nitems")[0])

# %% [markdown]
# ## Why it falls silent
#
# Remember the gradient: p − γ. With a network that says the same everywhere, what is γ? Of the 2N + 1 states N + 1 are
# blanks; so γ(∅) is some 40 % in every frame (exercise 1), while each digit gets a few percent, smeared over half of
# the line. The cheapest thing to learn is: *say blank, always*, which takes one number, the bias of the last layer.
# That is learned in ten steps. And it raises γ(∅) further, because γ is computed from what the network says: paths
# through blanks are now the likeliest.
#
# When p(∅) has reached γ(∅), the blank's gradient is spent: the two curves meet. What is left are the digits' small
# differences, here a frame a bit likelier, there a bit less. They are all that can tell the network that the *image*
# matters. This takes its time, and looks like a plateau. It ends by itself when the convolutions begin to see digits:
# then some paths become much likelier than others, γ contracts on them, the gradient points at single frames, and this
# makes them likelier still. The same feedback that filled the line with blanks now sharpens the digits.
#
# So the blank phase is no illness. But a training that *stays* there is ill, and `diagnose` says what to try: learn ten
# lines by heart, look at the learning rate, normalise the input, start with short lines, begin with the blank's bias at
# −2. `TrainingWatch` in a training loop speaks up by itself ([guide](../guides/diagnose.md)).
#
# ## Why it speaks in spikes
#
# Look at the column “frames a digit”: a digit is three to four frames wide in the picture, but the network says it in a
# little more than one. Here is what the trained network says about our line:


# %% tags=["hide-input"]
def draw_outputs(axes, step_or_logits, title: str) -> None:
    """Probabilities over time, one line for each class that matters."""
    z = step_or_logits
    probs = np.exp(z - np.logaddexp.reduce(z, axis=1, keepdims=True))
    axes.fill_between(
        range(len(probs)), probs[:, 0], color=GREY, alpha=0.25, step="mid", linewidth=0
    )
    for c in sorted({*vocabulary.encode(lines[shown].text)}):
        axes.step(range(len(probs)), probs[:, c], where="mid", color=BLUE)
        for t in np.flatnonzero(
            (probs[:, c] > 0.3)
            & (probs[:, c] >= np.roll(probs[:, c], 1))
            & (probs[:, c] > np.roll(probs[:, c], -1))
        ):
            axes.text(t, probs[t, c] + 0.04, vocabulary[c], color=BLUE, ha="center")
    axes.set(ylim=(0, 1.2), xlim=(-0.5, len(probs) - 0.5), yticks=[0, 1], title=title)


logits, input_lengths, _ = seen[steps]
figure = blank_figure(8.4, 2.9)
top, bottom = figure.subplots(2, 1, height_ratios=[1, 1.3])
show_line(top, lines[shown].image, frame_pixels=4)
draw_outputs(
    bottom, logits[shown, : int(input_lengths[shown])], "probabilities; grey: the blank"
)
picture(figure, "What the trained network says, frame by frame: spikes among blanks.")

# %% [markdown]
# One spike is enough for the collapse, and CTC never asks for more: a path that says the digit once and the blank
# elsewhere is as good as one that says it four times. Of the two, the feedback prefers the one with more blanks,
# because the blank is the class that is right in most frames whatever the image: its prior is high. (Zeyer, Schlüter
# and Ney, 2021, work this out.) For reading the text that does no harm. For time stamps it does: a spike says *that*
# the digit is there, not where it begins and ends.
#
# ## What a label prior does
#
# If the trouble is the blank's high prior, divide by it. In the lattice, each class's probability is divided by how
# often the network says that class overall, to the power 0.3 here: with `CTCVariant(log_prior=…)`. The blank then has
# to be *earned*, frame by frame. We go on from the trained weights for a few steps, once as before and once with the
# prior.

# %%
weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
inside = np.arange(logits.shape[1]) < input_lengths.numpy()[:, None]
said = np.exp(logits - np.logaddexp.reduce(logits, axis=2, keepdims=True))[inside].mean(
    axis=0
)
print("how often the network says each class:", said.round(3).tolist())

after = {}
for name, variant in (
    ("plain CTC", None),
    ("with a label prior", ctckit.CTCVariant(log_prior=0.3 * np.log(said))),
):
    model.load_state_dict(weights)
    optimizer.load_state_dict(state)
    for step in range(steps, steps + (10 if QUICK else 70)):
        learn(step, 1e-3, variant)
    after[name] = look()

# %% tags=["hide-input"]
figure = blank_figure(8.4, 4.2)
top, *rest = figure.subplots(3, 1, height_ratios=[1, 1.1, 1.1])
show_line(top, lines[shown].image, frame_pixels=4)
for axes, (name, (z, length, found)) in zip(rest, after.items(), strict=True):
    draw_outputs(
        axes,
        z[shown, : int(length[shown])],
        f"{name}: {found.peakiness.frames_per_token:.2f} frames a digit",
    )
picture(
    figure,
    "The same line, the same network, some more steps: plain CTC keeps its spikes, a label prior gives digits a width.",
)

# %%
widths = {name: found.peakiness.frames_per_token for name, (_, _, found) in after.items()}
if not QUICK:
    assert widths["with a label prior"] > 2 * widths["plain CTC"]
widths

# %% [markdown]
# Now each digit is said for as long as it lasts. Where two equal digits meet, little is left of the blank between them:
# read without the prior, they may collapse to one. That is the price: `log_prob` is no longer a probability of the text
# (the outputs belong to another model), and for decoding the prior has to be taken into account, or the network trained
# for a while without it. Other ways to the same end, penalties for late tokens and least durations, are in the [guide
# to variants](../guides/variants.md).
#
# ## Where this is in the package
#
# [`diagnosis/`](../reference/diagnosis.md) is the table above (`measures.py`) and its verdicts (`findings.py`);
# `ocr/training/loop.py` the real training loop; [`variants.py`](../reference/topology.md) the label prior. The
# live lattice replays such a training: <a
# href="lattice.html#source=digits&amp;quantity=occupancy&amp;play=training">from the first step</a>, <a
# href="lattice.html#source=digits&amp;step=8&amp;quantity=occupancy">while it emits only blanks</a>, <a
# href="lattice.html#source=digits&amp;step=36&amp;quantity=occupancy">trained</a>.
#
# ## Exercises
#
# **1.** Before the first step, what is γ(∅) if all classes are exactly equally likely? Does it depend on the number of
# frames?

# %%
from _support import check

check(..., "3beed8")  # γ(∅) of 5 digits in 5 frames, and "yes" or "no", as (…, …)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
of_blank = {}
for frames in (5, 10, 20, 40, 80):
    uniform = ctckit.lattice(np.full((frames, 11), -np.log(11)), [1, 2, 3, 4, 5])
    of_blank[frames] = float(uniform.token_occupancy[:, 0].mean())
    print(frames, "frames:", round(of_blank[frames], 3))
assert check((of_blank[5], "yes" if of_blank[80] > of_blank[5] else "no"), "3beed8")
# It is the share of blanks in all paths, counted. With 5 frames for 5 digits there is no
# room for any; with more frames it rises to about a half: N + 1 of the 2N + 1 states are
# blanks.

# %% [markdown]
# **2.** A batch with one line whose text is wrong: what would the gradient of its frames do in the blank phase, and
# what at the end?

# %%
check(..., "8810ad")  # the text that pulls harder at the end: "right" or "wrong"

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
for step in (sorted(seen)[1], steps):
    item = lattice_of(step, shown)
    wrong = ctckit.lattice(item.log_probs, vocabulary.encode(lines[shown].text[::-1]))
    sizes = [
        np.abs(np.exp(each.log_probs) - each.token_occupancy).sum()
        for each in (item, wrong)
    ]
    print(f"step {step}: Σ|gradient| right text {sizes[0]:.2f}, wrong text {sizes[1]:.2f}")
assert QUICK or check("wrong" if sizes[1] > sizes[0] else "right", "8810ad")
# In the blank phase the wrong text costs as much as the right one: nothing is known of the
# digits. Later it pulls much harder than any right line. A few wrong transcripts can spoil
# the end of a training, not its beginning.

# %% [markdown]
# ## Sources
#
# * A. Zeyer, R. Schlüter, H. Ney, [Why does CTC result in peaky behavior?](https://arxiv.org/abs/2105.14849), 2021.
# * Graves and others, [Connectionist temporal classification](https://doi.org/10.1145/1143844.1143891), *ICML*
#   2006: figure 4 shows the error signal at three moments of a training.
# * The figures of the table are defined in [`BlankShares` and `Peakiness`](../reference/diagnosis.md).
