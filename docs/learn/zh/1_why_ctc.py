# %% [markdown]
# # 1 · 为什么需要 CTC
#
# [English](../1_why_ctc.py)
#
# 输入是一张手写数字的图片，输出是这串数字。没有人告诉网络每个数字在图中的什么位置。本章先看这个任务的四种做法，再看最后一种做法中的网络到底“看见”了什么，最后看还缺什么。缺的那一样东西就是 CTC。
#
# 代码下面显示的内容，就是生成本页时代码的真实输出。图中的标注保留英文。

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
    "六行手写数字和它们的文本。数字是真实的手写，行是用它们拼成的。",
)

# %% [markdown]
# ## 识别的四种做法
#
# **逐字符识别**：把一行切成单个字符，再对每个字符分类。分类器很容易：一张小图，十个类别之一。难的是切分。我们在图中没有墨迹的列上切开，在不知道内容的前提下，没有比这更好的切法了：


# %%
def pieces(image: np.ndarray) -> int:
    """有多少段连续的、有墨迹的列。"""
    paper = np.median(image)
    inked = (image < paper - 60).any(axis=0)
    return int(np.count_nonzero(inked[1:] & ~inked[:-1]) + inked[0])


right = [pieces(line.image) == len(line.text) for line in lines]
print(f"{sum(right)} 行（共 {len(lines)} 行）切出的块数正好等于数字的个数。")

# %% [markdown]
# 数字会粘连，5 的顶横会断开，噪声会留下斑点。至于连笔字或语音，根本没有可以下刀的地方：必须先知道写的是什么，才看得出各部分在哪里。（1973 年 Sayre 把它写成一个悖论，后来以他命名：要识别一个字母，先得切分；要切分，先得识别。）
#
# **整词识别**：每个完整的字符串算一个类别。对“是”和“否”，这是个好主意。对数字串呢：

# %%
strings = sum(10**n for n in range(3, 9))
print(f"3 到 8 位的数字串：{strings:,} 个类别。")

# %% [markdown]
# 其中绝大多数类别在训练中一次都不会出现。如果位数不多，有一种折中的办法，曾用于识别门牌号（Goodfellow 等，2014）：一个分类器预测长度，再给每个位置一个分类器，第一位、第二位，依此类推。但最大长度必须事先定好，而且第五位的分类器从第一位那里什么也学不到。
#
# **带注意力的序列到序列模型**：一个网络看整行，另一个网络逐个写出数字。每写一个数字，它都在整行上计算一组权重，也就是*注意力*，表示下一步该看哪里；它也能看到自己前面写过的数字（Bahdanau、Cho 和 Bengio，2014）。什么都不用切，长度也不限。但是没有任何东西告诉它阅读是从左到右的，它得从大量样本中学会这一点。遇到长行，它可能漏掉一段，也可能把一段写两遍；而且它只能一个一个地写。
#
# **逐帧识别：CRNN + CTC**。沿着这一行滑动，对每个窄条说出那里有什么：一个数字，或者什么都没有。再从左到右把这些回答读出来。不用事先切分，长度不限，数字 7 在哪个位置出现都是同一个 7，所有窄条还可以同时计算。这就是 CRNN，即*卷积循环神经网络*（Shi、Bai 和 Yao，2015）。
#
# 四种做法的对比：
#
# | 做法 | 一个训练样本需要什么 | 在哪里失效 |
# |---|---|---|
# | 逐字符 | 每个字符的位置 | 切分离不开识别；连笔字 |
# | 整词作为类别 | 一份封闭的文本列表，每条都要见过多次 | 列表之外的任何文本 |
# | 带注意力的序列到序列 | 文本；许多行 | 数据少；长行会漏读、重读 |
# | CRNN + CTC | 文本；一个只需要文本的损失函数 | 字符比帧多；见下文“用 CTC，还是用别的？” |
#
# ## CRNN 看见了什么
#
# 下面就是一个 CRNN，它在生成本页时训练了几百步（训练它的函数 `reader` 和画图的函数放在一起）。它由三部分组成：

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
    "CRNN 的各个模块，以及每个模块输出的形状：B 行，W 列像素，T = W / 4 帧，C 个类别。",
)

# %% [markdown]
# 以六行中的第一行为例，具体的形状是：

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
# 1. **卷积层**把图片变成一列一列的特征。宽度减半两次，高度减半三次，所以结果中的一列对应原图的 4 列像素（向两侧还能多看到一点）。每一列排成一个向量，共 64 个通道 × 4 行 = 256 个数。从这里开始不再有高度，只有一个**序列**。
# 2. **循环层**从左到右、从右到左各读一遍，让每个窄条知道它的邻居。
# 3. **线性层**对每个窄条给 C = 11 个类别各打一个分：十个数字，以及第十一个类别，*空白符*（blank），记作 ∅。它的用处是下一章的主题。
#
# 下面四幅图共用一条横轴。请盯住一个数字，从上往下看。（这个网络训练得还不久：最后一行与标题不同的地方，就是它读错了。）

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
# 按特征最强的位置排序
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
    f"从一行（{line.text}）到帧：图片、特征、概率、每一帧最可能的类别。",
)

# %% [markdown]
# 我们把一个窄条叫作一**帧**（frame）。这个说法来自语音，那里一帧是大约 20 毫秒的声音。从这里起，四个字母在每一页、在库的每一段文档里含义都相同：**B** 是批次中的样本数，**T** 是帧数，**C** 是类别数，**N** 是待识别文本中的词元数（词元，token，指空白符以外的类别；在这里就是一个数字）。
#
# ## 还缺什么
#
# 网络说了 T 件事。文本有 N 个字符，而 N 更小：

# %%
print(f"T = {frames} 帧：  {''.join(names[c] for c in best)}")
print(f"N = {len(line.text)} 个数字：{line.text}")

# %% [markdown]
# 要*训练*它，就要有损失函数。常用的交叉熵要求知道每一帧的正确类别。我们没有，我们只有文本。一个数字占好几帧，占几帧取决于写字的人，没有人记下过是哪几帧。
#
# 要用它来*识别*，就得有人把 T 个回答变成 N 个字符的文本。
#
# 联结主义时间分类（connectionist temporal classification，CTC；Graves、Fernández、Gomez 和 Schmidhuber，2006）用同一个想法回答这两个问题：**不去选择一种对齐**（哪一帧说哪个字符），**而是把所有对齐加起来**。下一章说明“所有”指的是哪些；第三章说明，对齐的数目比一间屋子里的原子还多时，怎样用几千到几万次加法把它们加起来。
#
# ## 用 CTC，还是用别的？
#
# CTC 有三个假设，每个假设都说明了什么时候该用别的方法：
#
# * **条件独立**：给定图片，各帧相互独立，p(路径) 是各帧概率的乘积。网络没法说“如果这个是 1，那么那个是 7”。这类知识要靠语言模型事后补上（第 7 章）。
# * **单调**：文本和帧的方向一致。对识别文字行和语音来说这是对的；对翻译，或者阅读顺序未知的整页，就不对了。
# * **多对一**：每个词元至少占一帧，所以词元数不能超过帧数；每有一对相同的相邻词元，中间还要多一帧，放空白符（第 2 章）。
#
# | | 依赖前面的词元 | 单调 | 所有帧同时计算 | 适合 |
# |---|---|---|---|---|
# | CTC | 否 | 是 | 是 | 文字行和语音，数据少，对齐，速度；配合语言模型 |
# | RNN-T（transducer） | 是 | 是 | 否：逐个词元 | 边说边写的语音识别，数据多 |
# | 注意力 | 是 | 否 | 否：逐个词元 | 顺序会改变的任务、翻译、摘要，数据多 |
#
# *RNN-T*（Graves，2012）也有 CTC 的空白符和格，另外还有一个网络，能看到目前已经写出的词元；它在一帧里可以写出几个词元。许多系统把它们结合起来：把 CTC 作为第二个损失函数，使注意力保持单调（Kim、Hori 和 Watanabe，2017）；或者由注意力模型在 CTC 给出的最佳文本中挑选（[重打分](../../guides/rescoring.md)指南用语言模型做同样的事）。

# %% [markdown]
# ## 在代码库中的位置
#
# [`ocr/networks/crnn.py`](../../reference/ocr.md) 是这个网络，也分同样的三部分；`CRNN.slices` 返回图中的 (B, T, 256)，`CRNNConfig.frames` 说明某个宽度的行有多少帧。[`ocr/data/synthetic.py`](../../reference/ocr.md) 用数字拼出这些行。
#
# ## 练习
#
# 在笔记本或脚本里，把答案写在 `...` 的位置：`check` 会回答 `True` 或 `False`。
#
# **1.** 宽 300 像素的一行，这个网络给出多少帧？301 像素呢？有没有可能一行 8 个数字因为太窄而放不下？

# %%
from _support import check

check(..., "b3956a")  # 300 和 301 的帧数，写成 (…, …)

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "答案", "code_prompt_hide": "隐藏答案"}
print([network.frames(width) for width in (300, 301)])
# 每次减半都向上取整：300 → 150 → 75，301 → 151 → 76。每个数字网络至少要说一次，
# 所以 T 必须不小于 8（有相邻重复时还要再多一点，见下一章）。
# 不到 29 像素宽，放不下 8 个数字。
assert check(tuple(network.frames(width) for width in (300, 301)), "b3956a")
assert [network.frames(width) for width in (29, 28)] == [8, 7]

# %% [markdown]
# **2.** 对于不同长度的行，在空列处切分的效果如何？

# %%
check(..., "e760bd")  # 行越长，效果 "better"（越好）还是 "worse"（越差）

# %% tags=["hide-cell"] mystnb={"code_prompt_show": "答案", "code_prompt_hide": "隐藏答案"}
rows = []
for digits in range(3, 9):
    of_this_length = [
        ok for ok, line in zip(right, lines, strict=True) if len(line.text) == digits
    ]
    rows.append([digits, len(of_this_length), f"{100 * np.mean(of_this_length):.0f} %"])
# 每多一位，就多一次出错的机会：单个数字 10 次中对 8 次，
# 连续 3 个都对的概率是 0.8³ = 51 %，连续 8 个是 0.8⁸ = 17 %。
assert check("worse", "e760bd")
table(rows, ["位数", "行数", "切对的比例"])

# %% [markdown]
# ## 参考文献
#
# * K. Sayre, [Machine recognition of handwritten words: a project report](https://doi.org/10.1016/0031-3203%2873%2990044-7), *Pattern Recognition* 5, 1973.
# * A. Graves, S. Fernández, F. Gomez, J. Schmidhuber, [Connectionist temporal classification](https://doi.org/10.1145/1143844.1143891), *ICML* 2006.
# * I. Goodfellow, Y. Bulatov, J. Ibarz, S. Arnoud, V. Shet, [Multi-digit number recognition from Street View imagery](https://arxiv.org/abs/1312.6082), *ICLR* 2014.
# * D. Bahdanau, K. Cho, Y. Bengio, [Neural machine translation by jointly learning to align and translate](https://arxiv.org/abs/1409.0473), *ICLR* 2015.
# * B. Shi, X. Bai, C. Yao, [An end-to-end trainable neural network for image-based sequence recognition](https://arxiv.org/abs/1507.05717), 2015.
# * A. Graves, [Sequence transduction with recurrent neural networks](https://arxiv.org/abs/1211.3711), 2012.
# * S. Kim, T. Hori, S. Watanabe, [Joint CTC-attention based end-to-end speech recognition](https://arxiv.org/abs/1609.06773), *ICASSP* 2017.
