"""Formats that hold lines with the times of their words, read again with independent readers."""

import re
from xml.etree import ElementTree

import pytest

from ctckit.alignment import TimedText
from ctckit.alignment.writers import write_alignment
from ctckit.errors import InvalidInputError

WORDS = (
    TimedText("R&D", 0.5, 1.25, None),
    TimedText("<so>", 1.3, 2.0, None),
    TimedText("—", 2.0, 2.0, None),
    TimedText("{it}", 2.4, 3.0, None, "\n"),
    TimedText("気", 70.0, 70.5, None, "\n"),
    TimedText("分", 70.5, 71.0, None, ""),
)
LINES = (TimedText("R&D <so> —\n{it}", 0.25, 3.5, None), TimedText("気分", 70.0, 71.25, None))
KARAOKE = {"lines": LINES, "words": WORDS}
PLAIN = {"lines": (LINES[0], TimedText("…", 3.5, 3.5, None), LINES[1])}


def written(folder, name, tiers, **options):
    write_alignment(folder / name, tiers, **options)
    return folder / name


def test_webvtt_has_times_within_cues(tmp_path):
    webvtt, path = pytest.importorskip("webvtt"), written(tmp_path, "a.vtt", KARAOKE)
    first, second = webvtt.read(str(path))
    assert (first.start, first.end) == ("00:00:00.250", "00:00:03.500")
    assert first.raw_text == ("<00:00:00.500>R&amp;D <00:00:01.300>&lt;so&gt; <00:00:02.000>—\n<00:00:02.400>{it}")
    assert second.raw_text == "気<00:01:10.500>分"  # the first word begins with the cue
    assert second.text == "気分"


def test_substation_alpha_opens_in_pysubs2(tmp_path):
    pysubs2 = pytest.importorskip("pysubs2")
    first, second = pysubs2.load(str(written(tmp_path, "a.ass", PLAIN)))
    assert (first.start, first.end, second.start, second.end) == (250, 3500, 70000, 71250)
    assert (first.plaintext, second.plaintext) == ("R&D <so> —\n｛it｝ …", "気分")
    assert first.text == r"R&D <so> —\N｛it｝ …"
    sung, _ = pysubs2.load(str(written(tmp_path, "b.ass", KARAOKE)))
    assert sung.plaintext == "R&D <so> —\n｛it｝"
    steps = [int(step) for step in re.findall(r"\\k(\d+)", sung.text)]
    assert steps == [25, 80, 70, 40, 110]  # before the first word, then from each word to the next
    assert 10 * sum(steps) == sung.end - sung.start
    assert sung.text.startswith(r"{\k25}{\k80}R&D {\k70}<so>")


def test_lyrics_open_in_pylrc(tmp_path):
    pylrc = pytest.importorskip("pylrc")
    lines = pylrc.parse(written(tmp_path, "a.lrc", PLAIN).read_text(encoding="utf-8"))
    assert [(line.time, line.text) for line in lines] == [(0.25, "R&D <so> — {it} …"), (70.0, "気分")]
    sung = pylrc.parse(written(tmp_path, "a.lrc", KARAOKE).read_text(encoding="utf-8"))
    assert sung[0].text == "<00:00.50>R&D <00:01.30><so> <00:02.00>— <00:02.40>{it}"
    assert (sung[1].time, sung[1].text) == (70.0, "<01:10.00>気<01:10.50>分")


def test_ttml_opens_in_pysubs2_and_ttconv(tmp_path):
    plain, sung = written(tmp_path, "a.ttml", PLAIN), written(tmp_path, "b.ttml", KARAOKE)
    pysubs2 = pytest.importorskip("pysubs2")
    for path, dots in ((plain, " …"), (sung, "")):
        cues = pysubs2.load(str(path))
        assert [(cue.start, cue.end) for cue in cues] == [(250, 3500), (70000, 71250)]
        assert [cue.text for cue in cues] == [rf"R&D <so> —\N{{it}}{dots}", "気分"]
    ttconv = pytest.importorskip("ttconv.imsc.reader")
    document = ttconv.to_model(ElementTree.parse(sung))
    spans = [each for each in document.get_body().dfs_iterator() if type(each).__name__ == "Span" and each.get_end()]
    times = [(float(span.get_begin() or 0), float(span.get_end())) for span in spans]  # from the paragraph's start
    assert times == [(0.25, 1.0), (1.05, 1.75), (2.15, 2.75), (0.0, 0.5), (0.5, 1.0)]


def test_media_overlays_have_a_part_for_each_place_of_the_book(tmp_path):
    epub, html = "{http://www.idpf.org/2007/ops}", pytest.importorskip("lxml.html")
    for tiers in ({"lines": LINES}, KARAOKE):
        overlay = ElementTree.parse(written(tmp_path, "b.smil", tiers, media="talk.mp3")).getroot()
        book = html.parse(str(written(tmp_path, "b.xhtml", tiers))).getroot()
        smil = "{http://www.w3.org/ns/SMIL}"
        heard = []
        for part in overlay.iter(f"{smil}par"):
            file, _, place = part.find(f"{smil}text").get("src").partition("#")
            sound = part.find(f"{smil}audio")
            assert file == "b.xhtml"
            heard.append(
                (book.get_element_by_id(place).text_content(), dict(sound.attrib) if sound is not None else {})
            )
        texts = [each.text for each in tiers.get("words", LINES)]
        assert [text for text, _ in heard] == [" ".join(text.split()) for text in texts]
        assert [part.get(f"{epub}textref") for part in overlay.iter(f"{smil}seq")] == [
            f"b.xhtml#l{n}" for n in range(1, 1 + 2 * ("words" in tiers))
        ]
        assert [each.text_content() for each in book.iter("p")] == ["R&D <so> — {it}", "気分"]
    assert heard[1][1] == {"src": "talk.mp3", "clipBegin": "1.300s", "clipEnd": "2.000s"}
    assert heard[2] == ("—", {})  # no frame emits it
    with pytest.raises(InvalidInputError, match=r"c\.smil names the recording, but media is None; expected its file"):
        write_alignment(tmp_path / "c.smil", {"lines": LINES})


@pytest.mark.parametrize("ending", ["vtt", "ass", "lrc", "ttml", "xhtml"])
@pytest.mark.parametrize("words", [WORDS[:-1], WORDS[1:], (*WORDS[:-1], TimedText("話", 70.5, 71, None))])
def test_words_of_another_text_are_refused(tmp_path, ending, words):
    with pytest.raises(InvalidInputError, match=r"the line '.*' does not have the next words of tiers\['words'\]"):
        write_alignment(tmp_path / f"a.{ending}", {"lines": LINES, "words": words})


def test_a_line_without_frames_is_in_the_one_before_with_its_words(tmp_path):
    webvtt = pytest.importorskip("webvtt")
    lost = TimedText("lost", 3.5, 3.5, None)
    tiers = {"lines": (LINES[0], lost, LINES[1]), "words": (*WORDS[:4], lost, *WORDS[4:])}
    cues = webvtt.read(str(written(tmp_path, "a.vtt", tiers)))
    assert [cue.text for cue in cues] == ["R&amp;D &lt;so&gt; —\n{it} lost", "気分"]
