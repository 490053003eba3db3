"""Shared by the tests of the search: engines, small language models, and the score of a text by its definition."""

import itertools
import math
import re

import numpy as np

from ctckit import NGramModel, Vocabulary
from ctckit.decoding.lexicon import Lexicon
from ctckit.kernels.search import native as native_search
from ctckit.kernels.search import reference as reference_search
from tests.support import oracle
from tests.support.tolerances import SEARCH_DOUBLE, SEARCH_SINGLE

ENGINES = {"reference": reference_search, "native": native_search}
TOLERANCES = {"reference": SEARCH_DOUBLE, "native": SEARCH_SINGLE}

LETTERS = Vocabulary(("", "a", "b", "|"), separator="|")
PIECES = Vocabulary(("▁a", "b", "", "▁"), blank=2, word_start="▁")
WORDPIECES = Vocabulary(("", "a", "##b", "b"), continuation="##")
UNMARKED = Vocabulary(("", "a", "b", "c"))


def random_arpa(entries, seed, *, bigrams=0.5):
    """A bigram model in the ARPA format, with random numbers for a random part of the pairs."""
    rng = np.random.default_rng(seed)
    left, right = ["<s>", "<unk>", *entries], ["</s>", "<unk>", *entries]
    pairs = [pair for pair in itertools.product(left, right) if rng.random() < bigrams]
    lines = ["\\data\\", f"ngram 1={len(entries) + 3}", f"ngram 2={len(pairs)}", "", "\\1-grams:"]
    lines += ["-99\t<s>\t-0.3", "-1.1\t</s>\t0"]
    lines += [f"{-3 * rng.random() - 0.1:.6f}\t{entry}\t{-rng.random():.6f}" for entry in ["<unk>", *entries]]
    lines += ["", "\\2-grams:", *(f"{-2 * rng.random() - 0.1:.6f}\t{a} {b}" for a, b in pairs), "", "\\end\\", ""]
    return "\n".join(lines)


def model(folder, entries, unit, seed=0, impossible=()):
    """A random model; the entries ``impossible`` have no probability of their own, only in some contexts."""
    path = folder / f"{unit}{seed}.arpa"
    text = random_arpa(entries, seed)
    for entry in impossible:
        text = re.sub(rf"^\S+\t{re.escape(entry)}(?=[\t\n])", f"-inf\t{entry}", text, flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")
    return NGramModel.load(path, unit=unit)


def text_probs(probs, blank):
    """{tokens: probability} of every text, by listing all paths."""
    found = {}
    for path in itertools.product(range(len(probs[0])), repeat=len(probs)):
        text = oracle.collapse(path, blank)
        found[text] = found.get(text, 0.0) + math.prod(row[c] for row, c in zip(probs, path, strict=True))
    return found


def written(tokens, vocabulary):
    """The tokens as characters, " " for each boundary that does something."""
    text = ""
    for token in tokens:
        for n, part in enumerate(vocabulary.word_parts[token]):
            text += (" " if n and text and not text.endswith(" ") else "") + part
    return text


def naive_parts(tokens, vocabulary, *, word_lm=None, token_lm=None, lexicon=None, hotwords=None):
    """(log p by token model, log p by word model, words, letters in unknown words, hotwords), by the definition."""
    text = written(tokens, vocabulary)
    words = text.split() if vocabulary.has_words else []
    known = listed = lexicon if lexicon is not None else (set(word_lm) if word_lm is not None else None)
    if isinstance(lexicon, Lexicon):
        listed, known = lexicon.words, lexicon.words[: len(lexicon.words) - lexicon.oov_words]
    entries = [word if listed is None or word in listed else "<unk>" for word in words]
    token_part = 0.0
    if token_lm is not None:
        by_token = token_lm.unit == "token"
        asked = [vocabulary[token] for token in tokens] if by_token else text.replace(" ", token_lm.space)
        token_part = token_lm.log_prob(list(asked))
    return (
        token_part,
        0.0 if word_lm is None else word_lm.log_prob(entries),
        len(words),
        0 if known is None else sum(len(word) for word in words if word not in known),
        sum(weight for phrase, weight in found_hotwords(text, words, hotwords or {}, vocabulary.has_words)),
    )


def found_hotwords(text, words, hotwords, has_words):
    if has_words:
        for phrase, weight in hotwords.items():
            wanted = phrase.split()
            for at in range(len(words) - len(wanted) + 1):
                if words[at : at + len(wanted)] == wanted:
                    yield phrase, weight
        return
    for phrase, weight in hotwords.items():
        for at in range(len(text)):
            if text.startswith(phrase, at):
                yield phrase, weight
