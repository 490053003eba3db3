"""The benchmark of aligners: the optimum, the inputs, the judge, the page."""

import copy
import math

import numpy as np
import pytest

from benchmarks.alignment import __main__ as run
from benchmarks.alignment import exact, page, problems
from benchmarks.alignment.judge import Judge
from benchmarks.alignment.peers import PEERS
from benchmarks.alignment.problems import CASES, Problem, recording
from benchmarks.common import posteriors
from benchmarks.common.results import saved
from benchmarks.common.tables import duration
from ctckit.kernels.loss import reference
from ctckit.topology import ctc_topology
from tests.support.tolerances import DOUBLE

needs_data = pytest.mark.skipif(not posteriors.available(), reason="the posteriors are not beside the repository")


def random_item(seed):
    """Short, often without a frame to spare, some classes masked, the blank anywhere."""
    rng = np.random.default_rng(seed)
    classes, tokens = int(rng.integers(2, 6)), int(rng.integers(0, 9))
    blank = int(rng.integers(classes))
    target = rng.integers(0, classes - 1, tokens)
    target += target >= blank
    frames = int(rng.integers(1, 8)) + problems.needed(target) - int(rng.integers(2))
    log_probs = np.log(rng.dirichlet(np.ones(classes), max(1, frames)))
    log_probs[rng.random(log_probs.shape) < 0.02] = -np.inf
    return log_probs.astype(np.float32), target, blank


@pytest.mark.parametrize("seeds", [range(first, first + 100) for first in range(0, 400, 100)], ids=str)
def test_the_optimum_is_the_reference_s_whatever_the_bound(seeds):
    for seed in seeds:
        log_probs, target, blank = random_item(seed)
        path, expected = reference.viterbi(log_probs.astype(np.float64), ctc_topology(target, blank=blank))
        assert exact.optimum(log_probs, target, blank) == pytest.approx(expected, abs=DOUBLE)
        if len(path):
            classes = ctc_topology(target, blank=blank).labels[path]
            assert exact.collapses_to(classes, target, blank)
            assert exact.score(log_probs, classes) == pytest.approx(expected, abs=1e2 * DOUBLE)
            for bound in (expected, expected - 1.0, expected - 30.0):
                assert exact.optimum(log_probs, target, blank, bound) == pytest.approx(expected, abs=DOUBLE)


@pytest.mark.parametrize("height", [problems.SURE, problems.UNSURE])
def test_the_optimum_of_a_recording_does_not_depend_on_the_bound(height):
    made = recording(600, 130, 12, height)
    log_probs, target = made.frames(0), made.target(0)
    whole = exact.optimum(log_probs, target, 0)
    assert whole == pytest.approx(
        reference.viterbi(log_probs.astype(np.float64), ctc_topology(target, blank=0))[1], rel=DOUBLE
    )
    assert exact.optimum(log_probs, target, 0, whole) == whole
    assert exact.optimum(log_probs, target, 0, whole - 200.0) == whole


def test_a_bound_saves_cells():
    """The window is narrow where the network is confident; otherwise the long cases would take hours."""
    made = recording(2000, 400, 12, problems.SURE)
    log_probs, target = made.frames(0), made.target(0)
    score = exact.optimum(log_probs, target, 0)
    widths, before = [], exact.cut

    def watched(*arguments):
        low, high = before(*arguments)
        widths.append(high - low)
        return low, high

    exact.cut = watched
    try:
        exact.optimum(log_probs, target, 0, score)
    finally:
        exact.cut = before
    assert np.mean(widths) < 100


@pytest.mark.parametrize("path", [[1, 0, 2], [1, 1, 2], [0, 1, 2], [1, 2, 2]], ids=str)
def test_paths_that_collapse_to_the_text(path):
    assert exact.collapses_to(np.array(path), np.array([1, 2]), 0)


@pytest.mark.parametrize("path", [[1, 0, 1], [1, 1, 1], [2, 1, 0], [0, 0, 0], [1, 2, 1]], ids=str)
def test_paths_that_do_not(path):
    assert not exact.collapses_to(np.array(path), np.array([1, 2]), 0)


def test_a_recording_has_its_text_most_of_the_time():
    made = recording(3000, 600, 20, problems.SURE)
    assert (made.log_probs.shape, made.log_probs.dtype) == ((3000, 20), np.float32)
    assert made.log_probs.flags.c_contiguous
    assert np.exp(made.log_probs.astype(np.float64)).sum(axis=1) == pytest.approx(1, abs=1e-5)
    best = made.frames(0).argmax(axis=1)
    read = best[np.append(True, best[1:] != best[:-1]) & (best != 0)]
    wrong = abs(len(read) - 600)
    assert 0 < wrong < 0.2 * 600  # frames with another class
    sure = np.exp(made.frames(0).max(axis=1)).mean()
    unsure = np.exp(recording(3000, 600, 32, problems.UNSURE).frames(0).max(axis=1)).mean()
    assert sure > 0.9
    assert unsure < 0.5
    again = recording(3000, 600, 20, problems.SURE)
    assert (again.log_probs == made.log_probs).all()
    late = recording(3000, 400, 20, problems.SURE, quiet=0.6)
    assert (late.frames(0)[:1800].argmax(axis=1) == 0).mean() > 0.9


def test_a_problem_is_read_as_it_was_written(tmp_path):
    log_probs = [np.log(np.full((length, 3), 1 / 3, dtype=np.float32)) for length in (4, 6)]
    made = problems.joined([(log_probs[0], np.array([1, 2])), (log_probs[1], np.array([2]))], 0)
    made.save(tmp_path / "problem.npz")
    read = Problem.load(tmp_path / "problem.npz")
    assert (len(read), read.blank, read.cells) == (2, 0, 4 * 5 + 6 * 3)
    assert (read.frames(1) == log_probs[1]).all()
    assert read.target(0).tolist() == [1, 2]


@needs_data
def test_real_items_fit_their_frames():
    for name in ("ocr_ppv4", "speech"):
        made = problems.real(name, None)
        assert len(made) > 5
        assert made.log_probs.flags.c_contiguous
        assert all(problems.needed(made.target(i)) <= len(made.frames(i)) for i in range(len(made)))
    assert len(problems.in_a_row("ocr_ppv4", 5000).frames(0)) >= 5000


def test_cases_name_known_aligners():
    for case in CASES:
        assert set(case.peers) <= set(PEERS)
        assert not {",", " "} & set(case.name)
        assert "ctckit" in case.peers
    assert all("," not in name for name in PEERS)  # the option's separator


def test_a_case_is_measured_in_processes_of_their_own(tmp_path):
    made = recording(200, 30, 8, problems.SURE)
    made.save(tmp_path / "problem.npz")
    with run.start("ctckit") as worker:
        worker.ask("load", 60, path=str(tmp_path / "problem.npz"))
        answer = worker.ask("check", 60, paths=str(tmp_path / "paths.npy"))
        times = worker.ask("run", 60, passes=3)["seconds"]
        memory = worker.ask("memory", 60)["memory"]
    scores = Judge(made).scores(np.load(tmp_path / "paths.npy"))
    assert answer["claims"][0] == pytest.approx(scores[0], abs=1e-3)
    assert scores[0] == pytest.approx(exact.optimum(made.frames(0), made.target(0), 0), abs=1e-3)
    assert len(times) == 3
    assert memory is None or memory >= 0


def test_paths_are_judged():
    made = problems.joined([(np.log(np.array([[0.2, 0.8], [0.6, 0.4]], dtype=np.float32)), np.array([1]))], 0)
    judge = Judge(made)
    best, worse = judge.scores(np.array([1, 0])), judge.scores(np.array([0, 1]))
    assert judge.behind(best) == {"worst": 0.0, "mean": 0.0, "wrong": 0}
    assert judge.behind(worse)["worst"] == pytest.approx(math.log(0.48 / 0.08), abs=1e-6)
    assert judge.behind(judge.scores(np.array([0, 0]))) == {"worst": None, "mean": None, "wrong": 1}
    first_wrong = Judge(made)
    assert first_wrong.behind([None])["wrong"] == 1
    assert first_wrong.behind(worse)["worst"] == pytest.approx(math.log(0.48 / 0.08), abs=1e-6)


def some_results():
    """Two aligners on all cases."""

    def aligner(ms, worst=0.0):
        figures = {"ms": {"median": ms, "q1": ms, "q3": ms, "passes": 3}, "memory": 2.0}
        return {**figures, "behind": {"worst": worst, "mean": worst, "wrong": 0}, "claim_error": 1e-9}

    def case(each):
        shape = {"items": 1, "frames": 1000, "tokens": 100, "classes": 32, "cells": 1_000_000_000, "seconds": 1.0}
        peers = {"ctckit": aligner(50.0), "torchaudio": aligner(1500.0, 1.9)}
        return {"case": each.name, "about": each.about, **shape, "peers": peers}

    machine = {"processor": "p", "cores": 2, "system": "s", "date": "d", "commit": "c", "load_before": 0.0}
    rest = {"instruction_set": "avx512", "versions": {}, "refused": {}, "rounds": 5, "quick": False}
    return copy.deepcopy({**machine, **rest, "cases": [case(each) for each in CASES]})


def test_what_is_behind_is_shown():
    figures = some_results()["cases"][0]["peers"]["torchaudio"]
    assert page.behind(figures) == "1.9"
    assert page.behind({**figures, "behind": {"worst": None, "mean": None, "wrong": 3}}) == "–, 3 wrong"
    assert page.behind({**figures, "behind": {"worst": 0.0, "mean": 0.0, "wrong": 0}}) == "0"
    assert page.behind({"ms": {}}) == "no path"


@pytest.mark.parametrize(("ms", "shown"), [(0.0417, "41.7 µs"), (41.7, "41.7 ms"), (1720.0, "1.72 s")])
def test_durations_have_a_unit_that_suits(ms, shown):
    assert duration(ms) == shown


def test_the_page_warns_of_rough_figures():
    results = some_results()
    assert "Rough" not in page.page(results)
    assert "Rough" in page.page({**results, "quick": True})
    assert "not quiet" in page.page({**results, "load_before": 3.0})


def test_the_page_is_what_the_results_make():
    results = saved(page.RESULTS)
    if results is None:
        pytest.skip("no results have been saved")
    assert page.PAGE.read_text(encoding="utf-8") == page.page(results), "run make bench-page"
    known = {case.name: case for case in CASES}
    assert all(set(case["peers"]) <= set(known[case["case"]].peers) for case in results["cases"])
