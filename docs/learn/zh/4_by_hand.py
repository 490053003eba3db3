# %% [markdown]
# # 4 · 手工计算
#
# [English](../4_by_hand.py)
#
# 一个批次，三个单词，每个数都摆在桌面上：扩展后的目标、第一列、三个条件、十行代码的递推、损失。结果与 PyTorch 的前十二位数字相同。然后用长输入再做一遍：那里的数会变得极小，以至于数的*表示方法*决定成败。

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
# ## 批次
#
# 三个单词；15 帧；27 个类别，即空白符和 26 个字母。一个什么都没学过的网络给出随机的 logits。

# %%
words = ["orange", "apple", "watermelon"]
T, C = 15, 27
alphabet = "abcdefghijklmnopqrstuvwxyz"
vocabulary = ctckit.Vocabulary.from_characters(alphabet)  # 类别 0 是空白符

generator = torch.Generator().manual_seed(0)
logits = torch.randn(3, T, C, generator=generator, dtype=torch.float64)  # (B, T, C)
targets = torch.zeros(3, 10, dtype=torch.int64)  # (B, N)，填充的部分不会被读取
for row, word in zip(targets, words, strict=True):
    row[: len(word)] = torch.tensor(vocabulary.encode(word))
input_lengths = torch.tensor([T, T, T])
target_lengths = torch.tensor([len(word) for word in words])
targets

# %% [markdown]
# 从 logits 到概率：在每一帧对各类别做 softmax。

# %%
probs = logits.softmax(dim=2).numpy()  # (B, T, C)；每一帧之和为 1

# %% [markdown]
# ## 扩展后的目标
#
# 在字母之间和两端放上空白符：N 个字母变成 S = 2N + 1 个状态。


# %%
def expand(target: list[int], blank: int = 0) -> list[int]:
    """在词元之间和两端放上空白符。"""
    states = [blank]
    for token in target:
        states += [token, blank]
    return states


word = "apple"
states = expand(vocabulary.encode(word))
print("目标  ", vocabulary.encode(word))
print("状态  ", states)
print("        ", " ".join(vocabulary[c] or "∅" for c in states))
assert states == ctckit.topology.ctc_topology(vocabulary.encode(word)).labels.tolist()

# %% [markdown]
# ## 第一列
#
# 路径从空白符或第一个字母开始。在第 0 帧，其余状态的概率都是 0：

# %%
p = probs[1]  # (T, C)，apple
alpha = np.zeros((T, len(states)))
alpha[0, 0] = p[0, 0]  # ∅
alpha[0, 1] = p[0, states[1]]  # a
print("α₀ =", alpha[0].round(4).tolist())

# %% [markdown]
# ## 三个条件
#
# 对之后的每个格子 (t, s)，哪些概率可以汇入取决于状态 s 是什么。状态 s 共有三种情况，通常称为三个条件。它们不是三种箭头：每种情况说明*停留*、*前进*和*跳过*中哪些箭头能到达 s。每种情况各有一幅图，图 1 和图 2 中没有*跳过*。图中的数值来自 *apple*。
#
# 1. **状态 s 是空白符**：通过*停留*和*前进*到达。不能跳过：从往前数第二个状态（也是空白符）跳过来，会漏掉一个字母。（第一个空白符前面没有状态：只能*停留*。）
# 2. **状态 s 与往前数第二个状态是同一个字母**（第二个 *p*）：同样只有*停留*和*前进*。中间没有空白符的话，连续两个 *p* 会折叠成一个。
# 3. **其他情况**：s 是一个字母，与它前面的字母不同，可以*停留*、*前进*，也可以*跳过*中间的空白符。（第一个字母前面没有字母：只能*停留*和*前进*。）


# %%
def arriving(alpha: np.ndarray, t: int, s: int) -> dict[str, float]:
    """在第 t 帧沿每种箭头汇入状态 s 的概率。"""
    arrows = {"stay": alpha[t - 1, s]}
    if s >= 1:
        arrows["advance"] = alpha[t - 1, s - 1]
    is_blank = states[s] == 0  # 条件 1
    is_repeat = not is_blank and s >= 2 and states[s] == states[s - 2]  # 条件 2
    if s >= 2 and not is_blank and not is_repeat:  # 条件 3
        arrows["skip"] = alpha[t - 1, s - 2]
    return arrows


for t in range(1, T):
    for s in range(len(states)):
        alpha[t, s] = sum(arriving(alpha, t, s).values()) * p[t, states[s]]


# %% tags=["hide-input"]
def draw_condition(axes, t: int, s: int, title: str) -> None:
    """格子 (t, s)、汇入它的格子，以及箭头和数值。"""
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
    "apple 第 6 帧的三个条件：汇入的总和，乘以该状态类别的概率。",
)

# %% [markdown]
# 在可交互的格中也有这三种情形（数字来自另一个网络）：<a href="../lattice.html#source=synthetic&amp;text=apple&amp;state=6.4">一个空白符</a>、<a href="../lattice.html#source=synthetic&amp;text=apple&amp;state=6.5">第二个 *p*</a>、<a href="../lattice.html#source=synthetic&amp;text=apple&amp;state=6.7">另一个字母</a>。
#
# ## 矩阵与损失
#
# 路径在最后一个字母或它后面的空白符结束，所以这个单词的概率是最后一列最后两个格子之和。损失是它的负对数。

# %%
likelihood = alpha[-1, -1] + alpha[-1, -2]
print(f"p({word}) = {likelihood:.6e}     损失 = −log p = {-np.log(likelihood):.12f}")

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
    "apple 的 α 矩阵。空格子无法到达；红框中的两个之和是 p(apple)。",
)

# %% [markdown]
# 递推只要十行，损失再加一行：


# %%
def loss_by_hand(probs: np.ndarray, target: list[int], blank: int = 0) -> float:
    """由 (T, C) 的概率计算 −log p(目标)。"""
    y = [blank] + [state for token in target for state in (token, blank)]
    alpha = np.zeros(len(y), probs.dtype)
    alpha[:2] = probs[0, y[:2]]
    for row in probs[1:]:
        arriving = alpha.copy()  # 停留
        arriving[1:] += alpha[:-1]  # 前进
        for s in range(2, len(y)):
            if y[s] not in (blank, y[s - 2]):
                arriving[s] += alpha[s - 2]  # 跳过
        alpha = arriving * row[y]
    return -np.log(alpha[-2:].sum())


by_hand = [loss_by_hand(probs[b], vocabulary.encode(word)) for b, word in enumerate(words)]

# %% [markdown]
# 再用平时会用的两个损失函数计算同一个批次：

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
table(rows, ["单词", "手算", "torch", "ctckit", "最大差异"])

# %% [markdown]
# （torch 的输入是对数概率，时间在第一维；`ctckit.ctc_loss` 的输入是 logits，批次在第一维，softmax 由它自己做。）
#
# ## 哪里会出问题：很小的数
#
# CTC 的损失已经讲完了。下面讲的是计算机的问题，也可以先读[第 5 章](../5_backwards.py)。
#
# α 是乘积之和，已经过了多少帧，乘积里就有多少个概率。我们沿着一个较长的输入，跟踪每一列中最大的 α，看计算机的数装不装得下。

# %%
rng = np.random.default_rng(1)


def problem(frames: int, tokens: int, classes: int = 32) -> tuple[np.ndarray, list[int]]:
    """随机的 logits，大小与训练好的网络相当，以对数概率 (T, C) 给出；以及一个目标。"""
    z = 2.0 * rng.normal(size=(frames, classes))
    target = rng.integers(1, classes, size=tokens).tolist()
    return z - np.logaddexp.reduce(z, axis=1, keepdims=True), target


log_probs, target = problem(300, 40)
exact = ctckit.lattice(log_probs, target)
largest = exact.alpha.max(axis=1) / np.log(10)
for name, least in (("float32", -45.0), ("float64", -323.3)):
    print(f"{name}：从第 {int(np.argmax(largest < least))} 帧起，所有 α 都是 0")

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
    "300 帧、40 个词元时每一帧最大的 α：很快就小于 float32 能表示的任何数。",
)

# %% [markdown]
# 这时概率恰好是 0，损失是 ∞。下面是几种解决办法，从最早的到我们的；递推都是同一个，不同的是把什么当作一个“数”。
#
# | 办法 | 一个状态的 α 是 | 一次求和的代价 |
# |---|---|---|
# | 概率 | 数本身 | 一次加法 |
# | Graves 的重新缩放 | 一个数；每一列除以该列之和，并记下这个和的对数 | 一次加法 |
# | 对数域 | 它的对数 | log(eᵃ + eᵇ)：一次指数、一次对数 |
# | 尾数与指数 | m · 2ᵉ，**每个状态**有自己的整数 e | 一次加法、一次移位 |

# %% [markdown]
# 每种办法都是一个短函数，同样的十行，只是“数”的概念不同；有兴趣可以展开看看。

# %% tags=["hide-input"]
from ctckit.topology import ctc_topology


def rescaled(log_probs: np.ndarray, target: list[int], dtype: type) -> float:
    """Graves 等，2006，第 4.1 节：每一列除以该列之和。"""
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
    """每个数都用它的对数表示。"""
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
    """Σ m · 2^e：先都移到最大的指数，再相加。"""
    top = np.maximum.reduce([e for _, e in terms])
    return sum(np.ldexp(m, np.maximum(e - top, -200)) for m, e in terms), top


def mantissa_exponent(log_probs: np.ndarray, target: list[int], dtype: type) -> float:
    """每个状态一个尾数和一个 2 的幂：C++ 内核就是这样做的，一次 16 个状态。"""
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
# 让同样的问题经过所有这些办法，与 float64 的对数结果比较：

# %%
sizes = [(15, 5), (300, 40), (800, 200), (5000, 500)][: 3 if QUICK else 4]
ways = [
    (
        "概率，float32",
        lambda lp, y: loss_by_hand(np.exp(lp).astype(np.float32), y),
    ),
    ("概率，float64", lambda lp, y: loss_by_hand(np.exp(lp), y)),
    ("重新缩放，float32", lambda lp, y: rescaled(lp, y, np.float32)),
    ("重新缩放，float64", lambda lp, y: rescaled(lp, y, np.float64)),
    ("对数域，float32", lambda lp, y: log_space(lp, y, np.float32)),
    ("尾数与指数，float32", lambda lp, y: mantissa_exponent(lp, y, np.float32)),
]
problems = [problem(*size) for size in sizes]
truth = [log_space(*each, np.float64) for each in problems]


def error(way, each, right: float) -> str:
    """相对于损失的误差。"""
    with np.errstate(divide="ignore", under="ignore"):
        loss = way(*each)
    return f"{abs(loss - right) / right:.0e}" if np.isfinite(loss) else "∞，错误"


results = [
    [name, *(error(way, each, right) for each, right in zip(problems, truth, strict=True))]
    for name, way in ways
]


def ctckit_loss(lp: np.ndarray, y: list[int]) -> float:
    """本库，float32。"""
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
assert results[0][2] == "∞，错误"
assert QUICK or float(results[3][-1]) > 1e-3  # float64 的重新缩放：第三位数字就错了
assert all(float(cell) < 1e-5 for cell in results[-1][1:])
table(
    results,
    [
        "损失的相对误差",
        *(f"T = {frames}, N = {tokens}" for frames, tokens in sizes),
    ],
)

# %% [markdown]
# 重新缩放是经典的答案，多数教程讲到这里为止。请看长输入：在 float64 下，logits 也没有什么特别，它给出的却是一个有限而*错误*的数，而且没有任何警告。原因在于**一个**数缩放一整列，而同一列的各个状态大小悬殊。列的和由*此刻*最可能的那些状态主导。在一个长的随机输入的中段，这些状态远在右边：前面的状态越多，通到那里的路就越多。但是，一条中途就到了那里的路径只能在那里等到结束，而完整路径真正经过的那些状态，可能只有列和的 $10^{-400}$；它们变成 0，后面所有路径的概率也就丢失了：

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
    f"一个长格中的一列（{len(long_lp)} 帧，{len(long_target)} 个词元）。",
)

# %% [markdown]
# 对数域里每个状态各自保存，结果是对的，但在 float32 下要付两次代价：一个大小为 −20,000 的对数，最后一位是 0.001，所以相邻数之差很粗糙，而**梯度**（第 5 章）正是由这些差得来的；而且每次求和要做一次指数、一次对数。每个状态各有一个指数的尾数表示，既让每个状态各自保存，*又*保留 24 位精度。下面是本库测试中的最坏情况，32 个困难的输入，最长 5,000 帧，与 float64 相比（这是记录下来的数据，不是本页算出来的）：
#
# | | 损失，相对误差 | 梯度，绝对误差 |
# |---|---|---|
# | 每个状态一个 float32 尾数和一个 int32 指数 | 2.4e-6 | 6e-6 |
# | 对数域 float32 | 3.6e-6 | 0.22 |
# | 每列一个缩放因子，float64 | 最长的输入失败 | NaN |
# | torch 2.13，float32 | 1.4e-6 | 普通 logits 时 0.024，放大 30 倍时 0.22 |
#
# 梯度的各个分量在 −1 和 1 之间，0.22 的误差已经不是舍入误差了。输入不同，误差也不同；对本章最长的输入：


# %% tags=["hide-input"]
def gradient_error(of: str) -> float:
    """最长的问题上，float32 梯度的最大绝对误差。"""
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
print(f"float32 梯度的最大误差：torch {errors['torch']:.0e}，ctckit {errors['ctckit']:.0e}")

# %% [markdown]
# ## 全部放进一个文件
#
# {download}`ctc.py <../ctc.py>` 是一个批次的损失，完整，不到 120 行 PyTorch：扩展后的目标、三个条件、递推、重新缩放、填充、两种目标布局和三种归约方式。其中的第二个函数用 β 计算梯度（第 5 章）。它不依赖本库。它的精度就是上面“重新缩放，float64”那一行：对文字行和句子没有问题，对一小时的语音不行。用我们的批次：

# %%
from ctc import ctc_loss

arguments = (
    logits.log_softmax(2).transpose(0, 1),  # (T, B, C)，与 torch 相同
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
# ## 在代码库中的位置
#
# [`kernels/loss/reference.py`](../../reference/kernels.md) 就是本章的内容，用对数域和 float64：它是定义。`native/simd/number.hpp` 是尾数与指数，`native/simd/lattice.hpp` 是在它们上面的递推。`tests/kernels/test_kernels_agree.py` 检查它们是否一致。
#
# ## 练习
#
# **1.** 在 `loss_by_hand` 中破坏条件 2（允许在相同的字母之间跳过）。三个单词中哪一个的损失会变？变大还是变小？

# %%
from _support import check

check(..., "476ec4")  # 哪个词，以及 "higher"（变大）还是 "lower"（变小），写成 (…, …)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "答案", "code_prompt_hide": "隐藏答案"}
import inspect

broken: dict = {"np": np}
exec(
    inspect.getsource(loss_by_hand).replace("not in (blank, y[s - 2])", "!= blank"), broken
)
for b, name in enumerate(words):
    print(
        f"{name:>10} {by_hand[b]:.6f} → {broken['loss_by_hand'](probs[b], vocabulary.encode(name)):.6f}"
    )
# 只有 apple 有相邻重复。现在 “aple” 的路径也算成了 apple 的：概率偏大，损失偏小。
assert check(("apple", "lower"), "476ec4")

# %% [markdown]
# **2.** 空目标的损失是多少？

# %%
check(..., "eebc81")  # 15 帧、每帧 27 个类别概率相等时的损失

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "答案", "code_prompt_hide": "隐藏答案"}
# 一个状态，即空白符；一条路径，全是空白符：−Σ log p(空白符)。
empty = ctckit.ctc_loss(
    logits[:1], torch.zeros(1, 0, dtype=torch.int64), [T], [0], reduction="sum"
).item()
print(empty, -np.log(probs[0, :, 0]).sum())
assert abs(empty + np.log(probs[0, :, 0]).sum()) < 1e-12
assert check(T * np.log(C), "eebc81")

# %% [markdown]
# **3.** *watermelon* 至少需要多少帧？*apple* 呢？把 T 设成再少一帧，看看 `ctc_loss` 怎么说。

# %%
check(..., "949396")  # watermelon 和 apple 的帧数，写成 (…, …)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "答案", "code_prompt_hide": "隐藏答案"}
assert check((10, 6), "949396")
for name, needed in (("watermelon", 10), ("apple", 6)):
    assert ctckit.topology.frames_needed(vocabulary.encode(name)) == needed
    short = logits[:1, : needed - 1]
    print(
        name,
        ctckit.ctc_loss(short, [vocabulary.encode(name)], [needed - 1], [len(name)]).item(),
    )

# %% [markdown]
# ## 参考文献
#
# * Graves and others, [Connectionist temporal classification](https://doi.org/10.1145/1143844.1143891), *ICML* 2006，公式 5 至 8，以及关于重新缩放的段落。
# * 测量数据来自[基准测试页](../../benchmarks/loss.md)和 `tests/kernels/test_kernels_agree.py`。
