"""The benchmark of decoders: exact probabilities, inputs, the judge, the page."""

import copy
import itertools
import math

import numpy as np
import pytest

import ctckit
from benchmarks.common import machine, pages, posteriors
from benchmarks.common.posteriors import DataSet
from benchmarks.common.results import run_of_its_own, saved
from benchmarks.common.turns import Settings, take_turns
from benchmarks.decoding import exact, figures, hotwords, measure, page, tuning
from benchmarks.decoding.cases import CASES, Case
from benchmarks.decoding.files import Files
from benchmarks.decoding.judge import Judge
from benchmarks.decoding.peers import PEERS
from benchmarks.decoding.peers.base import Task
from benchmarks.decoding.peers.flashlight import tokens_in_model, words_of_arpa

needs_data = pytest.mark.skipif(not posteriors.available(), reason="the posteriors are not beside the repository")


def random_log_probs(frames, classes, seed=0):
    logits = np.random.default_rng(seed).normal(0, 2, (frames, classes))
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.fixture
def small():
    """Two items over "", a, b, space."""
    log_probs = random_log_probs(11, 4).astype(np.float32)
    return DataSet("small", log_probs, np.array([0, 6, 11]), ("", "a", "b", " "), 0, 3, ((1, 3, 2), (2,)))


@pytest.mark.parametrize("tokens", [(), (1,), (1, 1), (1, 2, 1), (2, 2, 1, 2)])
def test_probabilities_are_those_of_all_alignments(tokens):
    log_probs = random_log_probs(5, 3)
    total = -math.inf
    for path in itertools.product(range(3), repeat=5):
        collapsed = tuple(token for token, _ in itertools.groupby(path) if token != 0)
        if collapsed == tokens:
            total = np.logaddexp(total, sum(log_probs[t, c] for t, c in enumerate(path)))
    assert exact.log_prob(log_probs, tokens, 0) == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("tokens", [(), (3, 3, 1), tuple([1, 2, 4] * 20)])
def test_probabilities_are_those_of_the_lattice_with_another_blank(tokens):
    log_probs = random_log_probs(150, 6, seed=1)
    assert exact.log_prob(log_probs, tokens, 5) == pytest.approx(
        ctckit.lattice(log_probs, list(tokens), blank=5).log_likelihood, abs=1e-9
    )


def test_errors_count_tokens_and_words():
    found, right = [[1, 2, 9, 3], [9, 9, 4, 9]], [[1, 9, 3], [4]]
    counted = exact.errors(found, right, space=9, count_space=True)
    assert counted == {"token_edits": 1, "tokens": 4, "word_edits": 1, "words": 3}
    uncounted = exact.errors([[1, 9, 2]], [[1, 2, 3]], space=9, count_space=False)
    assert (uncounted["token_edits"], uncounted["tokens"]) == (1, 3)


def test_words_are_edited_as_wholes():
    assert exact.edits_of_words([(1, 2), (3,)], [(1, 2), (4,), (3,)]) == 1
    assert exact.edits_of_words([(1, 2)], [(1,)]) == 1


def test_weights_are_tuned_on_the_other_half():
    grid = {"weight": (0.0, 1.0), "bonus": (5.0,)}
    assert tuning.combinations(grid) == [{"weight": 0.0, "bonus": 5.0}, {"weight": 1.0, "bonus": 5.0}]

    def errors_of(parameters):  # weight 1 reads the even items, weight 0 the odd ones
        even, odd = (0, 3) if parameters["weight"] else (3, 0)
        return np.array([[even, 0], [odd, 0], [even, 0], [odd, 0]])

    found = tuning.cross_validated(grid, errors_of, np.full((4, 2), 10))
    assert found == {"even": {"weight": 0.0, "bonus": 5.0}, "odd": {"weight": 1.0, "bonus": 5.0}}


def test_best_weighs_rates_and_prefers_the_first():
    assert tuning.best(np.array([[10, 0], [0, 1]]), (100, 5)) == 0  # 10 % against 20 %
    assert tuning.best(np.array([[1, 1], [1, 1]]), (100, 5)) == 0


def test_a_data_set_is_read_as_it_was_written(small, tmp_path):
    small.save(tmp_path / "small.npz")
    read = DataSet.load(tmp_path / "small.npz")
    assert (read.log_probs == small.log_probs).all()
    assert (read.offsets == small.offsets).all()
    rest = ("name", "tokens", "blank", "space", "references", "count_space")
    assert all(getattr(read, name) == getattr(small, name) for name in rest)


def test_the_first_items_are_a_data_set(small):
    first = small.first(1)
    assert (len(first), len(first[0]), first.references) == (1, 6, ((1, 3, 2),))
    assert small.first(None) is small
    assert small.first(5) is small


def test_long_tokens_get_substitutes(small):
    assert small.characters() == ["", "a", "b", " "]
    phonemes = DataSet("phonemes", small.log_probs, small.offsets, ("", "t͡ʃ", "b", "<wb>"), 0, 3)
    characters = phonemes.characters()
    assert (characters[0], characters[3]) == ("", " ")
    assert len(set(characters)) == 4
    assert all(len(each) == 1 for each in characters[1:])


@needs_data
@pytest.mark.parametrize("name", list(posteriors.SETS))
def test_inputs_are_what_the_page_says(name):
    found = posteriors.SETS[name]()
    assert found.log_probs.dtype == np.float32
    assert np.exp(found.log_probs.astype(np.float64)).sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert len(found.tokens) == found.classes == len(set(found.tokens))
    assert found.tokens[found.blank] == ""
    assert found.offsets[-1] == len(found.log_probs)
    if found.references:
        assert len(found.references) == len(found)
        assert all(0 <= token < found.classes and token != found.blank for each in found.references for token in each)


@needs_data
def test_a_large_vocabulary_hides_the_same_lines():
    small, large = posteriors.SETS["ocr_ppv4"](), posteriors.SETS["large"]()
    for i in range(len(large)):
        best = [[set_.tokens[token] for token in set_[i].argmax(axis=1)] for set_ in (small, large)]
        assert np.mean([a == b for a, b in zip(*best, strict=True)]) > 0.95
        texts = ["".join(set_.tokens[token] for token in set_.references[i]) for set_ in (small, large)]
        assert texts[0] == texts[1]


@needs_data
def test_lower_case_keeps_all_probability():
    whole, lower = posteriors.SETS["ocr_ppv4"](), posteriors.SETS["lower"]()
    pair = [whole.tokens.index("A"), whole.tokens.index("a")]
    expected = np.exp(whole.log_probs[:, pair].astype(np.float64)).sum(axis=1)
    assert np.exp(lower.log_probs[:, lower.tokens.index("a")]) == pytest.approx(expected, rel=1e-5)


def test_flashlight_sees_a_bar_as_unknown(small):
    names = DataSet("bars", small.log_probs, small.offsets, ("", "a", "|", " "), 0, 3)
    assert tokens_in_model(names)[3] == "|"
    assert len(set(tokens_in_model(names))) == 4


def test_words_of_an_arpa_file(tmp_path):
    path = tmp_path / "m.arpa"
    unigrams = "-1\t<unk>\n0\t<s>\t-1\n-1\t</s>\n-2\tcat\t-0.5\n"
    path.write_text(f"\\data\\\nngram 1=4\n\n\\1-grams:\n{unigrams}\n\\2-grams:\n-1\tcat </s>\n", encoding="utf-8")
    assert words_of_arpa(str(path)) == ["<unk>", "cat"]


def test_cases_name_known_decoders_and_sets():
    for case in CASES:
        assert set(case.peers) <= set(PEERS)
        assert case.data in posteriors.SETS
        assert "," not in case.name
    assert all(peer.tuned_as in {"", *PEERS} for peer in PEERS.values())


def test_a_case_is_measured_in_processes_of_their_own(small, tmp_path):
    case = Case("small", "small", "none", ("greedy",))
    small.save(tmp_path / "small.npz")
    judge_ = Judge(small)
    with measure.start("greedy") as worker:
        entry = measure.enter("greedy", worker, case, Task(), tmp_path / "small.npz", judge_, {}, 1.0)
        ticks = []
        take_turns([entry], Settings(rounds=2).rounds, lambda: ticks.append(1))
    found = measure.measurement(case, small, [entry])["peers"]["greedy"]
    for i, expected in enumerate(found["log_probs"]):
        (hypothesis,) = ctckit.greedy_decode(small[i])
        assert expected == pytest.approx(hypothesis.log_prob, abs=1e-5)
    assert found["claim_error"] < 1e-5
    assert found["errors"]["even"]["tokens"] == 3
    assert len(ticks) == 2
    assert found["ms"]["passes"] >= 2


def some_results():
    """Three cases, two decoders; ctckit finds the likeliest texts but one."""

    def decoder(ms, log_probs, ratio):
        return {"ms": {"median": ms, "q1": ms, "q3": ms, "passes": 3}, "log_probs": log_probs, "ratio": ratio}

    def case(name, peers):
        shape = {"items": 2, "frames": 100, "classes": 9, "beam": 100, "model": "", "seconds": 1.0}
        return {"case": name, "about": "text lines", **shape, "tuned": False, "comparable": True, "peers": peers}

    ctckit_, slow = decoder(0.1, [-1.0, -2.0], 1.0), decoder(2.0, [-1.5, -1.9], 20.0)
    slower = decoder(4.0, [-1.0, -2.0], 40.0)
    names = ("ocr_ppv4", "speech", "nanopore")
    cases = [case(each, {"ctckit": ctckit_, "pyctcdecode": slow, "pyctcdecode e⁻¹⁰": slower}) for each in names]
    machine = {"processor": "p", "cores": 2, "system": "s", "date": "d", "commit": "c", "load_before": 0.0}
    about = {"instruction_set": "avx512", "versions": {}, "refused": {}, "same_bits": {"ocr_ppv4": True}}
    other = {"rounds": 5, "quick": False, "training_seconds": None, "loading": {}}
    return copy.deepcopy({**machine, **about, **other, "cases": cases})


def test_gaps_are_below_the_likeliest_text_of_each_item():
    case = some_results()["cases"][0]
    assert figures.gap(case, "ctckit") == pytest.approx(0.05)
    assert figures.gap(case, "pyctcdecode") == pytest.approx(0.25)
    assert (figures.beaten(case, "ctckit"), figures.beaten(case, "pyctcdecode")) == (1, 1)
    assert figures.deficit(case, "ctckit") == 0
    assert figures.deficit(case, "pyctcdecode") == pytest.approx(0.2)
    assert figures.gap({**case, "comparable": False}, "ctckit") is None


def test_equal_quality_is_the_fastest_setting_that_is_as_good():
    case = some_results()["cases"][0]
    assert figures.equal_quality_ratio(case, "pyctcdecode") == 40
    case["peers"]["pyctcdecode"]["log_probs"] = [-1.01, -2.0]
    assert figures.equal_quality_ratio(case, "pyctcdecode") == 20
    assert figures.equal_quality_ratio(case, "flashlight") is None


def test_error_rates_add_up_halves():
    errors = {half: {"token_edits": 1, "tokens": 10, "word_edits": 2, "words": 4} for half in ("even", "odd")}
    errors["odd"]["token_edits"] = 3
    assert figures.error_rate({"errors": errors}, "token") == pytest.approx(0.2)
    assert figures.error_rate({"errors": errors}, "token", ("odd",)) == pytest.approx(0.3)
    assert figures.error_rate({}, "token") is None


def test_the_page_warns_of_rough_figures():
    results = some_results()
    assert "Rough" not in page.page(results)
    assert "Rough" in page.page({**results, "quick": True})
    assert "not quiet" in page.page({**results, "load_before": 3.0})


def test_a_case_that_was_measured_later_says_so(monkeypatch):
    results = some_results()
    now = {"date": "e", "commit": "c", "processor": results["processor"], "load_before": 3.5, "cores": 2}
    monkeypatch.setattr(machine, "about", lambda: now)
    assert run_of_its_own({**results, "date": "e"}) == {}
    results["cases"][1] |= run_of_its_own(results)
    written = page.page(results)
    assert written.count("beam 100. Measured later (e, commit c), load before: 3.5: rough figures.") == 1
    monkeypatch.setitem(now, "load_before", 0.1)
    assert pages.run_of(run_of_its_own(results)) == " Measured later (e, commit c), load before: 0.1."
    monkeypatch.setitem(now, "processor", "P")
    assert " on another machine, P (e," in pages.run_of(run_of_its_own(results))


def test_the_page_is_what_the_results_make():
    results = saved(page.RESULTS)
    if results is None:
        pytest.skip("no results have been saved")
    assert page.PAGE.read_text(encoding="utf-8") == page.page(results), "run make bench-page"
    assert page.FIGURE.stat().st_size < 80_000
    known = {case.name: case for case in CASES}
    assert all(set(case["peers"]) <= set(known[case["case"]].peers) for case in results["cases"])


@needs_data
def test_hotwords_that_nobody_said_are_in_no_line():
    data = hotwords.Lines("ocr_ppv4", marks=True, beam=10)
    words = hotwords.Words(data.words)
    said = {word.lower() for word in data.words}
    for kind in hotwords.KINDS:
        drawn = words.draw(kind, 100, seed=3)
        assert drawn == words.draw(kind, 100, seed=3) != words.draw(kind, 100, seed=4)
        assert len(set(drawn)) == len(drawn) <= 100
        assert not said & {word.lower() for word in drawn}
    assert len(hotwords.mixture(words, 10, seed=0)) == 10
    edits = data.edits([])
    assert data.edits(sorted(data.words)).sum() < edits.sum() == data.edits_line_by_line(set())


def test_the_points_that_hotwords_add():
    case = {
        "unsaid": {kind: {"10": [0.1, -0.1]} for kind in hotwords.KINDS},
        "unsaid_readable": {kind: {"10": [0.05]} for kind in hotwords.KINDS},
    }
    case["unsaid"]["rare"] = {"10": [0.9, -0.1]}
    assert hotwords.points_text(case, 10) == "+0.10 (+0.90, +0.05)"


@needs_data
def test_a_lexicon_is_made_longer(tmp_path):
    files = Files(tmp_path)
    known = files.lexicon.read_text(encoding="utf-8").split("\n")
    assert files.longer_lexicon(0) == files.longer_lexicon(10) == files.lexicon
    longer = files.longer_lexicon(len(known) + 50).read_text(encoding="utf-8").split("\n")
    assert longer[: len(known)] == known
    assert len(set(longer)) == len(longer) == len(known) + 50
