"""Pages that are read, and written back with their texts."""

import re

import numpy as np
import pytest
import torch
from lxml import etree

from ctckit.errors import DataError
from ctckit.ocr.data.pages.files import read_pages
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.page_reader import read_page
from ctckit.ocr.recognizer import Recognizer
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import TINY
from tests.support.page_files import alto, page_xml, write_page

VOCABULARY = Vocabulary.from_characters(" abc\u05d0\u05d1")


def speller(texts, *, rules=None):
    """Return a recognizer that reads these texts, each character in the same share of the frames."""
    recognizer = Recognizer(
        CRNN(CRNNConfig(num_classes=7, **TINY)), VOCABULARY, rules=rules or LineRules(direction="ltr")
    )

    def compute(lines, *, batch_size):
        outputs = []
        for line, text in zip(lines, texts, strict=True):
            frames = line.shape[1] // recognizer.model.frame_pixels
            probs = np.full((frames, 7), 0.01)
            starts = np.linspace(0, frames, len(text) + 1).astype(int)
            for character, start, end in zip(text, starts, starts[1:], strict=False):
                probs[start:end, VOCABULARY.encode(character)[0]] = 0.94
                probs[end - 1] = 0.01
                probs[end - 1, 0] = 0.94
            outputs.append(torch.from_numpy(np.log(probs / probs.sum(axis=1, keepdims=True))).float())
        return outputs

    recognizer.compute_log_probs = compute
    return recognizer


def boxes(element, name):
    return [
        tuple(int(each.get(key)) for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
        for each in element.iter("{*}" + name)
        if each.get("HPOS")
    ]


def without_texts(content):
    content = content.partition(b"?>\n")[2] or content  # the declaration
    content = re.sub(rb"<(String|SP|HYP)\b[^>]*/>|<String\b.*?</String>", b"", content)
    content = re.sub(rb"<Word\b.*?</Word>|<TextEquiv\b.*?</TextEquiv>", b"", content)
    return re.sub(rb"\s+", b" ", content)


def test_a_page_is_read_in_order(tmp_path):
    page = read_page(speller(["ab", "a c", ""]), write_page(tmp_path))
    assert page.text == "ab\na c\n\n"
    assert [line.name for line in page.lines] == ["l0", "l1", "l2"]
    assert [[word.text for word in line.words] for line in page.lines] == [["ab"], ["a", "c"], []]
    assert page.skipped == ()


def test_words_and_characters_are_where_they_are_on_the_page(tmp_path):
    path = write_page(tmp_path)
    page = read_page(speller(["ab", "a c", "b"]), path)
    (source,) = read_pages(path)
    for line, drawn in zip(page.lines, source.lines, strict=True):
        left, right = drawn.outline[0][0], drawn.outline[1][0]
        for word in line.words:
            xs, ys = zip(*word.outline, strict=True)
            assert left - 1 <= min(xs) < max(xs) <= right + 1
            assert min(ys) == pytest.approx(drawn.outline[0][1], abs=1)
            assert max(ys) == pytest.approx(drawn.outline[2][1], abs=1)
    first, second = page.lines[1].words
    assert max(x for x, _ in first.outline) < min(x for x, _ in second.outline)
    a, b = page.lines[0].words[0].glyphs
    middle = (source.lines[0].outline[0][0] + source.lines[0].outline[1][0]) / 2
    assert max(x for x, _ in a.outline) <= middle + 2
    assert min(x for x, _ in b.outline) >= middle - 10
    assert 0.8 < a.confidence <= 1.0


def test_alto_is_written_back(tmp_path):
    path = write_page(tmp_path)
    path.write_text(
        path.read_text()
        .replace("<Description>", "<!-- kept --><Description>")
        .replace("</TextLine>", "\n    </TextLine>\n    ")
        .replace("?>", "?>\n"),
        encoding="utf-8",
    )
    content = read_page(speller(["ab", "a c", ""]), path).xml()
    root = etree.fromstring(content)
    assert [each.get("CONTENT") for each in root.iter("{*}String")] == ["ab", "a", "c", "the third one"]
    assert [each.get("CONTENT") for each in root.iter("{*}Glyph")] == ["a", "b", "a", "c"]
    assert [float(each.get("WC")) for each in root.iter("{*}String") if each.get("WC")] == pytest.approx(
        [0.98] * 3, abs=0.05
    )
    assert without_texts(content) == without_texts(path.read_bytes())
    for line in root.iter("{*}TextLine"):
        kinds = [etree.QName(each).localname for each in line]
        assert kinds[0] == "Shape"
        assert set(kinds[1::2]) <= {"String"}
        assert set(kinds[2::2]) <= {"SP"}
    assert all(width > 0 and height > 0 for _, _, width, height in [*boxes(root, "String"), *boxes(root, "Glyph")])


def test_alto_before_version_4_has_no_glyphs(tmp_path):
    path = write_page(tmp_path, texts=("x",))
    path.write_text(path.read_text().replace("ns-v4#", "ns-v2#"))
    root = etree.fromstring(read_page(speller(["ab"]), path).xml())
    assert [each.get("CONTENT") for each in root.iter("{*}String")] == ["ab"]
    assert list(root.iter("{*}Glyph")) == []


def test_page_is_written_back(tmp_path):
    path = write_page(tmp_path, page_xml)
    path.write_text(path.read_text().replace("</TextEquiv></TextLine>", "</TextEquiv><TextStyle/></TextLine>"))
    content = read_page(speller(["ab", "a c", ""]), path).xml()
    root = etree.fromstring(content)
    lines = list(root.iter("{*}TextLine"))
    assert [line.find("{*}TextEquiv/{*}Unicode").text or "" for line in lines] == ["ab", "a c", "the third one"]
    assert [etree.QName(each).localname for each in lines[1]] == [
        "Coords",
        "Baseline",
        "Word",
        "Word",
        "TextEquiv",
        "TextStyle",
    ]
    assert [word.get("id") for word in lines[1].iter("{*}Word")] == ["l1_w1", "l1_w2"]
    assert [etree.QName(each).localname for each in lines[0].find("{*}Word")] == [
        "Coords",
        "Glyph",
        "Glyph",
        "TextEquiv",
    ]
    assert all(0 <= float(each.get("conf")) <= 1 for each in root.iter("{*}TextEquiv") if each.get("conf"))
    assert without_texts(content) == without_texts(path.read_bytes())
    (tmp_path / "again.xml").write_bytes(content)
    assert [line.text for line in read_pages(tmp_path / "again.xml")[0].lines] == ["ab", "a c", "the third one"]


def test_a_file_with_prefixed_names_keeps_its_prefix(tmp_path):
    path = write_page(tmp_path, page_xml)
    content = re.sub(r"<(/?)(\w+)", r"<\1pc:\2", path.read_text().replace("xmlns=", "xmlns:pc="))
    path.write_text(content)
    written = read_page(speller(["ab", "a c", "b"]), path).xml()
    assert b"<pc:Unicode>a c</pc:Unicode>" in written
    assert written.count(b"xmlns") == 1


def test_written_pages_are_read_again(tmp_path):
    path = write_page(tmp_path)
    path.write_bytes(read_page(speller(["ab", "a c", "b b"]), path).xml())
    assert [line.text for line in read_pages(path)[0].lines] == ["ab", "a c", "b b"]
    assert read_page(speller(["c", "c", "c"]), path).text == "c\nc\nc\n"


def test_words_of_a_right_to_left_line_are_in_reading_order(tmp_path):
    path = write_page(tmp_path, texts=("a wide line",))
    shown = "\u05d1\u05d1 \u05d0"  # from left to right
    page = read_page(speller([shown], rules=LineRules(direction="rtl")), path)
    assert page.lines[0].text == "\u05d0 \u05d1\u05d1"
    assert [word.text for word in page.lines[0].words] == ["\u05d0", "\u05d1\u05d1"]
    first, second = (min(x for x, _ in word.outline) for word in page.lines[0].words)
    assert first > second


def test_coordinates_are_in_the_unit_of_the_file(tmp_path):
    path = write_page(tmp_path, texts=("x",))
    pixels = read_page(speller(["ab"]), path).lines[0].words[0].outline
    content = path.read_text()
    tenfold = lambda found: f'{found[1]}="{" ".join(str(int(each) * 10) for each in found[2].split())}"'  # noqa: E731
    content = re.sub('(POINTS|BASELINE|WIDTH|HEIGHT)="([^"]*)"', tenfold, content)
    path.write_text(content)
    tenths = read_page(speller(["ab"]), path).lines[0].words[0].outline
    assert np.allclose(np.array(tenths), 10 * np.array(pixels), atol=0.5)


def test_a_line_that_cannot_be_read_keeps_its_text(tmp_path):
    path = write_page(tmp_path, texts=("kept", "read"))
    content = path.read_text()
    start = content.index("<Shape>")
    content = content[:start] + content[content.index("</Shape>") + len("</Shape>") :]
    path.write_text(re.sub(r' BASELINE="[^"]*"', "", content, count=1))
    page = read_page(speller(["ab"]), path)
    assert [each.name for each in page.skipped] == [f"{path}, l0"]
    root = etree.fromstring(page.xml())
    assert [each.get("CONTENT") for each in root.iter("{*}String")] == ["kept", "ab"]


@pytest.mark.parametrize("write", [alto, page_xml])
@pytest.mark.parametrize("text", ["kept", ""])
def test_a_line_in_which_nothing_is_read_stays_as_it_is(tmp_path, write, text):
    path = write_page(tmp_path, write, texts=("x", "y"))
    content = path.read_text()
    content = content.replace('<String CONTENT="x"/>', f'<String CONTENT="{text}" HPOS="36" WIDTH="30"/>')
    path.write_text(content.replace("<Unicode>x</Unicode>", f"<Unicode>{text}</Unicode>"))
    first, second = (
        [etree.tostring(line) for line in etree.fromstring(each).iter("{*}TextLine")]
        for each in (path.read_bytes(), read_page(speller(["", "ab"]), path).xml())
    )
    assert first[0] == second[0]
    assert first[1] != second[1]


@pytest.mark.parametrize(("spaces", "text"), [("single", "a cb"), ("keep", " a  cb ")])
def test_white_space_is_as_the_rules_say(spaces, text):
    recognizer = speller([" a  cb "], rules=LineRules(direction="ltr", spaces=spaces))
    (reading,) = recognizer.read([np.random.default_rng(0).integers(0, 256, (32, 200)).astype(np.uint8)])
    assert reading.text == text
    assert "".join(span.character for span in reading.spans) == text
    starts = [span.left for span in reading.spans]
    assert starts == sorted(starts)


def test_texts_that_differ_in_spaces_alone_are_one_reading():
    recognizer = speller(["a  c"])
    image = np.random.default_rng(0).integers(0, 256, (32, 200)).astype(np.uint8)
    (readings,) = recognizer.read_n_best([image], 20)
    texts = [reading.text for reading in readings]
    assert texts[0] == "a c"
    assert len(texts) == len(set(texts))
    assert not any("  " in text for text in texts)


def test_what_is_no_page_is_an_error(tmp_path):
    (tmp_path / "x.xml").write_text("<mets/>")
    with pytest.raises(DataError, match="neither ALTO nor PAGE"):
        read_page(speller([]), tmp_path / "x.xml")
    path = write_page(tmp_path)
    path.with_suffix(".png").unlink()
    with pytest.raises(DataError, match="there is no image of this page"):
        read_page(speller([]), path)
