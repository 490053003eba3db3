"""The C++ search against the one in dictionaries: random problems, every kind of scorer, every instruction set."""

import math

import numpy as np
import pytest

from ctckit import NGramModel
from ctckit.kernels import runtime
from ctckit.kernels.search import native as native_search
from ctckit.kernels.search import reference as reference_search
from ctckit.kernels.search.plan import Ragged, SearchPlan
from ctckit.language_models.numbered import NumberedModel
from tests.support.open_models import RandomModel
from tests.support.search_problems import random_arpa
from tests.support.tolerances import FUSION_TERMS, RESCORED_SINGLE, SEARCH_SINGLE

ENGINES = (native_search, reference_search)
ROUNDS = 80


@pytest.fixture(scope="module", params=["n-grams", "in Python"])
def models(request, tmp_path_factory):
    """Little models of the entries "1", "2", …, by how many there are."""
    if request.param == "in Python":
        return {count: open_model(count) for count in range(1, 9)}
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for count in range(1, 9):
        path = folder / f"{count}.arpa"
        path.write_text(random_arpa([str(n + 1) for n in range(count)], count), encoding="utf-8")
        found[count] = NGramModel.load(path, unit="token").native
    return found


def open_model(count):
    model = RandomModel("token", count, order=1 + count % 3, hashable=count % 2 == 0, impossible=0.1)
    numbered = NumberedModel(model)
    numbered.find_words([str(n + 1) for n in range(count)])
    return numbered


def random_letters(rng, classes, letters, *, has_words):
    """Spellings of the classes but the blank, which is the last: letters, boundaries, pieces of both."""
    spelled = []
    for _ in range(classes - 1):
        piece = rng.integers(1, letters + 1, rng.choice([1, 1, 1, 2])).tolist()
        if has_words:
            piece = [piece, [0, *piece], [0], [*piece, 0]][rng.choice(4, p=[0.5, 0.25, 0.2, 0.05])]
        spelled.append(piece)
    return [*spelled, []]


def random_word_options(rng, letters, models):
    words = [rng.integers(1, letters + 1, rng.integers(1, 4)).tolist() for _ in range(rng.integers(1, 9))]
    options = {
        "has_lexicon": True,
        "words": Ragged.of(words),
        "word_lm_ids": np.full(len(words), -1, dtype=np.int32),
        "oov_charge": rng.choice([0.0, 0.5, 2.0, math.inf]),
    }
    if rng.random() < 0.4:
        names = rng.integers(65, 69, len(words)).tolist()
        options["word_names"] = Ragged.of([[name] for name in names])
    if rng.random() < 0.3:
        return options
    model = models[int(rng.integers(1, 9))]
    ids = np.array([model.find(str(n + 1)) for n in range(len(words))], dtype=np.int32)
    lm = {"word_lm": model, "word_lm_weight": rng.uniform(0, 1.5), "word_lm_ids": ids}
    return {**options, **lm, "oov_words": int(rng.integers(0, len(words) + 1)) if rng.random() < 0.5 else 0}


def random_hotwords(rng, letters, *, has_words):
    patterns = set()
    for _ in range(rng.integers(1, 6)):
        pattern = rng.integers(1, letters + 1, rng.integers(1, 5)).tolist()
        if has_words and len(pattern) > 2:
            pattern[1] = 0
        patterns.add((0, *pattern, 0) if has_words else tuple(pattern))
    weights = rng.uniform(-2, 5, len(patterns)).astype(np.float32)
    return {"hotwords": Ragged.of(sorted(patterns)), "hotword_weights": weights}


def random_plan(rng, models):
    classes, letters, has_words = int(rng.integers(2, 7)), int(rng.integers(1, 4)), bool(rng.random() < 0.7)
    spelled = random_letters(rng, classes, letters, has_words=has_words)
    options = {}
    if has_words and rng.random() < 0.7:
        options |= random_word_options(rng, letters, models)
    if has_words:
        options["word_bonus"] = rng.normal()
    if rng.random() < 0.5:
        options |= random_hotwords(rng, letters, has_words=has_words)
    if rng.random() < 0.5:
        model = models[letters + 1]
        ids = [[model.find(str(letter + 1)) for letter in each] for each in spelled]
        space = model.find("1") if has_words else -1
        options |= {
            "token_lm": model,
            "token_lm_weight": rng.uniform(0, 1.5),
            "token_lm_ids": Ragged.of(ids),
            "token_lm_space": space,
        }
    for name, scale in (("token_bonus", 1.0), ("beam_threshold", -10.0), ("token_threshold", -4.0)):
        if rng.random() < 0.25:
            options[name] = scale * rng.random()
    if "word_names" in options:
        options["class_names"] = Ragged.of([[letter and 64 + letter for letter in each] for each in spelled])
    width = int(rng.integers(1, 40))
    return SearchPlan(
        classes=classes,
        blank=classes - 1,
        beam_width=width,
        letters=Ragged.of(spelled),
        has_words=has_words,
        lm_boundary=bool(rng.random() < 0.8),
        **options,
    )


def random_frames(rng, classes):
    logits = rng.normal(size=(rng.integers(1, 14), classes)) * rng.choice([0.5, 2.0, 4.0])
    return (logits - np.logaddexp.reduce(logits, axis=1)[:, None]).astype(np.float32)


def within_range(found):
    """Text → score, without those far behind: the fast search drops what is 2^-116 of the best and less."""
    top = max((each.score for each in found), default=0.0)
    return {each.tokens: each.score for each in found if each.score > top - 60}


@pytest.fixture(params=runtime.instruction_sets())
def on_instruction_set(request):
    before = runtime.instruction_set()
    runtime.set_instruction_set(request.param)
    yield
    runtime.set_instruction_set(before)


@pytest.mark.usefixtures("on_instruction_set")
@pytest.mark.parametrize("seed", range(4))
def test_the_same_texts_with_the_same_masses(seed, models):
    for round_ in range(ROUNDS):
        rng = np.random.default_rng([seed, round_])
        plan = random_plan(rng, models)
        frames = random_frames(rng, plan.classes)
        expected, found = reference_search.Search(plan), native_search.Search(plan)
        for part in np.array_split(frames, 2):
            expected.push(part)
            found.push(part)
        for ended in (False, True):
            scores = within_range(expected.best(plan.beam_width, ended=ended))
            ours = within_range(found.best(plan.beam_width, ended=ended))
            assert ours == pytest.approx(scores, rel=SEARCH_SINGLE, abs=SEARCH_SINGLE), (seed, round_)
        for tokens in list(scores)[:3]:
            assert_same_parts(*(each.Decoder(plan).score_parts(tokens) for each in ENGINES))
            assert_same_rescoring(*(each.rescore(frames, tokens, plan.blank) for each in ENGINES))


@pytest.mark.usefixtures("on_instruction_set")
@pytest.mark.parametrize("seed", range(4))
def test_the_same_ranking(seed, models):
    for round_ in range(ROUNDS // 2):
        rng = np.random.default_rng([seed, round_])
        plan = random_plan(rng, models)
        frames = random_frames(rng, plan.classes)[None]
        past = rng.choice(plan.classes - 1, rng.choice([0, 0, 3])).tolist()
        first, n_best = int(rng.choice([0, 0, 2])), int(rng.choice([1, 2, 5, 50]))
        found = []
        for engine in ENGINES:
            decoder = engine.Decoder(plan)
            search = decoder.search()
            search.push(frames[0])
            found.append(decoder.ranked(search, frames[0], n_best, past=past, first=first))
        assert_same_ranking(*found, plan, (seed, round_))


def assert_same_ranking(ours, expected, plan, case):
    """Texts of equal scores may change places."""
    scores = [each.score(plan) for each in expected]
    assert [each.score(plan) for each in ours] == pytest.approx(scores, rel=SEARCH_SINGLE, abs=2 * SEARCH_SINGLE), case
    for our, their, score in zip(ours, expected, scores, strict=True):
        if score > -math.inf and sum(math.isclose(score, other, abs_tol=1e-3) for other in scores) == 1:
            assert our.tokens.tolist() == their.tokens.tolist(), case
            assert_same_parts(our.parts, their.parts)


def assert_same_parts(ours, expected):
    assert (ours.words, ours.oov_letters) == (expected.words, expected.oov_letters)
    assert ours.word_indices == expected.word_indices
    for name in ("token_lm_log_prob", "word_lm_log_prob", "hotwords"):
        assert getattr(ours, name) == pytest.approx(getattr(expected, name), rel=FUSION_TERMS, abs=FUSION_TERMS)


def assert_same_rescoring(ours, expected):
    assert ours.log_prob == pytest.approx(expected.log_prob, rel=SEARCH_SINGLE, abs=SEARCH_SINGLE)
    assert ours.starts.tolist() == expected.starts.tolist()
    assert ours.ends.tolist() == expected.ends.tolist()
    np.testing.assert_allclose(ours.token_log_probs, expected.token_log_probs, atol=RESCORED_SINGLE)
    np.testing.assert_allclose(ours.confidences, expected.confidences, atol=RESCORED_SINGLE)
