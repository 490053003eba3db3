"""Lines that are prepared in a file, and batches that processes make."""

import copy
import os
import pickle
import sqlite3
import threading

import numpy as np
import pytest

from ctckit.errors import DataError
from ctckit.ocr.data import preparing
from ctckit.ocr.data.batches import LineBatches, prefetch
from ctckit.ocr.data.lines import load_lines
from ctckit.ocr.data.rules import LineRules
from ctckit.ocr.data.store import LineStore
from ctckit.ocr.fit import CACHE_FILE, FitConfig, fit_lines
from ctckit.ocr.model_folder import load_model
from ctckit.ocr.networks.crnn import CRNNConfig
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import TEXTS, TINY, bars, register_tiny, write_line, write_lines
from tests.support.page_files import write_page


@pytest.fixture
def data(tmp_path):
    folder = write_lines(tmp_path / "lines")
    write_page(folder / "pages", texts=("a", "b"))
    (folder / "bad.png").write_text("no image")
    (folder / "bad.gt.txt").write_text("a")
    (folder / "alone.gt.txt").write_text("a")
    return folder


@pytest.fixture
def prepared(monkeypatch):
    """The names of the lines that are prepared, in any order."""
    names = []
    original = preparing.prepare

    def noted(pair, **options):
        names.append(os.path.basename(pair.picture.name))
        return original(pair, **options)

    monkeypatch.setattr(preparing, "prepare", noted)
    return names


def same(one, other):
    assert [line.text for line in one.lines] == [line.text for line in other.lines]
    assert [line.name for line in one.lines] == [line.name for line in other.lines]
    assert [line.width for line in one.lines] == [line.width for line in other.lines]
    assert all((a.image == b.image).all() for a, b in zip(one.lines, other.lines, strict=True))
    assert (one.skipped, one.normalized) == (other.skipped, other.normalized)


def test_a_cache_has_the_same_lines(data, tmp_path, prepared):
    write_line(data, "spaces", "a  b", image=bars("abab").image)
    plain = load_lines(data)
    assert plain.normalized == 1
    assert {each.reason for each in plain.skipped} == {"no image", "the image cannot be read"}
    same(plain, load_lines(data, cache=tmp_path / "x"))
    prepared.clear()
    same(plain, load_lines(data, cache=tmp_path / "x"))
    assert prepared == []


def test_only_what_has_changed_is_prepared_again(data, tmp_path, prepared):
    load_lines(data, cache=tmp_path / "x")
    prepared.clear()
    stamp = (data / "001.png").stat()
    write_line(data, "001", TEXTS[1], image=bars("ba").image)
    os.utime(data / "001.png", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # the content counts
    (data / "002.gt.txt").write_text("bb")
    (data / "003.png").unlink()
    write_line(data, "new", "a")
    found = load_lines(data, cache=tmp_path / "x")
    assert sorted(prepared) == ["001.png", "002.png", "new.png"]  # 003 has a text alone now
    same(found, load_lines(data))


@pytest.mark.parametrize("options", [{"height": 24}, {"rules": LineRules(unicode="NFD")}, {"max_width": 100}])
def test_other_options_prepare_all_again(data, tmp_path, options):
    load_lines(data, cache=tmp_path / "x")
    same(load_lines(data, cache=tmp_path / "x", **options), load_lines(data, **options))


def test_a_changed_page_is_prepared_again(data, tmp_path, prepared):
    load_lines(data, cache=tmp_path / "x")
    page = data / "pages" / "page.xml"
    page.write_text(page.read_text().replace("40 60 ", "38 60 "))
    prepared.clear()
    found = load_lines(data, cache=tmp_path / "x")
    assert prepared == ["page.xml, l0"]
    same(found, load_lines(data))


def test_two_equal_lines_stay_two(tmp_path):
    for name in "ab":
        write_line(tmp_path / "lines", name, "ab")
    assert len(load_lines(tmp_path / "lines", cache=tmp_path / "x").lines) == 2
    table = tmp_path / "lines" / "t.tsv"
    table.write_text("a.png\tab\na.png\tab\n")
    assert len(load_lines(table, cache=tmp_path / "y").lines) == 2


def test_a_row_at_the_top_of_a_table_changes_no_other(data, tmp_path, prepared):
    rows = "".join(f"{n:03}.png\t{text}\n" for n, text in enumerate(TEXTS))
    table = data / "t.tsv"
    table.write_text(rows)
    load_lines(table, cache=tmp_path / "x")
    table.write_text(f"000.png\tb\n{rows}")
    prepared.clear()
    found = load_lines(table, cache=tmp_path / "x")
    assert prepared == ["000.png"]
    same(found, load_lines(table))


def test_what_was_prepared_before_an_interruption_stays(data, tmp_path, prepared, monkeypatch):
    monkeypatch.setattr("ctckit.ocr.data.store._AT_ONCE", 2)
    monkeypatch.setattr(preparing, "num_threads", lambda: 1)

    def stop(ready, total):
        if ready == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_lines(data, cache=tmp_path / "x", done=stop)
    prepared.clear()
    found = load_lines(data, cache=tmp_path / "x")
    assert prepared == ["006.png", "007.png", "008.png", "bad.png", "page.xml, l0", "page.xml, l1"]
    same(found, load_lines(data))


def test_a_damaged_file_is_named(data, tmp_path):
    (tmp_path / "x").write_bytes(b"no database" * 100)
    with pytest.raises(DataError, match=r"x: the prepared lines cannot be used .* Remove the file"):
        load_lines(data, cache=tmp_path / "x")
    with sqlite3.connect(tmp_path / "y") as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(DataError, match="version 9; expected 1"):
        load_lines(data, cache=tmp_path / "y")


def test_a_line_that_was_removed_is_an_error(data, tmp_path):
    found = load_lines(data, cache=tmp_path / "x")
    LineStore(tmp_path / "x").keep_only([])
    with pytest.raises(DataError, match="a line was removed"):
        _ = found.lines[0].image


def test_stored_lines_travel(data, tmp_path):
    lines = load_lines(data, cache=tmp_path / "x").lines
    for copied in (pickle.loads(pickle.dumps(lines)), copy.deepcopy(lines)):
        assert all((a.image == b.image).all() and a.text == b.text for a, b in zip(lines, copied, strict=True))
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(line.image for line in lines))
    thread.start()
    thread.join()
    assert all((a == b.image).all() for a, b in zip(seen, lines, strict=True))


def test_progress_counts_all_lines(data, tmp_path):
    for cache in (None, tmp_path / "x"):
        told = []
        load_lines(data, cache=cache, done=lambda *each, told=told: told.append(each))
        assert told[-1][0] == told[-1][1] == len(told)


# --- batches by processes


@pytest.mark.parametrize("cached", [False, True])
def test_processes_make_the_same_batches(data, tmp_path, cached):
    lines = load_lines(data, cache=tmp_path / "x" if cached else None).lines
    source = LineBatches(lines, Vocabulary.from_characters("ab"), CRNNConfig(3, **TINY), batch_size=3)
    expected = [source.batch(step) for step in range(7)]
    found = list(prefetch(source, range(7), workers=2))
    assert [each.texts for each in found] == [each.texts for each in expected]
    assert all(
        (a.images == b.images).all() and (a.targets == b.targets).all() for a, b in zip(found, expected, strict=True)
    )


def test_training_with_a_cache_and_processes_gives_the_same_model(data, tmp_path, monkeypatch):
    register_tiny(monkeypatch)
    settings = {"epochs": 2, "batch_size": 4, "network": "tiny"}
    plain = fit_lines(data, tmp_path / "plain", config=FitConfig(**settings))
    other = fit_lines(data, tmp_path / "other", config=FitConfig(**settings, cache=True, workers=2))
    assert (tmp_path / "other" / CACHE_FILE).exists()
    weights = load_model(plain.model).model.state_dict()
    for name, value in load_model(other.model).model.state_dict().items():
        assert np.array_equal(value.numpy(), weights[name].numpy()), name
