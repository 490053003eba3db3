"""Folders, globs and manifests as paths."""

import os
from pathlib import Path

import pytest

from ctckit.bulk.inputs import Inputs
from ctckit.errors import DataError, MissingFileError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("b.png", "a.PNG", "note.txt", "sub/c.png", "sub/deep/d.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(*given, excluded=()):
    found = list(Inputs([Path(each) for each in given], (".png",), frozenset(excluded)))
    return [each.replace(os.sep, "/") for each in found]


def test_a_folder_has_the_files_with_these_endings_in_one_order(folder):
    assert paths("in") == ["in/a.PNG", "in/b.png", "in/sub/c.png", "in/sub/deep/d.png"]
    assert paths("in", excluded=[Path("in/b.png")])[1] == "in/sub/c.png"


def test_a_pattern_has_the_files_that_it_matches(folder):
    assert paths("in/**/*.png") == ["in/b.png", "in/sub/c.png", "in/sub/deep/d.png"]
    assert paths("in/*") == ["in/a.PNG", "in/b.png", "in/note.txt"]
    (folder / "in" / "x[1].png").touch()
    assert paths("in/x[1].png") == ["in/x[1].png"], "a file of this name comes first"


def test_a_file_that_is_named_may_have_any_ending(folder):
    assert paths("in/note.txt", "in/b.png") == ["in/note.txt", "in/b.png"]


MANIFESTS = {
    "list.csv": '\ufeffid,path\n1,b.png\n2,"sub/c, d.png"\n',
    "list.tsv": "path\ttext\nb.png\ta\nsub/c, d.png\tb\n",
    "list.jsonl": '{"path": "b.png", "error": null}\n{"id": 2, "path": "sub/c, d.png"}\n',
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_paths_of_a_manifest_are_relative_to_it(folder, name):
    (folder / "in" / name).write_text(MANIFESTS[name], encoding="utf-8")
    assert paths(f"in/{name}") == ["in/b.png", "in/sub/c, d.png"]


def test_a_manifest_in_parquet(folder):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"path": ["b.png", "sub/c.png"], "n": [1, 2]}), folder / "in" / "list.parquet")
    assert paths("in/list.parquet") == ["in/b.png", "in/sub/c.png"]
    parquet.write_table(pyarrow.table({"file": ["b.png"]}), folder / "in" / "list.parquet")
    with pytest.raises(DataError, match=r"has the columns file; expected one named path\. Rename"):
        paths("in/list.parquet")
    (folder / "in" / "list.parquet").write_text("path", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        paths("in/list.parquet")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.csv", b"file,text\nb.png,a\n", r"list\.csv: has the columns file, text; expected one named path"),
        ("list.csv", b"id,path\n1,b.png\n2,\n", r"list\.csv, line 3: has no path\. Add it, or remove the line"),
        ("list.csv", b"id,path\n1\n", r"list\.csv, line 2: has no path"),
        ("list.csv", b"path\n\xe9.png\n", r"list\.csv: cannot be read as a table .*\. Write it in UTF-8"),
        ("list.csv", b"path\n", r"list\.csv: has no inputs"),
        (
            "list.jsonl",
            b'{"path": "b.png"}\n{"file": 1}\n',
            r"list\.jsonl, line 2: .*; expected an object with \"path\"",
        ),
        ("list.jsonl", b"b.png\n", r"list\.jsonl, line 1: is 'b\.png'"),
    ],
)
def test_what_is_wrong_with_a_manifest(folder, name, content, message):
    (folder / "in" / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        paths(f"in/{name}")


def test_what_has_no_inputs_is_an_error(folder):
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: has no inputs \(looked for \.png\)"):
        paths("in", "empty")
    with pytest.raises(DataError, match=r"in/\*\.jpg: has no inputs"):
        paths("in/*.jpg")
    with pytest.raises(MissingFileError, match=r"none: there is no such file or folder"):
        paths("none")
