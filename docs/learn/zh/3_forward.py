# %% [markdown]
# # 3 · 前向算法
#
# [English](../3_forward.py)
#
# 一个文本的路径多得列不完。本章先对一个很小的文本把路径列一遍，再用不列举的办法求出同样的和。

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
# ## 一个小例子的所有路径
#
# 三帧，三个类别：∅、*a* 和 *b*；网络在每一帧给出了各类别的概率。我们要的文本是 *ab*。

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
for path in product(range(3), repeat=3):  # 3³ = 27 条路径
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
table([*rows, ["和", "", f"{sum(found.values()):.3f}"]], ["路径", "", "概率"])

# %% [markdown]
# 27 条路径中有五条拼出 *ab*。库给出同样的和：

# %%
item = ctckit.lattice(np.log(probs), target)
print(f"p(ab) = {np.exp(item.log_likelihood):.3f}   损失 = {-item.log_likelihood:.4f}")
assert abs(np.exp(item.log_likelihood) - sum(found.values())) < 1e-12

# %% [markdown]
# ## 这些路径的共同之处
#
# 把文本写成字母之间和两端都有空白符的样子：∅ a ∅ b ∅。这是五个**状态**（state），从 0 开始编号：N 个字母的文本有 S = 2N + 1 个状态。每条拼出 *ab* 的路径都从左到右经过它们：起点是第一个空白符或 *a*，终点是 *b* 或最后一个空白符，每一帧只能做三件事之一。这就是**三种箭头**（转移），CTC 的结构仅此而已：
#
# | 箭头 | 从 → 到 | 含义 |
# |---|---|---|
# | **停留**（stay） | s → s | 这个字母或静音再持续一帧 |
# | **前进**（advance） | s → s + 1 | 走到下一个状态 |
# | **跳过**（skip） | s → s + 2 | 越过一个空白符，从字母直接到字母；仅当这两个字母不同 |
#
# 为什么要求不同？两个相同的字母之间必须有空白符：没有它，路径会折叠成一个字母，拼出的是另一个文本。也没有从空白符到空白符的跳过：那样会漏掉一个字母。

# %% tags=["hide-input"]
axes = draw_states(ctc_topology(target), names=names)
picture(
    axes,
    "ab 的状态。自环：停留；直线：前进；弧线：跳过。下方的短箭头：路径可以开始的地方；双圈：路径可以结束的地方。",
)

# %% tags=["hide-input"]
letters = ["", *"abcdefghijklmnopqrstuvwxyz"]
picture(
    draw_states(ctc_topology([20, 15, 15]), names=letters),
    "too 的状态：两个 o 之间没有弧线；中间的空白符必须说出来。",
)

# %% [markdown]
# 现在给每一帧画一列这样的状态。一条路径就是从左到右穿过各列的一次行走；下面是我们的五条路径。（这样的图，状态 × 帧，叫作*网格图*，trellis；带上其中的数值，就叫*格*，lattice。）

# %% tags=["hide-input"]
figure = blank_figure(6.4, 3.2)
axes = only_bottom(figure.add_subplot())
labels = item.topology.labels.tolist()
colors = [BLUE, RED, "#3a8a4d", OCHRE, VIOLET]
for number, (path, color) in enumerate(zip(found, colors, strict=True)):
    state, walk = 0 if path[0] == 0 else 1, []
    for c in path:  # 从路径当前的位置找这个类别的状态
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
    "ab 在三帧中的五条路径；重合的地方画得略微分开。",
)

# %% [markdown]
# 它们有公共的部分：五条中有四条从 *a* 开始。而且，到达某个状态之前发生了什么，对之后的事没有影响。所以不必记住路径，只要知道每个状态**到目前为止汇集了多少概率**。把它叫作 α：
#
# > $\alpha_t(s)$ 是所有这样的路径前缀的概率之和：它们占据第 0 … t 帧，在第 t 帧处于状态 s。
#
# 汇入一个状态的，最多来自上一帧的三个状态，沿着三种箭头。然后这一帧必须说出该状态的类别；这样做的概率叫作它的**发射概率**（emission），是再乘上去的一个因子：
#
# $$ \alpha_t(s) = [\alpha_{t-1}(s) + \alpha_{t-1}(s-1) + \alpha_{t-1}(s-2)] \cdot p_t(s\ \text{的类别}) $$
#
# （三项依次是停留、前进、跳过；最后一项只在允许跳过时才有。）递推从第 0 帧开始：那里第一个空白符和第一个字母取各自的概率，其他状态都是 0。
#
# 这就是**前向算法**。对许多路径求和时，逐列利用前面已经算好的和，这种方法叫作**动态规划**。逐帧手算如下（最后一行与库比较，库里保存的是对数）：

# %%
before = np.zeros(5)
columns = []
for t in range(3):
    now = np.zeros(5)
    for s in range(5):
        if t == 0:
            arriving = 1.0 if s < 2 else 0.0  # 路径从前两个状态之一开始
        else:
            arriving = before[s]  # 停留
            if s >= 1:
                arriving += before[s - 1]  # 前进
            if s == 3:
                arriving += before[s - 2]  # 跳过：这里只有从 a（状态 1）到 b（状态 3）
        now[s] = arriving * probs[t, labels[s]]
    columns.append(now)
    before = now
alpha = np.array(columns)
end, last = alpha[-1, 3], alpha[-1, 4]
print(f"p(ab) = α(b) + α(最后的 ∅) = {end:.3f} + {last:.3f} = {end + last:.3f}")
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
    "同样的和，逐列计算：每个数是从前一列汇入的总和，乘以它自己的概率。",
)

# %% [markdown]
# 最后一列的最后两个数就是全部路径：在 *b* 结束的，和在它后面的空白符结束的。
#
# ## dog
#
# 七个状态：∅ d ∅ o ∅ g ∅。让每一帧的每个类别权重都是 1，α 就成了路径的条数，可以看着算法数数。

# %% tags=["hide-input"]
dog = ctc_topology([4, 15, 7])
picture(
    draw_states(dog, names=letters),
    "dog 的状态。两个不同字母之间的空白符都可以跳过。",
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
    f"六帧中的 dog：{ways[-1, -2]} + {ways[-1, -1]} = {total} 条路径。浅色格子：不在任何完整的路径上。",
)

# %%
assert total == 84
# 列举：每条路径 T − 1 次乘法，然后把所有路径相加；逐列：每个格子两次加法、一次乘法
listed = total * (frames - 1) + total - 1
by_columns = np.count_nonzero(reached) * 3
print(f"{total} 条路径的运算次数，列举：{listed}；逐列：最多 {by_columns}")
frames, tokens = 100, [1 + n % 26 for n in range(20)]
many = ctckit.lattice(np.zeros((frames, 27)), tokens)
print(
    f"100 帧中的 20 个字母：{np.exp(many.log_likelihood):.2e} 条路径；",
    f"逐列：最多 {frames * 41 * 3:,} 次运算",
)

# %% [markdown]
# 诀窍就在这里：**先求和，再相乘**，因为乘法对加法满足分配律。计算量随 T · N 增长，而不是随路径条数增长。
#
# 在可交互的格中，α 逐帧推进：<a href="../lattice.html#source=uniform&amp;text=dog&amp;frames=6&amp;play=recursion">六帧中的 *dog*，所有类别概率相等</a>。
#
# 浅色的格子不在任何完整的路径上：开头还到不了 *g*，结尾不能还在第一个空白符。剩下的是一条斜带。第 9 章只计算这条带。
#
# ## 同一件事，用隐马尔可夫模型的话说
#
# 熟悉隐马尔可夫模型（hidden Markov model，HMM）的读者已经认出来了：状态排成一行，从左到右，每个状态发射它的类别；“观测的概率有多大”正是前向算法回答的问题（Rabiner，1989）。有两点不同。第一，箭头没有自己的概率，权重都是 1，因为网络的输出在每一帧已经归一。第二，发射概率的含义不同。在隐马尔可夫模型里，它回答：如果类别是 *a*，出现这张图片的概率有多大？在 CTC 里正好相反：如果图片是这一张，类别是 *a* 的概率有多大？这就是网络计算的 $p_t(c)$。所以 CTC 的计算和隐马尔可夫模型一样，得到的却是文本的概率，对所有文本求和等于 1（第 2 章练习 3）。
#
# 网络给出的概率矩阵也叫*后验概率*。训练好的网络在每一帧把几乎全部概率给了一两个类别，所以大多数箭头几乎不会被走到。下面是 *dog* 在一个网络下的格：它对字母很有把握，对字母从何时开始则不那么有把握。圆点：在文本是 dog 的条件下，路径处于该处的概率（第 5 章计算它）；连线：每个箭头被走过的概率；红色：概率最大的单条路径。

# %% tags=["hide-input"]
rng = np.random.default_rng(3)
said = [0, 4, 4, 0, 0, 15, 0, 7, 7, 0]
or_else = [4, 0, 0, 15, 15, 0, 7, 0, 0, 0]
logits = 0.5 * rng.normal(size=(10, 27))
logits[range(10), said] += 5.0
logits[range(10), or_else] += 4.0
log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
sure = ctckit.lattice(log_probs, [4, 15, 7])
picture(draw_trellis(sure, names=letters), "dog 在十帧中的网格图。")

# %% [markdown]
# ## 在代码库中的位置
#
# [`topology.py`](../../reference/topology.md) 里的 `ctc_topology` 构造状态和箭头。所有的量都取了对数（原因见下一章）：0 表示权重 1，有箭头；−∞ 表示权重 0，没有箭头。

# %% tags=["remove-input"]
from _widgets import source_of

from ctckit.kernels.loss import reference

source_of(ctc_topology)

# %% [markdown]
# [`kernels/loss/reference.py`](../../reference/kernels.md) 里的 `forward` 就是这个递推：

# %% tags=["remove-input"]
source_of(reference.forward)

# %% tags=["remove-input"]
source_of(reference.arrivals)

# %% [markdown]
# `topology.transitions[k, s]` 是从 s − k 到 s 的箭头的权重的对数：k = 0 是停留，1 是前进，2 是跳过。`topology.start` 说明路径可以从哪里开始：前两个状态是 0，其余是 −∞。`IMPOSSIBLE` 是 −∞，表示没有箭头。`emissions` 查出每一帧、每个状态的类别的对数概率。`log_sum` 把以对数给出的数相加：先取指数，求和，再取对数。所以这里的 `alpha` 是上文 α 的对数。C++ 内核在 `native/simd/transitions.hpp` 里有同样的三种箭头。
#
# ## 练习
#
# **1.** 在 *aab* 中，为什么路径不能从第一个 *a* 跳到第二个 *a*？如果可以，哪些路径会被算到错误的文本上？

# %%
from _support import check

check(..., "fb8e20")  # 路径会被错算给哪个文本，写成 "…"

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "答案", "code_prompt_hide": "隐藏答案"}
# 没有空白符的 “a a b” 折叠成 “ab”，而不是 “aab”。如果允许跳过，ab 的路径就会算到
# aab 上。拓扑结构禁止这样做：进入第二个 a（状态 3）的跳过，其权重的对数是 −∞；
# 进入 b（状态 5）的跳过是允许的，权重的对数是 0。
print(ctc_topology([1, 1, 2]).skip.tolist())
assert check("".join(" ab"[c] for c in collapse([1, 1, 2])), "fb8e20")

# %% [markdown]
# **2.** *dog* 在 T 帧中的路径数是从 T + 3 中取 6 的组合数。对 T = 3 … 12 验证它。*dot* 和 *too* 呢？

# %%
check(..., "da0867")  # dot 和 too 在 12 帧中的路径数，写成 (…, …)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "答案", "code_prompt_hide": "隐藏答案"}
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
# dot 和 dog 一样多。too 比较少：两个 o 之间的空白符是必需的，
# 所以它的路径数等于没有相邻重复的文本少一帧时的路径数。

# %% [markdown]
# ## 参考文献
#
# * Graves and others, [Connectionist temporal classification](https://doi.org/10.1145/1143844.1143891), *ICML* 2006，第 4.1 节。
# * L. Rabiner, [A tutorial on hidden Markov models](https://doi.org/10.1109/5.18626), *Proceedings of the IEEE* 77, 1989.
# * D. Jurafsky, J. Martin, [Speech and language processing](https://web.stanford.edu/~jurafsky/slp3/)，教科书，有隐马尔可夫模型和 CTC 的章节。
