"""The lag of a model, measured with labeled recordings."""

import numpy as np
import pytest

from ctckit.acoustic_models import AcousticModel, measure_lag
from ctckit.acoustic_models.labels import LabeledWord, labeled_words
from ctckit.errors import DataError
from tests.support import tiny_acoustic_model
from tests.support.tiny_acoustic_model import FRAME_SAMPLES, RATE, VOCABULARY, samples_of

SHORT = r'''File type = "ooTextFile"
Object class = "TextGrid"

0
1.5
<exists>
2
"TextTier"
"notes ""0 1"""
0
1.5
1
0.7
"a click"
"IntervalTier"
"Word"
0
1.5
3
0
0.5
"bad "
0.5
1
""
1
1.5
"b ""c"""
'''


def late(frames):
    """The tiny model, whose tokens come some frames late."""
    return AcousticModel(
        VOCABULARY,
        RATE,
        FRAME_SAMPLES,
        lambda samples: tiny_acoustic_model.log_probs(
            np.concatenate([np.zeros(frames * FRAME_SAMPLES, np.float32), samples])[: len(samples)]
        ),
    )


@pytest.fixture
def folder(tmp_path):
    """Two recordings of words that touch each other; praatio writes their labels."""
    soundfile = pytest.importorskip("soundfile")
    textgrid = pytest.importorskip("praatio.textgrid")
    for name, text, form in (("one", "bad cab", "short_textgrid"), ("two", "ab ba ab", "long_textgrid")):
        soundfile.write(tmp_path / f"{name}.wav", samples_of(text, lead=2), RATE)
        words, at = [], 0.2
        for word in text.split():
            end = at + 0.3 * (len(word) + 1)
            words.append((at, end, word))
            at = end
        grid = textgrid.Textgrid()
        grid.addTier(textgrid.IntervalTier("words", words, 0, at + 1))
        grid.save(str(tmp_path / f"{name}.TextGrid"), format=form, includeBlankSpaces=True)
    return tmp_path


def test_a_model_that_is_later_has_a_larger_lag(folder):
    """The words of the tiny model begin with their first frame; a sound's share of the time before it is the rest."""
    lags = [measure_lag(folder, late(frames)).seconds for frames in (0, 1, 2)]
    np.testing.assert_allclose(np.diff(lags), 0.1, atol=1e-6)
    found = measure_lag(folder, late(1))
    assert (found.words, found.recordings, found.left_out) == (3, 2, ())
    assert str(found).endswith("(medians over the starts of 3 words in 2 recordings)")


def test_what_cannot_be_used_is_left_out(folder):
    (folder / "three.wav").write_text("no sound")
    (folder / "three.TextGrid").write_text(SHORT)
    (folder / "alone.wav").write_text("")
    found = measure_lag(folder, late(0))
    assert found.recordings == 2
    assert len(found.left_out) == 1
    assert "three.wav: not a recording" in found.left_out[0]
    for path in folder.glob("*.TextGrid"):
        path.write_text("nothing")
    with pytest.raises(
        DataError, match=r"no word to measure the lag with; .* is not a TextGrid in Praat's text format"
    ):
        measure_lag(folder, late(0))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_labels_of_praat(tmp_path, encoding):
    (tmp_path / "a.TextGrid").write_text(SHORT, encoding=encoding)
    assert labeled_words(tmp_path / "a.TextGrid") == [LabeledWord("bad", 0, 0.5), LabeledWord('b "c"', 1, 1.5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SHORT[:-20], r"it ends before its last entry"),
        (SHORT.replace("Word", "Phone"), r"it has the tiers 'notes \"0 1\"', 'Phone'; expected one .* named 'words'"),
        ("", r"it is not a TextGrid in Praat's text format; save it as a text file\."),
        (SHORT.replace("0.5", "half"), r"it ends before its last entry"),
    ],
)
def test_labels_that_cannot_be_read(tmp_path, text, message):
    (tmp_path / "a.TextGrid").write_text(text)
    with pytest.raises(DataError, match=message):
        labeled_words(tmp_path / "a.TextGrid")
