"""WS /stream."""

import numpy as np
import pytest

from ctckit import BeamDecoder, Hypothesis
from ctckit.service import stream
from tests.service.conftest import VOCABULARY, log_probs
from tests.support.tiny_acoustic_model import RATE, samples_of

MOST = "expected a number above 0, at most 1,000,000"


def test_log_probs_as_they_come(client):
    frames = log_probs("a cab")
    with client().websocket_connect("/stream") as socket:
        socket.send_json({"kind": "log_probs"})
        socket.send_bytes(frames[:4].tobytes())
        assert socket.receive_json()["partial"]["tentative"].startswith("a")
        socket.send_bytes(frames[4:].tobytes())
        assert "partial" in socket.receive_json()
        socket.send_json({"end": True})
        final = Hypothesis.from_dict(socket.receive_json()["final"])
    expected = BeamDecoder(VOCABULARY).stream()
    expected.push(frames)
    assert final == expected.finish()


def test_a_long_stream_comes_in_segments(client, monkeypatch):
    monkeypatch.setattr(stream, "SEGMENT_TOKENS", 50)
    said = "a cab " * 300
    texts = []
    with client().websocket_connect("/stream") as socket:
        socket.send_json({"kind": "log_probs", "commit_after": 20})
        for piece in np.array_split(log_probs(said), 30):
            socket.send_bytes(piece.tobytes())
            message = socket.receive_json()
            texts += [message["segment"]["text"]] if "segment" in message else []
        assert len(message["partial"]["stable"]) < 1000
        socket.send_json({"end": True})
        texts.append(socket.receive_json()["final"]["text"])
    assert len(texts) > 2
    assert "".join(texts).replace(" ", "") == said.replace(" ", "")


def test_with_a_stride_commit_after_is_in_seconds(client):
    def stable(begin):
        with client().websocket_connect("/stream") as socket:
            socket.send_json({"kind": "log_probs", **begin})
            socket.send_bytes(log_probs("a cab " * 20).tobytes())
            return socket.receive_json()["partial"]["stable"]

    in_seconds = stable({"commit_after": 1.0, "stride": 0.05})
    assert in_seconds
    assert in_seconds == stable({"commit_after": 20})
    assert in_seconds != stable({"commit_after": 200})


def test_the_address_of_a_stream_has_no_parameters(client):
    with client().websocket_connect("/stream?kind=log_probs") as socket:
        assert socket.receive_json()["error"]["message"] == (
            "kind: the address of a stream has no parameters; send it in the first message."
        )


@pytest.mark.parametrize("kind", ["float32", "int16"])
def test_audio_as_it_comes(client, kind):
    samples = samples_of("bad cab")
    sent = samples.astype("<f4") if kind == "float32" else np.round(samples * 32767).astype("<i2")
    with client("acoustic").websocket_connect("/stream") as socket:
        socket.send_json({"kind": kind, "rate": RATE})
        for piece in np.array_split(sent, 9):
            socket.send_bytes(piece.tobytes())
        socket.send_json({"end": True})
        while "final" not in (message := socket.receive_json()):
            assert "partial" in message
    assert message["final"]["text"] == "bad cab"


@pytest.mark.parametrize(
    ("kind", "messages", "expected"),
    [
        ("decoder", [b"\0"], "the first message is binary; expected an object"),
        ("decoder", ["[]"], "a message in text is not an object of JSON."),
        ("decoder", ["{"], "a message in text is not an object of JSON."),
        ("decoder", ["[" * 100_000], "a message in text is not an object of JSON."),
        ("decoder", ["{}"], 'kind is null; expected "float32", "int16" or "log_probs".'),
        ("decoder", ['{"kind": "int16", "rate": 16000}'], 'this service has no acoustic model; expected "kind"'),
        ("acoustic", ['{"kind": "int16", "rate": 1}'], "rate is 1; expected the samples per second, 100 to 400000."),
        ("acoustic", ['{"kind": "int16"}'], "rate is null; expected the samples per second"),
        ("acoustic", ['{"kind": "int16", "rate": 8000}', b"\0"], "a message has 1 bytes; expected whole samples of"),
        ("decoder", ['{"kind": "log_probs", "beam": 9}'], '"beam" is not known; expected kind, rate, stride and'),
        ("decoder", ['{"kind": "log_probs", "commit_after": 0}'], "commit_after is 0; expected a number above 0, at"),
        ("decoder", ['{"kind": "log_probs", "commit_after": true}'], "commit_after is true; expected a number"),
        ("decoder", ['{"kind": "log_probs", "commit_after": 2e6}'], f"commit_after is 2000000.0; {MOST}."),
        ("decoder", ['{"kind": "log_probs", "commit_after": 0.5}'], "commit_after is 0.5 frames; expected a whole"),
        ("decoder", ['{"kind": "log_probs", "stride": 11}'], "stride is 11; expected a number above 0, at most 10."),
        ("decoder", ['{"kind": "log_probs", "rate": 16000}'], "rate is given, but log_probs are frames; give stride"),
        ("acoustic", ['{"kind": "int16", "rate": 8000, "stride": 1}'], "stride is given, but the acoustic model"),
        ("decoder", ['{"kind": "log_probs"}', b"\0" * 7], "a message has 7 bytes; expected frames of 5 float32"),
        ("decoder", ['{"kind": "log_probs"}', b"\0" * 400], "a message has more than 300 bytes"),
        ("decoder", ['{"kind": "log_probs"}', '{"stop": 1}'], 'a message is neither binary nor {"end": true}.'),
        ("decoder", ['{"kind": "log_probs"}', np.full(5, np.nan, "<f4").tobytes()], "log_probs"),
    ],
)
def test_what_is_wrong_ends_the_stream(client, kind, messages, expected):
    pytest.importorskip("soxr")
    with client(kind, body_bytes=300).websocket_connect("/stream") as socket:
        for each in messages:
            socket.send_bytes(each) if isinstance(each, bytes) else socket.send_text(each)
        assert socket.receive_json()["error"]["message"].startswith(expected)


def test_silent_streams_end_and_make_room(client):
    streams = client(streams=1, body_seconds=0.3)
    with streams.websocket_connect("/stream") as first:
        with streams.websocket_connect("/stream") as second:
            assert second.receive_json()["error"]["kind"] == "Busy"
        assert first.receive_json()["error"]["message"] == "no message came within 0.3 seconds."
    with streams.websocket_connect("/stream") as third:
        third.send_json({"kind": "log_probs"})
        third.send_json({"end": True})
        assert third.receive_json()["final"]["text"] == ""
