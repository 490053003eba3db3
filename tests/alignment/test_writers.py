"""The files of the writers, read again with independent readers; and writers of other packages."""

import json
import math
import os
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from ctckit import TokenSpan, Vocabulary, WordSpan
from ctckit.alignment import TimedText, align_utterances
from ctckit.alignment.writers import FORMATS, Tiers, format_of, subtitle_lines, timed, write_alignment
from ctckit.alignment.writers.formats import GROUP
from ctckit.cli import app
from ctckit.errors import DataError, InvalidInputError
from tests.support import plugin_package, tiny_acoustic_model

WORDS = (
    TimedText('"Größe"', 0.12, 0.48, 0.93),
    TimedText("R&D", 0.48, 1.0, None),
    TimedText("über", 3.5, 3.5, math.nan),
    TimedText("<3", 3.5, 3.5, None),
    TimedText("百", 3723.004, 3723.9876543, 0.5),
)
TOKENS = (TimedText("ə", 0.12, 0.14, 1.0), TimedText("t͡ʃ", 0.14, 0.16, 0.25))


def written(folder, name, tiers, **options):
    if name.endswith(".smil"):
        options = {"media": "talk.mp3", **options}
    write_alignment(folder / name, tiers, **options)
    return folder / name


def test_textgrid_opens_in_praatio(tmp_path):
    textgrid = pytest.importorskip("praatio.textgrid")
    path = written(tmp_path, "a.TextGrid", {"words": WORDS, "tokens": TOKENS}, duration_seconds=4000.5)
    for blanks in (False, True):
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=blanks, reportingMode="error")
        assert grid.tierNames == ("words", "words: not found", "tokens", "words: confidence", "tokens: confidence")
        assert (grid.minTimestamp, grid.maxTimestamp) == (0, 4000.5)
    entries = [tuple(each) for each in grid.getTier("words").entries]
    assert entries[0] == (0, 0.12, "")
    assert [each for each in entries if each[2]] == [
        (0.12, 0.48, '"Größe"'),
        (0.48, 1.0, "R&D"),
        (3723.004, 3723.987654, "百"),
    ]
    assert entries[-1] == (3723.987654, 4000.5, "")
    assert all(first[1] == second[0] for first, second in pairwise(entries))
    assert 'text = """Größe"""\n' in path.read_text(encoding="utf-8")  # as Praat requires quotes
    assert [tuple(each) for each in grid.getTier("words: not found").entries] == [(3.5, "über <3")]
    assert [each.label for each in grid.getTier("tokens").entries if each.label] == ["ə", "t͡ʃ"]
    sure = [tuple(each) for each in grid.getTier("words: confidence").entries if each.label]
    assert sure == [(0.12, 0.48, "0.93"), (3723.004, 3723.987654, "0.50")]


def test_elan_opens_in_pympi(tmp_path):
    elan = pytest.importorskip("pympi.Elan")
    path = written(tmp_path, "a.eaf", {"words": WORDS, "tokens": TOKENS}, media="talk.wav")
    file = elan.Eaf(str(path))
    assert list(file.get_tier_names()) == [
        "words",
        "words: not found",
        "tokens",
        "words: confidence",
        "tokens: confidence",
    ]
    assert sorted(file.get_annotation_data_for_tier("words")) == [
        (120, 480, '"Größe"'),
        (480, 1000, "R&D"),
        (3723004, 3723988, "百"),
    ]
    assert file.get_annotation_data_for_tier("words: not found") == [(3500, 3501, "über <3")]
    sure = file.get_ref_annotation_data_for_tier("words: confidence")
    assert [each[:3] for each in sorted(sure)] == [(120, 480, "0.93"), (3723004, 3723988, "0.50")]
    assert file.get_linked_files()[0]["MEDIA_URL"] == "talk.wav"


def test_elan_has_the_order_of_its_schema(tmp_path):
    root = ElementTree.parse(written(tmp_path, "a.eaf", {"words": WORDS}, media="talk.wav")).getroot()
    tags = [child.tag for child in root]
    assert tags == ["HEADER", "TIME_ORDER", *["TIER"] * 3, *["LINGUISTIC_TYPE"] * 2, "CONSTRAINT"]
    assert root.find("HEADER/MEDIA_DESCRIPTOR").get("MIME_TYPE").startswith("audio/")
    slots = [int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")]
    assert slots == sorted(set(slots))


def test_characters_that_xml_forbids_are_left_out_of_elan(tmp_path):
    path = written(tmp_path, "a.eaf", {"words": [TimedText("a\x00\x1bb\ufffe", 0, 1, None)]})
    assert [value.text for value in ElementTree.parse(path).iter("ANNOTATION_VALUE")] == ["ab"]


def test_srt_opens_in_srt(tmp_path):
    srt = pytest.importorskip("srt")
    text = written(tmp_path, "a.srt", {"words": WORDS}).read_text(encoding="utf-8")
    cues = list(srt.parse(text, ignore_errors=False))
    assert [cue.index for cue in cues] == [1, 2, 3]
    assert [cue.content for cue in cues] == ['"Größe"', "R&D über <3", "百"]
    assert [cue.start.total_seconds() for cue in cues] == [0.12, 0.48, 3723.004]
    assert [cue.end.total_seconds() for cue in cues] == [0.48, 1.0, 3723.988]
    assert srt.compose(cues, reindex=False).strip() == text.strip()


def test_webvtt_opens_in_webvtt(tmp_path):
    webvtt = pytest.importorskip("webvtt")
    path = written(tmp_path, "a.vtt", {"words": WORDS})
    cues = list(webvtt.read(str(path)))
    assert [(cue.start, cue.end) for cue in cues] == [
        ("00:00:00.120", "00:00:00.480"),
        ("00:00:00.480", "00:00:01.000"),
        ("01:02:03.004", "01:02:03.988"),
    ]
    assert cues[1].raw_text == "R&amp;D über &lt;3"
    assert path.read_text(encoding="utf-8").startswith("WEBVTT\n\nNOTE confidence 0.93\n\n00:00:00.120")
    assert path.read_text(encoding="utf-8").count("NOTE") == 2  # the second cue has none


def test_subtitles_have_no_empty_lines_within_and_last_at_least_a_millisecond(tmp_path):
    srt = pytest.importorskip("srt")
    path = written(tmp_path, "a.srt", {"words": [TimedText("one\n\n two\n", 1.0, 1.0002, None)]})
    (cue,) = srt.parse(path.read_text(encoding="utf-8"), ignore_errors=False)
    assert cue.content == "one\ntwo"
    assert (cue.end - cue.start).total_seconds() == 0.001


def test_texts_without_frames_at_the_beginning_are_in_the_first_cue(tmp_path):
    missing = TimedText("Chapter", 0, 0, None)
    for words, text in (((missing, WORDS[0]), 'Chapter "Größe"'), ((missing,), "Chapter")):
        lines = written(tmp_path, "a.srt", {"words": words}).read_text(encoding="utf-8").splitlines()
        assert lines[2] == text


def test_ctm_has_a_line_of_fields(tmp_path):
    path = written(tmp_path, "my talk.ctm", {"words": [*WORDS[:3], TimedText("New  York", 4, 5, 0.25)]})
    rows = [line.split(" ") for line in path.read_text(encoding="utf-8").splitlines()]
    assert rows == [
        ["my_talk", "1", "0.120000", "0.360000", '"Größe"', "0.9300"],
        ["my_talk", "1", "0.480000", "0.520000", "R&D", "0.0000"],
        ["my_talk", "1", "3.500000", "0.000000", "über", "0.0000"],
        ["my_talk", "1", "4.000000", "1.000000", "New_York", "0.2500"],
    ]
    path = written(tmp_path, "a.ctm", {"words": WORDS}, media="recordings/x-ray.wav")
    assert path.read_text(encoding="utf-8").startswith("x-ray 1 ")


def test_rttm_opens_in_rttm_manager(tmp_path):
    rttm_manager = pytest.importorskip("rttm_manager")
    speakers = {"Anna": [WORDS[0], WORDS[2]], "Bert R.": [TimedText("so", 0.3, 0.75, None)]}
    found = rttm_manager.import_rttm(str(written(tmp_path, "a.rttm", speakers, media="a/my talk.wav")))
    assert [(each.file_id, each.turn_onset, each.turn_duration, each.speaker_name) for each in found] == [
        ("my_talk", 0.12, 0.36, "Anna"),
        ("my_talk", 0.3, 0.45, "Bert_R."),
    ]


def test_audacity_labels_are_separated_by_tabs(tmp_path):
    path = written(tmp_path, "labels.txt", {"words": [TimedText("a\tb\nc", 1, 2, None), WORDS[2]]})
    assert path.read_text(encoding="utf-8") == "1.000000\t2.000000\ta b c\n3.500000\t3.500000\tüber\n"


def test_json_has_everything(tmp_path):
    path = written(tmp_path, "a.json", {"words": WORDS, "tokens": TOKENS}, duration_seconds=5000, media="talk.wav")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert {key: content[key] for key in ("format", "version", "media", "duration_seconds")} == {
        "format": "ctckit-alignment",
        "version": 1,
        "media": "talk.wav",
        "duration_seconds": 5000,
    }
    assert content["tiers"]["tokens"] == [
        {"text": "ə", "start_seconds": 0.12, "end_seconds": 0.14, "confidence": 1.0},
        {"text": "t͡ʃ", "start_seconds": 0.14, "end_seconds": 0.16, "confidence": 0.25},
    ]
    assert [each["confidence"] for each in content["tiers"]["words"]] == [0.93, None, None, None, 0.5]


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_is_whole_or_not_there(tmp_path, ending, monkeypatch):
    media = "talk.mp3"  # one of the formats needs it
    path = written(tmp_path, f"a{ending.upper()}", {"words": WORDS}, media=media)
    before = path.read_bytes()
    assert before

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(DataError, match=r"cannot be written \(No space left on device\)"):
        write_alignment(path, {"words": TOKENS}, media=media)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


EMPTY = {  # what a file without entries holds
    ".textgrid": "intervals: size = 1",  # a silence of 1 s
    ".eaf": '<TIER LINGUISTIC_TYPE_REF="aligned" TIER_ID="words" />',
    ".srt": "",
    ".vtt": "WEBVTT",
    ".ttml": "<body><div /></body>",
    ".ass": "[Events]",
    ".lrc": "",
    ".smil": "<body />",
    ".xhtml": "<body>",
    ".ctm": "",
    ".rttm": "",
    ".txt": "",
    ".json": '"words": []',
}
DISJOINT = (".textgrid", ".eaf")
ONE_TIER_ENDINGS = (".srt", ".vtt", ".ttml", ".ass", ".lrc", ".smil", ".xhtml", ".ctm", ".txt")


@pytest.mark.parametrize("ending", FORMATS)
def test_a_tier_without_entries_is_written(tmp_path, ending):
    content = EMPTY[ending]
    text = written(tmp_path, f"a{ending}", {"words": ()}, duration_seconds=1.0).read_text(encoding="utf-8")
    assert content in text
    assert content or not text


def test_praat_has_no_intervals_too_short_to_click(tmp_path):
    words = (TimedText("a", 0.1, 0.449998, None), TimedText("b", 0.450025, 0.6, None), TimedText("c", 0.601, 0.7, None))
    write_alignment(tmp_path / "x.TextGrid", {"words": words}, duration_seconds=0.7)
    lines = (tmp_path / "x.TextGrid").read_text(encoding="utf-8").splitlines()
    edges = [line.strip().split(" = ")[1] for line in lines if line.startswith("            x")]
    assert edges == ["0", "0.1", "0.1", "0.450025", "0.450025", "0.6", "0.6", "0.601", "0.601", "0.7"]


def test_praat_needs_a_duration(tmp_path):
    with pytest.raises(InvalidInputError, match=r"lasts 0 s, which Praat does not open; give duration_seconds\."):
        write_alignment(tmp_path / "a.TextGrid", {"words": ()})


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([TimedText("", 0, 1, None)], r"tiers\['words'\]\[0\]\.text is ''; expected a text that is not empty\."),
        ([TimedText("a", -0.5, 1, None)], r"\[0\]\.start_seconds is -0\.5; expected a finite number of seconds, at"),
        ([TimedText("a", 0, math.inf, None)], r"\[0\]\.end_seconds is inf; expected a finite"),
        ([TimedText("a", 2, 1, None)], r"\[0\] begins at 2\.0 s and ends at 1\.0 s; expected an end behind the start"),
        ([WORDS[1], WORDS[0]], r"tiers\['words'\]\[1\] begins at 0\.12 s, before \[0\] at 0\.48 s; expected the order"),
    ],
)
def test_entries_that_cannot_be_written(tmp_path, entries, message):
    with pytest.raises(InvalidInputError, match=message):
        write_alignment(tmp_path / "a.json", {"words": entries})
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("ending", FORMATS)
def test_where_entries_may_not_overlap_it_says_which_do(tmp_path, ending):
    entries = [TimedText("a", 0, 1.5, None), TimedText("b", 1, 2, None)]
    if ending not in DISJOINT:
        assert written(tmp_path, f"a{ending}", {"words": entries}).exists()
        return
    with pytest.raises(InvalidInputError, match=r"\[1\] begins at 1\.0 s, before \[0\] ends at 1\.5 s; a\..* cannot"):
        write_alignment(tmp_path / f"a{ending}", {"words": entries})


def test_two_texts_in_one_millisecond_are_an_error_in_elan(tmp_path):
    entries = [TimedText("a", 1.0, 1.0001, None), TimedText("b", 1.0001, 1.0002, None)]
    with pytest.raises(InvalidInputError, match=r"'a' and 'b', 0 and 1 of tier 'words', fall on the same millisecond"):
        write_alignment(tmp_path / "a.eaf", {"words": entries})


@pytest.mark.parametrize("ending", FORMATS)
def test_formats_of_one_tier_say_so(tmp_path, ending):
    tiers = {"words": WORDS, "tokens": TOKENS}
    if ending not in ONE_TIER_ENDINGS:
        assert written(tmp_path, f"a{ending}", tiers).exists()
        return
    with pytest.raises(InvalidInputError, match=r"holds one tier, tiers has 2: words, tokens\. Pass one of them"):
        written(tmp_path, f"a{ending}", tiers)


def test_other_endings_and_no_tiers_are_refused(tmp_path):
    with pytest.raises(
        InvalidInputError,
        match=r"ending of a\.doc is '\.doc'; expected one of \"\.textgrid\", \"\.eaf\".*group \"ctckit\.ali",
    ):
        write_alignment(tmp_path / "a.doc", {"words": WORDS})
    with pytest.raises(InvalidInputError, match=r"tiers has no entries; expected at least one"):
        write_alignment(tmp_path / "a.json", {})
    with pytest.raises(DataError, match=r"nowhere.*cannot be written \(No such file or directory\)"):
        write_alignment(tmp_path / "nowhere" / "a.json", {"words": WORDS})


# --- writers of other packages


def write_upper(tiers):
    assert isinstance(tiers, Tiers)
    return " ".join(each.text.upper() for each in tiers.only_tier())


def write_bytes(tiers):
    return bytes([len(tiers.entries), 0xFF])


def write_nothing(tiers):
    return None


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    here = "tests.alignment.test_writers"
    entries = {
        "upper": f"{here}:write_upper",
        "two": f"{here}:write_bytes",
        "nothing": f"{here}:write_nothing",
        "broken": "a_module_that_is_not_there:write",
        "srt": f"{here}:write_upper",
    }
    plugin_package.install(tmp_path, "tiny-writers", GROUP, **entries)
    monkeypatch.syspath_prepend(tmp_path)


def test_writers_of_other_packages_are_found_by_the_ending(tmp_path, plugins):
    path = written(tmp_path, "a.Upper", {"words": WORDS[:2]})
    assert path.read_text(encoding="utf-8") == '"GRÖSSE" R&D'
    assert written(tmp_path, "a.two", {"words": WORDS, "tokens": TOKENS}).read_bytes() == b"\x02\xff"
    with pytest.raises(InvalidInputError, match=r"a\.upper holds one tier, tiers has 2: words, tokens\."):
        write_alignment(tmp_path / "a.upper", {"words": WORDS, "tokens": TOKENS})


def test_the_command_line_finds_them_before_it_aligns(tmp_path, plugins, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("frames.npz", log_probs=tiny_acoustic_model.log_probs(tiny_acoustic_model.samples_of("bad cab")))
    Path("text.txt").write_text("Bad cab!", encoding="utf-8")
    Path("tokens.txt").write_text("\n".join(tiny_acoustic_model.VOCABULARY.tokens), encoding="utf-8")
    arguments = ["align", "frames.npz", "text.txt", "-v", "tokens.txt", "--separator", " ", "--frame-ms", "100"]
    result = CliRunner().invoke(app, [*arguments, "--tier", "words", "--out", "a.upper"])
    assert result.exit_code == 0, result.output
    assert Path("a.upper").read_text(encoding="utf-8") == "BAD CAB!"
    result = CliRunner().invoke(app, [*arguments, "--out", "b.upper", "--out", "b.broken"])
    assert result.exit_code == 2
    assert "the writer for '.broken' of the package tiny-writers" in " ".join(result.output.split())
    assert not Path("b.upper").exists()


def test_a_package_cannot_replace_a_format_of_ctckit(plugins, tmp_path):
    assert format_of(tmp_path / "a.srt") is FORMATS[".srt"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "a.broken",
            r"'\.broken' of the package tiny-writers \(a_module_that_is_not_there:write\) cannot be imported: No modul",
        ),
        ("a.nothing", r"writer tests\.alignment\.test_writers:write_nothing returned a NoneType for a\.nothing; exp"),
        (
            "a.doc",
            r"expected one of \"\.textgrid\".*\"\.json\", \"\.broken\", \"\.nothing\", \"\.two\", \"\.upper\" \(",
        ),
    ],
)
def test_writers_that_cannot_be_used(tmp_path, plugins, name, message):
    with pytest.raises(InvalidInputError, match=message):
        write_alignment(tmp_path / name, {"words": WORDS})
    assert not (tmp_path / name).exists()


def test_two_packages_with_a_writer_for_one_ending_are_named(tmp_path, plugins):
    plugin_package.install(tmp_path, "big-writers", GROUP, upper="tests.alignment.test_writers:write_bytes")
    with pytest.raises(InvalidInputError, match=r"^big-writers and tiny-writers each have a writer for '\.upper'"):
        format_of(tmp_path / "a.upper")


# --- times


def test_frames_become_seconds():
    spans = [WordSpan("a", 0, 3, 0.5), WordSpan("b", 5, 5, None)]
    assert timed(spans, 0.02, 1.0) == (TimedText("a", 1.0, 1.06, 0.5), TimedText("b", 1.1, 1.1, None))
    token = TokenSpan(1, 2, 4, -0.1, 0.75)
    assert timed([token], 0.5, vocabulary=Vocabulary(("", "ə"))) == (TimedText("ə", 1.0, 2.0, 0.75),)
    assert timed([token], 0.5)[0].text == "1"


def test_utterances_become_seconds():
    frames = np.log([[0.05, 0.9, 0.05], [0.9, 0.05, 0.05], [0.05, 0.05, 0.9], [0.9, 0.05, 0.05]])
    found = timed(align_utterances(frames, ["a", "b"], Vocabulary.from_characters("ab")), 0.5)
    assert [(each.text, each.start_seconds, each.end_seconds) for each in found] == [("a", 0, 0.5), ("b", 1, 1.5)]
    assert timed(align_utterances(frames, [[1]]), 0.5)[0].text == "…"


def test_lines_of_subtitles_end_at_limits_and_pauses():
    def words(text, *starts):
        return [TimedText(word, at, at + 0.5, 0.5) for word, at in zip(text.split(), starts, strict=True)]

    def lines(entries, **limits):
        return [line.text for line in subtitle_lines(entries, **limits)]

    close = words("the cat is on the hat", 0, 0.5, 1, 1.5, 2, 2.5)
    assert lines(close) == ["the cat is on the hat"]
    assert lines(close, characters=10) == ["the cat is", "on the hat"]
    assert lines(close, characters=1) == ["the", "cat", "is", "on", "the", "hat"]
    assert lines(close, seconds=1.0) == ["the cat", "is on", "the hat"]
    assert lines(words("a b c", 0, 1.25, 3), pause=0.75) == ["a b", "c"]
    missing = TimedText("not", 1.0, 1.0, None)
    (line,) = subtitle_lines([*close[:2], missing, *close[2:]])
    assert line == TimedText("the cat not is on the hat", 0, 3.0, 0.5)
    assert subtitle_lines([]) == ()
