"""Rows, shards, settings and the pipeline."""

import math
import threading
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

import pytest

from ctckit.bulk import shards
from ctckit.bulk.formats import JsonLines, Parquet
from ctckit.bulk.pipeline import compute_rows
from ctckit.bulk.rows import Row, problem_of, shown
from ctckit.bulk.settings import expect_settings, identity, record_settings
from ctckit.bulk.shards import ShardWriter, done_in, shards_of
from ctckit.errors import DataError, InvalidInputError, MissingDependencyError


class Place(TypedDict):
    start: int
    end: int


class Columns(TypedDict):
    text: str
    sure: float | None
    places: list[Place]


ROWS = [
    Row("b.png", found={"text": "dé\n", "sure": 0.5, "places": [{"start": 0, "end": 2}]}),
    Row("ü/a\\xe9.png", error={"what": "is damaged.", "remedy": "Remove it."}),
    Row('"c".png', found={"text": "x", "sure": -math.inf, "places": []}),
]


@pytest.fixture(params=["jsonl", "parquet"])
def form(request):
    if request.param == "jsonl":
        return JsonLines()
    pytest.importorskip("pyarrow")
    return Parquet(Columns)


def write(folder, form, rows, most_rows=10):
    with ShardWriter(folder, form, most_rows) as writer:
        writer.add(rows)


def test_rows_are_read_back(tmp_path, form):
    write(tmp_path, form, ROWS)
    [path] = shards_of(tmp_path)
    assert list(form.read(path)) == [("b.png", False), ("ü/a\\xe9.png", True), ('"c".png', False)]


def test_rows_as_json_lines(tmp_path):
    write(tmp_path, JsonLines(), ROWS)
    assert (tmp_path / "part-00000.jsonl").read_text(encoding="utf-8").splitlines() == [
        '{"path": "b.png", "error": null, "text": "dé\\n", "sure": 0.5, "places": [{"start": 0, "end": 2}]}',
        '{"path": "ü/a\\\\xe9.png", "error": {"what": "is damaged.", "remedy": "Remove it."}}',
        '{"path": "\\"c\\".png", "error": null, "text": "x", "sure": "-inf", "places": []}',
    ]


def test_all_shards_in_parquet_have_the_same_columns(tmp_path):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    write(tmp_path, Parquet(Columns), ROWS, most_rows=1)
    tables = [parquet.read_table(path) for path in shards_of(tmp_path)]
    assert len({str(table.schema) for table in tables}) == 1
    assert tables[0].to_pylist() == [ROWS[0].to_dict()]
    assert tables[1].to_pylist()[0]["text"] is None


def test_shards_have_at_most_so_many_rows_and_come_after_those_that_are_there(tmp_path, form):
    write(tmp_path, form, ROWS[:2], most_rows=1)
    write(tmp_path, form, [Row(f"{n}") for n in range(5)], most_rows=2)
    counts = [len(list(form.read(path))) for path in shards_of(tmp_path)]
    assert counts == [1, 1, 2, 2, 1]
    done = done_in(tmp_path, form)
    assert (len(done.keys), done.errors, done.shards) == (7, 1, 5)
    assert not done.keys.add("b.png")
    assert done.keys.add("c.png")


def test_a_minute_after_the_last_shard_a_row_is_written_at_once(tmp_path, form, monkeypatch):
    monkeypatch.setattr(shards, "MOST_SECONDS", 0.0)
    with ShardWriter(tmp_path, form, 10) as writer:
        writer.add(ROWS[:1])
        assert len(shards_of(tmp_path)) == 1


def test_rows_are_written_after_an_error(tmp_path, form):
    with suppress(KeyboardInterrupt), ShardWriter(tmp_path, form, 10) as writer:
        writer.add(ROWS)
        raise KeyboardInterrupt
    assert len(done_in(tmp_path, form).keys) == 3


def test_a_file_that_has_no_rows_is_named(tmp_path, form):
    (tmp_path / f"part-00003{form.suffix}").write_text("null\n", encoding="utf-8")
    with pytest.raises(DataError, match="part-00003"):
        done_in(tmp_path, form)


@pytest.mark.parametrize("left", [0, 0.5, 0.98])
def test_a_file_whose_end_is_cut_off_is_named(tmp_path, form, left):
    write(tmp_path, form, [*ROWS, Row("d.png", found={"text": "é" * 99, "sure": 1.0, "places": []})])
    [path] = shards_of(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content))])
    with pytest.raises(DataError, match=rf"{path.name}.*Delete this file and give the same command"):
        done_in(tmp_path, form)


def test_a_path_that_is_not_utf_8_is_shown_with_escapes():
    assert shown("caf\udce9/ü.png") == r"caf\xe9/ü.png"


def test_the_last_sentence_of_a_message_is_its_remedy():
    assert problem_of(DataError("a.png: is damaged (at 1.5). Remove it."), "a.png") == {
        "what": "is damaged (at 1.5).",
        "remedy": "Remove it.",
    }
    assert problem_of("is damaged") == {"what": "is damaged", "remedy": ""}


# --- settings


def test_other_settings_are_refused_once_there_are_rows(tmp_path):
    expect_settings(tmp_path, {"n": 1})
    record_settings(tmp_path, {"n": 1, "model": "é"})
    expect_settings(tmp_path, {"n": 2})
    write(tmp_path, JsonLines(), ROWS)
    expect_settings(tmp_path, {"n": 1, "model": "é"})
    with pytest.raises(InvalidInputError, match=r'n is 2, was 1; model is not set, was "é"; k is "x", was not set\.'):
        expect_settings(tmp_path, {"n": 2, "k": "x"})


def test_a_record_that_is_damaged_or_missing_is_an_error(tmp_path):
    write(tmp_path, JsonLines(), ROWS)
    with pytest.raises(DataError, match=r"has shards, but no _job\.json"):
        expect_settings(tmp_path, {})
    for content in ("[1]", "{"):
        (tmp_path / "_job.json").write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match="is not the record of a job"):
            expect_settings(tmp_path, {})


def test_the_identity_of_a_file_is_its_content(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a").write_text("1", encoding="utf-8")
    before = identity(tmp_path / "m", "model")
    assert before.startswith("model (")
    assert identity(tmp_path / "m" / "a").startswith(f"{tmp_path / 'm' / 'a'} (")
    (tmp_path / "m" / "a").write_text("2", encoding="utf-8")
    assert identity(tmp_path / "m", "model") != before
    assert identity("hama") == "hama"


# --- the pipeline


class Work:
    """Doubles numbers; "x" cannot be loaded, and 13 cannot be computed."""

    at_once = 4

    def __init__(self):
        self.loaded = []
        self.together = []

    def load(self, path):
        self.loaded.append(str(path))
        if path == Path("x"):
            raise DataError("x: is no number. Write one.")
        return int(str(path))

    def compute(self, loaded):
        self.together.append(len(loaded))
        if 13 in loaded:
            raise InvalidInputError("13 is bad luck.")
        return [{"twice": 2 * each} for each in loaded]


@pytest.mark.parametrize("workers", [1, 3])
def test_rows_are_in_the_order_of_the_inputs(workers):
    paths = [str(n) for n in range(30)]
    paths[7] = "x"
    rows = [row for part in compute_rows(Work(), paths, workers) for row in part]
    assert [row.path for row in rows] == paths
    assert {row.path: row.error for row in rows if row.error} == {
        "x": {"what": "is no number.", "remedy": "Write one."},
        "13": {"what": "13 is bad luck.", "remedy": ""},
    }
    assert [row.found["twice"] for row in rows if not row.error] == [2 * n for n in range(30) if n not in (7, 13)]


def test_inputs_are_taken_as_they_are_needed():
    work = Work()
    rows = compute_rows(work, map(str, range(1000)), 2)
    next(rows)
    rows.close()
    assert len(work.loaded) <= 2 * 2 * 4


def test_files_are_loaded_while_others_are_computed():
    """The computation of the first input and the loading of the second wait for each other."""
    both = threading.Barrier(2, timeout=10)

    class Waiting:
        at_once = 1

        def load(self, path):
            if path == Path("1"):
                both.wait()
            return str(path)

        def compute(self, loaded):
            if loaded == ["0"]:
                both.wait()
            return [{}]

    assert len(list(compute_rows(Waiting(), ["0", "1"], 2))) == 2


def test_a_missing_package_ends_the_job():
    class Missing(Work):
        def load(self, path):
            raise MissingDependencyError("reading", "av", "media")

    with pytest.raises(MissingDependencyError):
        list(compute_rows(Missing(), ["1"], 1))
