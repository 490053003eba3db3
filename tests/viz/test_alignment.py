import numpy as np
import pytest

from ctckit import Vocabulary
from ctckit.alignment import TimedText, forced_align
from ctckit.errors import InvalidInputError, MissingDependencyError
from ctckit.viz import draw_alignment
from tests.support.problems import random_probs
from tests.support.tolerances import (
    CLICK_SECONDS,
    DOUBLE,
    LATTICE_DOUBLE,
    SPECTROGRAM_KHZ,
    SPECTROGRAM_SECONDS,
    WAVEFORM_SECONDS,
)

matplotlib = pytest.importorskip("matplotlib")

NAMES = Vocabulary.from_characters("ab|", separator="|")
RATE = 8000
FRAME = 0.02
WORDS = (TimedText("first", 0.1, 0.4, 0.9), TimedText("second", 0.5, 0.8, None))


def aligned(frames=50, target=(1, 3, 2, 2), **options):
    return forced_align(np.log(random_probs(np.random.default_rng(0), frames, 4)), list(target), **options)[0]


def tone(seconds, hertz=1000):
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)


def test_sound_words_and_tokens(tmp_path):
    found = aligned()
    figure = draw_alignment(found, FRAME, waveform=tone(1), rate=RATE, words=WORDS, names=NAMES)
    wave, spectrogram, tokens = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["waveform", "kHz", "occupancy"]
    assert [text.get_text() for text in wave.texts] == ["first", "second"]
    assert [line.get_xdata()[0] for line in spectrogram.lines] == [0.1, 0.4, 0.5, 0.8]
    assert [text.get_text() for text in tokens.texts] == ["a", "", "b", "b"]
    assert tokens.get_xlim() == (0, 1)
    hills = np.array([line.get_ydata() for line in tokens.lines[:4]])
    assert hills.shape == (4, 50)
    assert (hills.sum(axis=1) >= 1).all()
    assert (hills.sum(axis=0) <= 1 + LATTICE_DOUBLE).all()
    bars = [(bar.get_x(), bar.get_width()) for bar in tokens.patches]
    np.testing.assert_allclose(bars, np.stack([found.starts, found.ends - found.starts], axis=1) * FRAME, rtol=DOUBLE)
    figure.savefig(tmp_path / "a.png")


def test_the_spectrogram_shows_a_tone_at_its_pitch():
    figure = draw_alignment(aligned(), FRAME, waveform=tone(1, 1500), rate=RATE)
    (image,) = figure.axes[1].images
    left, right, bottom, top = image.get_extent()
    power = image.get_array()
    kilohertz = bottom + (np.argmax(power.mean(axis=1)) + 0.5) * (top - bottom) / len(power)
    assert kilohertz == pytest.approx(1.5, abs=SPECTROGRAM_KHZ)
    assert (top, left) == (4, pytest.approx(0.01, rel=DOUBLE))
    assert right == pytest.approx(1, abs=SPECTROGRAM_SECONDS)


def test_a_long_recording_is_shown_in_part():
    frames = np.full((2000, 4), 0.1)
    frames[:, 0] = 0.7
    frames[900, 1] = frames[1900, 2] = 5
    found = forced_align(np.log(frames / frames.sum(axis=1, keepdims=True)), [1, 2])[0]
    figure = draw_alignment(found, FRAME, offset_seconds=100, names=NAMES)
    assert figure.axes[0].get_xlim() == (117.5, 129.5)
    assert [text.get_text() for text in figure.axes[0].texts] == ["a"]
    figure = draw_alignment(found, FRAME, between=(37, 39), names=NAMES, words=WORDS)
    assert [text.get_text() for text in figure.axes[0].texts] == ["b"]


def test_tokens_beside_wildcards():
    frames = np.full((30, 4), 0.01)
    frames[range(30), [1, 1, 0, *([3, 2] * 10), 0, 0, 2, 2, 0, 0, 0]] = 0.97
    found = forced_align(np.log(frames), [1, -1, 2], star=-1)[0]
    assert (found.starts[1], found.ends[1]) == (3, 23)
    (axes,) = draw_alignment(found, 1.0, between=(0, 30)).axes
    assert [text.get_text() for text in axes.texts] == ["1", "2"]
    first, second = (line.get_xdata() for line in axes.lines[:2])
    assert (first[0], first[-1], second[0], second[-1]) == (0.5, 2.5, 23.5, 29.5)


def test_the_sound_is_at_its_time():
    """A click at 0.5 s of a recording whose first frame is at 60 s, drawn from all of it and from a part."""
    samples = np.zeros(RATE)
    samples[RATE // 2] = 1

    def click(waveform, **options):
        figure = draw_alignment(aligned(), FRAME, offset_seconds=60, waveform=waveform, rate=RATE, **options)
        (area,) = figure.axes[0].collections
        points = area.get_paths()[0].vertices
        (image,) = figure.axes[1].images
        left, right, *_ = image.get_extent()
        loudest = image.get_array().mean(axis=0).argmax()
        return points[points[:, 1].argmax(), 0], left + (loudest + 0.5) * (right - left) / image.get_array().shape[1]

    for seen in (
        click(samples),
        click(samples, between=(60.4, 60.7)),
        click(samples[RATE // 4 :], waveform_seconds=60.25),
        click(samples[RATE // 4 :], waveform_seconds=60.25, between=(60.1, 60.9)),
    ):
        assert seen[0] == pytest.approx(60.5, abs=WAVEFORM_SECONDS)
        assert seen[1] == pytest.approx(60.5, abs=CLICK_SECONDS)


def test_no_tokens_and_a_sound_shorter_than_a_window():
    wave, spectrogram, tokens = draw_alignment(aligned(10, ()), FRAME, waveform=np.zeros(10), rate=RATE).axes
    assert wave.get_ylim() == (-1.05, 1.5)
    assert not spectrogram.images
    assert not tokens.patches
    assert not tokens.texts


def test_silence_is_drawn_with_finite_numbers():
    _, spectrogram, tokens = draw_alignment(aligned(10), FRAME, waveform=np.zeros(10 * 160), rate=RATE).axes
    (image,) = spectrogram.images
    assert np.isfinite(image.get_array()).all()
    assert np.ptp(image.get_array()) == 0
    assert len(tokens.patches) == 4


def test_it_draws_where_it_is_told():
    figure = matplotlib.figure.Figure()
    assert draw_alignment(aligned(), FRAME, figure=figure) is figure


def test_wrong_arguments(monkeypatch):
    with pytest.raises(InvalidInputError, match=r"between is \(2, 2\); expected a start before an end, in seconds\."):
        draw_alignment(aligned(), FRAME, between=(2, 2))
    with pytest.raises(
        InvalidInputError, match=r"waveform is given, but rate is None; expected the samples per second\."
    ):
        draw_alignment(aligned(), FRAME, waveform=tone(1))
    with pytest.raises(InvalidInputError, match=r"names has 2 entries"):
        draw_alignment(aligned(), FRAME, names=["", "a"])
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"draw_alignment needs matplotlib.*\[viz\]"):
        draw_alignment(aligned(), FRAME)
