"""The arithmetic of the live lattice in a browser, compared with the library."""

import io

import numpy as np
import pytest

from ctckit import greedy_decode, lattice
from ctckit.kernels.loss.reference import log_softmax, viterbi
from ctckit.kernels.search.plan import Ragged, SearchPlan
from ctckit.kernels.search.reference import Search
from ctckit.topology import collapse, frames_needed
from ctckit.viz import write_live_page
from ctckit.viz.bundled import bundled_posteriors
from ctckit.viz.synthetic import synthetic_log_probs, synthetic_vocabulary
from tests.support.tolerances import BROWSER

SOLVE = """(problems) => problems.map(({ logits, target, blank, width }) => {
  const rows = (matrix) => matrix.map((row) => [...row]);
  const logProbs = logits.map(ctckit.logSoftmax);
  const found = ctckit.latticeOf(logProbs, target, blank);
  const beams = ctckit.beamsOf(logProbs, blank, width);
  const frames = [...logProbs.keys()].slice(1);
  const greedy = ctckit.greedyPath(logProbs);
  return {
    log_probs: rows(logProbs), alpha: rows(found.alpha), beta: rows(found.beta), occupancy: rows(found.occupancy),
    transitions: frames.map((t) => rows(ctckit.transitionOccupancy(found, t))),
    total: found.total, gradient: rows(ctckit.logitGradient(found, logProbs)),
    path: found.path, path_log_prob: found.pathLogProb, needed: ctckit.framesNeeded(target),
    greedy, greedy_text: ctckit.collapse(greedy, blank),
    beams: beams.map((beam) => beam.map((each) => [ctckit.tokensOf(each.text), each.blank, each.token])),
  };
})"""


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    path = write_live_page(tmp_path_factory.mktemp("live") / "lattice.html")
    context = chromium.new_context()
    context.set_default_timeout(300_000)
    opened = context.new_page()
    opened.goto(path.as_uri())
    yield opened
    context.close()


def problems(count=120):
    rng = np.random.default_rng(7)
    for number in range(count):
        frames, classes = int(rng.integers(0, 13)), int(rng.integers(2, 7))
        logits = rng.standard_normal((frames, classes)) * rng.choice([0.01, 1.0, 4.0, 30.0])
        blank = int(rng.integers(classes))
        if number % 3 == 0 and frames:
            logits[rng.random(logits.shape) < 0.2] = -np.inf
            logits[np.arange(frames), rng.integers(0, classes, frames)] = rng.standard_normal(
                frames
            )  # no frame without any class
        others = [c for c in range(classes) if c != blank]
        target = rng.choice(others, int(rng.integers(0, 6))).tolist()
        yield {"logits": logits.tolist(), "target": target, "blank": blank, "width": int(rng.integers(1, 10))}


def agrees(found, expected):
    """Compare to 1e-9, relative for numbers larger than 1; −∞ must be −∞."""
    expected = np.asarray(expected, dtype=np.float64)
    found = np.asarray(found, dtype=np.float64).reshape(expected.shape)
    np.testing.assert_array_equal(np.isneginf(found), np.isneginf(expected))
    known = np.isfinite(expected)
    scale = np.maximum(1, np.abs(expected[known]))
    assert (np.abs(found[known] - expected[known]) <= BROWSER * scale).all()


def test_it_agrees_with_the_library(page):
    given = list(problems())
    kinds = set()
    for problem, found in zip(given, page.evaluate(SOLVE, given), strict=True):
        target, blank = problem["target"], problem["blank"]
        classes = 1 + max([blank, *target, *(len(row) - 1 for row in problem["logits"])])
        scores = np.array(problem["logits"], dtype=np.float64).reshape(-1, classes)
        log_probs = log_softmax(scores) if len(scores) else scores
        item = lattice(log_probs, target, blank=blank)
        kinds.add((item.feasible, len(scores) > 0, len(target) > 0))
        agrees(found["log_probs"], log_probs)
        agrees(found["alpha"], item.alpha)
        agrees(found["beta"], item.beta)
        agrees(found["total"], item.log_likelihood)
        agrees(found["occupancy"], item.occupancy)
        agrees(found["gradient"], np.exp(log_probs) - item.token_occupancy if item.feasible else np.zeros_like(scores))
        if item.feasible:
            agrees(found["transitions"], [item.arrow_occupancy(t) for t in range(1, len(scores))])
        path, log_prob = viterbi(log_probs, item.topology)
        agrees(found["path_log_prob"], log_prob)
        assert found["path"] == path.tolist() or tied(log_probs, item, found["path"], log_prob)
        assert found["needed"] == frames_needed(target)
        assert found["greedy"] == log_probs.argmax(axis=1).tolist()
        assert found["greedy_text"] == collapse(found["greedy"], blank=blank)
        if len(scores):
            assert tuple(found["greedy_text"]) == greedy_decode(log_probs, blank=blank)[0].tokens
        beams_agree(found["beams"], log_probs, problem["width"], blank)
    assert len(kinds) == 6  # of the eight, no frame is never feasible for tokens, always for none


def tied(log_probs, item, path, log_prob):
    """The page may return another path of the same probability, up to rounding."""
    labels = item.topology.labels[path]
    score = log_probs[np.arange(len(path)), labels].sum()
    steps = np.diff(path)
    return abs(score - log_prob) <= BROWSER * max(1, abs(log_prob)) and ((steps >= 0) & (steps <= 2)).all()


def searching(classes, blank, width):
    letters = Ragged.of([[] if c == blank else [c + 1] for c in range(classes)])
    return Search(SearchPlan(classes=classes, blank=blank, beam_width=width, letters=letters))


def beams_agree(found, log_probs, width, blank):
    search = searching(log_probs.shape[1], blank, width)
    assert len(found) == len(log_probs)
    for frame, beam in zip(log_probs, found, strict=True):
        search.push(frame[None])
        assert [tuple(tokens) for tokens, _, _ in beam] == [each.tokens for each in search._beam]
        agrees([ends[1:] for ends in beam], [[each.blank, each.token] for each in search._beam])


def test_ties_lose_nothing(page):
    problem = {"logits": np.zeros((4, 3)).tolist(), "target": [1, 2], "blank": 0, "width": 200}
    (found,) = page.evaluate(SOLVE, [problem])
    search = searching(3, 0, 200)
    search.push(np.log(np.full((4, 3), 1 / 3)))
    expected = {each.tokens: each.total for each in search._beam}
    assert {tuple(tokens) for tokens, _, _ in found["beams"][-1]} == set(expected)
    for tokens, ends_in_blank, ends_in_token in found["beams"][-1]:
        agrees(np.logaddexp(ends_in_blank, ends_in_token), expected[tuple(tokens)])
    assert found["path"] == lattice(np.zeros((4, 3)), [1, 2]).best_path().tolist()


SYNTHETIC = """([text, frames]) => {
  const names = ctckit.alphabetFor(text);
  const target = ctckit.encode(text, names, 0).tokens;
  const logits = ctckit.syntheticLogits(target, names.length, frames);
  return { names, target, log_probs: logits.map((row) => [...ctckit.logSoftmax(row)]) };
}"""


@pytest.mark.parametrize(("text", "frames"), [("apple", 23), ("Zoë 2", 9), ("", 3), ("aa", 0)])
def test_the_synthetic_network_agrees_with_the_library(page, text, frames):
    found = page.evaluate(SYNTHETIC, [text, frames])
    vocabulary = synthetic_vocabulary(text)
    assert found["names"] == list(vocabulary.tokens)
    assert found["target"] == vocabulary.encode(text)
    agrees(found["log_probs"], synthetic_log_probs(found["target"], len(vocabulary), frames))


def test_the_page_has_the_posteriors_of_the_package(page):
    for key, given in bundled_posteriors().items():
        found = page.evaluate(
            """(key) => {
              ctckit.store.take(key, Infinity); // the last step
              const { history, names, blank, target, lattice, unknown } = ctckit.store;
              const rows = history.map((frames) => frames.map((row) => [...row]));
              return { history: rows, names, blank, target, unknown, total: lattice.total };
            }""",
            key,
        )
        scores = np.asarray(given.log_probs, dtype=np.float32)
        np.testing.assert_array_equal(np.array(found["history"], dtype=np.float32).reshape(scores.shape), scores)
        assert found["names"] == list(given.vocabulary.tokens)
        assert not found["unknown"]
        last = log_softmax(scores.reshape(-1, *scores.shape[-2:])[-1].astype(np.float64))
        agrees(found["total"], lattice(last, found["target"], blank=found["blank"]).log_likelihood)


READ_ARRAY = """(bytes) => {
  const item = ctckit.parseNpy(Uint8Array.from(bytes).buffer);
  return item.rows(0, item.frames).map((row) => [...row]);
}"""


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f8", "<i4", "|u1", "<i8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_numpy_are_read(page, dtype, order):
    values = np.asarray(np.random.default_rng(1).uniform(0, 9, (5, 3)).astype(dtype), order=order)
    if dtype == "<f2":
        values[0] = [6e-8, -np.inf, -0.00012]  # smallest, impossible, nearly the smallest normal number
    with io.BytesIO() as file:
        np.save(file, values)
        found = page.evaluate(READ_ARRAY, list(file.getvalue()))
    np.testing.assert_array_equal(np.array(found), values.astype(np.float64))


def test_one_item_of_a_batch_is_read(page):
    with io.BytesIO() as file:
        np.save(file, np.ones((1, 4, 2), np.float32))
        assert np.shape(page.evaluate(READ_ARRAY, list(file.getvalue()))) == (4, 2)


def wrong_arrays():
    def saved(values):
        with io.BytesIO() as file:
            np.save(file, values)
            return file.getvalue()

    yield "shape", saved(np.ones((2, 3, 4))), r"its shape is \(2, 3, 4\); expected \(T, C\), one item\."
    yield "text", saved(np.array([["a", "b"]])), "it has no plain numbers"
    yield "other", b"PK\x03\x04 and so on", "this is not a .npy file"
    yield "short", saved(np.ones((4, 4)))[:-8], "the file is cut off"
    yield "nan", saved(np.array([[0.0, np.nan]])), r"frame 0 holds NaN or \+∞\."
    yield "masked", saved(np.full((1, 2), -np.inf)), "in frame 0 every class is −∞"
    yield "one class", saved(np.ones((3, 1))), "expected a blank and at least one other class"
    yield "none", saved(np.ones((0, 3))), "it has no frames"
    yield "many", saved(np.ones((1001, 2), np.int8)), "at most 1000 of 1000 fit"


@pytest.mark.parametrize(("content", "message"), [pytest.param(*rest, id=name) for name, *rest in wrong_arrays()])
def test_files_that_cannot_be_read_have_a_message(page, content, message):
    from playwright.sync_api import Error

    with pytest.raises(Error, match=message):
        page.evaluate(READ_ARRAY, list(content))


READ_TABLE = (
    "(text) => { const { rows, names } = ctckit.parseTable(text); return [rows.map((row) => [...row]), names]; }"
)


@pytest.mark.parametrize(
    ("text", "rows", "names"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]], None),
        ("\ufeffa;b\r\n-1.5e-3;-inf\r\n\r\n", [[-0.0015, -np.inf]], ["a", "b"]),
        ("1 2\n 3   4", [[1, 2], [3, 4]], None),
        ('"",a,","\n-1,−2,-3\n', [[-1, -2, -3]], ["", "a", ","]),
        (" \ta\n1\t2\n", [[1, 2]], [" ", "a"]),
    ],
)
def test_tables_are_read(page, text, rows, names):
    assert page.evaluate(READ_TABLE, text) == [rows, names]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("1,2\n3\n", "row 2 has 1 columns; the first has 2"),
        ("1,2\n3,x\n", 'row 2, column 2 is "x"; expected a number'),
        ("a,b\n1,nan\n", 'row 1, column 2 is "nan"; expected a number'),
        ("a,b\n", "it has no frames"),
        ("1,inf\n", r"frame 0 holds NaN or \+∞"),
    ],
)
def test_what_is_no_table_is_said(page, text, message):
    from playwright.sync_api import Error

    with pytest.raises(Error, match=message):
        page.evaluate(READ_TABLE, text)


ENCODE = "([text, names, blank]) => ctckit.encode(text, names, blank)"


@pytest.mark.parametrize(
    ("text", "names", "tokens", "unknown"),
    [
        ("abba", ["", "a", "b"], [1, 2, 2, 1], []),
        ("a c a", ["", "a", "b"], [1, 1], ["c"]),
        ("a b", ["", "a", "b", " "], [1, 3, 2], []),
        ("oʊo", ["", "o", "oʊ"], [2, 1], []),
        ("12 1 2", ["", "1", "12", "2"], [2, 1, 3], []),
        ("a😀", ["", "a"], [1], ["😀"]),
        ("", ["", "a"], [], []),
    ],
)
def test_texts_become_classes(page, text, names, tokens, unknown):
    assert page.evaluate(ENCODE, [text, names, 0]) == {"tokens": tokens, "unknown": unknown}
