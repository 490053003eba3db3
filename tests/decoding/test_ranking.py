"""The order of the results: texts that are written alike are one, and the first one does not depend on how many."""

import itertools
import math
import time

import numpy as np
import pytest

import ctckit
from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.decoding import beam
from ctckit.kernels import runtime
from tests.support.search_problems import ENGINES, LETTERS, TOLERANCES, random_arpa, text_probs


@pytest.fixture(params=sorted(ENGINES))
def engine(request, monkeypatch):
    monkeypatch.setattr(beam, "_engine", ENGINES[request.param])
    return TOLERANCES[request.param]


def random_log_probs(seed, frames, classes, sharpness=1.0):
    rng = np.random.default_rng(seed)
    return np.log(rng.dirichlet(np.full(classes, 1 / sharpness), frames)).astype(np.float32)


@pytest.mark.parametrize(
    "vocabulary",
    [
        LETTERS,
        Vocabulary(("", "a", "b", "ab", "ba")),
        Vocabulary(("▁a", "b", "", "▁"), blank=2, word_start="▁"),
        Vocabulary(("", "a", "##b", "b"), continuation="##"),
    ],
    ids=["separator", "pieces", "word_start", "continuation"],
)
def test_a_text_has_the_masses_of_all_its_token_sequences(vocabulary, engine):
    log_probs = random_log_probs(0, 5, len(vocabulary))
    found = BeamDecoder(vocabulary, beam_width=10_000).decode(log_probs, n_best=10_000)[0]
    expected = {}
    for tokens, prob in text_probs(np.exp(log_probs.astype(np.float64)).tolist(), vocabulary.blank).items():
        expected[vocabulary.decode(tokens)] = expected.get(vocabulary.decode(tokens), 0.0) + prob
    assert {each.text: each.log_prob for each in found} == {
        text: pytest.approx(math.log(prob), abs=max(engine, 1e-5)) for text, prob in expected.items()
    }
    assert len(found) == len(expected)


@pytest.mark.parametrize("beam_width", [1, 3, 10, 40])
@pytest.mark.parametrize("vocabulary", [LETTERS, Vocabulary(("", "a", "b", "c"))], ids=["words", "no words"])
def test_the_best_text_is_the_same_for_every_number_of_texts(beam_width, vocabulary, engine):
    decoder = BeamDecoder(vocabulary, beam_width=beam_width)
    for seed in range(20 if engine == TOLERANCES["native"] else 4):
        log_probs = random_log_probs(seed, 30, 4)
        alone = decoder.decode(log_probs)[0][0]
        for n_best in (2, 5, 100):
            found = decoder.decode(log_probs, n_best=n_best)[0]
            assert found[0] == alone
            assert len({each.text for each in found}) == len(found)
            scores = [each.score for each in found[1:]]
            assert scores == sorted(scores, reverse=True)


def homophones(tmp_path, text, **options):
    path = tmp_path / "words.arpa"
    path.write_text(text, encoding="utf-8")
    vocabulary = Vocabulary(("", "t", "u", "k", "_"), separator="_")
    lexicon = {"too": [["t", "u"]], "two": [["t", "u"]], "cats": [["k"]]}
    return BeamDecoder(
        vocabulary, lexicon=lexicon, language_model=NGramModel.load(path), lm_weight=1.0, lm_boundary=False, **options
    )


def test_a_word_is_chosen_among_those_of_its_spelling_by_what_follows_too(tmp_path, engine):
    arpa = (
        "\\data\\\nngram 1=6\nngram 2=1\n\n\\1-grams:\n-2\t<unk>\t0\n-99\t<s>\t0\n-2\t</s>\t0\n-0.5\ttoo\t0\n"
        "-1\ttwo\t0\n-1\tcats\t0\n\n\\2-grams:\n-0.1\ttwo cats\n\n\\end\\\n"
    )
    decoder = homophones(tmp_path, arpa)
    probs = np.full((5, 5), 0.001)
    probs[range(5), [1, 2, 4, 3, 4]] = 0.996
    assert decoder.decode(np.log(probs[:3]))[0][0].text == "too"
    best = decoder.decode(np.log(probs))[0][0]
    assert best.text == "two cats"
    assert best.lm_log_prob == pytest.approx(math.log(10) * -1.1, abs=1e-4)
    assert [word.text for word in best.words] == ["two", "cats"]


def test_words_of_one_spelling_are_the_likeliest_sequence(tmp_path, engine):
    """Against all sequences: three words of one spelling and two of another, a random model of bigrams."""
    names = {"A": ["a"], "B": ["a"], "C": ["a"], "D": ["b"], "E": ["b"]}
    for seed in range(8):
        path = tmp_path / f"{seed}.arpa"
        path.write_text(random_arpa(list(names), seed), encoding="utf-8")
        model = NGramModel.load(path, unit="word")
        decoder = BeamDecoder(
            LETTERS, lexicon={name: [spelled] for name, spelled in names.items()}, language_model=model
        )
        for length in range(1, 5):
            letters = np.random.default_rng(seed).choice(["a", "b"], length).tolist()
            choices = [[name for name, spelled in names.items() if spelled == [letter]] for letter in letters]
            best = max(model.log_prob(list(words)) for words in itertools.product(*choices))
            tokens = [token for letter in letters for token in LETTERS.encode(f"{letter}|")]
            parts = decoder._search.score_parts(tokens)
            assert parts.word_lm_log_prob == pytest.approx(best, abs=engine)
            written = [list(names)[index] for index in parts.word_indices]
            assert model.log_prob(written) == pytest.approx(best, abs=engine)


@pytest.mark.parametrize(("classes", "sharpness"), [(12, 1.0), (32, 0.001), (5, 0.1)])
@pytest.mark.parametrize("options", [{}, {"hotwords": ["ab"], "token_bonus": 0.1}], ids=["plain", "fused"])
def test_flat_posteriors_take_linear_time(classes, sharpness, options):
    """Uncertain frames have long texts of uncertain tokens; each of these was once compared by a pass over all."""
    decoder = BeamDecoder(["", *map(chr, range(97, 96 + classes))], beam_width=5, **options)

    def seconds(frames):
        log_probs = random_log_probs(0, frames, classes, sharpness)
        start = time.process_time()
        decoder.decode(log_probs)
        return time.process_time() - start

    seconds(100)
    short, long = min(seconds(1000) for _ in range(3)), seconds(12_000)
    assert long < 12 * 8 * short + 0.1
    assert long < 4


def test_a_change_is_scored_as_in_the_whole_text():
    """The refined text of a long uncertain item has the exact score, and no text of a wider beam is far better."""
    log_probs = random_log_probs(1, 600, 12)
    vocabulary = ["", *"abcdefghijk"]
    best = BeamDecoder(vocabulary, beam_width=5).decode(log_probs)[0][0]
    assert best.log_prob == pytest.approx(ctckit.lattice(log_probs, best.tokens).log_likelihood, abs=1e-3)
    unrefined = BeamDecoder(vocabulary, beam_width=5)._search.search()
    unrefined.push(log_probs)
    first = unrefined.best(1)[0]
    assert best.log_prob > ctckit.lattice(log_probs, first.tokens).log_likelihood + 1


def test_token_sequences_of_one_text_have_their_exact_probabilities(tmp_path, engine):
    """The masses of the beam hold clamped scores and words chosen from the left: they are not probabilities."""
    path = tmp_path / "tokens.arpa"
    path.write_text(
        "\\data\\\nngram 1=6\n\n\\1-grams:\n-2\t<unk>\n-99\t<s>\n-1\t</s>\n-1\ta\n-1\tb\n-99\tab\n\n\\end\\\n",
        encoding="utf-8",
    )
    model = NGramModel.load(path, unit="token")
    decoder = BeamDecoder(Vocabulary(("", "a", "b", "ab")), language_model=model, lm_weight=1.0)
    best = decoder.decode(np.array([[-50.0, -38.0, -90.0, 0.0], [-60.0, -90.0, -38.0, 0.0]]))[0][0]
    assert best.text == "ab"
    assert -76 - engine < best.log_prob < engine


def test_words_with_names_are_one_text_with_unknown_words_that_are_written_alike(engine):
    vocabulary = Vocabulary(("", "c", "k", "a", "t", "_"), separator="_")
    decoder = BeamDecoder(vocabulary, lexicon={"cat": "kat"}, oov_charge=0.1)
    probs = np.full((4, 6), 0.01)
    probs[range(4), [2, 3, 4, 5]] = 0.7
    probs[0, 1] = 0.25
    found = decoder.decode(np.log(probs / probs.sum(axis=1, keepdims=True)), n_best=10)[0]
    texts = [each.text for each in found]
    assert texts[0] == "cat"
    assert len(set(texts)) == len(texts)
    item = ctckit.lattice(np.log(probs / probs.sum(axis=1, keepdims=True)), found[0].tokens)
    assert found[0].log_prob > item.log_likelihood + 0.2  # "cat" letter by letter too


def test_many_words_of_one_spelling(tmp_path):
    """Hundreds of words share each spelling: the choice among them costs less than a second."""
    names = [f"w{n}" for n in range(300)]
    path = tmp_path / "words.arpa"
    path.write_text(random_arpa(names[:60], 0), encoding="utf-8")
    decoder = BeamDecoder(
        LETTERS,
        beam_width=30,
        lexicon={name: [["a"] if n % 2 else ["b"]] for n, name in enumerate(names)},
        language_model=NGramModel.load(path),
    )
    log_probs = random_log_probs(0, 60, 4, sharpness=3.0)
    decoder.decode(log_probs[:5])
    start = time.process_time()
    decoder.decode(log_probs)
    assert time.process_time() - start < 3


def expect_best_first(found, log_probs):
    """The scores fall, and each log-probability is that of all alignments."""
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    for each in found:
        exact = ctckit.lattice(log_probs, each.tokens).log_likelihood
        assert each.log_prob == pytest.approx(exact, abs=TOLERANCES["native"])


@pytest.mark.parametrize("beam_width", [1, 2, 5, 12])
def test_lists_are_best_first_in_uncertain_frames(beam_width):
    """A narrow beam loses much of some masses, and little of others."""
    decoder = BeamDecoder(["", "a", "b"], beam_width=beam_width)
    for seed in range(250, 350):
        logits = np.random.default_rng(seed).standard_normal((30, 3))
        log_probs = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
        found = decoder.decode(log_probs, n_best=5)[0]
        expect_best_first(found, log_probs)


@pytest.mark.parametrize("penalty", [math.inf, 100.0])
def test_lists_are_exact_where_frames_exclude_classes(penalty):
    """A place in a text may lose all its mass in one frame, and have it again later."""
    decoder = BeamDecoder(["", "a", "b"], beam_width=8)
    for seed in range(300):
        rng = np.random.default_rng(seed)
        logits = rng.standard_normal((27, 3))
        excluded = (rng.random(27) < 0.3)[:, None] & (rng.integers(0, 3, 27)[:, None] != np.arange(3))
        logits = np.where(excluded, logits - penalty, logits)
        log_probs = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
        found = decoder.decode(log_probs, n_best=8)[0]
        expect_best_first(found, log_probs)


@pytest.mark.parametrize("name", runtime.instruction_sets())
def test_a_text_as_likely_as_the_likeliest_has_its_log_probability(name):
    """Rounding errors, which differ between instruction sets, do not decide which of them comes first."""
    vocabulary = Vocabulary(("", *"abcdefgh"))
    before = runtime.instruction_set()
    runtime.set_instruction_set(name)
    try:
        for seed in range(40):
            rng = np.random.default_rng(seed)
            probs = np.full((16, len(vocabulary)), 0.01)
            probs[np.arange(0, 16, 2), rng.integers(3, len(vocabulary), 8)] += 0.9
            probs[1::2, 0] += 0.9
            probs[2 * rng.integers(8)] = [0.01, 0.45, 0.45, *[0.015] * 6]  # "a" or "b"
            log_probs = np.log(probs / probs.sum(1, keepdims=True)).astype(np.float32)
            first, second = BeamDecoder(vocabulary).decode(log_probs, n_best=2)[0]
            assert first.text.translate(str.maketrans("ab", "ba")) == second.text
            assert first.log_prob == second.log_prob
    finally:
        runtime.set_instruction_set(before)
