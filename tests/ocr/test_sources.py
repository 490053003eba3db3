"""Folders and tables of lines: what is taken, and what is left out and named."""

import os
import sys

import numpy as np
import pytest
from PIL import Image

from ctckit.errors import DataError
from ctckit.ocr.data.lines import load_lines, read_lines
from ctckit.ocr.data.texts import normalize_text, unusable_because
from tests.support.line_files import bars, write_line, write_lines


def picture(path, text="ab"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(bars(text).image).save(path)


def texts(found):
    return [line.text for line in found.lines]


def reasons(found):
    return [each.reason for each in found.skipped]


# --- folders


def test_one_bad_file_of_each_kind_is_left_out_and_named(tmp_path):
    write_lines(tmp_path, ["ab", "ba"])
    (tmp_path / "a.png").write_text("no image")
    (tmp_path / "a.gt.txt").write_text("a")
    picture(tmp_path / "b.png")
    write_line(tmp_path, "c", " ")
    write_line(tmp_path, "d", "one\ntwo")
    write_line(tmp_path, "e", "a\x1b[1mb")
    (tmp_path / "f.gt.txt").write_text("alone")
    picture(tmp_path / "g.png")
    (tmp_path / "g.gt.txt").write_bytes(b"caf\xe9")
    write_line(tmp_path, "h", "ab", image=np.full((1, 9000), 255, np.uint8))
    found = load_lines(tmp_path)
    assert texts(found) == ["ab", "ba"]
    names = [os.path.basename(each.name) for each in found.skipped]
    assert names == ["a.png", "b.png", "c.gt.txt", "d.gt.txt", "e.gt.txt", "f.gt.txt", "g.gt.txt", "h.png"]
    assert reasons(found) == [
        "the image cannot be read",
        "no text file",
        "the text is empty",
        "2 lines of text",
        "the text has control characters",
        "no image",
        "the text cannot be read",
        "the image is too wide",
    ]
    assert all(each.detail.startswith(each.name) for each in found.skipped)
    with pytest.raises(DataError, match=r"8 of 10 lines cannot be used") as error:
        read_lines(tmp_path)
    assert all(each.detail in str(error.value) for each in found.skipped)
    assert "1 × no text file" in str(error.value)


def test_what_macos_and_servers_add_is_passed_over(tmp_path):
    write_lines(tmp_path, ["ab"])
    for name in ("._000.png", "__MACOSX/000.png", "__MACOSX/._000.png", "sub/@eaDir/x.png", "._000.gt.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    found = load_lines(tmp_path)
    assert (texts(found), found.skipped) == (["ab"], ())


@pytest.mark.parametrize("mark", [".bin", ".nrm", ".dew"])
def test_a_processed_image_has_the_text_of_its_line(tmp_path, mark):
    picture(tmp_path / f"x{mark}.png")
    (tmp_path / "x.gt.txt").write_text("ab")
    assert texts(load_lines(tmp_path)) == ["ab"]


def test_its_own_text_comes_first_and_other_points_stay_in_the_name(tmp_path):
    picture(tmp_path / "x.bin.png")
    (tmp_path / "x.bin.gt.txt").write_text("ab")
    picture(tmp_path / "page.1.png")
    (tmp_path / "page.gt.txt").write_text("ab")
    found = load_lines(tmp_path)
    assert [line.name for line in found.lines] == [str(tmp_path / "x.bin.png")]
    assert reasons(found) == ["no text file", "no image"]


def test_two_images_of_one_text_give_one_line(tmp_path):
    """Or one of them could be trained on and the other held out."""
    write_line(tmp_path, "x", "ab")
    picture(tmp_path / "x.bin.png")
    picture(tmp_path / "x.tif")
    found = load_lines(tmp_path)
    assert [line.name for line in found.lines] == [str(tmp_path / "x.png")]
    assert reasons(found) == ["another image has the same text file"] * 2
    assert "x.gt.txt is the text of x.png already. Keep one image of each line." in found.skipped[0].detail


def test_linked_folders_are_entered_and_circles_are_not(tmp_path):
    write_lines(tmp_path / "elsewhere", ["ab", "ba"])
    (tmp_path / "data" / "own").mkdir(parents=True)
    write_line(tmp_path / "data" / "own", "x", "aab")
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "own" / "back").symlink_to(tmp_path / "data")
    assert texts(load_lines(tmp_path / "data")) == ["ab", "ba", "aab"]
    (tmp_path / "all").symlink_to(tmp_path / "data")
    assert texts(load_lines(tmp_path / "all")) == ["ab", "ba", "aab"]


def test_a_folder_of_texts_without_images_is_no_empty_success(tmp_path):
    (tmp_path / "a.gt.txt").write_text("a")
    with pytest.raises(DataError, match=r"no images in this folder"):
        load_lines(tmp_path)


# --- texts


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
def test_utf16_with_its_mark_is_read(tmp_path, encoding):
    picture(tmp_path / "a.png")
    marks = {"utf-16-le-bom": b"\xff\xfe", "utf-16-be-bom": b"\xfe\xff"}
    content = marks.get(encoding, b"") + "äb\r\n".encode(encoding.removesuffix("-bom"))
    (tmp_path / "a.gt.txt").write_bytes(content)
    assert texts(load_lines(tmp_path)) == ["äb"]
    (tmp_path / "t.csv").write_bytes(marks.get(encoding, b"") + "a.png,äb\r\n".encode(encoding.removesuffix("-bom")))
    assert texts(load_lines(tmp_path / "t.csv")) == ["äb"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark_is_named(tmp_path, encoding):
    picture(tmp_path / "a.png")
    (tmp_path / "a.gt.txt").write_bytes("ab".encode(encoding))
    (skipped,) = load_lines(tmp_path).skipped
    assert "control characters: U+0000. Remove them, or save the text as UTF-8" in skipped.detail


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("a  b", "a b"),
        (" a\u00a0b ", "a b"),
        ("a\u2009\u202fb", "a b"),
        ("a\tb", "a b"),
        ("a\u200bb\u2060", "ab"),
        ("a\ufeffb", "ab"),
        ("co\u00adop", "coop"),
        ("\u200eab\u200f", "ab"),
        ("\u202babc\u202c", "abc"),
        ("e\u0301", "\u00e9"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),  # a Persian word has its non-joiner
    ],
)
def test_texts_are_normalized_and_counted(tmp_path, written, normalized):
    assert normalize_text(written) == normalized
    assert normalize_text(normalized) == normalized
    picture(tmp_path / "a.png")
    (tmp_path / "a.gt.txt").write_text(written, encoding="utf-8")
    found = load_lines(tmp_path)
    assert texts(found) == [normalized]
    assert found.normalized == (written.strip() != normalized)


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x9f", "\ud800"])
def test_control_characters_are_named(character):
    reason = f"the text has control characters: U+{ord(character):04X}. Remove them, or save the text as UTF-8."
    assert unusable_because(f"a{character}b") == reason


def test_texts_of_invisible_characters_are_empty():
    assert unusable_because("\u200b\u00a0").startswith("the text is empty")


# --- tables


@pytest.mark.parametrize(
    "header",
    [
        "path,text",
        "filename,words",
        "image_path,plate_text",
        "file_name,text",
        "Image,Label",
        "imagePath,groundTruth",
        "images,transcriptions",
        "img,gt",
        "name,transcription",
        "File Name,Transcript",
    ],
)
@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_usual_headers(tmp_path, header, kind):
    picture(tmp_path / "a.png")
    rows = f"{header}\na.png,ab\n"
    (tmp_path / f"t.{kind}").write_text(rows if kind == "csv" else rows.replace(",", "\t"))
    found = load_lines(tmp_path / f"t.{kind}")
    assert (texts(found), found.skipped) == (["ab"], ())


def test_a_header_tells_the_columns_of_a_table_with_more(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("id,label,width,file_name\n7,ab,40,a.png\n8,ab,40\n")
    found = load_lines(tmp_path / "t.csv")
    assert texts(found) == ["ab"]
    assert "t.csv, line 3: found 3 columns, expected 4, as in the header." in found.skipped[0].detail


def test_a_first_row_that_names_an_image_is_no_header(tmp_path):
    for name in ("image.png", "image"):
        Image.fromarray(bars("ab").image).save(tmp_path / name, format="png")
        (tmp_path / "t.tsv").write_text(f"{name}\ttext\n")
        assert texts(load_lines(tmp_path / "t.tsv")) == ["text"]


def test_swapped_columns_are_named(tmp_path):
    for n in range(3):
        picture(tmp_path / f"{n}.png")
    (tmp_path / "t.tsv").write_text("".join(f"{'word ' * 400}\t{n}.png\n" for n in range(3)))
    with pytest.raises(DataError, match=r"t\.tsv: the paths are in the second column; expected path and text\. Swap"):
        load_lines(tmp_path / "t.tsv")
    (tmp_path / "t.tsv").write_text("text\tpath\n" + "".join(f"ab\t{n}.png\n" for n in range(3)))
    assert texts(load_lines(tmp_path / "t.tsv")) == ["ab"] * 3


def test_paths_that_no_file_can_have_are_named(tmp_path):
    picture(tmp_path / "a.png")
    odd = "a\0.png" if sys.version_info >= (3, 11) else "y" * 5000  # before, Python's csv reads no table with NUL
    (tmp_path / "t.tsv").write_text(f"a.png\tab\n{'x' * 5000}\tab\nnone.png\tab\n{odd}\tab\n")
    found = load_lines(tmp_path / "t.tsv")
    assert texts(found) == ["ab"]
    assert reasons(found) == ["the image cannot be read", "the image is missing", "the image cannot be read"]


def test_paths_of_windows(tmp_path):
    picture(tmp_path / "images" / "one.png")
    (tmp_path / "t.csv").write_text("images\\one.png,ab\n.\\images\\one.png,ba\nimages\\two.png,ab\n")
    found = load_lines(tmp_path / "t.csv")
    assert texts(found) == ["ab", "ba"]
    assert reasons(found) == ["the image is missing"]


def test_a_file_name_with_a_backslash_is_taken_as_it_is(tmp_path):
    picture(tmp_path / "a\\b.png")
    (tmp_path / "t.csv").write_text("a\\b.png,ab\n")
    assert texts(load_lines(tmp_path / "t.csv")) == ["ab"]


def test_bad_rows_of_a_table_are_left_out_and_named(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("path,text\na.png,ab\na.png\na.png,a,b\na.png,\n")
    found = load_lines(tmp_path / "t.csv")
    assert texts(found) == ["ab"]
    assert reasons(found) == ["another number of columns", "another number of columns", "the text is empty"]
    assert [each.name.rpartition(", ")[2] for each in found.skipped] == ["line 3", "line 4", "line 5"]
