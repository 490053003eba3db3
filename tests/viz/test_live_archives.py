"""The live lattice opens the .npz files that ctckit's commands read and write."""

import numpy as np
import pytest

from ctckit import Vocabulary, lattice
from ctckit.acoustic_models.chunked import Emissions
from ctckit.acoustic_models.saved import save_emissions
from tests.support.live_page import settle, store, tile, until


def log_probs(*shape):
    return np.log(np.random.default_rng(5).dirichlet(np.ones(shape[-1]), shape[:-1]))


def choose(page, path):
    page.set_input_files("#file", path)
    until(page, "store.source === 'file' || !document.getElementById('problem').hidden")


def test_emissions_of_an_alignment(page, tmp_path):
    vocabulary = Vocabulary(("a", "b", "", "|"), blank=2)
    scores = log_probs(30, 4).astype(np.float32)
    save_emissions(tmp_path / "talk.npz", Emissions(scores, vocabulary, 0.02, 0.6))
    choose(page, tmp_path / "talk.npz")
    assert store(page, "[store.count, store.blank, store.names]") == [30, 2, ["a", "b", "", "|"]]
    assert page.is_hidden("#file-item")
    page.fill("#target", "ab|a")
    expected = -lattice(scores.astype(np.float64), [0, 1, 3, 0], blank=2).log_likelihood
    assert float(tile(page, "loss")) == pytest.approx(expected, abs=1e-4)
    assert page.is_disabled("#link")  # no link can hold a file


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_items_of_a_batch(page, tmp_path, save):
    scores = log_probs(2, 9, 4)
    save(tmp_path / "batch.npz", log_probs=scores, input_lengths=[9, 6])
    choose(page, tmp_path / "batch.npz")
    assert store(page, "store.count") == 9
    page.select_option("#file-item", "1")
    settle(page)
    np.testing.assert_allclose(store(page, "store.logProbs.map((row) => [...row])"), scores[1, :6], atol=1e-9)
    assert page.locator("#source option:checked").text_content() == "batch.npz (1), 6 × 4"


def test_a_batch_of_diagnose_brings_its_targets(page, tmp_path):
    np.savez(
        tmp_path / "batch.npz", logits=log_probs(2, 9, 4), targets=[[1, 2, 0], [3, 1, 2]], input_lengths=[9, 9],
        target_lengths=[2, 3],
    )  # fmt: skip
    choose(page, tmp_path / "batch.npz")
    assert page.input_value("#target") == "12"
    page.select_option("#file-item", "1")
    assert store(page, "store.target") == [3, 1, 2]
    assert page.text_content("#note") == "Your file. The first target is that of the file."


def test_joined_items_and_items_by_name(page, tmp_path):
    scores = log_probs(10, 3)
    np.savez(tmp_path / "joined.npz", logp=scores, offsets=[0, 4, 10])
    choose(page, tmp_path / "joined.npz")
    page.select_option("#file-item", "1")
    settle(page)
    np.testing.assert_allclose(store(page, "store.logProbs.map((row) => [...row])"), scores[4:], atol=1e-9)
    np.savez(tmp_path / "named.npz", **{"dev1.wav": scores[:7], "dev2.wav": scores})
    choose(page, tmp_path / "named.npz")
    until(page, "store.count === 7")
    assert page.locator("#file-item option").all_text_contents() == ["dev1.wav", "dev2.wav"]


def test_a_part_of_a_long_recording(page, tmp_path):
    scores = log_probs(2500, 3)
    np.savez(tmp_path / "long.npz", log_probs=scores)
    choose(page, tmp_path / "long.npz")
    assert store(page, "store.count") == 300
    page.fill("#file-first", "2400")
    page.press("#file-first", "Tab")
    settle(page)
    assert page.input_value("#file-first") == "2200"
    np.testing.assert_allclose(store(page, "store.logProbs.map((row) => [...row])"), scores[2200:], atol=1e-9)
    assert "300 × 3, of 2500 frames" in page.text_content("#file-note")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no archive", "this is not a .npz file, or it is cut off."), (None, "it has no items.")],
)
def test_archives_without_items_are_said(page, tmp_path, content, message):
    if content is None:
        np.savez(tmp_path / "odd.npz", words=np.arange(3))
    else:
        (tmp_path / "odd.npz").write_bytes(content)
    choose(page, tmp_path / "odd.npz")
    assert page.text_content("#problem").startswith(f"odd.npz: {message}")
    assert store(page, "store.source") == "synthetic"
