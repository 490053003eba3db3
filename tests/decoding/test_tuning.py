"""``tune``: settings chosen on a development set, and their held-out error."""

import itertools
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from ctckit import BeamDecoder, tune
from ctckit.decoding import beam
from ctckit.decoding.tuning import _middle_of_the_best
from ctckit.errors import InvalidInputError, MissingDependencyError
from tests.support.search_problems import ENGINES, LETTERS, UNMARKED, model
from tests.support.tolerances import DOUBLE


@pytest.fixture(params=sorted(ENGINES), autouse=True)
def engine(request, monkeypatch):
    monkeypatch.setattr(beam, "_engine", ENGINES[request.param])


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return model(tmp_path_factory.mktemp("models"), ["a", "b", "ab", "ba"], "word")


def lines(seed, count=8, noise=2.5, texts=("ab", "a b", "ba ab", "b")):
    """Noisy log-probabilities of texts, and the texts."""
    rng = np.random.default_rng(seed)
    items, references = [], []
    for n in range(count):
        text = texts[n % len(texts)]
        classes = [c for token in LETTERS.encode(text) for c in (token, 0)]
        logits = rng.normal(size=(len(classes), 4)) * noise
        logits[range(len(classes)), classes] += 4.0
        items.append(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
        references.append(text)
    return items, references


def edits(a, b):
    """Levenshtein's distance by its recursion."""
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    table[:, 0], table[0] = range(len(a) + 1), range(len(b) + 1)
    for i, j in itertools.product(range(1, len(a) + 1), range(1, len(b) + 1)):
        table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a[i - 1] != b[j - 1]))
    return int(table[-1, -1])


def error_of(decoder, items, references, metric):
    found = [decoder.decode(item)[0][0].text for item in items]
    split = str.split if metric == "wer" else list
    pairs = [(split(truth), split(text)) for truth, text in zip(references, found, strict=True)]
    return sum(edits(*pair) for pair in pairs) / sum(len(truth) for truth, _ in pairs)


@pytest.mark.parametrize("metric", ["cer", "wer"])
def test_the_surface_is_what_decoding_says(metric, words):
    items, references = lines(0)
    decoder = BeamDecoder(LETTERS, language_model=words, beam_width=8)
    grid = {"lm_weight": [0.0, 0.6], "word_bonus": [0.0, 2.0]}
    tuning = tune(decoder, items, references, metric=metric, grid=grid, refinements=1)
    assert tuning.names == ("lm_weight", "word_bonus")
    assert len(tuning.points) >= 4 + 5
    for point, error in zip(tuning.points, tuning.errors, strict=True):
        settings = dict(zip(tuning.names, point, strict=True))
        assert error == pytest.approx(
            error_of(decoder.with_settings(**settings), items, references, metric), abs=DOUBLE
        )
    chosen = np.flatnonzero((tuning.points == list(tuning.settings.values())).all(axis=1))
    assert tuning.error == tuning.errors[chosen[0]] < tuning.errors.max()
    assert error_of(tuning.decoder, items, references, metric) == pytest.approx(tuning.error, abs=DOUBLE)
    assert tuning.decoder.plan.word_lm_weight == tuning.settings["lm_weight"]
    assert (tuning.points[:, 0] >= 0).all()  # no negative weight is tried
    assert (tuning.held_out_error, tuning.folds) == (None, ())


def test_held_out_errors_are_of_settings_chosen_without(words):
    items, references = lines(1, count=9)
    decoder = BeamDecoder(LETTERS, language_model=words, beam_width=6)
    grid = {"lm_weight": [0.0, 0.5, 1.0], "word_bonus": [0.0, 1.5]}
    tuning = tune(decoder, items, references, grid=grid, refinements=1, folds=3)
    errors, units = 0.0, 0
    for k, fold in enumerate(tuning.folds):
        others = [n for n in range(9) if n % 3 != k]
        alone = tune(decoder, [items[n] for n in others], [references[n] for n in others], grid=grid, refinements=1)
        assert fold.settings == alone.settings
        part = [n for n in range(9) if n % 3 == k]
        held_out = decoder.with_settings(**alone.settings)
        error = error_of(held_out, [items[n] for n in part], [references[n] for n in part], "cer")
        assert fold.error == pytest.approx(error, abs=DOUBLE)
        letters = sum(len(references[n]) for n in part)
        errors, units = errors + error * letters, units + letters
    assert tuning.held_out_error == pytest.approx(errors / units, abs=DOUBLE)
    assert str(tuning).splitlines()[-1] == f"held out, 3 folds: {100 * errors / units:.2f} %"


def test_of_equally_good_settings_the_middle_one():
    log_probs = np.log([[[0.1, 0.8, 0.05, 0.05]]])
    tuning = tune(BeamDecoder(UNMARKED), log_probs, ["a"], grid={"token_bonus": [-1.0, 0.0, 1.0]}, refinements=0)
    assert (tuning.settings, tuning.error) == ({"token_bonus": 0.0}, 0.0)


def test_a_wide_valley_is_better_than_a_deep_hole():
    points = [(float(n),) for n in range(6)]
    surface = SimpleNamespace(errors_of=lambda point, _: [9, 4, 9, 5, 5, 5][int(point[0])])
    assert _middle_of_the_best(surface, points, np.ones(1, dtype=bool), np.array([1.0])) == (4.0,)


def test_refining_halves_the_step():
    log_probs = np.log([[[0.1, 0.8, 0.05, 0.05]]])
    grid = {"token_bonus": [-1.0, 1.0, 3.0]}
    tuning = tune(BeamDecoder(UNMARKED, beam_width=2), log_probs, ["a"], grid=grid, refinements=2)
    assert tuning.points[:3, 0].tolist() == [-1.0, 1.0, 3.0]
    assert set(tuning.points[3:5, 0]) == {tuning.points[:3].mean() - 1.0, tuning.points[:3].mean() + 1.0}
    assert np.diff(np.unique(tuning.points)).min() == 0.5


def test_what_is_tuned_by_default(words, tmp_path):
    items, references = lines(2, count=4)
    assert tune(BeamDecoder(LETTERS, beam_width=3), items, references, refinements=0).names == ("word_bonus",)
    characters = model(tmp_path, ["a", "b", "|"], "char")
    decoder = BeamDecoder(LETTERS, language_model=[characters, words], beam_width=3)
    calls = []
    result = tune(decoder, items[:2], references[:2], refinements=0, progress=calls.append)
    assert result.names == ("lm_weight[0]", "lm_weight[1]", "word_bonus", "token_bonus")
    assert calls == list(range(1, 5 * 5 * 5 * 3 + 1))
    plan = result.decoder.plan
    assert (plan.token_lm_weight, plan.word_lm_weight) == tuple(result.settings.values())[:2]
    plain = tune(BeamDecoder(UNMARKED, beam_width=3), items, references, refinements=0)
    assert plain.names == ("token_bonus",)


def test_a_padded_batch_is_taken_too():
    items, references = lines(3, count=4)
    decoder = BeamDecoder(LETTERS, beam_width=3)
    expected = tune(decoder, items, references, refinements=1)
    padded = np.full((4, 20, 4), np.nan)
    for row, item in zip(padded, items, strict=True):
        row[: len(item)] = item
    found = tune(decoder, padded, references, [len(item) for item in items], refinements=1)
    assert (found.settings, found.errors.tolist()) == (expected.settings, expected.errors.tolist())


def test_the_surface_drawn(words):
    items, references = lines(0)
    decoder = BeamDecoder(LETTERS, language_model=words, beam_width=8)
    grid = {"lm_weight": [0.0, 0.5], "word_bonus": [0.0, 1.0], "oov_charge": [0.5, 2.0]}
    tuning = tune(decoder, items, references, grid=grid, refinements=0)
    lines_drawn = str(tuning).splitlines()
    assert lines_drawn[0] == "cer in %: lm_weight downwards, word_bonus across"
    assert lines_drawn[1].split() == ["0", "1"]
    for row, weight in zip(lines_drawn[2:4], (0.0, 0.5), strict=True):
        cells = [100 * tuning.errors[(tuning.points[:, :2] == (weight, bonus)).all(axis=1)].min() for bonus in (0, 1)]
        assert [float(cell.rstrip("*")) for cell in row.split()] == [weight, *(round(cell, 2) for cell in cells)]
    assert "*" in str(tuning)
    assert lines_drawn[-1].startswith("best: lm_weight = ")


ITEM = [np.log(np.full((3, 4), 0.25))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"references": "a"}, r"references is a string; expected a list of texts, one for each item\."),
        ({"references": ["a", "b"]}, r"references has 2 entries; expected one for each of the B = 1 items\."),
        ({"references": [3]}, r"references\[0\] is 3; expected a string\."),
        ({"references": [""]}, r"references are all empty; there is nothing to count errors on\."),
        ({"references": [" "], "metric": "wer"}, r"references are all empty"),
        ({"metric": "per"}, r'metric is \'per\'; expected one of "cer", "wer"\.'),
        ({"grid": {}}, r"grid is \{\}; expected a mapping from settings to the values to begin with\."),
        ({"grid": {"token_bonus": 1.0}}, r"grid\['token_bonus'\] is 1\.0; expected a list of values\."),
        ({"grid": {"token_bonus": []}}, r"grid\['token_bonus'\] is \[\]; expected a list of values\."),
        ({"grid": {"beam_width": [1, 2]}}, r"grid has beam_width; a wider beam only costs time"),
        ({"grid": {"lm_wait": [1]}}, r"'lm_wait' is no setting of a decoder"),
        ({"grid": {"token_bonus": [0.0, 99.0]}}, r"token_bonus is 99\.0; expected a number in -60\.\.60\."),
        ({"refinements": -1}, r"refinements is -1; expected a whole number, 0 or more\."),
        ({"folds": 1}, r"folds is 1; expected 0, or 2\.\.1: at most one for each item\."),
        ({"folds": 2}, r"folds is 2; expected 0"),
        ({"log_probs": []}, r"log_probs has no items; expected at least one\."),
        ({"log_probs": [ITEM[0], np.zeros((2, 3))]}, r"log_probs\[1\] has C = 3 classes and log_probs\[0\] has 4"),
        ({"log_probs": [np.zeros(3)]}, r"log_probs\[0\] has shape \(3,\); expected \(T, C\)\."),
    ],
)
def test_what_is_wrong_is_said(arguments, message):
    given = {"log_probs": ITEM, "references": ["a"], **arguments}
    with pytest.raises(InvalidInputError, match=message):
        tune(BeamDecoder(UNMARKED), **given)


def test_without_the_package_that_counts(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidfuzz", None)
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    with pytest.raises(MissingDependencyError, match=r"ctckit\.tune needs rapidfuzz, .*\"ctckit\[tune\]\""):
        tune(BeamDecoder(UNMARKED), ITEM, ["a"])
