# %% [markdown]
# # 2 · 从交叉熵到 CTC
#
# [English](../2_from_cross_entropy.py)
#
# 训练一个分类器时，有一张图片、一个正确类别、一个数：交叉熵，也就是网络给正确类别的概率取对数再取负。本章从这里走到 CTC，路上只遇到两样新东西：*折叠*和*空白符*。

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
probs = np.array([0.05, 0.05, 0.80, 0.10])  # 网络对一张图片的判断
right = 2
print(f"交叉熵 = −log {probs[right]} = {-math.log(probs[right]):.3f}")

# %% [markdown]
# 连续两张图片，各有各的类别：两个都对的概率是乘积，所以损失相加。T 帧，每帧有自己的类别：就是 T 个交叉熵之和。要是知道每一帧的类别就好了。
#
# ## 同一串数字，写得窄和写得宽
#
# 这里把同一个人写的同样几个数字排了两遍：先窄而紧凑，后宽而松散。每行下面写的是每一帧*可以*标注的正确类别。

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
    """人工给每一帧（4 列）一个标注：第 n 段墨迹就是第 n 个数字。"""
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
    f"同样的 {thin.text}，一窄一宽，切成帧；每一帧下面是一个可能的类别。",
)

# %%
print("窄 ", frame_labels(thin))
print("宽 ", frame_labels(broad))

# %% [markdown]
# 两行的文本相同。但每个数字占几帧取决于写法；一个数字在哪里结束、下一个从哪里开始，全凭各人的感觉；而且每一行训练数据都得有人写出这样一串标注。语音更糟：没有人说得清 “seven” 里的 *v* 是从哪个 20 毫秒开始的。所以逐帧的标注是给不出来的。我们有的只是文本。
#
# ## 折叠：多行标注，一个文本
#
# 不过上面两行有共同之处。合并重复，去掉点：两行都变成同样的三个数字。这就是**折叠**（collapse），其余的一切都建立在这一个定义上：
#
# 1. 合并相邻的相同类别，
# 2. 然后去掉空白符。
#
# 顺序不能变。每帧一个类别排成的一行叫作一条**路径**（path）；许多路径折叠成同一个文本。库里有这个函数。这里用 `_` 表示空白符，好让你能从键盘输入。

# %%
names = "_abcdefghijklmnopqrstuvwxyz"  # 类别 0 是空白符


def collapsed(path: str) -> str:
    """一条路径拼出的文本。"""
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
    print(f"{path:>12} → {collapsed(path) or '（空）'}")
assert collapsed("_a_pp_ple_") == "apple" and collapsed("aaapplle") == "aple"

# %% [markdown]
# 试一试（方框里 `_` 表示空白符；下面依次是合并重复、去掉空白符之后的结果）：

# %% tags=["hide-input"]
from _widgets import collapse_box

collapse_box("_a_pp_ple_")

# %% [markdown]
# ## 空白符的两个作用
#
# 看 `aaapplle`。它本来应该是 *apple*，但合并重复时吃掉了一个 *p*。这正是需要空白符的原因；第二步再把它去掉。空白符有两个作用：
#
# * **在两个相同的字母之间**，它把两者隔开：`ap_ple` 折叠成 *apple*，`apple` 折叠成 *aple*；
# * **在其他任何地方**，它的意思是*这里什么都没有*：墨迹的间隙、静音，或者只是*我还不确定*。如果网络必须在每一帧都说一个字母，它就必须在每一帧都作出决定。有了空白符，它可以等到有把握的那一帧再说。
#
# 在可交互的格中：<a href="../lattice.html#source=synthetic&amp;text=apple&amp;drags=8.0.-600_9.0.-600">去掉两个 *p* 之间的空白符</a>，同一个网络读出的就是 *aple*。
#
# 空白符不是单词之间的空格，空格和其他字符一样是一个普通字符。它也不是只在训练时才有的东西：识别时以同样的方式使用它。
#
# ## 一个文本需要多少帧？
#
# 每个字母一帧；每有一对相同的相邻字母，还要多一帧，放中间的空白符：
#
# $$ T \ge N + \text{相邻重复的对数} $$
#
# 在可交互的格中：<a href="../lattice.html#source=synthetic&amp;text=apple&amp;frames=5">五帧中的 *apple*</a> 没有路径。
#
# 假设一个批次里有这样三行：

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
table(rows, ["文本", "N", "相邻重复", "需要的帧数"])

# %% [markdown]
# 三行都没有相邻重复，所以分别需要 10、11 和 16 帧。如果批次中所有样本的帧数相同（例如图片都缩放到同一尺寸），**T 就必须不小于 16**：由需要最多的那个文本决定。如果只有 15 呢？第三个文本就一条路径也没有了，它的概率是 0，损失是 −log 0 = ∞。这是正确的答案，`ctc_loss` 给出的也是它；如果要求报错，它会说明是哪一个样本。（`ctc_loss` 接受 *logits*，即 softmax 之前的得分。也可以给它对数概率：softmax 不会改变它们。）

# %%
import torch

characters = sorted(set("".join(batch)))
vocabulary = ctckit.Vocabulary.from_characters(characters)
targets = torch.zeros(3, 16, dtype=torch.int64)
for row, text in zip(targets, batch, strict=True):
    row[: len(text)] = torch.tensor(vocabulary.encode(text))
target_lengths = [len(text) for text in batch]

for frames in (16, 15):
    logits = torch.zeros(3, frames, len(vocabulary))  # 一无所知的网络：所有类别概率相同
    losses = ctckit.ctc_loss(
        logits, targets, [frames] * 3, target_lengths, reduction="none"
    )
    print(f"T = {frames}:", [round(loss, 3) for loss in losses.tolist()])
    if frames == 16:  # 每帧一个字母：第三个文本只有一条路径，是 16 个 1 / C 的乘积
        assert abs(losses[2] - 16 * math.log(len(vocabulary))) < 1e-4

try:
    ctckit.ctc_loss(logits, targets, [15] * 3, target_lengths, infeasible="error")
except ctckit.errors.InfeasibleTargetError as error:
    print(error)

# %% [markdown]
# （T = 16 时第三个文本只有一条路径，每帧一个字母，损失是 16 · log 19：共有 19 个概率相同的类别。）
#
# 真实的训练数据里就藏着这样的样本：窄图配了长文本，或者录音配错了文本。一个无穷大的损失会毁掉整个批次的平均值。`infeasible="zero"` 把这样的样本排除在外，[`ctckit.diagnose`](../../guides/diagnose.md) 找出它们并指名。
#
# ## 损失函数
#
# 现在给出定义。对输入 x（例如一张图片），网络在每一帧 t = 0 … T − 1 给出各类别的概率 $p_t(c)$。一条路径 $\pi = (\pi_0 … \pi_{T-1})$ 的概率，是每一帧都说出它那个类别的概率，是乘积。一个文本 *y* 的概率，是**它的所有路径的概率之和**：
#
# $$ p(y \mid x) = \sum_{\pi:\ \mathrm{collapse}(\pi) = y} \; \prod_{t=0}^{T-1} p_t(\pi_t)
#    \qquad\qquad \text{loss} = -\log p(y \mid x) $$
#
# CTC 就是这些。它仍然是交叉熵：正确答案的概率的负对数，只不过正确答案有许多种说法。只有一帧、一个字母时，只有一条路径，它*就是*本章开头的交叉熵：

# %%
log_probs = torch.log(torch.tensor(probs))[None, None]  # (B, T, C) = (1, 1, 4)
loss = ctckit.ctc_loss(log_probs, [[right]], [1], [1])
print(f"只有一帧的 CTC：{loss.item():.3f}")
assert abs(loss.item() + math.log(probs[right])) < 1e-12

# %% [markdown]
# 一个文本有多少条路径？让每一帧的每个类别权重都是 1：于是每条路径的权重是 1，求和就是计数。`ctckit.lattice` 可以求这个和：它接受任意权重的对数，不做 softmax。1 的对数是 0，所以这里的输入全是 0。以 *orange* 为例，T 逐渐增大：

# %% tags=["hide-input"]
tokens = [names.index(letter) for letter in "orange"]
lengths = [6, 7, 8, 10, 15, 30, 60, 100]
counts = []
for frames in lengths:
    uniform = np.zeros((frames, 27))
    counts.append(math.exp(ctckit.lattice(uniform, tokens).log_likelihood))
assert [round(count) for count in counts[:4]] == [1, 13, 91, 1820]
assert round(counts[4]) == math.comb(15 + 6, 2 * 6)  # 没有相邻重复时：从 T + N 中取 2N
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
    "拼出 orange 的路径数，从 6 帧到 100 帧，对数坐标。",
)

# %% [markdown]
# T = 15 时有 293,930 条，一行 100 帧时大约有 $10^{15}$ 条（如果没有相邻重复的字母，就是从 T + N 中取 2N 的组合数）。没有人会一条一条地去加。[下一章](3_forward.py)用几千次加法得到这个和。
#
# ## 在代码库中的位置
#
# [`topology.py`](../../reference/topology.md) 里有 `collapse`、`frames_needed`、`adjacent_repeats`；第一个是这样的：

# %% tags=["remove-input"]
from _widgets import source_of

source_of(collapse)

# %% [markdown]
# 损失函数在 [`loss/functional.py`](../../reference/loss.md)，上面的报错信息在 [`_checks.py`](../../errors.md)。
#
# ## 练习
#
# **1.** 类别为 ∅、a、b 时，两帧能拼出哪些文本？每个文本有几条路径？

# %%
from _support import check

check(..., "a1e581")  # 文本的个数和 a 的路径数，写成 (…, …)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "答案", "code_prompt_hide": "隐藏答案"}
from collections import Counter
from itertools import product

spelled = Counter(collapsed("".join(path)) or "（空）" for path in product("_ab", repeat=2))
assert check((len(spelled), spelled["a"]), "a1e581")
spelled
# 九条路径，五个文本：a 和 b 各有三条路径（aa、a_、_a）。两帧说不出 “aa”。

# %% [markdown]
# **2.** 如果把两步的顺序反过来，先去掉空白符，再合并重复，会怎样？

# %%
check(..., "9dd602")  # a_p_p_l_e 变成什么，写成 "…"

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "答案", "code_prompt_hide": "隐藏答案"}
import itertools


def wrong_order(path: str) -> str:
    """先去空白符，后合并重复。"""
    return "".join(letter for letter, _ in itertools.groupby(path.replace("_", "")))


print(wrong_order("a_p_p_l_e"))  # aple：没有任何路径能拼出双写字母
assert check(wrong_order("a_p_p_l_e"), "9dd602")

# %% [markdown]
# **3.** 所有文本的概率之和是 1 吗？

# %%
check(..., "3cae67")  # 总和

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "答案", "code_prompt_hide": "隐藏答案"}
# 每条路径恰好折叠成一个文本，所以对所有文本及其路径求和，就是对所有路径求和：1。
# （ctckit.lattice 对一个文本的所有路径求和；怎样求，见下一章。）
frames = np.log(np.random.default_rng(0).dirichlet(np.ones(3), size=4))  # T = 4, C = 3
texts = {tuple(collapse(path)) for path in product(range(3), repeat=4)}
total = sum(math.exp(ctckit.lattice(frames, list(text)).log_likelihood) for text in texts)
print(len(texts), "个文本，概率之和", round(total, 12))
assert check(total, "3cae67") and abs(total - 1) < 1e-12

# %% [markdown]
# ## 参考文献
#
# * Graves and others, [Connectionist temporal classification](https://doi.org/10.1145/1143844.1143891), *ICML* 2006，第 2、3 节。
# * A. Hannun, [Sequence modeling with CTC](https://distill.pub/2017/ctc/), *Distill*, 2017，另一篇很好的入门文章，有插图。
