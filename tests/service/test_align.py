"""POST /align."""

import io

import pytest

from tests.service.conftest import log_probs, npy
from tests.support.tiny_acoustic_model import RATE, samples_of


def test_times_of_log_probs(client):
    answer = client().post(
        "/align",
        files={"log_probs": ("x.npy", npy(log_probs("a cab")))},
        data={"text": "A\ncab!", "frame_seconds": "0.5"},
    )
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [line["text"] for line in found["lines"]] == ["A", "cab!"]
    assert [word["text"] for word in found["words"]] == ["A", "cab!"]
    assert found["words"][0]["start_seconds"] == 0.0
    assert found["words"][1]["end_seconds"] <= 7.5


def test_times_of_a_recording(client):
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    soundfile.write(file, samples_of("bad cab", lead=5), RATE, format="WAV")
    answer = client("acoustic").post(
        "/align", files={"recording": ("said.wav", file.getvalue())}, data={"text": "Bad cab!"}
    )
    assert answer.status_code == 200, answer.text
    words = answer.json()["words"]
    assert [word["text"] for word in words] == ["Bad", "cab!"]
    assert [word["start_seconds"] for word in words] == pytest.approx([0.5, 1.7], abs=0.1)


@pytest.mark.parametrize(
    ("kind", "files", "data", "message"),
    [
        ("decoder", {}, {"text": "a"}, "give either recording or log_probs, a file."),
        ("decoder", {"log_probs": b""}, {"text": "a", "frame_seconds": "1"}, "log_probs is not a .npy file of NumPy"),
        ("decoder", {"log_probs": npy(log_probs("a"))}, {"text": "a"}, "frame_seconds is not given; expected"),
        ("decoder", {"log_probs": npy(log_probs("a"))}, {"text": " \n", "frame_seconds": "1"}, "text has no line"),
        ("decoder", {"recording": b"x"}, {"text": "a"}, "this service has no acoustic model; send log_probs"),
        ("acoustic", {"recording": b"x"}, {"text": "a"}, "recording: "),
        ("acoustic", {"recording": b"x"}, {"text": "a", "frame_seconds": "1"}, "frame_seconds is given, but"),
    ],
)
def test_what_cannot_be_aligned(client, kind, files, data, message):
    pytest.importorskip("soundfile")
    answer = client(kind).post("/align", files={k: ("x", v) for k, v in files.items()}, data=data)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(message)
    assert "/tmp" not in answer.text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"txt": "a"}, "txt: there is no such field; expected frame_seconds or log_probs or recording or text."),
        ({"text": "a", "frames": "1"}, "frames: there is no such field; expected frame_seconds or"),
    ],
)
@pytest.mark.parametrize("files", [None, {"log_probs": b""}])
def test_fields_that_are_not_known(client, data, message, files):
    answer = client().post("/align", data=data, files=files)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith(message)


@pytest.mark.parametrize("says_its_length", [True, False])
def test_a_recording_that_is_too_long(client, monkeypatch, says_its_length):
    soundfile = pytest.importorskip("soundfile")
    if not says_its_length:
        monkeypatch.setattr("ctckit.acoustic_models.audio.duration_seconds", lambda path: 0.0)
    file = io.BytesIO()
    soundfile.write(file, samples_of("bad cab"), RATE, format="WAV")
    answer = client("acoustic", recording_seconds=1.0).post(
        "/align", files={"recording": file.getvalue()}, data={"text": "Bad"}
    )
    assert answer.json()["error"]["message"] == "recording: lasts 2 seconds or more; this service takes at most 1."


def test_a_text_that_does_not_fit(client):
    answer = client().post(
        "/align",
        files={"log_probs": npy(log_probs("a"))},
        data={"text": "abc" * 9, "frame_seconds": "1"},
    )
    assert (answer.status_code, answer.json()["error"]["kind"]) == (400, "InfeasibleTargetError")
