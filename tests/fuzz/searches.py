"""Random searches: ``python -m tests.fuzz.searches --rounds 10000 --seed 2`` (``make fuzz``).

A batch is decoded like its items, a stream like the whole item, and results are consistent in themselves.
"""

import math
import warnings
from dataclasses import dataclass
from itertools import pairwise
from unittest import mock

import numpy as np
import torch

import ctckit
from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit._padding import pad_frames
from ctckit.decoding import streaming
from tests.fuzz.rounds import Rounds, expect, shown
from tests.support.open_models import Delegating
from tests.support.tolerances import LATTICE_DOUBLE, SEARCH_SINGLE

LETTERS = "abcdeéß한का"
SHARPNESS = (0.0, 0.1, 1.0, 4.0, 12.0)  # from flat posteriors to certain ones


@dataclass
class Search:
    """A decoder and what it decodes.

    Attributes:
        vocabulary: The vocabulary.
        options: The arguments of the decoder.
        items: The log-probabilities of each item.
        n_best: The number of texts for each.
        window: The window of streams, much shorter than the usual one.
    """

    vocabulary: Vocabulary
    options: dict
    items: list
    n_best: int
    window: int

    @property
    def unknown_words_look_known(self):
        """Whether the letters of an unknown word can be those of a known word that has another spelling."""
        return isinstance(self.options.get("lexicon"), dict) and self.options["oov_charge"] is not None

    def decoder(self):
        return BeamDecoder(self.vocabulary, **self.options)


def random_vocabulary(rng):
    """Return a small vocabulary of one kind."""
    some = list(rng.permutation([*LETTERS])[: rng.integers(1, 9)])
    tokens, mark = {
        0: (some, {}),
        1: ([*some, "|"], {"separator": "|"}),
        2: ([*some, "▁", *("▁" + each for each in some[:3])], {"word_start": "▁"}),
        3: ([*some, *("##" + each for each in some[:3])], {"continuation": "##"}),
        4: ([*some, "ab", "abc", "ba"], {}),
    }[int(rng.integers(5))]
    blank = int(rng.integers(len(tokens) + 1))
    return Vocabulary((*map(str, tokens[:blank]), "", *map(str, tokens[blank:])), blank, **mark)


def random_word(rng, vocabulary):
    letters = sorted({c for parts in vocabulary.word_parts for part in parts for c in part})
    return "".join(rng.choice(letters, rng.integers(1, 4)))


def random_words(rng, vocabulary, most=8):
    return [random_word(rng, vocabulary) for _ in range(rng.integers(1, most))]


def random_options(rng, vocabulary):
    """Return arguments of a decoder that fit the vocabulary."""
    options = {"beam_width": int(rng.choice([1, 2, 3, 5, 10, 40]))}
    if rng.random() < 0.3:
        options["token_bonus"] = float(rng.normal(0, 2))
    if rng.random() < 0.2:
        options["token_threshold"] = -float(rng.exponential(8))
    if rng.random() < 0.2:
        options["beam_threshold"] = -float(rng.exponential(8)) - 0.5
    if rng.random() < 0.3:
        options["hotwords"] = random_words(rng, vocabulary)
        options["hotword_weight"] = (None, float(rng.uniform(0.1, 9)), -float(rng.uniform(0.1, 9)))[rng.integers(3)]
    if rng.random() < 0.3:
        options |= model_of(rng, vocabulary, "char")
    if vocabulary.has_words:
        options |= options_of_words(rng, vocabulary, options)
    return options


def options_of_words(rng, vocabulary, options):
    """Return a model of words, a lexicon, and a bonus for words, or some of them."""
    more = {}
    if rng.random() < 0.3 and "language_model" not in options:
        more |= model_of(rng, vocabulary, "word")
    if rng.random() < 0.3:
        words = random_words(rng, vocabulary)
        more["lexicon"] = words if rng.random() < 0.5 else {word: random_spellings(rng, vocabulary) for word in words}
    if {"lexicon", "language_model"} & more.keys():
        more["oov_charge"] = (None, 0.0, float(rng.exponential(3)))[rng.integers(3)]
    if more.get("oov_charge", 0) is None and "lexicon" not in more:
        del more["oov_charge"]
    if rng.random() < 0.3:
        more["word_bonus"] = float(rng.normal(0, 3))
    return more


def random_spellings(rng, vocabulary):
    """Return one spelling, or several, of which some are those of other words too."""
    found = random_words(rng, vocabulary, 3)
    one = len(found) == 1 or vocabulary.separator is None  # where words begin is in the tokens
    return found[0] if one else [list(each) for each in found]


def model_of(rng, vocabulary, unit):
    """Return a model, in the core or in Python, and its weight."""
    lines = [" ".join(random_words(rng, vocabulary)) for _ in range(5)]
    model = NGramModel.train(lines, order=int(rng.integers(1, 4)), unit=unit)
    weight = (0.0, float(rng.uniform(0.05, 2)))[rng.random() < 0.9]
    if rng.random() < 0.3:
        model = Delegating(model)
    return {"language_model": model, "lm_weight": weight, "lm_boundary": bool(rng.integers(2))}


def random_item(rng, frames, classes, blank):
    """Return the (T, C) log-probabilities of one item, flat or peaked, with runs and masked classes."""
    logits = rng.standard_normal((frames, classes)) * rng.choice(SHARPNESS)
    if rng.random() < 0.4:
        logits[:, blank] += rng.uniform(0, 5)
    if rng.random() < 0.3 and frames:
        logits = logits[np.sort(rng.integers(0, frames, frames))]  # some frames several times
    if rng.random() < 0.2 and classes > 1:
        masked = rng.random(logits.shape) < 0.3
        masked[np.arange(frames), rng.integers(0, classes, frames)] = False
        logits[masked] = -np.inf
    with np.errstate(invalid="ignore"):
        return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def random_search(rng):
    vocabulary = random_vocabulary(rng)
    window = int(rng.choice([4, 16, 50]))
    longest = int(rng.choice([2, 12, 60, 6 * window]))
    lengths = rng.integers(0, longest + 1, rng.integers(1, 5))
    dtype = rng.choice(["float32", "float32", "float64", "float16"])
    items = [random_item(rng, length, len(vocabulary), vocabulary.blank).astype(dtype) for length in lengths]
    return Search(vocabulary, random_options(rng, vocabulary), items, int(rng.choice([1, 2, 5, 30])), window)


def check_search(rng):
    """Check one random search."""
    search = random_search(rng)
    with shown(search), mock.patch.object(streaming, "window_of", return_value=search.window):
        decoder = search.decoder()
        each = [decoder.decode(item, n_best=search.n_best)[0] for item in search.items]
        check_batch(rng, search, decoder, each)
        check_first(search, decoder, each)
        for item, found in zip(search.items, each, strict=True):
            check_stream(rng, search, decoder, item, found)
            if not may_end_incomplete(decoder):
                check_partials(rng, decoder, item)
            check_list(search, item, found)
        check_greedy(rng, search)


def check_batch(rng, search, decoder, each):
    """Check that a batch has the results of its items, in all layouts, whatever is behind the items."""
    batch, lengths = pad_frames(search.items)
    for b, length in enumerate(lengths):
        batch[b, length:] = rng.choice([np.nan, np.inf, 0, -np.inf])
    layout = int(rng.integers(4))
    if layout == 1:
        batch = np.asfortranarray(batch)
    if layout == 2:
        batch = torch.from_numpy(batch)
    if layout == 3:
        batch = np.repeat(batch, 2, axis=1)[:, ::2]
    found = decoder.decode(batch, lengths, n_best=search.n_best)
    expect(found == each, f"a batch gives\n{found}\nits items\n{each}")


def check_first(search, decoder, each):
    """Check that the first text is the same for every number of texts."""
    for item, found in zip(search.items, each, strict=True):
        (first,) = decoder.decode(item)[0]
        expect(first == found[0], f"the best text is {first!r}, the first of several {found[0]!r}")


def chunks(rng, item):
    """Yield the item in random chunks, some of them empty."""
    at = 0
    size = int(rng.choice([1, 5, 40]))
    while at < len(item):
        end = at + int(rng.integers(0, size + 1))
        yield item[at:end]
        at = end


def check_stream(rng, search, decoder, item, found):
    """Check that a stream in any chunks has the results of the whole item."""
    stream = decoder.stream()
    for chunk in chunks(rng, item):
        stream.push(chunk)
    streamed = stream.finish_all(search.n_best)
    expect(streamed == found, f"a stream gives\n{streamed}\nthe whole item\n{found}")


def may_end_incomplete(decoder):
    """Tell whether no text of the beam may be complete at the end, so that the result is empty."""
    return math.isinf(decoder.plan.oov_charge)


def check_partials(rng, decoder, item):
    """Check that the stable text only grows, and begins the result."""
    stream, stable, tokens = decoder.stream(), "", ()
    for chunk in chunks(rng, item):
        stream.push(chunk)
        if rng.random() < 0.5:
            partial = stream.partial()
            expect(partial.stable.startswith(stable), f"{stable!r} was stable, then {partial.stable!r}")
            expect(partial.stable_tokens[: len(tokens)] == tokens, f"{tokens} were stable, then {partial}")
            stable, tokens = partial.stable, partial.stable_tokens
    result = stream.finish()
    expect(result.text.startswith(stable), f"{stable!r} was stable, the result is {result.text!r}")
    expect(result.tokens[: len(tokens)] == tokens, f"{tokens} were stable, the result is {result.tokens}")


def check_list(search, item, found):
    """Check that the texts of a list are different, and that those of an item without cuts have possible numbers."""
    texts = [each.text for each in found]
    expect(1 <= len(found) <= search.n_best, f"{len(found)} texts")
    if not search.unknown_words_look_known:
        expect(len(set(texts)) == len(texts), f"texts are repeated: {texts}")
    scores = [each.score for each in found]
    ordered = all(a >= b - LATTICE_DOUBLE * max(1, abs(b)) for a, b in pairwise(scores))
    expect(ordered, f"scores are not in order: {scores}")
    for each in found:
        check_spans(item, each)
    if len(item) > 2 * search.window:
        return
    for each in found:
        check_probability(search, item, each)
    total = math.fsum(math.exp(each.log_prob) for each in found)
    expect(total <= 1 + rounding(item), f"the probabilities sum to {total}")


def rounding(item):
    """Return how far sums of probabilities may be above 1."""
    return max(1, len(item)) * (4e-3 if item.dtype == np.float16 else SEARCH_SINGLE)


def check_spans(item, found):
    """Check that the spans follow each other within the item, with confidences; an impossible text has none."""
    if math.isinf(found.log_prob):
        return
    at = 0
    for span in found.spans:
        expect(at <= span.start < span.end <= len(item), f"spans {found.spans} of {len(item)} frames")
        expect(span.confidence is None or 0 <= span.confidence <= 1 + SEARCH_SINGLE, f"confidence {span.confidence}")
        at = span.end
    words = [word for word in found.words if not word.start < word.end]
    expect(not words, f"words without frames: {words}")


def check_probability(search, item, found):
    """Check that a text is at least as probable as its tokens, and at most certain."""
    own = ctckit.lattice(item, list(found.tokens), blank=search.vocabulary.blank).log_likelihood
    allowed = rounding(item) if item.dtype == np.float16 else SEARCH_SINGLE * max(1, abs(own))
    expect(found.log_prob >= own - allowed, f"log_prob is {found.log_prob}, that of the tokens {own}")
    expect(found.log_prob <= rounding(item), f"log_prob is {found.log_prob}")
    if "lexicon" not in search.options:
        expect(found.text == search.vocabulary.decode(found.tokens), f"{found.tokens} are {found.text!r}")


def check_greedy(rng, search):
    """Check that greedy decoding of a batch is that of its items, and agrees with the lattice."""
    batch, lengths = pad_frames(search.items)
    found = ctckit.greedy_decode(batch, lengths, vocabulary=search.vocabulary)
    for item, each in zip(search.items, found, strict=True):
        (alone,) = ctckit.greedy_decode(item, vocabulary=search.vocabulary)
        expect(each == alone, f"greedy decoding of a batch gives {each!r}, of its item {alone!r}")
        check_spans(item, each)
        check_probability(search, item, each)


ROUNDS = Rounds("tests.fuzz.searches", check_search, "{} searches: batches, streams and lists are consistent", 10000)

if __name__ == "__main__":
    warnings.simplefilter("ignore", ctckit.errors.InputWarning)
    ROUNDS.command()
