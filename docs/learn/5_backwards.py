# %% [markdown]
# # 5 · Backwards
#
# The forward algorithm gives the loss. To train we need its gradient: what to tell each frame. This chapter finds it,
# and it turns out to be the simplest formula of all: **what the network says, minus what the text asks for.**

# %% tags=["hide-input"]
import numpy as np
import torch
from _support import (
    BLUE,
    RED,
    blank_figure,
    only_bottom,
    picture,
    show_matrix,
    table,
)

import ctckit
from ctckit.topology import ctc_topology
from ctckit.viz import draw_trellis

# %% [markdown]
# ## β: the rest of the way
#
# $\alpha_t(s)$ is the sum of all ways **to** state s at frame t, with the emission of frame t. The same recursion run
# from the end sums all ways **from** there:
#
# > $\beta_t(s)$ is the sum of the probabilities of all ways to go on from state s after frame t, to the end.
#
# (Frame t's own emission is in α, and not once more in β.)
#
# The same three arrows, walked backwards; it starts with 1 in the last two states.


# %%
def backward(probs: np.ndarray, target: list[int], blank: int = 0) -> np.ndarray:
    """β (T, S): frame t's own emission is not in it."""
    y = [blank] + [state for token in target for state in (token, blank)]
    beta = np.zeros((len(probs), len(y)))
    beta[-1, -2:] = 1.0
    for t in reversed(range(len(probs) - 1)):
        onward = beta[t + 1] * probs[t + 1, y]  # go there, and emit there
        beta[t] = onward  # stay
        beta[t, :-1] += onward[1:]  # advance
        for s in range(len(y) - 2):
            if y[s + 2] not in (blank, y[s]):
                beta[t, s] += onward[s + 2]  # skip
    return beta


# %% [markdown]
# Once more the tiny example of chapter 3: *ab* in three frames. α is known from there, β can be checked by hand: from
# the first blank at frame 0, say, one can go on to *a* (0.2) and then to *b* (0.7), which is 0.14.

# %%
tiny = np.array(
    [  # ∅    a    b
        [0.3, 0.6, 0.1],
        [0.5, 0.2, 0.3],
        [0.2, 0.1, 0.7],
    ]
)
alpha = np.exp(ctckit.lattice(np.log(tiny), [1, 2]).alpha)
beta = backward(tiny, [1, 2])
print("Σ α·β in each frame:", (alpha * beta).sum(axis=1).round(12).tolist())

# %% tags=["hide-input"]
figure = blank_figure(8.4, 2.6)
gamma = alpha * beta / (alpha * beta).sum(axis=1, keepdims=True)
for axes, (title, values, color) in zip(
    figure.subplots(1, 3),
    (("α", alpha, BLUE), ("β", beta, BLUE), ("α·β / p(ab)", gamma, RED)),
    strict=True,
):
    show_matrix(axes, values.T, color=color, most=1.6)
    for (t, s), value in np.ndenumerate(values):
        axes.text(t, s, f"{value:.3f}", ha="center", va="center", fontsize=9)
    axes.set(xticks=range(3), xlabel="frame", title=title)
    axes.set_yticks(range(5), ["∅", "a", "∅", "b", "∅"])
picture(
    figure,
    "ab in three frames. α times β, cell by cell, is what the paths through that cell weigh together.",
)

# %% [markdown]
# ## Where is the path?
#
# $\alpha_t(s) \cdot \beta_t(s)$ is the probability of all complete paths that pass **through** state s at frame t. Two
# things follow at once, and they are the best friends of everyone who writes CTC code:
#
# * every path is in exactly one state at frame t, so the sum over the states is the probability of all paths, **the
#   same number at every t**: 0.498 above, which is p(ab);
# * dividing by it gives the probability of each state, given the text: the **occupancy** γ. In each frame it sums to 1.
#
# $$ \sum_s \alpha_t(s)\,\beta_t(s) = p(y \mid x) \quad \text{for every } t
#    \qquad\qquad \gamma_t(s) = \frac{\alpha_t(s)\,\beta_t(s)}{p(y \mid x)} \qquad \sum_s \gamma_t(s) = 1 $$
#
# The same for *apple*, in 12 frames, with a network that is not very sure of itself:

# %%
vocabulary = ctckit.Vocabulary.from_characters("aelp")  # ∅ a e l p
target = vocabulary.encode("apple")
said = vocabulary.encode("aapplle")
rng = np.random.default_rng(5)
logits = rng.normal(scale=0.7, size=(12, 5))
logits[:, 0] += 1.0
for t, c in zip((1, 2, 3, 5, 7, 8, 10), said, strict=True):
    logits[t, c] += 2.5

log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
probs = np.exp(log_probs)
item = ctckit.lattice(log_probs, target)
topology = item.topology
print(f"p(apple) = {np.exp(item.log_likelihood):.4f}, loss = {-item.log_likelihood:.4f}")

alpha, beta = np.exp(item.alpha), backward(probs, target)
np.testing.assert_allclose(beta, np.exp(item.beta), rtol=1e-12)
through = alpha * beta
print("Σ αβ at each t:", through.sum(axis=1).round(12).tolist()[:4], "…")
gamma = through / through.sum(axis=1, keepdims=True)
assert np.ptp(np.log(through.sum(axis=1))) < 1e-12
assert np.abs(item.occupancy.sum(axis=1) - 1).max() < 1e-12
np.testing.assert_allclose(gamma, item.occupancy, atol=1e-12)

# %% tags=["hide-input"]
figure = blank_figure(8.4, 6.4)
panels = figure.subplots(2, 2).ravel()
with np.errstate(divide="ignore"):
    pictures = (
        ("log α", item.alpha),
        ("log β", item.beta),
        ("log α + log β", item.alpha + item.beta),
    )
for axes, (title, values) in zip(panels, pictures, strict=False):
    show_matrix(
        axes,
        np.where(np.isneginf(values), 0, 1 + (values - values.max()) / 25).clip(0, 1).T,
    )
    axes.set_title(title)
show_matrix(panels[3], item.occupancy.T, color=RED)
panels[3].set_title("occupancy γ")
for axes in panels:
    axes.set_yticks(range(11), item.state_names(vocabulary))
    axes.set_xlabel("frame")
picture(figure, "α knows the past, β the future; their product knows where the path is.")

# %% [markdown]
# Read the last panel as what it is: *given that the word is apple*, how likely is it that frame t belongs to this
# letter, or to this blank. The dots of the trellis below are the same numbers, the lines are the arrows:

# %% tags=["hide-input"]
picture(
    draw_trellis(item, names=vocabulary),
    "The occupancy as a trellis, with the likeliest single path in red.",
)

# %% [markdown]
# In the live lattice: <a
# href="lattice.html#source=synthetic&amp;text=apple&amp;quantity=beta&amp;play=recursion">β, from the end to the
# start</a>, and <a
# href="lattice.html#source=synthetic&amp;text=apple&amp;quantity=occupancy&amp;state=6.3">α, β and γ of one
# state</a>.
#
# ## The gradient
#
# Sum γ over all states of one class (the two *p*, the six blanks): $\gamma_t(c)$, the probability that frame t says c,
# given the text. Then
#
# $$ \frac{\partial\, \text{loss}}{\partial\, \text{logit}_t(c)} = p_t(c) - \gamma_t(c) $$
#
# **Softmax minus occupancy.** In cross-entropy with one right class it is softmax minus (1 for the right class, 0 for
# the others); here γ stands in its place. CTC is cross-entropy against a label that the lattice works out for each
# frame, given everything the network says at the moment. As the network changes its mind, so does γ.
#
# Why? In two steps.
#
# 1. *What a log-probability does.* The paths that say c at frame t contain $p_t(c)$ once, as a factor; the others do
#    not contain it. So if $\log p_t(c)$ rises by a small ε, these paths grow by the factor 1 + ε, and $\log p(y)$ rises
#    by ε times their share of p(y), which is $\gamma_t(c)$.
# 2. *What a logit does.* The softmax keeps the sum at 1. If the logit of c rises by ε, $\log p_t(c)$ rises by
#    $\varepsilon (1 - p_t(c))$, and $\log p_t(c')$ of every other class c' falls by $\varepsilon\, p_t(c)$.
#
# Together, with $\sum_{c'} \gamma_t(c') = 1$, the change of $\log p(y)$ is
#
# $$ \varepsilon \Big[ \gamma_t(c)\,(1 - p_t(c)) - \sum_{c' \ne c} \gamma_t(c')\, p_t(c) \Big]
#    = \varepsilon\,[\gamma_t(c) - p_t(c)] $$
#
# and the loss is $-\log p(y)$.
#
# Checked against PyTorch's automatic differentiation of *the plain recursion*, which knows nothing of β:


# %%
def plain_loss(z: torch.Tensor, target: list[int]) -> torch.Tensor:
    """The forward algorithm in torch operations, so that autograd can go backwards through it."""
    topology = ctc_topology(target)
    emission = z.log_softmax(dim=1)[:, topology.labels]
    weights = torch.tensor(topology.transitions)
    alpha = torch.tensor(topology.start) + emission[0]
    nothing = torch.full((2,), -torch.inf, dtype=torch.float64)
    for row in emission[1:]:
        padded = torch.cat([nothing, alpha])
        arriving = torch.stack([padded[2:], padded[1:-1], padded[:-2]]) + weights
        arriving = arriving.clamp(min=-1e300)  # three −∞ would have no derivative
        alpha = torch.logsumexp(arriving, dim=0) + row
    return -torch.logsumexp(alpha[-2:], dim=0)


z = torch.tensor(logits, requires_grad=True)
plain_loss(z, target).backward()
formula = probs - item.token_occupancy
print(
    "largest difference, autograd against softmax − occupancy:",
    np.abs(z.grad.numpy() - formula).max(),
)
assert np.abs(z.grad.numpy() - formula).max() < 1e-12

z = torch.tensor(logits[None], requires_grad=True)
ctckit.ctc_loss(z, [target], [12], [5], reduction="sum").backward()
assert np.abs(z.grad[0].numpy() - formula).max() < 1e-12

# %% tags=["hide-input"]
figure = blank_figure(8.4, 2.6)
names = ["∅", *"aelp"]
for axes, (title, values, color) in zip(
    figure.subplots(1, 3),
    (("softmax p", probs, BLUE), ("occupancy γ of the classes", item.token_occupancy, RED)),
    strict=False,
):
    show_matrix(axes, values.T, color=color)
    axes.set_title(title)
    axes.set_yticks(range(5), names)
axes = figure.axes[2]
axes.imshow(formula.T, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
axes.set_title("gradient p − γ, from −1 to 1")
axes.set_yticks(range(5), names)
only_bottom(axes)
for axes in figure.axes:
    axes.set_xlabel("frame")
picture(
    figure,
    "What the network says, what the text asks for, and the difference. In the last panel blue is negative: this logit"
    " is to rise; red is positive: it is to fall. Each of its columns sums to 0.",
)

# %% [markdown]
# Each column of the gradient sums to 0: a frame cannot be told to say more of everything.
#
# In the live lattice: <a href="lattice.html#source=misread&amp;quantity=occupancy">the gradient of a string whose first
# digit is misread</a>.
#
# ## Mistakes that these identities catch
#
# CTC walk-throughs on the web, and code in the wild, contain a handful of mistakes that do not crash. The loss even
# falls. Most of them break an identity of this page, so that one line of test finds them.


# %%
def report(name: str, alpha, beta, loss: float | None = None, ends: int = 2) -> list[str]:
    """Do the identities hold for this α and β, if the last ``ends`` states are taken for ends?"""
    product = alpha * beta
    sums = product.sum(axis=1)
    total = alpha[-1, -ends:].sum()
    constant = np.ptp(np.log(sums))
    occupied = np.abs((product / total).sum(axis=1) - 1).max()
    own = -np.log(total) if loss is None else loss
    return [
        name,
        f"{own:.3f}",
        f"{constant:.2f}" if constant > 1e-12 else "0",
        f"{occupied:.2f}" if occupied > 1e-12 else "0",
    ]


y = topology.labels
rows = [report("right", alpha, beta)]

# 1. Two conventions for β mixed: Graves' β includes the emission of frame t, so his γ
# divides by it once more.
rows.append(report("β with its emission, γ = αβ/p", alpha, beta * probs[:, y]))

# 2. The loss as a sum over t of −log Σ αβ: the same number T times.
rows.append(
    report("loss = −Σₜ log Σₛ αβ", alpha, beta, loss=-np.log(through.sum(axis=1)).sum())
)


# 3. The skip between equal letters allowed, in the forward pass only.
def forward(
    probs: np.ndarray, y: np.ndarray, skip: np.ndarray, first: int = 2
) -> np.ndarray:
    """α, with the arrows as given."""
    result = np.zeros((len(probs), len(y)))
    result[0, :first] = probs[0, y[:first]]
    for t in range(1, len(probs)):
        arriving = result[t - 1].copy()
        arriving[1:] += result[t - 1, :-1]
        arriving[2:] += np.where(skip[2:], result[t - 1, :-2], 0)
        result[t] = arriving * probs[t, y]
    return result


allowed = topology.skip == 0
every_token = (np.arange(len(y)) % 2 == 1) & (np.arange(len(y)) > 1)
np.testing.assert_allclose(forward(probs, y, allowed), alpha, rtol=1e-12)
rows.append(
    report(
        "skip over the blank between equal letters", forward(probs, y, every_token), beta
    )
)

# 4. The probability taken from the last blank alone, without the paths that end in the last
# letter.
rows.append(report("p = α(last blank)", alpha, beta, ends=1))

# 5. Paths may not begin with the first letter, only with the blank.
rows.append(report("start in the blank only", forward(probs, y, allowed, first=1), beta))

table(rows, ["", "loss", "log Σ αβ varies by", "Σ γ off 1 by"])

# %% [markdown]
# What to make of them:
#
# 1. **Mixed conventions for β.** Graves lets β include the emission of its own frame; then α·β contains it twice, and
#    has to be divided by it once. Ours leaves it out, so α·β needs no division. Either is right. Taking β from one
#    paper and γ from another is not.
# 2. **A loss that is T times too large.** Σₛ αβ is p(y) at *every* t; summing −log of it over t counts one loss T
#    times. Both identities hold, as α and β are right; only the loss is not −log of that sum. For a fixed T this
#    merely scales the gradient, so training works and nobody notices; with lines of different lengths the long ones
#    count more.
# 3. **The forbidden skip.** The sums are no longer constant: α walks over arrows that β does not know.
# 4. **An end that is missing** makes p too small, and the occupancies sum to more than 1.
# 5. **A start that is missing** is not found! Every path that α knows is continued rightly by β, so the sums agree,
#    about too few paths. A mistake made alike in α *and* β hides in the same way. The identities are necessary, not
#    sufficient: beside them, list all paths of a small example, as in chapter 3. The loss in the table shows it.
#
# One more, for those who write such code themselves; no identity shows it, because it is a matter of convention:
# **whose gradient?** `torch.nn.functional.ctc_loss` takes log-probabilities, but the gradient that it returns for them
# is $e^{\text{input}} - \gamma$, as if a log-softmax stood in front. It does, usually, and then all is well. For scores
# that are not normalised there is only step 1 of the derivation above, and the true gradient is −γ:

# %%
scores = torch.tensor(logits[:, None], requires_grad=True)  # (T, B, C), not normalised
lengths = torch.tensor([12]), torch.tensor([5])
torch.nn.functional.ctc_loss(
    scores, torch.tensor([target]), *lengths, reduction="sum"
).backward()
ours = torch.tensor(logits[None], requires_grad=True)
ctckit.ctc_loss(ours, [target], *lengths, reduction="sum", normalize=False).backward()


def numerical(t: int, c: int, step: float = 1e-6) -> float:
    """The slope of the loss of raw scores, by two evaluations."""
    up, down = logits.copy(), logits.copy()
    up[t, c] += step
    down[t, c] -= step
    return -(
        ctckit.lattice(up, target).log_likelihood
        - ctckit.lattice(down, target).log_likelihood
    ) / (2 * step)


rows = [
    [
        f"({t}, {names[c]})",
        *(f"{v:.4f}" for v in (numerical(t, c), ours.grad[0, t, c], scores.grad[t, 0, c])),
    ]
    for t, c in ((1, 1), (3, 4), (8, 0))
]
assert max(abs(float(row[1]) - float(row[2])) for row in rows) < 1e-4
table(rows, ["logit", "slope, measured", "ctckit, normalize=False", "torch"])

# %% [markdown]
# ## Where this is in the package
#
# [`kernels/loss/reference.py`](../reference/kernels.md) holds `backward`, `occupancy` and the gradient, each a few
# lines. `score_gradient` is −γ, summed over the states of each class (which is what `np.add.at` does); `logit_gradient`
# adds the softmax:

# %% tags=["remove-input"]
from _widgets import source_of

from ctckit.kernels.loss import reference

source_of(reference.score_gradient)

# %% tags=["remove-input"]
source_of(reference.logit_gradient)

# %% [markdown]
# [`Lattice`](../reference/lattice.md) has `occupancy`, `token_occupancy`, `arrow_occupancy`. In the C++ core,
# `backward_step` of `native/simd/lattice.hpp` computes β and the occupancy in one pass and stores neither.
# `tests/kernels/test_laws.py` holds the identities of this page on random problems.
#
# ## Exercises
#
# **1.** Where is the gradient exactly 0, for all classes of a frame?

# %%
from _support import check

check(..., "ff8447")  # that of the blank: one letter, two frames, five equal classes

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
# Where p = γ: the network says exactly what the text, given its own opinion elsewhere, asks
# for. With one frame and one letter that is p = 1. Frames beyond input_lengths get 0 as
# well, because they are not in the loss at all.
long = torch.zeros(1, 4, 5, requires_grad=True)
ctckit.ctc_loss(long, [[1]], [2], [1]).backward()
for row in long.grad[0].tolist():
    print([round(value, 3) for value in row])
assert check(long.grad[0, 0, 0].item(), "ff8447")
# (Two frames, five classes, all alike: the paths aa, a∅, ∅a give γ = 2/3 for the letter and
# 1/3 for the blank, and 1/5 − 1/3 = −0.133.)

# %% [markdown]
# **2.** How many frames does the path spend in the blank, on average? And in each letter?

# %%
check(..., "57d5fc")  # what all of them sum to

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
# Sum the occupancy over time.
for c, frames in enumerate(item.token_occupancy.sum(axis=0)):
    print(f"{names[c]} {frames:.2f} frames")
assert check(item.token_occupancy.sum(), "57d5fc")

# %% [markdown]
# **3.** Take one step against the gradient (logits − 0.5 · gradient), again and again. What do the probabilities
# become?

# %%
check(..., "c1b7cf")  # the number of paths that share the probability: "grows" or "falls"

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
free = logits.copy()
for _ in range(200):
    now = free - np.logaddexp.reduce(free, axis=1, keepdims=True)
    free -= 0.5 * (np.exp(now) - ctckit.lattice(now, target).token_occupancy)
print(
    "".join(names[c] for c in free.argmax(axis=1)),
    f"loss {-ctckit.lattice(now, target).log_likelihood:.4f}",
)
# One path has won: the one that was a bit ahead. Any path would have done; CTC does not
# care which. More of that in chapter 6.
fewer = ctckit.lattice(now, target).entropy() < item.entropy()
assert check("falls" if fewer else "grows", "c1b7cf")

# %% [markdown]
# ## Sources
#
# * Graves and others, [Connectionist temporal classification](https://doi.org/10.1145/1143844.1143891), *ICML*
#   2006, equations 9 to 16.
# * L. Rabiner, [A tutorial on hidden Markov models](https://doi.org/10.1109/5.18626), 1989, for the occupancy.
# * That torch's gradient presumes a log-softmax is discussed in [issue
#   52241](https://github.com/pytorch/pytorch/issues/52241) of pytorch; `tests/loss/test_torch_defects.py` shows it.
