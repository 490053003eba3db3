"""No example of the documentation is outside of the tests: commands are ones that ctckit takes, programs run."""

import contextlib
import functools
import io
import re
import shlex
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from ctckit import NGramModel, Vocabulary, acoustic_models
from ctckit.alignment import TimedText
from ctckit.bulk.formats import JsonLines, Parquet
from ctckit.bulk.rows import Row
from ctckit.bulk.shards import ShardWriter
from ctckit.distributed.columns import DecodedText
from tests.support import tiny_acoustic_model
from tests.support.paths import ROOT
from tests.support.spark import use_local_spark

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^( *)```(\w*).*?\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def name(page):
    return page.relative_to(ROOT).as_posix()


def blocks(page, *languages):
    """The code blocks of a page in these languages."""
    return [body for _, language, body in FENCE.findall(page.read_text("utf-8")) if language in languages]


def commands(page):
    """The lines of its console blocks that begin with "$ ctckit", without the comment at the end."""
    lines = [line for block in blocks(page, "console", "bash", "sh") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ctckit ")]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_code_is_in_fences(page):
    text = FENCE.sub("", page.read_text("utf-8"))
    assert re.findall(r"(?<=\n\n) {4}(?![-*\d]).*", text) == []


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name)
def test_commands_have_options_that_exist(page):
    for line in commands(page):
        check(shlex.split(re.split(" [>|] ", line)[0], comments=True)[1:])


@functools.cache
def command_line():
    """The command line of ctckit; its commands do nothing."""
    from ctckit.cli.lazy import with_all_commands
    from ctckit.cli.root import app

    def silence(command):
        for each in getattr(command, "commands", {}).values():
            silence(each)
        if not hasattr(command, "commands"):
            command.callback = lambda **values: None

    group = with_all_commands(app)
    silence(group)
    return group


def check(words):
    """Parse a command as ctckit does, without running it."""
    output = io.StringIO()
    with contextlib.redirect_stderr(output), pytest.raises(SystemExit) as ended:
        command_line().main(words, prog_name="ctckit")
    assert ended.value.code == 0, output.getvalue()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("train lines/ --opoch 3", "--opoch"),
        ("train lines/ --out m --epochs many", "--epochs"),
        ("lm train", "(text|TEXT)"),
    ],
)
def test_wrong_commands_are_found(wrong, message):
    with pytest.raises(AssertionError, match=message):
        check(wrong.split())


#: The guide about services has a program that tests/docs/test_guides.py runs.
OWN_TEST = "import multiprocessing\n"


def programs(page):
    """The Python blocks of a page that are no doctests."""
    return [block for block in blocks(page, "python", "py") if not block.startswith((">>> ", OWN_TEST))]


@pytest.mark.parametrize("page", [page for page in PAGES if programs(page)], ids=name)
@pytest.mark.filterwarnings("default::FutureWarning:pyspark", "ignore::ResourceWarning")  # of PySpark
def test_programs_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for program in programs(page):
        with monkeypatch.context() as patched:
            names = prepare(program, tmp_path, patched)
            exec(compile(program, name(page), "exec"), names)


def prepare(program, folder, monkeypatch):
    """Write the files that a program reads, and return the names that it has from the text around it."""
    if "pyspark" in program:
        use_local_spark(monkeypatch)
        return lines_and_model(folder)
    if "pandas" in program:
        return rows_of_jobs(folder)
    if "onnxruntime" in program:
        return recognizer_in_onnx(folder, monkeypatch)
    if "Recognizer" in program:
        return recognizer(folder)
    if "load_model" in program:
        write_sound(folder, "dev1.wav", "dev2.wav")
        monkeypatch.setattr(acoustic_models, "load_model", lambda name: tiny_acoustic_model.load(""))
        return {}
    if "excerpt" in program:
        write_sound(folder, "talk.wav")
        return {"word": TimedText("bad", 0.2, 0.8, 1.0)}
    if "number_words" in program:
        pytest.importorskip("num2words")
        return {"vocabulary": Vocabulary.from_characters("abcdefghijklmnopqrstuvwxyz ")}
    raise AssertionError(f"a program without a test: {program}")


def rows_of_jobs(folder):
    """Two rows in JSON lines, one of them again, and both in Parquet."""
    for package in ("pandas", "pyarrow"):
        pytest.importorskip(package)
    rows = [Row("a.npy", found={"text": "a"}), Row("b.npy", error={"what": "is damaged.", "remedy": ""})]
    jobs = {"texts": (JsonLines(), rows), "texts2": (JsonLines(), rows[1:]), "texts3": (Parquet(DecodedText), rows)}
    for name, (form, each) in jobs.items():
        (folder / name).mkdir()
        with ShardWriter(folder / name, form, 10) as writer:
            writer.add(each)
    return {}


def lines_and_model(folder):
    """A model of random weights, and two lines."""
    from tests.support.line_files import write_line

    names = recognizer(folder)
    for name, text in (("1", "ab"), ("2", "b")):
        write_line(folder / "lines", name, text)
    return names


def recognizer(folder):
    """A model of random weights, a line, and a page."""
    torch = pytest.importorskip("torch")
    from ctckit.ocr.model_folder import save_model
    from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
    from tests.support.line_files import TINY, write_line
    from tests.support.page_files import write_page

    torch.manual_seed(0)
    save_model(folder / "model", CRNN(CRNNConfig(num_classes=3, **TINY)), Vocabulary.from_characters("ab"))
    write_line(folder, "new-line", "ab")
    write_page(folder / "others", name="page1")
    (folder / "read").mkdir()
    return {}


def recognizer_in_onnx(folder, monkeypatch):
    """A model of characters, two images, and a session whose network reads "ab" in each."""

    class Session:
        def __init__(self, path):
            assert path == "recognizer.onnx"

        def get_modelmeta(self):
            return SimpleNamespace(custom_metadata_map={"character": "a\nb"})

        def get_inputs(self):
            return [SimpleNamespace(name="x")]

        def run(self, outputs, inputs):
            items, _, _, width = inputs["x"].shape
            classes = np.array([1, 2, *[0] * (width // 8 - 2)])
            return [np.repeat(np.eye(4)[classes][None] * 0.9 + 0.025, items, axis=0)]

    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    NGramModel.train(["ab ba"], order=2, unit="char").save(folder / "english.ctclm")
    return {"images": [np.zeros((48, width, 3), np.uint8) for width in (40, 64)]}


def write_sound(folder, *names):
    soundfile = pytest.importorskip("soundfile")
    for each in names:
        soundfile.write(folder / each, tiny_acoustic_model.samples_of("bad"), tiny_acoustic_model.RATE)
