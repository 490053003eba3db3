"""Texts read from the files that our writers and other programs write."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctckit.alignment import TimedText, write_alignment
from ctckit.alignment.readers import read_lines
from ctckit.alignment.writers import alignment_content
from ctckit.errors import DataError, MissingFileError

LINES = [TimedText('So "be" it & go <3', 0.5, 1.5, 0.9), TimedText("Größe", 1.5, 2.0, None)]


def texts(path, **options):
    return [line.text for line in read_lines(path, **options).lines]


def test_a_plain_text_has_the_numbers_of_its_lines(tmp_path):
    path = tmp_path / "a.lab"
    path.write_bytes("\ufeffSo be it.\r\n\r\n  Größe \r\n".encode())
    found = read_lines(path)
    assert [(line.number, line.text) for line in found.lines] == [(1, "So be it."), (3, "Größe")]
    assert not found.timed


@pytest.mark.parametrize("ending", ["srt", "vtt", "TextGrid", "eaf"])
def test_what_was_written_is_read(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    tiers = {"lines": LINES} if ending in ("srt", "vtt") else {"words": LINES[:1], "lines": LINES}
    write_alignment(path, tiers, duration_seconds=9)
    assert texts(path) == [line.text for line in LINES]
    assert read_lines(path).timed


WRITTEN = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), min_size=1).filter(
    lambda text: text.strip() and "-->" not in text and "<" not in text and "{" not in text
)


@given(st.lists(WRITTEN, min_size=1, max_size=4))
@settings(max_examples=25)
def test_any_text_comes_back(written):
    """Not those with markup or arrows, which mean something in subtitles; subtitles have single spaces."""
    entries = [TimedText(text, float(n), n + 1.0, None) for n, text in enumerate(written)]
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("srt", "vtt", "TextGrid", "eaf"):
            path = Path(folder) / f"a.{ending}"
            path.write_bytes(alignment_content(path, {"lines": entries}))
            single = ending in ("srt", "vtt")
            assert texts(path) == [" ".join(text.split()) if single else text.strip() for text in written]


def test_markup_and_line_ends_of_subtitles(tmp_path):
    srt, vtt = tmp_path / "a.srt", tmp_path / "a.vtt"
    srt.write_text("1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<i>So</i>\nbe it.\n\n2\n00:02,0 --> 00:03,0\n\n\n")
    [line] = read_lines(srt).lines
    assert (line.text, line.spoken) == ("{\\an8}<i>So</i>\nbe it.", "So\nbe it.")
    vtt.write_text("WEBVTT\n\nNOTE no\n\nname\n00:01.000 --> 00:02.000 line:0\n<v Roger>So &lt;3\n")
    assert texts(vtt) == ["So <3"]


def test_the_short_form_of_a_textgrid_in_utf16(tmp_path):
    path = tmp_path / "a.TextGrid"
    values = ['"IntervalTier"', '"Anna"', "0", "2", "2", "0", "1", '"sagt ""ja"""', "1", "2", '""']
    head = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", "2", "<exists>", "1"]
    path.write_bytes("\n".join([*head, *values]).encode("utf-16"))
    assert texts(path) == ['sagt "ja"']


def test_the_tier_is_not_guessed(tmp_path):
    path = tmp_path / "a.TextGrid"
    write_alignment(path, {"anna": LINES[:1], "ben": LINES[1:]}, duration_seconds=9)
    with pytest.raises(DataError, match=r"it has 2 tiers with texts: 'anna', 'ben'; expected --text-tier with one"):
        read_lines(path)
    assert texts(path, tier="ben") == ["Größe"]
    with pytest.raises(DataError, match=r"it has no tier 'carl'; expected one of 'anna', 'ben'"):
        read_lines(path, tier="carl")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\n \n", "it contains no text"),
        ("a.txt", b"\xff\xfa", "not a text in UTF-8"),
        ("a.vtt", b"00:01.000 --> 00:02.000\nso", "does not begin with WEBVTT"),
        ("a.TextGrid", b"so", "it is not a TextGrid"),
        ("a.TextGrid", b'File type = "ooTextFile"\nObject class = "PitchTier"', "it is not a TextGrid"),
        ("a.eaf", b"<so", "it is no XML"),
        ("a.eaf", b"<so/>", "its root is 'so'; expected an ANNOTATION_DOCUMENT"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_lines(tmp_path / name)


def test_a_missing_file(tmp_path):
    with pytest.raises(MissingFileError, match="there is no such file"):
        read_lines(tmp_path / "a.srt")
