"""``--shards`` of read, decode, transcribe and align: rows for many inputs, continued after a stop."""

import json
import os
import re
import signal
from functools import partial

import numpy as np
import pytest
from typer.testing import CliRunner

import ctckit
from ctckit.bulk import shards
from ctckit.cli import app
from ctckit.cli.bulk import progress
from ctckit.distributed import decode
from ctckit.errors import DataError
from tests.support import tiny_acoustic_model
from tests.support.tiny_acoustic_model import RATE, samples_of

runner = CliRunner()
TOKENS = ["", "a", "b"]


def run(*arguments):
    return runner.invoke(app, [str(each) for each in arguments])


def rows_in(folder):
    lines = [line for path in shards.shards_of(folder) for line in path.read_text("utf-8").splitlines()]
    return [json.loads(line) for line in lines]


def texts_in(folder):
    return {row["path"]: row.get("text") for row in rows_in(folder)}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Posteriors of "a", "ab" and so on; one file is damaged, one has NaN, one has another number of classes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for n, text in enumerate(("a", "ab", "ba", "b", "aba")):
        probs = np.where(np.eye(3)[[TOKENS.index(letter) for letter in text]] > 0, 0.9, 0.05)
        np.save(tmp_path / "in" / ("deep" if n == 3 else ".") / f"{n}.npy", np.log(probs).astype(np.float32))
    (tmp_path / "in" / "bad.npy").write_text("no array", encoding="utf-8")
    np.save(tmp_path / "in" / "four.npy", np.log(np.full((2, 4), 0.25, np.float32)))
    np.save(tmp_path / "in" / "nan.npy", np.full((2, 3), np.nan, np.float32))
    (tmp_path / "tokens.txt").write_text("\na\nb\n", encoding="utf-8")
    (tmp_path / "hot.txt").write_text("ab\n", encoding="utf-8")
    return tmp_path


DECODE = ("-v", "tokens.txt", "--shards", "out")
TEXTS = {"in/0.npy": "a", "in/1.npy": "ab", "in/2.npy": "ba", "in/deep/3.npy": "b", "in/4.npy": "aba"}
BROKEN = {"in/bad.npy": None, "in/four.npy": None, "in/nan.npy": None}


def test_each_input_has_a_row_also_one_that_cannot_be_used(files):
    result = run("decode", "in", *DECODE)
    assert result.exit_code == 2
    assert "8 rows, 3 with errors: out/" in result.stderr
    assert "3 inputs cannot be used; the row of each in out has an error." in result.stderr
    assert "  in/bad.npy: not a .npy file of numbers" in result.stderr
    assert texts_in(files / "out") == TEXTS | BROKEN
    errors = {row["path"]: row["error"] for row in rows_in(files / "out") if row["error"]}
    assert set(errors) == set(BROKEN)
    assert errors["in/bad.npy"]["remedy"] == "Write one with numpy.save(path, array)."
    assert list(rows_in(files / "out")[0]) == ["path", "error", "text", "log_prob", "lm_log_prob", "score"]


def test_the_same_command_continues(files, monkeypatch):
    write = shards.write_atomically

    def write_twice(path, *parts):
        if "00002" in path.name:
            raise OSError("no room")
        write(path, *parts)

    with monkeypatch.context() as patched:
        patched.setattr(shards, "write_atomically", write_twice)
        stopped = run("decode", "in", *DECODE, "--shard-rows", 2)
    assert stopped.exit_code == 2
    assert "part-00002.jsonl: cannot be written (no room). Make room, and run the same command again." in stopped.stderr
    assert len(rows_in(files / "out")) == 4
    assert "8 rows, 3 with errors" in run("decode", "in", *DECODE, "--shard-rows", 2).stderr
    assert len(rows_in(files / "out")) == 8
    assert texts_in(files / "out") == TEXTS | BROKEN
    before = {path.name: path.stat().st_mtime_ns for path in shards.shards_of(files / "out")}
    again = run("decode", "in", *DECODE, "--shard-rows", 2)
    assert "3 inputs cannot be used" in again.stderr
    assert {path.name: path.stat().st_mtime_ns for path in shards.shards_of(files / "out")} == before


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals end processes at once")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_job_whose_rows_are_written(files, monkeypatch, number, code):
    add = shards.ShardWriter.add

    def add_and_stop(self, rows):
        add(self, rows)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    run("decode", "in/0.npy", *DECODE)
    with monkeypatch.context() as patched:
        patched.setattr(shards.ShardWriter, "add", add_and_stop)
        patched.setattr(decode, "DecodeWork", partial(decode.DecodeWork, at_once=2))
        stopped = run("decode", "in", *DECODE, "--workers", 1)
    assert stopped.exit_code == code
    assert "stopped: 3 of 8 rows are in out/; the same command continues" in stopped.stderr
    assert len(rows_in(files / "out")) == 3
    assert signal.getsignal(number) is before
    run("decode", "in", *DECODE)
    assert texts_in(files / "out") == TEXTS | BROKEN


def test_errors_of_earlier_runs_are_told_apart(files):
    assert "1 input cannot be used; its row in out has an error." in run("decode", "in/bad.npy", *DECODE).stderr
    one = run("decode", "in/bad.npy", "in/0.npy", *DECODE).stderr
    assert "1 input cannot be used, as earlier runs found; its row in out has an error." in one
    two = run("decode", "in/nan.npy", *DECODE).stderr
    assert "2 inputs cannot be used, 1 of them in this run; the row of each in out has an error." in two


def test_one_row_is_one_row(files):
    assert "1 row, 0 with errors: out/" in run("decode", "in/0.npy", *DECODE).stderr


def test_progress_has_rate_errors_and_the_time_left(files, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    run("decode", "in/0.npy", *DECODE)
    shown = run("decode", "in", *DECODE).stderr.splitlines()[0]
    assert re.fullmatch(r"ctckit: decoding: 8 of 8, [\d.,]+ a second, 3 errors, 0:00:00 left", shown)


def test_a_slow_job_says_how_many_a_minute(monkeypatch):
    pace = progress.Pace(100, skipped=10)
    assert str(pace) == "10 of 100"
    monkeypatch.setattr(progress.time, "monotonic", lambda: pace.started + 600)
    pace.computed, pace.errors = 2, 1
    assert str(pace) == "12 of 100, 0.2 a minute, 1 error, 7:20:00 left"


def test_new_inputs_are_added_and_none_is_there_twice(files):
    assert run("decode", "in/0.npy", "in/0.npy", *DECODE).exit_code == 0
    assert run("decode", "in/[01].npy", "in/0.npy", *DECODE).exit_code == 0
    assert [row["path"] for row in rows_in(files / "out")] == ["in/0.npy", "in/1.npy"]


def test_a_manifest_and_the_options_of_the_search(files):
    (files / "in" / "list.csv").write_text("path\n1.npy\nnone.npy\n", encoding="utf-8")
    options = ("--n-best", 2, "--spans", "--frame-seconds", 0.5)
    assert run("decode", "in/list.csv", *DECODE, *options).exit_code == 2
    found, missing = rows_in(files / "out")
    assert [each["text"] for each in found["hypotheses"]] == [found["text"], found["hypotheses"][1]["text"]]
    assert [(token["text"], token["start_seconds"]) for token in found["tokens"]] == [("a", 0.0), ("b", 0.5)]
    assert missing["error"]["what"] == "there is no such file."


def test_rows_are_the_same_for_any_number_of_workers(files):
    threads = ctckit.num_threads()
    for workers in (1, 3):
        run("decode", "in", "-v", "tokens.txt", "--shards", f"out{workers}", "--workers", workers)
    assert rows_in(files / "out1") == rows_in(files / "out3")
    assert ctckit.num_threads() == threads


def test_other_settings_are_refused(files):
    run("decode", "in", *DECODE)
    refused = run("decode", "in", *DECODE, "--n-best", 3, "--hotwords", "hot.txt")
    assert refused.exit_code == 2
    assert "out has rows with other settings: n_best is 3, was 1; hotwords is " in refused.stderr
    (files / "tokens.txt").write_text("\nb\na\n", encoding="utf-8")
    assert "vocabulary is " in run("decode", "in", *DECODE).stderr
    assert len(rows_in(files / "out")) == 8


def test_what_cannot_start_leaves_no_record(files):
    assert run("decode", "in", "-v", "none.txt", "--shards", "out").exit_code == 2
    assert run("decode", "in/0.npy", *DECODE).exit_code == 0


def test_rows_in_parquet(files):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run("decode", "in", *DECODE, "--shard-format", "parquet", "--shard-rows", 3).exit_code == 2
    tables = [parquet.read_table(path) for path in shards.shards_of(files / "out")]
    rows = [row for table in tables for row in table.to_pylist()]
    assert {row["path"]: row["text"] for row in rows} == TEXTS | BROKEN
    assert "3 inputs cannot be used" in run("decode", "in", *DECODE, "--shard-format", "parquet").stderr
    assert 'format is "jsonl", was "parquet"' in run("decode", "in", *DECODE).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in", "-v", "tokens.txt", "--spans"), "--spans is given, but --shards, the folder for the rows, is not."),
        (("in", *DECODE, "--json"), "--json is given, but --shards is the folder for the texts."),
        (
            ("in", "-v", "tokens.txt", "--shards", "in/out"),
            "--shards in/out is in in, an input. Choose another folder.",
        ),
        (("none", *DECODE), "none: there is no such file or folder."),
        (("in", "in", "-v", "tokens.txt"), "2 POSTERIORS are given; expected one, or --shards FOLDER for rows."),
    ],
)
def test_what_does_not_go_together_is_refused(files, arguments, message):
    result = run("decode", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (files / "out").exists()


# --- read


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """A network that was never trained, images of lines, a page and its image, a page without an image, other XML."""
    torch = pytest.importorskip("torch")
    image = pytest.importorskip("PIL.Image")
    from ctckit.ocr.model_folder import save_model
    from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
    from tests.support.page_files import write_page

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    save_model(tmp_path / "model", CRNN(CRNNConfig(num_classes=3)), ctckit.Vocabulary.from_characters("ab"))
    write_page(tmp_path / "in" / "book", name="one", texts=("ab", "b"))
    write_page(tmp_path / "in" / "book", name="two", texts=("a",))
    next(each for each in (tmp_path / "in" / "book").glob("two.*") if each.suffix != ".xml").unlink()
    (tmp_path / "in" / "other.xml").write_text("<other/>", encoding="utf-8")
    for n in range(3):
        noise = np.random.default_rng(n).integers(0, 256, (32, 60 + n)).astype(np.uint8)
        image.fromarray(noise).save(tmp_path / "in" / f"{n}.png")
    return tmp_path


READ = ("in", "--model", "model", "--shards", "out")


def test_images_and_pages_are_read(lines):
    result = run("read", *READ, "--n-best", 2, "--spans")
    assert result.exit_code == 2, result.output
    rows = {row["path"]: row for row in rows_in(lines / "out")}
    assert list(rows) == ["in/0.png", "in/1.png", "in/2.png", "in/book/one.xml", "in/book/two.xml"]
    shown = json.loads(run("read", "in/0.png", "--model", "model", "--json", "--n-best", 2).stdout)[0]["readings"]
    assert [each["text"] for each in rows["in/0.png"]["readings"]] == [each["text"] for each in shown]
    assert rows["in/0.png"]["readings"][0]["spans"] == rows["in/0.png"]["spans"]
    page = rows["in/book/one.xml"]
    assert [line["line"] for line in page["lines"]] == ["l0", "l1"]
    assert page["text"] == "\n".join(line["text"] for line in page["lines"])
    assert rows["in/book/two.xml"]["error"]["what"]


def test_the_texts_are_those_without_shards(lines):
    assert run("read", *READ).exit_code == 2
    shown = dict(line.split("\t") for line in run("read", "in", "--model", "model").stdout.splitlines())
    found = texts_in(lines / "out")
    assert {path: found[path] for path in ("in/0.png", "in/1.png", "in/2.png")} == {
        path: text for path, text in shown.items() if path.endswith(".png")
    }
    [page] = [row for row in rows_in(lines / "out") if row["path"] == "in/book/one.xml"]
    assert [line["text"] for line in page["lines"]] == [text for path, text in shown.items() if "one.xml" in path]


def test_a_line_of_a_page_that_cannot_be_read_has_its_error(lines, monkeypatch):
    from ctckit.ocr.data.page_lines import LineOnPage

    cut = LineOnPage.cut

    def fail(self):
        if self.line.name == "l0":
            raise DataError(f"{self.name}: has no outline. Draw it.")
        return cut(self)

    monkeypatch.setattr(LineOnPage, "cut", fail)
    assert run("read", "in/book/one.xml", *READ[1:]).exit_code == 0
    [row] = rows_in(lines / "out")
    assert row["error"] is None
    read, failed = row["lines"]
    assert (read["line"], read["error"]) == ("l1", None)
    assert failed["error"] == {"what": "has no outline.", "remedy": "Draw it."}


def test_pages_in_parquet(lines):
    parquet = pytest.importorskip("pyarrow.parquet")
    run("read", *READ, "--spans", "--shard-format", "parquet")
    [table] = [parquet.read_table(path) for path in shards.shards_of(lines / "out")]
    page = table.to_pylist()[3]
    assert [line["line"] for line in page["lines"]] == ["l0", "l1"]


def test_options_for_other_results_are_refused(lines):
    assert "--out is given, but --shards is" in run("read", *READ, "--out", "texts").stderr


# --- transcribe


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    soundfile = pytest.importorskip("soundfile")
    tiny_acoustic_model.install(tmp_path, tiny="tests.support.tiny_acoustic_model:load")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for text in ("bad cab", "face"):
        soundfile.write(tmp_path / "in" / f"{text[:3]}.wav", samples_of(text, lead=2), RATE)
    (tmp_path / "in" / "none.wav").write_text("no recording", encoding="utf-8")
    return tmp_path


def test_recordings_are_transcribed(recordings):
    command = ("transcribe", "in", "--model", "tiny", "--shards", "out", "--spans")
    result = run(*command)
    assert result.exit_code == 2, result.output
    assert texts_in(recordings / "out") == {"in/bad.wav": "bad cab", "in/fac.wav": "face", "in/none.wav": None}
    bad = rows_in(recordings / "out")[0]
    assert [word["text"] for word in bad["words"]] == ["bad", "cab"]
    assert bad["words"][0]["start_seconds"] == pytest.approx(0.2)
    assert bad["seconds"] == pytest.approx(len(samples_of("bad cab", lead=2)) / RATE)
    assert "3 rows, 1 with errors" in run(*command, "--batch-size", 2).stderr
    assert "--format is given" in run(*command, "--format", "srt").stderr


# --- align


def test_recordings_are_aligned_with_the_texts_beside_them(recordings):
    for name, text in {"bad.txt": "Bad\ncab!\n", "fac.lab": "face", "fac.srt": "", "none.txt": "a"}.items():
        (recordings / "in" / name).write_text(text, encoding="utf-8")
    command = ("align", "in/*.wav", "--model", "tiny", "--shards", "out")
    result = run(*command)
    assert result.exit_code == 2, result.output
    aligned, twice, broken = rows_in(recordings / "out")
    assert aligned["path"] == "in/bad.wav"
    assert [line["text"] for line in aligned["lines"]] == ["Bad", "cab!"]
    names = "start_seconds", "end_seconds", "confidence"
    found = ["\t".join([*(f"{word[name]:.3f}" for name in names), word["text"]]) for word in aligned["words"]]
    assert found == run("align", "in/bad.wav", "in/bad.txt", "--model", "tiny").stdout.splitlines()
    assert (aligned["unspelled"], "tokens" in aligned) == ([], False)
    assert "2 texts beside it; expected one of fac{.txt,.lab,.TextGrid,.srt,.vtt,.eaf}." in twice["error"]["what"]
    assert broken["error"]["what"]
    assert "3 rows, 2 with errors" in run(*command, "--workers", 2).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in/bad.txt",), "TEXT is in/bad.txt, but with --shards each recording has its text beside it."),
        (("--out", "aligned"), "--out is given, but --shards is the folder for the times."),
        (("--format", "json"), "--format is given"),
        (("--preset", "karaoke"), "--preset is given"),
        (("--save-emissions", "kept"), "--save-emissions is given"),
        (("--fail-below", 0.1), "--fail-below is given"),
    ],
)
def test_options_of_align_that_are_for_files_are_refused(recordings, arguments, message):
    result = run("align", "in", *arguments, "--model", "tiny", "--shards", "out")
    assert result.exit_code == 2
    assert message in result.stderr
