"""The benchmark: its inputs, its peers that are installed here, its page."""

import numpy as np
import pytest
import torch

import ctckit
from benchmarks.alignment import peers as alignment
from benchmarks.common import memory
from benchmarks.decoding import peers as decoding
from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import page as gpu_page
from benchmarks.loss import memory as loss_memory
from benchmarks.loss import page
from benchmarks.loss.measure import LOSS_TOLERANCE, TOLERANCE, Reference, summary
from benchmarks.loss.peers import PEERS, TIMED
from benchmarks.loss.workloads import WARM_UP, WORKLOADS, Problem

RUNS = page.saved()
SMALL = [each for each in WORKLOADS if each.name in ("W1", "W3", "W5")]


@pytest.fixture
def problem():
    return WARM_UP.make()


@pytest.fixture
def _same_threads_after():
    before = torch.get_num_threads(), ctckit.num_threads()
    yield
    torch.set_num_threads(before[0])
    ctckit.set_num_threads(before[1])


@pytest.mark.parametrize("workload", SMALL, ids=lambda each: each.name)
def test_inputs_are_seeded_and_as_described(workload):
    first, again, other = workload.make(), workload.make(), workload.make(seed=1)
    assert all((a == b).all() for a, b in zip(vars(first).values(), vars(again).values(), strict=True))
    assert (first.logits != other.logits).any()
    assert first.logits.shape == (workload.items, workload.frames, workload.classes)
    assert first.logits.dtype == np.float32
    assert first.logits.std() == pytest.approx(2, rel=0.01)
    assert workload.least_frames <= first.input_lengths.min() <= first.input_lengths.max() == workload.frames
    assert workload.tokens[0] <= first.target_lengths.min() <= first.target_lengths.max() <= workload.tokens[1]
    assert (np.diff(first.targets) != 0).all()  # no repeats, so every target can be emitted
    assert 1 <= first.targets.min() <= first.targets.max() < workload.classes
    assert (first.target_lengths <= first.input_lengths).all()


def test_inputs_are_those_of_every_release():
    """Figures of different days can be compared only if these bits stay."""
    problem = SMALL[0].make()
    assert problem.logits[0, 0, :3] == pytest.approx([2.235244, -2.7742498, -0.8531432])
    assert problem.targets[0, :5].tolist() == [84, 36, 87, 6, 85]


def test_a_problem_is_read_as_it_was_written(problem, tmp_path):
    problem.save(tmp_path / "problem.npz")
    read = Problem.load(tmp_path / "problem.npz")
    assert all((a == b).all() for a, b in zip(vars(problem).values(), vars(read).values(), strict=True))


@pytest.mark.usefixtures("_same_threads_after")
@pytest.mark.parametrize("name", ["ctckit", "torch"])
def test_peers_agree_with_float64_and_an_error_shows(name, problem):
    results = {}
    for each in (name, "reference"):
        peer = PEERS[each](threads=1)
        peer.load(problem)
        loss, gradient = peer.both()
        assert float(peer.forward()) == pytest.approx(float(loss))
        results[each] = float(loss), peer.batch_first(gradient).copy()
    loss, gradient = results["reference"]
    truth = Reference(problem, loss, gradient / problem.weights[:, None, None])
    errors = truth.errors(*results[name])
    assert errors["loss"] < 0.01 * LOSS_TOLERANCE
    assert errors["gradient"] < 0.01 * TOLERANCE
    loss, gradient = results[name]
    assert truth.errors(loss, np.roll(gradient, 1, axis=2))["gradient"] > TOLERANCE  # such as of another blank
    assert truth.errors(loss, gradient * 2)["gradient"] > TOLERANCE  # such as of another mean


@pytest.mark.skipif(not memory.available(), reason="needs Linux's high-water mark")
def test_memory_of_a_step_is_seen():
    class Hungry:
        """Needs 60 MB on top of a result of 20 MB."""

        def both(self):
            scratch = np.ones(7_500_000)
            result = np.ones(2_500_000)
            return float(scratch.sum()), result

    extra, _ = loss_memory.extra_of_a_step(Hungry(), [])
    assert extra == pytest.approx(80e6, rel=0.03)


def test_summary_is_in_milliseconds():
    assert summary([0.001, 0.002, 0.003, 0.004, 0.005]) == {"median": 3, "q1": 2, "q3": 4, "steps": 5}


@pytest.mark.parametrize("run", RUNS, ids=page.title)
def test_saved_results_are_of_these_inputs(run):
    known = {each.name: each for each in WORKLOADS}
    for each in run["rows"]:
        workload = known[each["workload"]]
        assert tuple(each["shape"]) == (workload.items, workload.frames, workload.classes)
        assert tuple(each["tokens"]) == workload.tokens
        if workload in SMALL:
            problem = workload.make()
            assert (each["cells"], each["bytes_moved"]) == (problem.cells, problem.bytes_moved)
        assert set(each["peers"]) <= set(TIMED)


def test_the_page_is_what_the_results_make():
    assert page.PAGE.read_text(encoding="utf-8") == page.page(RUNS), "run make bench-page"
    assert page.FIGURE.stat().st_size < 60_000


def test_figures_of_a_gpu_need_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["gpu"])
    with pytest.raises(SystemExit, match="needs a GPU, and torch sees none"):
        gpu.main()


def synthetic(workload, peer, milliseconds, megabytes, graph=None):
    return {
        "workload": workload,
        "dtype": "float32",
        "peer": peer,
        "milliseconds": milliseconds,
        "graph_milliseconds": graph,
        "peak_bytes": megabytes * 1_000_000,
        "gradient_error": 1e-6,
        "logits_bytes": 100_000_000,
    }


def test_the_page_of_a_gpu():
    measurements = [
        synthetic("G2", "ctckit", 1.0, 130, graph=0.5),
        synthetic("G2", "torch", 4.0, 400),
        synthetic("G2", "torch, cuDNN", 2.9, 300),
    ]
    device = dict.fromkeys(("device", "driver", "torch", "triton", "cudnn"), "?")
    results = {"about": {"date": "?", "commit": "?"}, "device": device, "copy_gigabytes_per_second": 400.0}
    results |= {"rounds": 3, "kernels": {"G2": {"sweep": 1.0}}, "measurements": measurements}
    assert "| G2 | float32 | torch | 4.000 | 4.00× | 0.19 | – | – | 400.0 | 1e-06 |" in gpu_page.page(results)
    assert "| G2 | float32 | ctckit | 1.000 | 1.00× | 0.75 | 0.500 | 1.50 | 130.0 | 1e-06 |" in gpu_page.page(results)


def test_libraries_do_not_hide_what_their_constructor_sets():
    for settings in (decoding.PEERS, alignment.PEERS):
        for setting in settings.values():
            assert not {"threads", "instruction_set", "options"} & set(vars(setting.make))
    for peer in PEERS.values():
        assert not {"threads", "instruction_set", "options"} & set(vars(peer))
    assert PEERS["keras"].traced_with == {"jit_compile": True}
