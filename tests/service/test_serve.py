"""``ctckit serve``, as a process."""

import re
import signal
import subprocess
import sys
import threading

import pytest

from ctckit.cli.acoustic_options import AcousticOptions
from ctckit.cli.options import SearchOptions, VocabularyOptions
from ctckit.cli.serve import LimitOptions, _models
from ctckit.errors import InvalidInputError, ModelFormatError
from ctckit.service import Limits
from tests.service.conftest import VOCABULARY, log_probs, npy
from tests.support import tiny_acoustic_model

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")


@pytest.fixture
def served(tmp_path):
    """Run the command on any free port; returns the process and its address."""
    (tmp_path / "tokens.txt").write_text("\n".join(token or "<blank>" for token in VOCABULARY.tokens), encoding="utf-8")
    options = ["--vocabulary", "tokens.txt", "--separator", " ", "--port", "0", "--window", "400"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ctckit", "serve", *options], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r"running on (http://\S+)", line):
            break
    assert found, "".join(lines)
    yield process, found.group(1)
    process.kill()
    process.stderr.close()


def test_sigterm_finishes_what_is_under_way(served):
    import httpx

    process, address = served
    answers = []

    def ask():
        answers.append(httpx.post(f"{address}/decode", content=npy(log_probs("a cab")), timeout=20))

    httpx.get(f"{address}/health").raise_for_status()
    asking = threading.Thread(target=ask)
    asking.start()
    while "under_way 1.0" not in httpx.get(f"{address}/metrics").text:
        pass
    process.send_signal(signal.SIGTERM)
    asking.join(20)
    assert answers[0].json()["hypotheses"][0]["text"] == "a cab"
    assert process.wait(20) in (0, -signal.SIGTERM)


def test_one_of_model_and_vocabulary_is_needed():
    done = subprocess.run([sys.executable, "-m", "ctckit", "serve"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "ctckit: give either --model, or --vocabulary for log-probabilities that clients send.\n",
    )


def test_the_limits_of_the_command_are_those_of_the_service():
    assert LimitOptions().limits() == Limits()


def test_options_that_would_do_nothing_are_refused(tmp_path):
    recognizer = tmp_path / "model.onnx"
    with pytest.raises(InvalidInputError, match=r"^--blank is given, but .*model.onnx has the tokens and the blank\."):
        _models(str(recognizer), None, VocabularyOptions(blank=0), AcousticOptions(), SearchOptions())
    with pytest.raises(InvalidInputError, match=r"^--word-start is given, but tiny has its vocabulary\."):
        _models("tiny", None, VocabularyOptions(word_start="_"), AcousticOptions(), SearchOptions())


def test_a_folder_that_is_absent_is_said_to_be_absent(tmp_path):
    pytest.importorskip("torch")
    with pytest.raises(ModelFormatError, match=r"none: no such folder\. A model folder holds"):
        _models(f"{tmp_path}/none/", None, VocabularyOptions(), AcousticOptions(), SearchOptions())
    with pytest.raises(InvalidInputError, match="or one of the acoustic models hama"):
        _models("hamma", None, VocabularyOptions(), AcousticOptions(), SearchOptions())


def test_a_model_folder_is_known_by_the_file_that_it_has():
    pytest.importorskip("torch")
    from ctckit.cli import serve
    from ctckit.ocr import model_folder

    assert serve.RECORD_FILE == model_folder.RECORD_FILE


def test_recordings_are_read_as_the_options_say(tmp_path, monkeypatch):
    tiny_acoustic_model.install(tmp_path, tiny="tests.support.tiny_acoustic_model:load")
    monkeypatch.syspath_prepend(tmp_path)
    models = _models("tiny", None, VocabularyOptions(), AcousticOptions(channel=2), SearchOptions())
    assert models.listening == {"channel": 2, "chunk_seconds": 30.0, "batch_size": 1}
