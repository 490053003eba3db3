"""Language models as plain dictionaries, without a line in common with the package: what is right, slowly."""

import math
import random
from collections import Counter, defaultdict


def read_arpa(text):
    """{n-gram: (log10 p, log10 back-off)}."""
    found, inside = {}, False
    for line in text.splitlines():
        if line.startswith("\\"):
            inside = line.endswith("-grams:")
        elif inside and line.strip():
            log_prob, words, *back_off = line.split("\t")
            found[tuple(words.split(" "))] = float(log_prob), float(back_off[0]) if back_off else 0.0
    return found


def write_arpa(model):
    orders = sorted({len(words) for words in model})
    lines = ["", "\\data\\", *(f"ngram {n}={sum(len(words) == n for words in model)}" for n in orders)]
    for n in orders:
        lines += ["", f"\\{n}-grams:"]
        for words, (log_prob, back_off) in model.items():
            if len(words) == n:
                lines.append(f"{log_prob!r}\t{' '.join(words)}" + (f"\t{back_off!r}" if n < orders[-1] else ""))
    return "\n".join([*lines, "", "\\end\\", ""])


def log_prob(model, context, word, order):
    """log p(word | context), nats."""
    context = tuple(each if (each,) in model else "<unk>" for each in context)[max(0, len(context) - order + 1) :]
    word = word if (word,) in model else "<unk>"
    back_off = 0.0
    while (*context, word) not in model and context:
        back_off += model.get(context, (0, 0))[1]
        context = context[1:]
    return (back_off + model.get((*context, word), (-100.0, 0))[0]) * math.log(10)


def random_model(seed, order, words=6, share=0.5, unknown=True):
    """A model with n-grams and back-offs from nowhere; no distribution, which no rule of look-up asks for.

    Every context of an n-gram is an n-gram; its suffixes need not be.
    """
    draw = random.Random(seed)
    vocabulary = [*(["<unk>"] if unknown else []), "<s>", "</s>", *(f"w{i}é" for i in range(words))]
    model = {(each,): None for each in vocabulary}
    last = list(model)
    for _ in range(1, order):
        last = [
            (*context, word)
            for context in last
            for word in vocabulary
            if context[-1] != "</s>" and word != "<s>" and draw.random() < share
        ]
        last = draw.sample(last, min(len(last), 60))
        model.update(dict.fromkeys(last))
    return {
        each: (round(-draw.random() * 4, 5), 0.0 if draw.random() < 0.3 else round(draw.uniform(-2, 0.5), 5))
        for each in model
    }


def random_text(seed, model, lines=20):
    draw = random.Random(seed)
    words = [word for (word,) in (each for each in model if len(each) == 1)] + ["never-seen"]
    words = [word for word in words if word not in ("<s>", "</s>")]
    return [[draw.choice(words) for _ in range(draw.randrange(9))] for _ in range(lines)]


FALLBACK = (0.5, 1.0, 1.5)


def kneser_ney(lines, order, prune=()):
    """({n-gram: (log10 p, log10 back-off)}, discounts of each order); Chen and Goodman 1998, Heafield et al. 2013."""
    prune = [*prune, *[prune[-1] if prune else 0] * (order - len(prune))]
    ids = {"<unk>": 0, "<s>": 1, "</s>": 2}
    counts = [Counter() for _ in range(order + 1)]
    for line in lines:
        if not line:
            continue
        for word in line:
            ids.setdefault(word, len(ids))
        words = ["<s>", *line, "</s>"]
        for n in range(1, order + 1):
            counts[n].update(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    adjusted = {order: dict(counts[order])}
    for n in range(1, order):
        before = Counter(gram[1:] for gram in counts[n + 1])
        adjusted[n] = {gram: count if gram[0] == "<s>" else before[gram] for gram, count in counts[n].items()}
    adjusted[1] = {(word,): 0 if word in ("<s>", "<unk>") else adjusted[1][(word,)] for word in ids}

    # lmplz counts the last n-grams, in the order of their words from the last one back, as they are, not adjusted.
    last = max((gram for n in range(1, order + 1) for gram in counts[n] if n == order or gram[0] == "<s>"),
               key=lambda gram: [ids[word] for word in reversed(gram)] + [1] * (order - len(gram)))  # fmt: skip
    discounts, probs, back_offs = [], {}, {}
    for n in range(1, order + 1):
        plain = {last[-n:]} if n < order and n <= len(last) else set()
        seen = Counter(counts[n][gram] if gram in plain else count for gram, count in adjusted[n].items())
        discounts.append(_discounts(seen))
        sums = defaultdict(lambda: [0, 0.0])
        for gram, count in adjusted[n].items():
            pruned = n > 1 and counts[n][gram] <= prune[n - 1]
            sums[gram[:-1]][0] += count
            sums[gram[:-1]][1] += count if pruned else min(count, _discount(discounts[-1], count))
        gammas = {context: left / total for context, (total, left) in sums.items()}
        if n > 1:
            back_offs.update(gammas)
        for gram, count in adjusted[n].items():
            if n > 1 and counts[n][gram] <= prune[n - 1]:
                continue
            lower = probs[gram[1:]] if n > 1 else 1 / (len(ids) - 1)
            own = (count - _discount(discounts[-1], count)) / sums[gram[:-1]][0]
            probs[gram] = own + gammas[gram[:-1]] * lower
    probs[("<s>",)] = 1.0
    return {gram: (math.log10(p), math.log10(back_offs.get(gram, 1.0))) for gram, p in probs.items()}, discounts


def _discount(discounts, count):
    return discounts[min(count, 3) - 1] if count else 0.0


def _discounts(seen):
    if not all(seen[j] for j in (1, 2, 3)):
        return FALLBACK
    y = seen[1] / (seen[1] + 2 * seen[2])
    found = tuple(j - (j + 1) * y * seen[j + 1] / seen[j] for j in (1, 2, 3))
    return found if all(0 < amount <= j for j, amount in enumerate(found, 1)) else FALLBACK
