import numpy as np
import pytest
from PIL import Image, ImageDraw

from ctckit.errors import CharsetError, DataError
from ctckit.ocr.data.batches import LineBatches, bucket_by_width
from ctckit.ocr.data.lines import (
    Line,
    charset_of,
    check_lines,
    frames_needed,
    load_image,
    read_lines,
    scale_to_height,
    split_lines,
    to_gray,
)
from ctckit.ocr.networks.crnn import CRNNConfig
from ctckit.vocabulary import Vocabulary

CONFIG = CRNNConfig(num_classes=11)


def draw(path, *, size=(80, 32), text="407"):
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).text((4, 8), text, fill=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def line(text, width=80, name="a.png"):
    return Line(np.full((32, width), 255, np.uint8), text, name)


def test_a_folder_of_images_with_texts_beside_them(tmp_path):
    draw(tmp_path / "b.png", size=(120, 48))
    write(tmp_path / "b.gt.txt", "  cafe\u0301\r\n")
    draw(tmp_path / "sub" / "a.tif")
    write(tmp_path / "sub" / "a.gt.txt", "407")
    lines = read_lines(tmp_path)
    assert [each.text for each in lines] == ["caf\u00e9", "407"]
    assert [each.image.shape[0] for each in lines] == [32, 32]
    assert lines[0].name.endswith("b.png")


@pytest.mark.parametrize("header", ["", "path\ttext\n"])
def test_a_tsv_table(tmp_path, header):
    draw(tmp_path / "images" / "one.png")
    table = write(tmp_path / "lines.tsv", f'{header}images/one.png\tsay "hi", 5\n\n')
    (found,) = read_lines(table)
    assert found.text == 'say "hi", 5'
    assert found.image.shape[0] == 32


def test_a_csv_table_with_quotes_and_a_byte_order_mark(tmp_path):
    draw(tmp_path / "one.png")
    (tmp_path / "lines.csv").write_bytes(b'\xef\xbb\xbfPath,Text\r\none.png,"a, ""b"""\r\n')
    (found,) = read_lines(tmp_path / "lines.csv")
    assert found.text == 'a, "b"'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("lines.tsv", "a.png\tb\tc\n", r"line 1: found 3 columns, expected 2: path and text\.$"),
        ("lines.csv", "path,text\na.png,b,c\n", r"line 2: found 3 columns.*Put a text with commas between quotes"),
        ("lines.csv", 'a.png,"b" c\n', r"line 1: not a valid table .* Check the quotes"),
        ("lines.tsv", "path\ttext\n", r"the table has no rows"),
        ("lines.tsv", "", r"the table has no rows"),
        ("lines.tsv", "a.png\t \n", r"lines\.tsv, line 1: the text is empty"),
        (
            "lines.txt",
            "a.png\tb\n",
            r"expected a folder, a \.tsv \(tabs\) or a \.csv \(commas\) table, a page .*; found '\.txt'",
        ),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        read_lines(write(tmp_path / name, content))


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: there is no such folder or table"):
        read_lines(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match=r"no images in this folder .*Expected name\.png beside name\.gt\.txt"):
        read_lines(tmp_path)


def test_an_image_without_text(tmp_path):
    draw(tmp_path / "a.png")
    draw(tmp_path / "b.png")
    write(tmp_path / "b.gt.txt", "1")
    with pytest.raises(DataError, match=r"a\.png: no text file\. Expected a\.gt\.txt beside a\.png"):
        read_lines(tmp_path)


def test_a_text_of_two_lines_or_not_utf8(tmp_path):
    draw(tmp_path / "a.png")
    write(tmp_path / "a.gt.txt", "one\ntwo\n")
    with pytest.raises(DataError, match=r"a\.gt\.txt: 2 lines of text; expected one"):
        read_lines(tmp_path)
    (tmp_path / "a.gt.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"a\.gt\.txt: is not UTF-8 text \(byte 3\)"):
        read_lines(tmp_path)


def test_an_unreadable_image(tmp_path):
    write(tmp_path / "a.png", "not an image")
    with pytest.raises(DataError, match=r"a\.png: cannot be read as an image .*Convert it to PNG"):
        load_image(tmp_path / "a.png")
    whole = draw(tmp_path / "b.png", size=(400, 300)).read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"b\.png: cannot be read as an image"):
        load_image(tmp_path / "b.png")


def test_transparent_pixels_become_paper_and_16_bits_are_scaled():
    clear = Image.new("RGBA", (5, 4), (0, 0, 0, 0))
    assert np.asarray(to_gray(clear)).min() == 255
    deep = Image.fromarray(np.full((4, 5), 32768, np.uint16))
    assert np.asarray(to_gray(deep)).tolist() == [[128] * 5] * 4


def test_scaling_keeps_the_proportions():
    assert scale_to_height(Image.new("L", (100, 64)), 32).shape == (32, 50)
    assert scale_to_height(Image.new("L", (1, 640)), 32).shape == (32, 1)


def test_texts_outside_the_charset_are_named_with_their_files():
    vocabulary = Vocabulary.from_characters("0123456789")
    lines = [line("12", name="a.png"), line("1x", name="b.png"), line("é2x", name="c.png")]
    with pytest.raises(CharsetError, match=r"2 of 3 texts .* outside the charset: 'x' 'é', in b\.png, c\.png\."):
        check_lines(lines, vocabulary, CONFIG)
    check_lines(lines[:1], vocabulary, CONFIG)


def test_an_image_too_narrow_for_its_text_gets_the_arithmetic():
    vocabulary = Vocabulary.from_characters("0123456789")
    check_lines([line("11223", width=28)], vocabulary, CONFIG)
    with pytest.raises(DataError, match=r"1 of 1 images .*a\.png is 24 pixels wide at height 32, which gives 6 frames; "
                       r"its 5 characters with 2 adjacent repeats need 7"):  # fmt: skip
        check_lines([line("11223", width=24)], vocabulary, CONFIG)


def test_a_message_names_a_few_and_counts_the_rest():
    lines = [line("x", name=f"{index}.png") for index in range(9)]
    with pytest.raises(CharsetError, match=r"in 0\.png, 1\.png, 2\.png, 3\.png, 4\.png and 4 more\."):
        check_lines(lines, Vocabulary.from_characters("ab"), CONFIG)


def test_frames_needed_counts_a_blank_between_equal_neighbors():
    assert [frames_needed(text) for text in ("", "a", "ab", "aa", "aaa")] == [0, 1, 2, 3, 5]


def test_charset_is_sorted():
    assert charset_of([line("banana"), line("cab")]) == "abcn"


def test_the_split_is_seeded_and_complete():
    lines = [line(str(index)) for index in range(20)]
    train, validation = split_lines(lines, 0.1, seed=3)
    again = split_lines(lines, 0.1, seed=3)
    assert (train, validation) == again
    assert len(validation) == 2
    assert sorted(each.text for each in train + validation) == sorted(each.text for each in lines)
    assert split_lines(lines, 0.0, seed=3) == (lines, [])
    assert len(split_lines(lines[:2], 0.01, seed=0)[1]) == 1


@pytest.mark.parametrize(("count", "share"), [(1, 0.1), (0, 0.0), (20, 0.99)])
def test_a_split_must_leave_lines_to_train_on(count, share):
    with pytest.raises(DataError, match=r"\d lines? with .* none is left to train on\..*--validation 0"):
        split_lines([line("1")] * count, share, seed=0)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_out_of_range(share):
    with pytest.raises(DataError, match=r"expected 0 <= share < 1"):
        split_lines([line("1")] * 5, share, seed=0)


def test_buckets_hold_each_line_once_and_like_widths_together():
    rng = np.random.default_rng(0)
    widths = rng.integers(20, 400, size=203).tolist()
    batches = bucket_by_width(widths, 8, rng=rng)
    assert sorted(np.concatenate(batches).tolist()) == list(range(203))
    spread = np.mean([np.ptp(np.asarray(widths)[batch]) for batch in batches])
    assert spread < 100


def test_line_batches_are_a_function_of_the_step_and_cover_each_epoch():
    lines = [line(str(index), width=60 + 3 * index) for index in range(10)]
    vocabulary = Vocabulary.from_characters("0123456789")
    source = LineBatches(lines, vocabulary, CONFIG, batch_size=4, seed=1)
    assert source.batches_per_epoch == 3
    for epoch in range(2):
        texts = [text for step in range(3) for text in source.batch(3 * epoch + step).texts]
        assert sorted(texts) == sorted(each.text for each in lines)
    again = LineBatches(lines, vocabulary, CONFIG, batch_size=4, seed=1)
    assert again.batch(4).images.equal(source.batch(4).images)


def test_a_distortion_never_makes_a_line_too_narrow():
    tight = line("1122334", width=40)
    source = LineBatches([tight], Vocabulary.from_characters("01234"), CONFIG, batch_size=1)
    widths = {int(source.batch(step).widths[0]) for step in range(30)}
    assert min(widths) >= 37
    assert len(widths) > 1


def named(*names):
    return [Line(np.zeros((32, 9), np.uint8), "a", name) for name in names]


def test_documents_stay_together():
    lines = named(*(f"will_{document}-{page}_{n:03}.jpg" for document in range(6) for page in (1, 2) for n in range(5)))
    for seed in range(5):
        train, validation = split_lines(lines, 0.2, seed=seed, by="document")
        sides = [{each.name.split("-")[0] for each in side} for side in (train, validation)]
        assert not sides[0] & sides[1]
        assert len(sides[1]) == 2
        assert (len(train), len(validation)) == (40, 20)
        assert split_lines(lines, 0.2, seed=seed, by="document") == (train, validation)
    assert split_lines(lines, 0.0, seed=0, by="document") == (lines, [])


def test_one_document_is_always_left_to_train_on():
    lines = named("a_1-1_1.png", "b_1-1_1.png", "b_1-1_2.png")
    train, validation = split_lines(lines, 0.6, seed=0, by="document")
    assert train
    assert validation


def test_lines_of_one_document_cannot_be_split_by_documents():
    with pytest.raises(DataError, match=r"all 2 lines are of one document by their names, 'page1'. Split them by line"):
        split_lines(named("page1_01.png", "page1_02.png"), 0.5, seed=0, by="document")
