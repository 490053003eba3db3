"""Whatever a client sends: an answer that the OpenAPI page names, in JSON, and never a fault of the service."""

import io
import json
import wave

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.service.conftest import VOCABULARY, log_probs, npy, png
from tests.support.tiny_acoustic_model import RATE, samples_of

SOME = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CHANGES = st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=4)), max_size=4)
TEXTS = st.text() | st.text("ab ")


def damaged(content, changes):
    """Replace some bytes; a change at the end of the list cuts the rest off."""
    for place, values in changes:
        content = content[:place] + values + content[place + len(values) :]
    return content[: changes[-1][0]] if changes and not changes[-1][1] else content


def wav():
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setparams((1, 2, RATE, 0, "NONE", None))
        recording.writeframes(np.round(samples_of("bad cab") * 32767).astype("<i2").tobytes())
    return file.getvalue()


def expect_documented(service, path, answer):
    assert answer.status_code < 500, answer.text
    assert str(answer.status_code) in service.app.openapi()["paths"][path]["post"]["responses"]
    body = json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert answer.status_code == 200 or set(body["error"]) == {"kind", "message"}


def test_damaged_files_and_odd_parameters(client):
    service = client()

    @SOME
    @given(CHANGES, st.integers() | TEXTS, st.lists(TEXTS, max_size=2))
    def decode(changes, n_best, hotwords):
        query = {"n_best": n_best, "hotword": hotwords}
        expect_documented(
            service, "/decode", service.post("/decode", params=query, content=damaged(npy(log_probs("a b")), changes))
        )

    decode()


def test_any_numbers(client):
    service = client()
    sizes = st.tuples(st.integers(0, 5), st.just(len(VOCABULARY)))
    numbers = st.floats(width=16) | st.floats(-50, 0, width=16) | st.just(float("-inf"))

    @SOME
    @given(arrays("<f2", sizes, elements=numbers), TEXTS)
    def numbers_of_any_kind(values, text):
        expect_documented(service, "/decode", service.post("/decode", content=npy(values)))
        with np.errstate(all="ignore"):
            normalized = values - np.log(np.exp(values.astype("f8")).sum(axis=1, keepdims=True))
        expect_documented(service, "/decode", service.post("/decode", content=npy(normalized)))
        form = {"text": text, "frame_seconds": "0.02"}
        answer = service.post("/align", data=form, files={"log_probs": npy(normalized)})
        expect_documented(service, "/align", answer)

    numbers_of_any_kind()


def test_damaged_images(client):
    pytest.importorskip("torch")
    from tests.support import bars_network

    service, line = client("recognizer"), png(bars_network.draw("ab"))

    @SOME
    @given(st.lists(CHANGES, min_size=1, max_size=3), TEXTS)
    def read(images, name):
        files = [("images", (f"x{name}", damaged(line, changes))) for changes in images]
        answer = service.post("/read", files=files)
        expect_documented(service, "/read", answer)
        assert len(answer.json()["lines"]) == len(images)

    read()


def test_damaged_recordings(client):
    pytest.importorskip("soxr")
    service, recording = client("acoustic"), wav()

    @SOME
    @given(CHANGES, TEXTS)
    def align(changes, text):
        files = {"recording": damaged(recording, changes)}
        expect_documented(service, "/align", service.post("/align", data={"text": text}, files=files))

    align()


def test_any_messages_of_a_stream(client):
    service = client("acoustic")
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    )
    beginnings = st.fixed_dictionaries(
        {"kind": st.sampled_from(["int16", "log_probs"]) | values},
        optional={"rate": st.just(RATE) | values, "commit_after": st.just(1.0) | values, "\ud800": values},
    )

    @SOME
    @given(beginnings, st.lists(st.binary() | values, max_size=3))
    def stream(begin, messages):
        with service.websocket_connect("/stream") as socket:
            for each in [begin, *messages, {"end": True}]:
                socket.send_bytes(each) if isinstance(each, bytes) else socket.send_text(json.dumps(each))
            while not {"error", "final"} & set(message := socket.receive_json()):
                pass
        assert set(message.get("error", ["kind", "message"])) == {"kind", "message"}

    stream()
