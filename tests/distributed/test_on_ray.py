"""A real cluster of Ray with two workers: the rows of one process, whatever dies. Run where Ray is installed."""

import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.bulk.shards import shards_of
from ctckit.cli import app
from ctckit.distributed import DecodeLogits, on_ray
from ctckit.distributed.on_ray import actors
from ctckit.errors import DataError, MissingDependencyError
from tests.support import tiny_acoustic_model
from tests.support.line_files import start_command, wait_until
from tests.support.paths import ROOT

runner = CliRunner()


pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # Ray has warnings of its own


@pytest.fixture(scope="module")
def ray():
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = pytest.importorskip("ray")
    options = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 200 * 2**20}
    ray.init(**options, log_to_driver=False, logging_level="CRITICAL")
    yield ray
    ray.shutdown()


def work_of(at_work, parts=2):
    """Return what starts a work: ``at_work`` of each path. It is defined here, so that it is sent whole."""

    class EachPath:
        at_once = parts

        def load(self, path):
            return path

        def compute(self, loaded):
            return [at_work(path) for path in loaded]

    return EachPath


def rows_on(ray, start, paths, workers=2):
    with actors(ray, start, workers, gpu=False) as started:
        return [row for part in started.rows(map(str, paths)) for row in part]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Posteriors of 40 texts; one file is damaged."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    chance = np.random.default_rng(0)
    for n in range(40):
        np.save(tmp_path / "in" / f"{n:02}.npy", np.log(chance.dirichlet(np.ones(3), 20)).astype(np.float32))
    (tmp_path / "in" / "07.npy").write_text("no array", encoding="utf-8")
    (tmp_path / "tokens.txt").write_text("\na\nb\n", encoding="utf-8")
    return tmp_path


def rows_in(folder):
    lines = [line for path in shards_of(folder) for line in path.read_text("utf-8").splitlines()]
    return sorted((json.loads(line) for line in lines), key=lambda row: row["path"])


DECODE = ("decode", "in", "-v", "tokens.txt", "--spans")


def test_rows_are_those_of_one_process(ray, files):
    for engine in ("threads", "ray"):
        result = runner.invoke(app, [*DECODE, "--shards", engine, "--engine", engine])
        assert result.exit_code == 2, result.output
        assert f"40 rows, 1 with errors: {engine}/" in result.stderr
    assert rows_in(files / "ray") == rows_in(files / "threads")
    again = runner.invoke(app, [*DECODE, "--shards", "threads", "--engine", "ray"])
    assert "40 rows, 1 with errors" in again.stderr, "an engine is no setting"


def test_a_killed_worker_loses_nothing(ray, tmp_path):
    def die_once(path):
        killed = tmp_path / "killed"
        if path.name == "7" and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"process": os.getpid()}

    rows = rows_on(ray, work_of(die_once), range(40))
    assert sorted(int(row.path) for row in rows) == list(range(40))
    assert (tmp_path / "killed").exists()
    assert {row.error is None for row in rows} == {True}
    assert len({row.found["process"] for row in rows}) == 3, "two workers, and one that came after"


def test_an_input_that_ends_workers_has_an_error(ray, monkeypatch):
    monkeypatch.setattr(on_ray, "DEATHS", 2)

    def die(path):
        if path.name == "3":
            os.kill(os.getpid(), signal.SIGKILL)
        return {}

    rows = rows_on(ray, work_of(die, parts=3), range(8))
    assert sorted(row.path for row in rows) == [str(n) for n in range(8)]
    [failed] = [row for row in rows if row.error]
    assert (failed.path, failed.error["what"]) == ("3", "2 workers have died with it.")


def test_workers_that_die_while_they_load_end_the_job(ray):
    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(DataError, match="a worker has died while it loaded the models"):
        rows_on(ray, die, range(3))


def test_more_workers_than_there_is_room_for_do_not_hold_the_job_up(ray):
    rows = rows_on(ray, work_of(lambda path: {}), range(8), workers=5)
    assert len(rows) == 8


def test_a_work_that_cannot_start_ends_the_job(ray, files):
    job = ("decode", "in", "-v", "none.txt", "--engine", "ray", "--shards", "out")
    result = runner.invoke(app, list(job))
    assert (result.exit_code, "none.txt: there is no such file" in result.stderr) == (2, True)
    assert list((files / "out").glob("*.json*")) == []


def test_other_errors_of_a_worker_are_shown(ray):
    def missing(path):
        raise MissingDependencyError("reading", "av", "media")

    with pytest.raises(MissingDependencyError, match="reading needs av"):
        rows_on(ray, work_of(missing), range(3))

    def wrong(path):
        raise ZeroDivisionError("mistake")

    with pytest.raises(ZeroDivisionError):
        rows_on(ray, work_of(wrong), range(3))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("getcwd", lambda: "/no/such/folder", "that all machines share"),
        ("version", lambda name: "0.0", "this one 0.0"),
    ],
)
def test_a_machine_that_does_not_fit_ends_the_job(ray, monkeypatch, name, value, message):
    monkeypatch.setattr(on_ray.os if name == "getcwd" else on_ray.metadata, name, value)
    with pytest.raises(DataError, match=message):
        rows_on(ray, work_of(lambda path: {}), range(3))


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs /proc")
def test_the_memory_of_a_mapped_model_counts_once(ray, tmp_path):
    path = tmp_path / "words.ctclm"
    chance = np.random.default_rng(0)
    lines = [" ".join(f"w{n}" for n in chance.integers(0, 20_000, 10)) for _ in range(20_000)]
    NGramModel.train(lines, order=3).save(path, layout="fast")

    def start():
        model = NGramModel.load(path)

        def measured(_):
            model.log_prob("w1 w2")  # the first use reads the whole file, for its checksum
            time.sleep(0.1)
            found = re.findall(rf"{path}\n(?:.*\n)*?Pss: +(\d+) kB", Path("/proc/self/smaps").read_text())
            return {"process": os.getpid(), "kilobytes": sum(map(int, found))}

        return work_of(measured, parts=1)()

    rows = rows_on(ray, start, range(40))
    least: dict[int, int] = {}  # what each has while the other one is there
    for row in rows:
        process, kilobytes = row.found["process"], row.found["kilobytes"]
        least[process] = min(least.get(process, kilobytes), kilobytes)
    size = path.stat().st_size / 1024
    assert len(least) == 2
    assert sum(least.values()) == pytest.approx(size, rel=0.02)


def test_ray_data_maps_batches(ray):
    chance = np.random.default_rng(0)
    items = [np.log(chance.dirichlet(np.ones(3), 5 + n)).astype(np.float32) for n in range(12)]
    items[5][0] = np.nan
    data = ray.data.from_items([{"id": n, "log_probs": item} for n, item in enumerate(items)])
    pool = ray.data.ActorPoolStrategy(size=2)
    decoder = BeamDecoder(Vocabulary.from_characters("ab"))
    options = {"fn_constructor_args": [decoder], "fn_constructor_kwargs": {"spans": True}}
    found = data.map_batches(DecodeLogits, **options, compute=pool, batch_size=4).take_all()
    [failed] = [row for row in found if row["error"]]
    assert failed["id"] == 5
    texts = {n: decoder.decode([item])[0][0].text for n, item in enumerate(items) if n != 5}
    assert {row["id"]: row["text"] for row in found if not row["error"]} == texts
    assert [row["tokens"][0]["text"] for row in found if row["text"]] == [
        row["text"][0] for row in found if row["text"]
    ]


def test_a_killed_command_continues(ray, files):
    """The command is a process of its own, connected to the cluster by its address."""
    for n in range(40, 3000):
        os.link(files / "in" / f"{n % 7:02}.npy", files / "in" / f"{n:02}.npy")
    options = ("--engine", "ray", "--address", ray.get_runtime_context().gcs_address, "--shard-rows", "100")
    job = (*DECODE, *options, "--beam-width", "1000", "--shards", "out")
    process = start_command(*job)
    wait_until(lambda: (files / "out").exists() and shards_of(files / "out"), process)
    process.kill()
    process.communicate()
    before = len(rows_in(files / "out"))
    assert 0 < before < 3000
    process = start_command(*job)
    _, said = process.communicate()
    assert (process.returncode, "3,000 rows, 1 with errors" in said) == (2, True), said
    rows = rows_in(files / "out")
    assert len({row["path"] for row in rows}) == len(rows) == 3000


@pytest.mark.parametrize("command", ["transcribe", "align"])
def test_recordings_on_a_cluster_of_the_command(ray, tmp_path, monkeypatch, command):
    soundfile = pytest.importorskip("soundfile")
    monkeypatch.chdir(tmp_path)
    tiny_acoustic_model.install(tmp_path, tiny="tests.support.tiny_acoustic_model:load")
    for text in ("bad cab", "face"):
        soundfile.write(f"{text[:3]}.wav", tiny_acoustic_model.samples_of(text, lead=2), tiny_acoustic_model.RATE)
        Path(f"{text[:3]}.txt").write_text(text, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    for engine in (("threads",), ("ray", "--address", "local", "--workers", "1")):
        options = ("--model", "tiny", "--spans", "--shards", engine[0], "--engine", *engine)
        process = start_command(command, "*.wav", *options, PYTHONPATH=path)
        _, said = process.communicate()
        assert process.returncode == 0, said
    assert len(rows_in(tmp_path / "ray")) == 2
    assert rows_in(tmp_path / "ray") == rows_in(tmp_path / "threads")
