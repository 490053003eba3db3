"""The scripts of the task pages run, and print what the pages show, with other numbers."""

import itertools
import json
import re
import struct
import threading
import time
import urllib.error
import urllib.request
import zlib
from http.server import ThreadingHTTPServer
from queue import Queue
from xml.etree import ElementTree

import numpy as np
import pytest

from ctckit import Vocabulary, acoustic_models
from tests.support import onnx_models, tiny_acoustic_model
from tests.support.line_files import TINY, write_lines
from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "tasks"
SCRIPTS = sorted(FOLDER.glob("*.py"))
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.stem != "index")


@pytest.fixture
def script(tmp_path, monkeypatch):
    """A function that runs a script in an empty folder, and returns the names that it defines."""
    monkeypatch.chdir(tmp_path)

    def load(name):
        names = {"__name__": name}
        exec(compile((FOLDER / f"{name}.py").read_text("utf-8"), f"{name}.py", "exec"), names)
        return names

    return load


def shown(name, command):
    """What a page shows below a command."""
    page = (FOLDER / f"{name}.md").read_text("utf-8")
    [found] = re.findall(rf"^\$ {re.escape(command)}\n(.*?)(?=^\$ |^```)", page, re.M | re.S)
    return forms(found)


def forms(text):
    """The lines of an output without their numbers."""
    return [re.sub(r"\d[\d.,]*", "0", line).rstrip() for line in text.rstrip().splitlines()]


def test_the_index_lists_every_task():
    index = (FOLDER / "index.md").read_text("utf-8")
    listed = re.findall(r"^\| \[([^\]]+)\]\((\w+)\.md\)", index, re.M)
    assert [(page.read_text("utf-8").splitlines()[0], page.stem) for page in PAGES] == sorted(
        ((f"# {title}", stem) for title, stem in listed), key=lambda entry: entry[1]
    )
    assert re.findall(r"^\w+$", re.search(r"```\{toctree\}(.*?)```", index, re.S)[1], re.M) == [
        stem for _, stem in listed
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_has_its_script(page):
    text = page.read_text("utf-8")
    assert f"{{download}}`{page.stem}.py <{page.stem}.py>`" in text
    assert f"```{{literalinclude}} {page.stem}.py\n:language: python\n```" in text
    assert all(f"\n## {part}\n" in text for part in ("The script", "Change it"))
    assert [script.stem for script in SCRIPTS] == [each.stem for each in PAGES]


def test_fine_tuning(script, tmp_path, capsys):
    torch = pytest.importorskip("torch")
    from ctckit.ocr.model_folder import save_model
    from ctckit.ocr.networks.crnn import CRNN, CRNNConfig

    torch.manual_seed(0)
    save_model(tmp_path / "start", CRNN(CRNNConfig(num_classes=3, **TINY)), Vocabulary.from_characters("ab"))
    lines = write_lines(tmp_path / "lines")
    script("fine_tune")["main"](str(lines), str(lines), "start", "2")
    assert forms(capsys.readouterr().out) == shown("fine_tune", "python fine_tune.py")
    assert (tmp_path / "model" / "model.json").exists()


def test_the_digits_to_fine_tune_on(script, tmp_path):
    pytest.importorskip("torch")
    script("fine_tune")["write_digits"]("digits", "train", 3)
    assert sorted(path.name for path in (tmp_path / "digits").iterdir())[:2] == ["0.gt.txt", "0.png"]


def test_the_service_answers(script, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    onnx_models.recognizer(tmp_path / "model.onnx")
    image = write_lines(tmp_path / "lines", ["ab"]) / "000.png"
    names, servers = script("serve_recognizer"), Queue()

    class Observed(ThreadingHTTPServer):
        def serve_forever(self, poll_interval=0.01):
            servers.put(self)
            super().serve_forever(poll_interval)

    names["ThreadingHTTPServer"] = Observed
    names["Handler"].log_message = lambda *_: None
    thread = threading.Thread(target=names["main"], args=("model.onnx", "0"))
    thread.start()
    server = servers.get(timeout=60)
    try:
        bodies = (image.read_bytes(), b"no image", huge_png(), b"")
        answers = [post(server.server_port, body) for body in bodies]
        answers += [post(server.server_port, b"x", {"Content-Length": length}) for length in ("10000001", "abc")]
    finally:
        server.shutdown()
        thread.join()
    [(status, found), *wrong] = answers
    assert (status, set(found)) == (200, {"text", "confidence", "places"})
    assert len(found["places"]) == len(found["text"])
    assert [status for status, _ in wrong] == [400, 400, 400, 413, 400]
    assert all(set(said) == {"error"} and "object at" not in said["error"] for _, said in wrong)
    assert forms(capsys.readouterr().out) == shown("serve_recognizer", "python serve_recognizer.py model.onnx")
    [example] = re.findall(r"^\{.*\}$", (FOLDER / "serve_recognizer.md").read_text("utf-8"), re.M)
    assert set(json.loads(example)) == set(found)


def huge_png():
    """The header of an image of 20000 × 20000 pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def test_a_service_without_its_model(script):
    with pytest.raises(SystemExit, match=r"nowhere\.onnx"):
        script("serve_recognizer")["main"]("nowhere.onnx", "0")


def post(port, body, headers=None):
    """The status and the JSON of an answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}", data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def write_sound(path, text):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(path, tiny_acoustic_model.samples_of(text, lead=2), tiny_acoustic_model.RATE)


LETTERS = (tiny_acoustic_model.load, "", "bad cab")
SOUNDS = (tiny_acoustic_model.load_speller, "bad d a b\ncab b a c\n", "dab bac")  # spelled backwards


@pytest.mark.parametrize(("load", "dictionary", "spoken"), [LETTERS, SOUNDS], ids=["letters", "sounds"])
def test_captions(script, tmp_path, monkeypatch, capsys, load, dictionary, spoken):
    monkeypatch.setattr(acoustic_models, "load_model", lambda name: load(""))
    write_sound(tmp_path / "talk.wav", spoken)
    (tmp_path / "texts.txt").write_text("Bad cab. A face.\nCab, bad cab! " * 5, encoding="utf-8")
    (tmp_path / "words.dict").write_text(dictionary, encoding="utf-8")
    script("caption")["main"]("talk.wav", "texts.txt", "tiny", "words.dict")
    page = shown("caption", "python caption.py talk.wav texts.txt")
    found = forms(capsys.readouterr().out)
    assert found[0] == page[0]
    assert {line.rpartition(" ")[0] for line in found[1:]} <= {line.rpartition(" ")[0] for line in page[1:]}
    assert (tmp_path / "talk.srt").read_text("utf-8").splitlines()[2] == "bad cab"


def test_an_audiobook(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(acoustic_models, "load_model", lambda name: tiny_acoustic_model.load(""))
    write_sound(tmp_path / "01.wav", "bad cab feed gage")
    (tmp_path / "01.txt").write_text("Bad\ncab,\n\nbeef!\ngage.\n", encoding="utf-8")
    script("align_audiobook")["main"](str(tmp_path))
    found = forms(capsys.readouterr().out)
    page = shown("align_audiobook", "python align_audiobook.py BOOK")
    assert found[0] == page[0]
    assert [line.partition(": ")[0] for line in found[1:]] == [line.partition(": ")[0] for line in page[1:]]
    assert found[1].endswith("beef!")
    words = ElementTree.parse(tmp_path / "01.smil").findall(".//{http://www.w3.org/ns/SMIL}text")
    assert len(words) == 4
    assert 'id="l1w1"' in (tmp_path / "01.xhtml").read_text("utf-8")
    assert "gage." in (tmp_path / "01.srt").read_text("utf-8")


@pytest.mark.parametrize("mistake", ["pixels", "blank"])
def test_a_mistake_is_found_before_training(script, capsys, mistake):
    pytest.importorskip("torch")
    script("loss_does_not_fall")["main"](mistake)
    assert forms(capsys.readouterr().out) == shown("loss_does_not_fall", f"python loss_does_not_fall.py {mistake}")


def test_an_unknown_mistake_is_refused(script):
    pytest.importorskip("torch")
    with pytest.raises(SystemExit, match="expected one of pixels, blank, white, rate, none"):
        script("loss_does_not_fall")["main"]("nonsense")


@pytest.mark.slow
@pytest.mark.parametrize("mistake", ["rate", "white", "none"])
def test_a_mistake_is_found_in_training(script, capsys, mistake):
    pytest.importorskip("torch")
    script("loss_does_not_fall")["main"](mistake)
    found = capsys.readouterr().out
    assert {"rate": "constant-output", "white": "blank-phase", "none": "after training: healthy"}[mistake] in found


def test_speech_from_scratch(script, tmp_path, capsys, monkeypatch):
    """The letters are tones here, and a step takes 0.2 seconds, on whatever machine."""
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("jiwer")
    clock = itertools.count(0.0, 0.2)
    monkeypatch.setattr(time, "process_time", lambda: next(clock))
    rng = np.random.default_rng(0)
    for n in range(12):
        text = "".join(rng.choice(list("ab "), 4)).strip() or "a"
        tones = [np.sin(np.arange(3200) * {"a": 0.1, "b": 0.3, " ": 0.0}[letter]) for letter in text]
        soundfile.write(tmp_path / f"{n:02}.wav", 0.5 * np.concatenate(tones), 16_000)
        (tmp_path / f"{n:02}.txt").write_text(text.upper() + "!", encoding="utf-8")
    script("speech_from_scratch")["main"](str(tmp_path), "0.01")
    found, page = (
        [line.partition(": ")[0] for line in lines]
        for lines in (forms(capsys.readouterr().out), shown("speech_from_scratch", "python speech_from_scratch.py"))
    )
    assert list(dict.fromkeys(found)) == list(dict.fromkeys(page))
    assert (tmp_path / "listener.pt").exists()
