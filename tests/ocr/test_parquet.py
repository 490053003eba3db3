"""Lines in Parquet files, as data sets on hubs have them."""

import io

import pytest
from PIL import Image

from ctckit.errors import DataError
from ctckit.ocr.data.lines import load_lines
from ctckit.ocr.data.rules import LineRules
from tests.support.line_files import bars

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def content(text):
    file = io.BytesIO()
    Image.fromarray(bars(text).image).save(file, "PNG")
    return file.getvalue()


def write(path, texts, *, rows=2, **columns):
    images = [{"bytes": content(text), "path": None} for text in texts]
    pq.write_table(pa.table({"image": images, "text": texts, **columns}), path, row_group_size=rows)
    return path


def test_the_layout_of_hubs(tmp_path):
    path = write(tmp_path / "train-00000-of-00001.parquet", ["ab", "ba", "b"])
    found = load_lines(path, rules=LineRules(find="no"))
    assert [line.text for line in found.lines] == ["ab", "ba", "b"]
    assert all((line.image == bars(line.text).image).all() for line in found.lines)
    assert found.lines[2].name.endswith("row 3")


def test_a_folder_of_parquet_files(tmp_path):
    for n, text in enumerate(["a", "b"]):
        write(tmp_path / f"train-{n}.parquet", [text])
    assert [line.text for line in load_lines(tmp_path).lines] == ["a", "b"]


def test_columns_are_found_by_type_and_by_name(tmp_path):
    table = pa.table({"id": ["1"], "thumbnail": [b"x"], "line_image": [content("ab")], "transcription": ["ab"]})
    pq.write_table(table, tmp_path / "x.parquet")
    assert [line.text for line in load_lines(tmp_path / "x.parquet").lines] == ["ab"]


def test_rows_that_cannot_be_used_are_left_out(tmp_path):
    images = [{"bytes": content("ab"), "path": None}, {"bytes": b"no image", "path": None}, None, None]
    table = pa.table({"image": images, "text": ["ab", "b", "a", None]})
    pq.write_table(table, tmp_path / "x.parquet")
    found = load_lines(tmp_path / "x.parquet")
    assert [line.text for line in found.lines] == ["ab"]
    assert sorted(each.reason for each in found.skipped) == [
        "the image cannot be read",
        "the image cannot be read",
        "the text is empty",
    ]
    assert all("row" in each.name for each in found.skipped)


def test_a_table_without_images_or_texts_is_refused(tmp_path):
    pq.write_table(pa.table({"image": [b"x"], "number": [1]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"expected one column of images .* found image \(binary\), number \(int64\)"):
        load_lines(tmp_path / "x.parquet")


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        load_lines(tmp_path / "x.parquet")
