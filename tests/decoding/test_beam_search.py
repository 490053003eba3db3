"""The search compared with an enumeration of all paths, with naive scores, and between engines."""

import itertools
import math

import numpy as np
import pytest

import ctckit
from ctckit import BeamDecoder, Vocabulary
from ctckit.decoding import settings as defaults
from ctckit.decoding.lexicon import lexicon_with_oov
from ctckit.kernels.search.plan import Ragged, SearchPlan
from ctckit.kernels.search.reference_scorers import HotwordAutomaton, Scorers
from tests.support.problems import random_probs
from tests.support.search_problems import (
    ENGINES,
    LETTERS,
    PIECES,
    TOLERANCES,
    UNMARKED,
    WORDPIECES,
    found_hotwords,
    model,
    naive_parts,
    text_probs,
)
from tests.support.tolerances import DOUBLE, SEARCH_DOUBLE

EVERYTHING = 1 << 12


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        "words": model(folder, ["a", "b", "ab", "ba", "zz"], "word"),
        "characters": model(folder, ["a", "b", "|"], "char"),
        "letters": model(folder, ["a", "b", "c"], "char", seed=1),
        "tokens": model(folder, ["▁a", "b", "▁"], "token"),
        "some words": model(folder, ["a", "b", "ab", "ba"], "word", seed=2, impossible=["a", "ab"]),
        "only known words": model(folder, ["a", "b", "ab"], "word", seed=3, impossible=["b", "<unk>", "</s>"]),
        "some characters": model(folder, ["a", "b", "|"], "char", seed=4, impossible=["b", "</s>"]),
    }


@pytest.fixture(params=sorted(ENGINES))
def engine(request):
    return ENGINES[request.param], TOLERANCES[request.param]


# name: vocabulary, models, and the other arguments of the decoder
FEATURES = {
    "plain": (UNMARKED, [], {}),
    "tokens cost": (UNMARKED, [], {"token_bonus": -0.7}),
    "words pay": (LETTERS, [], {"word_bonus": 0.8}),
    "characters": (LETTERS, ["characters"], {"lm_weight": 0.7}),
    "characters without words": (UNMARKED, ["letters"], {"lm_weight": 1.5}),
    "characters of pieces": (PIECES, ["characters"], {"lm_weight": 0.7}),
    "tokens": (PIECES, ["tokens"], {"lm_weight": 0.4, "token_bonus": 0.3}),
    "words": (LETTERS, ["words"], {"lm_weight": 0.6, "word_bonus": 0.5, "oov_charge": 0.4}),
    "no unknown words": (LETTERS, ["words"], {"lm_weight": 0.6, "oov_charge": None}),
    "some words": (LETTERS, ["some words"], {"lm_weight": 0.6, "oov_charge": 0.4}),
    "only known words": (LETTERS, ["only known words"], {"lm_weight": 0.6, "oov_charge": 0.4}),
    "some characters": (LETTERS, ["some characters"], {"lm_weight": 0.7}),
    "words of pieces": (WORDPIECES, ["words"], {"lm_weight": 0.6, "oov_charge": 0.1}),
    "lexicon alone": (LETTERS, [], {"lexicon": ["ab", "b", "bb"], "oov_charge": 0.9}),
    "closed lexicon": (PIECES, [], {"lexicon": ["ab", "a", "abb"], "oov_charge": None, "word_bonus": 0.3}),
    "words out of vocabulary": (
        LETTERS,
        ["words"],
        {"lexicon": lexicon_with_oov(["ab"], ["a", "ba"], LETTERS), "lm_weight": 0.9, "oov_charge": 0.7},
    ),
    "words out of vocabulary are forbidden": (
        LETTERS,
        ["words"],
        {"lexicon": lexicon_with_oov(["ba", "a"], ["ab", "b"], LETTERS), "lm_weight": 0.9, "oov_charge": None},
    ),
    "no word in vocabulary": (LETTERS, ["words"], {"lexicon": lexicon_with_oov([], [], LETTERS), "oov_charge": 0.3}),
    "lexicon and words": (LETTERS, ["words"], {"lexicon": ["ab", "b", "bb"], "lm_weight": 0.9}),
    "hotwords": (LETTERS, [], {"hotwords": {"ab": 2.0, "b": 0.5, "a b": 3.0, "b a": 1.0}}),
    "avoided hotwords": (LETTERS, [], {"hotwords": {"ab": -2.0, "b": 0.5, "a b": -3.0, "b a": 1.0}}),
    "avoided anywhere": (UNMARKED, [], {"hotwords": {"ab": -2.0, "abc": 3.0, "bb": -1.0, "cab": -9.0}}),
    "hotwords anywhere": (UNMARKED, [], {"hotwords": {"ab": 2.0, "abc": 3.0, "bb": 1.0, "cab": 1.5}}),
    "all": (
        LETTERS,
        ["characters", "words"],
        {"lm_weight": [0.3, 0.5], "hotwords": ["ab a"], "hotword_weight": 4.0, "token_bonus": 0.2, "word_bonus": -0.4},
    ),
}


def made(name, models, **changes):
    """The decoder, and the naive score of a text besides its log-probability."""
    vocabulary, names, arguments = FEATURES[name]
    used = [models[each] for each in names]
    given = {"beam_width": EVERYTHING, "language_model": used, **arguments, **changes}
    decoder = BeamDecoder(vocabulary, **given)
    weights = arguments.get("lm_weight", defaults.LM_WEIGHT)
    by_kind = dict.fromkeys(("word", "token"))
    lm_weight = dict.fromkeys(("word", "token"), 0.0)
    for n, each in enumerate(used):
        kind = "word" if each.unit == "word" else "token"
        by_kind[kind], lm_weight[kind] = each, weights[n] if isinstance(weights, list) else weights
    hotwords = arguments.get("hotwords", {})
    if not isinstance(hotwords, dict):
        hotwords = dict.fromkeys(hotwords, arguments["hotword_weight"])
    word_bonus = arguments.get("word_bonus", defaults.WORD_BONUS if by_kind["word"] else 0.0)
    oov_charge = arguments.get("oov_charge", defaults.OOV_CHARGE)

    def fusion_score(tokens):
        token_part, word_part, words, unknown, boosted = naive_parts(
            tokens,
            vocabulary,
            word_lm=by_kind["word"],
            token_lm=by_kind["token"],
            lexicon=arguments.get("lexicon"),
            hotwords=hotwords,
        )
        if unknown and oov_charge is None:
            return -math.inf
        return (
            lm_weight["token"] * token_part
            + lm_weight["word"] * word_part
            + word_bonus * words
            + arguments.get("token_bonus", 0.0) * len(tokens)
            - (oov_charge * unknown if unknown else 0.0)
            + boosted
        )

    return decoder, fusion_score


@pytest.mark.parametrize("name", FEATURES)
def test_a_beam_as_wide_as_the_space_ranks_all_texts(name, models, engine):
    search, tolerance = engine
    decoder, fusion_score = made(name, models)
    plan = decoder.plan
    for seed in range(3):
        probs = random_probs(np.random.default_rng(seed), 5, plan.classes)
        expected = {
            text: math.log(prob) + fusion_score(text) for text, prob in text_probs(probs.tolist(), plan.blank).items()
        }
        expected = {text: score for text, score in expected.items() if score > -math.inf}
        running = search.Search(plan)
        running.push(np.log(probs))
        found = running.best(EVERYTHING)
        assert {each.tokens for each in found} == set(expected)
        for each in found:
            assert each.score == pytest.approx(expected[each.tokens], abs=tolerance)
        assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
        (decoded,) = search.Decoder(plan).decode_batch(np.log(probs)[None], np.array([5]), 5)
        best = sorted(scores_by_text(expected, fusion_score, decoder.vocabulary), reverse=True)[:5]
        assert [each.score(plan) for each in decoded] == pytest.approx(best, abs=max(tolerance, 1e-5))
        texts = [decoder.vocabulary.decode(each.tokens) for each in decoded]
        assert len(set(texts)) == len(texts)


def scores_by_text(scores, fusion_score, vocabulary):
    """Return a score for each written text: the log-sum of its token sequences, with the fusion score of the best."""
    texts = {}
    for tokens, score in scores.items():
        texts.setdefault(vocabulary.decode(tokens), []).append((score, fusion_score(tokens)))
    for variants in texts.values():
        best = max(variants)[1]
        yield best + math.log(sum(math.exp(score - fusion) for score, fusion in variants))


@pytest.mark.parametrize("name", FEATURES)
def test_the_parts_of_a_score(name, models, engine):
    search, tolerance = engine
    decoder, fusion_score = made(name, models)
    plan = decoder.plan
    rng = np.random.default_rng(1)
    others = [c for c in range(plan.classes) if c != plan.blank]
    scoring = search.Decoder(plan)
    for length in [0, 1, 2, 3, 5, 8, 13, 21, 34] * 3:
        tokens = tuple(rng.choice(others, length).tolist())
        parts = scoring.score_parts(tokens)
        assert plan.fusion_score(parts, len(tokens)) == pytest.approx(fusion_score(tokens), abs=tolerance)
        assert len(parts.word_indices) == parts.words


@pytest.mark.parametrize("name", FEATURES)
def test_look_aheads_cancel_along_every_text(name, models):
    decoder, fusion_score = made(name, models)
    scorers = Scorers(decoder.plan)
    others = [c for c in range(decoder.plan.classes) if c != decoder.plan.blank]
    for tokens in itertools.product(others, repeat=4):
        total, context = 0.0, scorers.start()
        for token in tokens:
            gain, context = scorers.extend(context, token)
            total += gain
            if total == -math.inf:
                break
        else:
            total += scorers.close(context)
        assert total == pytest.approx(fusion_score(tokens), abs=SEARCH_DOUBLE)


@pytest.mark.difference(
    "pyctcdecode",
    "the beginning of a known word",
    "costs nothing until the word is complete",
    "counts as the likeliest word that it can become",
)
def test_look_aheads_steer(models):
    """Inside a word: the likeliest of the words below; in a hotword: the share of its letters."""
    plan = BeamDecoder(LETTERS, language_model=models["words"], lm_weight=2.0, oov_charge=0.25).plan
    scorers = Scorers(plan)
    words = models["words"]
    log_prob = {word: words.native.look_ahead(words.native.find(word)) for word in words}
    a, b, _ = 1, 2, 3
    gain, after_a = scorers.extend(scorers.start(), a)
    assert gain == pytest.approx(2 * max(log_prob["a"], log_prob["ab"]), abs=DOUBLE)
    _, after_aa = scorers.extend(after_a, a)
    assert scorers.look_ahead(after_aa) == pytest.approx(2 * words.unknown_log_prob - 0.25 * 2, abs=SEARCH_DOUBLE)
    hot = Scorers(BeamDecoder(LETTERS, hotwords={"abb": 3.0, "ab": 1.0, "abb ba": 2.5}).plan)
    context = hot.start()
    for token, expected in zip((a, b, b), (1.0, 2.0, 3.0), strict=True):  # 3 nats over the letters of abb
        _, context = hot.extend(context, token)
        assert hot.look_ahead(context) == pytest.approx(expected, abs=DOUBLE)
    _, context = hot.extend(context, 3)
    assert hot.look_ahead(context) == pytest.approx(2.5 * 3 / 5, abs=DOUBLE)


def automaton(phrases, *, has_words):
    letters = {"a": 1, "b": 2, " ": 0}
    patterns = [f" {phrase} " if has_words else phrase for phrase in phrases]
    plan = SearchPlan(
        classes=1,
        blank=0,
        beam_width=1,
        letters=Ragged.of([[]]),
        has_words=has_words,
        hotwords=Ragged.of([[letters[each] for each in pattern] for pattern in patterns]),
        hotword_weights=np.array(list(phrases.values()), dtype=np.float32),
    )
    return HotwordAutomaton(plan), letters


@pytest.mark.parametrize("has_words", [False, True])
def test_the_automaton_finds_what_naive_matching_finds(has_words):
    rng = np.random.default_rng(3)
    alphabet = "ab " if has_words else "ab"
    for _ in range(300):
        texts = ["".join(rng.choice(list(alphabet), rng.integers(1, 5))) for _ in range(rng.integers(1, 6))]
        phrases = {" ".join(text.split()): float(2**n) for n, text in enumerate(texts) if text.strip()}
        if not phrases:
            continue
        machine, letters = automaton(phrases, has_words=has_words)
        text = "".join(rng.choice(list(alphabet), 30))
        text = " ".join(text.split()) if has_words else text
        state, total = machine.start, 0.0
        for letter in text + (" " if has_words else ""):
            state, weight = machine.step(state, letters[letter])
            total += weight
        assert total == sum(weight for _, weight in found_hotwords(text, text.split(), phrases, has_words))


@pytest.mark.parametrize("width", [1, 2, 5, 20])
def test_a_narrow_beam_never_finds_more_mass_than_there_is(width, engine):
    search, tolerance = engine
    rng = np.random.default_rng(width)
    for _ in range(5):
        log_probs = np.log(random_probs(rng, 12, 4))
        plan = BeamDecoder(UNMARKED, beam_width=width).plan
        running = search.Search(plan)
        running.push(log_probs)
        found = running.best(width)
        assert len({each.tokens for each in found}) == len(found) <= width
        for each in found:
            exact = ctckit.lattice(log_probs, each.tokens).log_likelihood
            assert each.score <= exact + tolerance


def naive_beam(log_probs, blank, width):
    """Algorithm 1 of Hannun et al. 2014, as probabilities in dictionaries."""
    beam = {(): (1.0, 0.0)}
    for frame in np.exp(log_probs):
        following = {}

        def add(text, blank_mass, token_mass, following=following):
            old = following.get(text, (0.0, 0.0))
            following[text] = (old[0] + blank_mass, old[1] + token_mass)

        for text, (ends_blank, ends_token) in beam.items():
            for c, p in enumerate(frame):
                if c == blank:
                    add(text, (ends_blank + ends_token) * p, 0.0)
                elif text and c == text[-1]:
                    add(text, 0.0, ends_token * p)
                    add((*text, c), 0.0, ends_blank * p)
                else:
                    add((*text, c), 0.0, (ends_blank + ends_token) * p)
        beam = dict(sorted(following.items(), key=lambda item: -sum(item[1]))[:width])
    return {text: math.log(sum(masses)) for text, masses in beam.items()}


@pytest.mark.parametrize("width", [1, 3, 10, 40])
def test_it_is_the_published_algorithm(width, engine):
    search, tolerance = engine
    vocabulary = Vocabulary(("a", "b", "c", "", "d"), blank=3)
    for seed in range(4):
        log_probs = np.log(random_probs(np.random.default_rng(seed), 20, 5, sharpness=3.0))
        running = search.Search(BeamDecoder(vocabulary, beam_width=width).plan)
        running.push(log_probs)
        expected = naive_beam(log_probs, 3, width)
        found = {each.tokens: each.score for each in running.best(width)}
        assert found == pytest.approx(expected, abs=tolerance)


def test_thresholds(engine):
    search, _ = engine
    log_probs = np.log(np.array([[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.2, 0.5], [0.97, 0.01, 0.01, 0.01]]))

    def texts(**thresholds):
        running = search.Search(BeamDecoder(UNMARKED, beam_width=100, **thresholds).plan)
        running.push(log_probs)
        return {each.tokens for each in running.best(100)}

    assert len(texts()) == 1 + 3 + 9 + 12  # with a token twice in a row only where a blank can be between
    assert texts(token_threshold=math.log(0.25)) == {(), (1,), (3,), (1, 3)}
    assert texts(token_threshold=math.log(0.99)) == {(), (3,)}  # the best class of a frame is always let in
    assert texts(beam_threshold=0.0) == {(3,)}
    masses = search.Search(BeamDecoder(UNMARKED, beam_width=100).plan)
    masses.push(log_probs)
    scores = [each.score for each in masses.best(100)]
    assert len(texts(beam_threshold=-1.0)) < len([score for score in scores if score > scores[0] - 3.0])


def test_a_class_below_the_threshold_still_adds_to_a_text_of_the_beam(engine):
    search, tolerance = engine
    probs = np.array([[0.1, 0.9], [0.8, 0.2]])  # the blank, "a"
    running = search.Search(BeamDecoder(["", "a"], token_threshold=math.log(0.5)).plan)
    running.push(np.log(probs))
    found = {each.tokens: each.score for each in running.best(2)}
    assert found[(1,)] == pytest.approx(math.log(0.9 + 0.1 * 0.2), abs=tolerance)


def test_what_is_stable_is_forgotten(engine):
    search, _ = engine
    log_probs = np.log(random_probs(np.random.default_rng(0), 100, 4, sharpness=3.0))
    plan = BeamDecoder(UNMARKED, beam_width=2).plan
    whole, cut = search.Search(plan), search.Search(plan)
    whole.push(log_probs)
    forgotten = ()
    for frame in log_probs:
        cut.push(frame[None])
        stable = cut.stable()
        assert all(each.tokens[: len(stable)] == stable for each in cut.best(2))
        cut.forget(len(stable))
        forgotten += stable
        assert cut.stable() == ()
    assert len(forgotten) > 5
    expected = [(each.tokens, each.score) for each in whole.best(2)]
    assert [(forgotten + each.tokens, each.score) for each in cut.best(2)] == expected


def test_texts_that_begin_otherwise_are_dropped(engine):
    search, _ = engine
    running = search.Search(BeamDecoder(UNMARKED, beam_width=50).plan)
    running.push(np.log(random_probs(np.random.default_rng(2), 8, 4)))
    prefix = running.best(1)[0].tokens[:2]
    expected = [each.tokens for each in running.best(50) if each.tokens[:2] == prefix]
    running.keep_only(prefix, closed=0, frames=1 << 40)
    assert [each.tokens for each in running.best(50)] == expected
    assert running.stable()[:2] == prefix


def test_texts_that_do_not_fit_are_dropped(engine):
    search, _ = engine
    running = search.Search(BeamDecoder(UNMARKED, beam_width=50).plan)
    running.push(np.log(random_probs(np.random.default_rng(2), 8, 4)))
    texts = [each.tokens for each in running.best(50)]
    prefix = texts[0][:1]

    def needed(tokens):
        return len(tokens) + sum(a == b for a, b in itertools.pairwise(tokens))

    expected = [each for each in texts if each[:1] == prefix and needed(each[1:]) <= 3]
    running.keep_only(prefix, closed=1, frames=3)
    assert 0 < len(expected) < sum(each[:1] == prefix for each in texts)
    assert [each.tokens for each in running.best(50)] == expected
    running.keep_only(prefix, closed=1, frames=-1)  # none would be left
    assert [each.tokens for each in running.best(50)] == expected


def test_the_beam_as_it_is_and_as_if_the_text_ended(models, engine):
    search, tolerance = engine
    plan = BeamDecoder(LETTERS, language_model=models["words"], lm_weight=0.5, word_bonus=1.0, oov_charge=None).plan
    running = search.Search(plan)
    running.push(np.log(np.array([[0.01, 0.97, 0.01, 0.01], [0.97, 0.01, 0.01, 0.01]])))
    words = models["words"]
    (best,) = running.best(1, ended=False)
    look_ahead = max(words.native.look_ahead(words.native.find(word)) for word in ("a", "ab"))
    mass = math.log(0.97 * 0.97 + 0.97 * 0.01 + 0.01 * 0.01)
    assert (best.tokens, best.score) == ((1,), pytest.approx(mass + 0.5 * look_ahead, abs=tolerance))
    assert running.best(1)[0].score == pytest.approx(mass + 0.5 * words.log_prob(["a"]) + 1.0, abs=tolerance)


@pytest.mark.parametrize("name", FEATURES)
def test_in_a_narrow_beam_every_engine_goes_the_same_way(name, models):
    """Pruning sees fusion scores and look-aheads: if these differ between engines, so do the texts that remain."""
    for seed, width in itertools.product(range(6), (3, 8, 25)):
        plan = made(name, models, beam_width=width, token_threshold=-4.0, beam_threshold=-9.0)[0].plan
        log_probs = np.log(random_probs(np.random.default_rng(seed), 15, plan.classes, sharpness=2.0))
        found = {}
        for engine, search in ENGINES.items():
            running = search.Search(plan)
            running.push(log_probs)
            found[engine] = {each.tokens: each.score for each in running.best(width, ended=False)}
        for engine, texts in found.items():
            assert texts == pytest.approx(found["reference"], abs=TOLERANCES[engine])
