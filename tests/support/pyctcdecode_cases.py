"""What pyctcdecode and ``strict=True`` are both asked: random problems from seeds, and real posteriors.

NumPy only: tests/golden/make_pyctcdecode.py imports this where the original is installed and ctckit is not.
"""

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np

from tests.support.paths import SHARED

RANDOM_CASES = 300
ALPHABETS = [
    ["", " ", "a"],
    ["a", "b", "|"],
    ["_", "|", " ", "a"],
    ["", "_", "a", " "],
    ["<pad>", "<s>", "</s>", "<unk>", "|", "E", "T", "'"],
    ["[PAD]", "[UNK]", "a", " "],
    ["<PAD>", "", "a", " "],
    ["ab", "c"],
    ["a", "a", " "],
    ["[PAD]", "[UNK]", "[CLS]", "cat", "##s", "▁"],
    ["cat", "##s", "<unk>", "▁⁇▁"],
    ["cat", "##s", "▁dog", ""],
    ["<unk>", "▁cat", "s", "<pad>"],
    ["▁cat", "s", "▁"],
    ["▁cat", "s t"],
    ["▁cat", "▁cat"],
    ["#", "a", " "],
]
MOST_KEPT = 5  # texts of a case whose scores are kept; of all the others, a digest of the texts
DATA = SHARED
REAL_SETS = {"ocr_ppv4": 60, "ocr_ppv6": 60, "asr_hama": 11, "nanopore_chiron": 60}

MANY_LABELS = 100
DEFAULT_TOKEN_MIN_LOGP = -5.0
CONSONANTS, VOWELS = "bcdfgklmnprst", "aeiou"


@dataclass
class Case:
    """One call: how the decoder is built, what it is given."""

    labels: list[str]
    logits: np.ndarray
    language_model: str | None = None  # "small", "word3"
    build: dict = field(default_factory=dict)  # unigrams, alpha, …
    settings: dict = field(default_factory=dict)  # beam_width, hotwords, …
    halves: bool = False  # decoded in two halves, the second going on from the first one's state


def vocabulary():
    """Some sixty words of two or three syllables, and some that begin like others."""
    rng = np.random.default_rng(7)
    words = set()
    while len(words) < 60:
        syllables = int(rng.integers(1, 4))
        words.add("".join(rng.choice(list(CONSONANTS)) + rng.choice(list(VOWELS)) for _ in range(syllables)))
    return sorted(words)


def small_arpa():
    """A 3-gram over ``vocabulary``: random numbers, and every n-gram's beginning and end are n-grams too."""
    rng = np.random.default_rng(8)
    words = vocabulary()
    unigrams = {("<unk>",), ("<s>",), ("</s>",), *((word,) for word in words)}
    nexts = [*words, "</s>"]
    bigrams = {(first, str(rng.choice(nexts))) for first in ["<s>", *words] for _ in range(5)}
    trigrams = {
        (first, second, third)
        for first, second in sorted(bigrams)
        for begin, third in sorted(bigrams)
        if begin == second and rng.random() < 0.4
    }
    orders = [sorted(unigrams), sorted(bigrams), sorted(trigrams)]
    lines = ["\\data\\", *(f"ngram {n}={len(grams)}" for n, grams in enumerate(orders, 1))]
    for n, grams in enumerate(orders, 1):
        lines += ["", f"\\{n}-grams:"]
        for gram in grams:
            probability = -99.0 if gram == ("<s>",) else -round(float(rng.uniform(0.3, 4 - n)), 5)
            backoff = -round(float(rng.uniform(0, 0.8)), 5)
            last = n == len(orders) or gram[-1] == "</s>"
            lines.append(f"{probability}\t{' '.join(gram)}" + ("" if last else f"\t{backoff}"))
    return "\n".join([*lines, "", "\\end\\", ""])


def random_case(seed):
    rng = np.random.default_rng([11, seed])
    style = ["characters", "characters", "characters", "no space", "▁", "##"][seed % 6]
    labels = _labels(style, rng)
    text = [str(word) for word in rng.choice(vocabulary(), int(rng.integers(0, 7)))]
    tokens = _tokens(text, labels, style, rng)
    logits = _peaked(tokens, labels, rng)
    case = Case(labels, _in_some_form(logits, rng))
    if rng.random() < 0.6:
        case.language_model = "small"
        case.build = _weights(rng)
    case.settings = _settings(text, rng)
    if len(labels) > MANY_LABELS and case.settings.get("token_min_logp", 0.0) < DEFAULT_TOKEN_MIN_LOGP:
        case.settings["beam_width"] = 20  # the original is slow where it tries everything
    case.halves = case.language_model is not None and rng.random() < 0.15
    return case


def _labels(style, rng):
    letters = sorted(CONSONANTS + VOWELS)
    if style == "characters":
        return [["", " ", *letters], [*letters, "|", "<pad>"], ["_", "'", " ", *letters, "<unk>"]][rng.integers(3)]
    if style == "no space":
        return [*"acgt", ""]
    pieces = sorted({word[:cut] for word in vocabulary() for cut in (2, 3)})
    ends = sorted({word[cut:] for word in vocabulary() for cut in (2, 3)} - {""})
    if style == "▁":
        return ["<unk>", "<pad>", "▁", *(f"▁{piece}" for piece in pieces), *sorted({*ends, *letters})]
    return ["[UNK]", *pieces, *(f"##{end}" for end in ends), "[PAD]"][: None if rng.random() < 0.8 else -1]


def _tokens(words, labels, style, rng):
    """The classes of a text that the vocabulary spells, and now and then another."""
    if style == "no space":
        return list(rng.integers(0, 4, int(rng.integers(0, 15))))
    index = {label: number for number, label in enumerate(labels)}
    if style == "characters":
        space = index[" " if " " in index else "|"]
        tokens = [number for word in words for number in [space, *(index[letter] for letter in word)]][1:]
    else:
        begin, go_on = ("▁", "") if style == "▁" else ("", "##")
        tokens = []
        for word in words:
            cut = 2 if begin + word[:3] not in index or rng.random() < 0.5 else 3
            tokens += [index[begin + word[:cut]], *([index[go_on + word[cut:]]] if word[cut:] else [])]
    return [int(rng.integers(len(labels))) if rng.random() < 0.05 else token for token in tokens]


def _blank(labels):
    marks = [number for number, label in enumerate(labels) if label.lower() in ("", "_", "<pad>", "[pad]")]
    return marks[0] if marks else len(labels)


def _peaked(tokens, labels, rng):
    """Scores that lean towards an alignment of the tokens, more or less."""
    blank = _blank(labels)
    columns = max(len(labels), blank + 1)
    frames = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        frames += [blank] * int(rng.integers(1 if before == token else 0, 3))
        frames += [token] * int(rng.integers(1, 3))
    frames += [blank] * int(rng.integers(0, 4))
    space = labels.index(" ") if " " in labels else None
    if space is not None and rng.random() < 0.2:
        frames += [space, blank]
    logits = rng.normal(0, rng.uniform(0.5, 2.0), (len(frames), columns))
    logits[np.arange(len(frames)), frames] += rng.uniform(1.0, 8.0)
    return logits


def _in_some_form(logits, rng):
    """Logits, log-probabilities or probabilities, of 32 or of 64 bits."""
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs = exponents / exponents.sum(axis=1, keepdims=True)
    kind = rng.random()
    if kind < 0.3:
        return logits.astype(np.float32)
    if kind < 0.5:
        return logits
    if kind < 0.7:
        return np.log(probs).astype(np.float32)
    return probs if kind < 0.85 else probs.astype(np.float32)


def _weights(rng):
    words = vocabulary()
    build = {}
    if rng.random() < 0.3:
        build["unigrams"] = [["zebra"], words, words[::2], [*words, "zebra"]][rng.integers(4)]
    if rng.random() < 0.5:
        build["alpha"] = round(float(rng.uniform(0.1, 1.5)), 3)
        build["beta"] = round(float(rng.uniform(-1, 3)), 3)
    if rng.random() < 0.3:
        build["unk_score_offset"] = float(rng.choice([-1.0, -4.5, -20.0, 0.0]))
    if rng.random() < 0.3:
        build["lm_score_boundary"] = False
    return build


def _settings(text, rng):
    settings = {}
    if rng.random() < 0.5:
        settings["beam_width"] = int(rng.choice([1, 2, 5, 20, 60]))
    if rng.random() < 0.3:
        settings["beam_prune_logp"] = float(rng.choice([-2.5, -20.0, -100.0]))
    if rng.random() < 0.3:
        settings["token_min_logp"] = float(rng.choice([-1.5, -9.0, -12.0]))
    if rng.random() < 0.3:
        settings["prune_history"] = True
    if rng.random() < 0.5:
        chosen = [*text[:2], str(rng.choice(vocabulary())), "zozo", "ac", "gatta"]
        rng.shuffle(chosen)
        count = int(rng.integers(1, 5))
        settings["hotwords"] = [" ".join(chosen[:2]), *chosen[2 : 1 + count]]
        settings["hotword_weight"] = float(rng.choice([10.0, 3.3, 25.0]))
    return settings


HOTWORDS = ["senate shall", "postulated", "October", "congress", "k l ʌ b z", "fɔɹ", "ACGT"]
REAL_SETTINGS = {
    "plain": (None, {}),
    "hotwords": (None, {"hotwords": HOTWORDS}),
    "word3": ("word3", {}),
    "word3 hotwords": ("word3", {"hotwords": HOTWORDS, "hotword_weight": 6.0, "prune_history": True}),
}


def real_names():
    """(set, item, setting) of every real case."""
    return [
        (name, item, setting)
        for name, items in REAL_SETS.items()
        for setting in REAL_SETTINGS
        if name != "nanopore_chiron" or "word3" not in setting
        for item in range(items)
    ]


_kept_open = {}


def real_case(name, item, setting):
    if name not in _kept_open:
        arrays = dict(np.load(DATA / f"{name}.npz"))
        _kept_open[name] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8")), arrays
    description, arrays = _kept_open[name]
    labels = list(description["labels"])
    if name == "asr_hama":
        labels = [f"<{label}>" if label in (" ", "<pad>", "<unk>") else label for label in labels]
        labels[description["word_boundary"]] = " "
        labels[description["blank"]] = ""
    posterior = arrays["logp"]
    if "offsets" in arrays:
        posterior = posterior[arrays["offsets"][item] : arrays["offsets"][item + 1]]
    else:
        posterior = posterior[item]
    language_model, settings = REAL_SETTINGS[setting]
    return Case(labels, posterior.astype(np.float32), language_model, {}, dict(settings))


def answer(decoder, case):
    """All that is compared: the list of beams, the best one's words, the best text of ``decode``."""
    logits, settings = case.logits, dict(case.settings)
    state = None
    if case.halves:
        first = decoder.decode_beams(logits[: len(logits) // 2], **settings)
        state = first[0][1]
        logits = logits[len(logits) // 2 :]
    beams = decoder.decode_beams(logits, lm_start_state=state, **settings)
    settings.pop("prune_history", None)
    return {
        "text": decoder.decode(logits, lm_start_state=state, **settings),
        "beams": [[beam[0], round(float(beam[3]), 6), round(float(beam[4]), 6)] for beam in beams[:MOST_KEPT]],
        "words": [[word, int(start), int(end)] for word, (start, end) in beams[0][2]],
        "count": len(beams),
        "digest": hashlib.sha256("\n".join(beam[0] for beam in beams).encode()).hexdigest()[:12],
    }
