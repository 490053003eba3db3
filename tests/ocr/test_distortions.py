"""Distortions of lines: each changes what it says, and nothing else."""

import numpy as np
import pytest

from ctckit.ocr.data.distortions import BENDS, NAMES, SHADES, distort_image

PAPER, INK = 220, 30
HEIGHT, WIDTH = 64, 400


@pytest.fixture(scope="module")
def line():
    """Vertical strokes on even paper, away from the borders."""
    image = np.full((HEIGHT, WIDTH), PAPER, np.uint8)
    image[16:48, 60:340:20] = image[16:48, 61:340:20] = image[16:48, 62:340:20] = INK
    return image


@pytest.fixture(autouse=True)
def always(monkeypatch):
    """Each distortion that is named is used."""
    monkeypatch.setattr("ctckit.ocr.data.distortions.STRETCH", (1.0, 0.85, 1.18))
    for table in (BENDS, SHADES):
        for name, (_, function) in list(table.items()):
            monkeypatch.setitem(table, name, (1.0, function))


def distorted(line, *names, seed=0):
    return distort_image(line, np.random.default_rng(seed), names=names)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_changes_the_line_and_is_seeded(line, name):
    found = [distorted(line, name, seed=seed) for seed in range(5)]
    np.testing.assert_array_equal(found[3], distorted(line, name, seed=3))
    assert {(image.dtype, image.shape[0]) for image in found} == {(np.dtype(np.uint8), HEIGHT)}
    assert len({image.tobytes() for image in found} - {line.tobytes()}) >= 4


def test_without_names_it_stays_as_it_is(line):
    np.testing.assert_array_equal(distorted(line), line)


def test_only_stretching_changes_the_width(line):
    widths = {distorted(line, "stretch", seed=seed).shape[1] for seed in range(40)}
    assert min(widths) >= 0.85 * WIDTH
    assert max(widths) <= 1.18 * WIDTH + 1
    assert len(widths) > 20
    for name in NAMES - {"stretch"}:
        assert distorted(line, name).shape == line.shape


def centers(image):
    """Return the column of the ink of each row that has strokes."""
    ink = (PAPER - image.astype(float)).clip(0)[20:44]
    return (ink * np.arange(image.shape[1])).sum(axis=1) / ink.sum(axis=1)


def test_shearing_moves_each_row_further_than_the_last(line):
    slants = [np.diff(centers(distorted(line, "shear", seed=seed))).mean() for seed in range(30)]
    assert max(slants) > 0.1
    assert min(slants) < -0.1
    assert max(map(abs, slants)) <= 0.31


def test_turning_keeps_the_middle_and_moves_the_ends(line):
    def rows(image, columns):
        ink = (PAPER - image.astype(float)).clip(0)[:, columns]
        return (ink.sum(axis=1) * np.arange(HEIGHT)).sum() / ink.sum()

    found = [distorted(line, "turn", seed=seed) for seed in range(20)]
    ends = [rows(image, slice(320, 345)) - rows(image, slice(60, 80)) for image in found]
    assert max(ends) > 2
    assert min(ends) < -2
    assert max(abs(rows(image, slice(190, 210)) - 31.5) for image in found) < 1.0


def test_strokes_become_thicker_or_thinner(line):
    ink = [(PAPER - distorted(line, "thickness", seed=seed).astype(float)).sum() for seed in range(20)]
    usual = (PAPER - line.astype(float)).sum()
    assert max(ink) > 1.1 * usual
    assert min(ink) < 0.9 * usual


def test_fading_and_gaps_take_ink_away_and_leave_the_paper(line):
    for name in ("fading", "gaps"):
        for seed in range(10):
            image = distorted(line, name, seed=seed)
            assert (image >= line).all()
            assert image.max() == PAPER
        assert (image[line == INK] > INK + 20).any()  # of the last seed


def test_show_through_is_fainter_than_the_ink(line):
    image = distorted(line, "show-through", seed=1)
    added = line.astype(int) - image
    assert added.min() >= -1
    assert 0.09 * (PAPER - INK) < added[line == PAPER].max() <= 0.41 * (PAPER - INK)


def test_noise_has_at_most_its_standard_deviation(line):
    deviations = [(distorted(line, "noise", seed=seed).astype(float) - line).std() for seed in range(20)]
    assert 5.0 < max(deviations) < 10.5


@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 1), (32, 7), (1, 40), (48, 3000)])
def test_images_of_any_size(height, width):
    image = np.full((height, width), 200, np.uint8)
    image[:: max(1, height // 3)] = 40
    for seed in range(5):
        assert distort_image(image, np.random.default_rng(seed)).shape[0] == height
