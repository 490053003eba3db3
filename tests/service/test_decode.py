"""POST /decode."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ctckit import BeamDecoder, Hypothesis
from tests.service.conftest import VOCABULARY, log_probs, npy


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_the_texts_are_those_of_the_decoder(client, dtype):
    sent = log_probs("a cab").astype(dtype)
    answer = client().post("/decode?n_best=3", content=npy(sent))
    assert answer.status_code == 200
    found = [Hypothesis.from_dict(each) for each in answer.json()["hypotheses"]]
    assert found == BeamDecoder(VOCABULARY).decode(sent.astype(np.dtype(dtype).newbyteorder("=")), n_best=3)[0]
    assert found[0].text == "a cab"


def test_an_array_by_columns(client):
    answer = client().post("/decode", content=npy(np.asfortranarray(log_probs("cab"))))
    assert answer.json()["hypotheses"][0]["text"] == "cab"


def test_hotwords_are_those_of_the_request_alone(client):
    unsure = np.logaddexp(log_probs("a ab"), log_probs("a ac")) - np.log(2)
    unsure[:, VOCABULARY.encode("b")[0]] += 0.1
    decoding = client()
    texts = [
        decoding.post(f"/decode{hotword}", content=npy(unsure)).json()["hypotheses"][0]["text"]
        for hotword in ("", "?hotword=ac", "")
    ]
    assert texts == ["a ab", "a ac", "a ab"]


def test_requests_at_once_are_decoded_together_and_one_bad_one_spoils_no_other(client):
    decoding = client(window_seconds=0.2)
    bad = log_probs("cab")
    bad[1, 1] = np.nan
    bodies = {"a b": npy(log_probs("a b")), "cab": npy(log_probs("cab")), "bad": npy(bad), "b": npy(log_probs("b"))}
    with ThreadPoolExecutor(4) as pool:
        answers = dict(
            zip(bodies, pool.map(lambda body: decoding.post("/decode", content=body), bodies.values()), strict=True)
        )
    assert answers["bad"].status_code == 400
    assert answers["bad"].json()["error"]["kind"] == "InvalidInputError"
    for text in ("a b", "cab", "b"):
        assert answers[text].json()["hypotheses"][0]["text"] == text
    assert 'ctckit_batch_items_bucket{le="1.0",route="/decode"} 0.0' in decoding.get("/metrics").text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"the body is not a \.npy file of NumPy"),
        (b"garbage" * 9, r"the body is not a \.npy file of NumPy"),
        (
            npy(np.array([{}], dtype=object)),
            r"the body has the dtype object; expected a \.npy file of floats, \(T, 5\)",
        ),
        (npy(np.zeros((3, 5), np.int64)), r"the body has the dtype int64"),
        (npy(np.zeros((3, 4), np.float32)), r"the body has the shape \(3, 4\)"),
        (npy(np.zeros(5, np.float32)), r"the body has the shape \(5,\)"),
        (npy(np.zeros((9, 5), np.float32))[:-1], r"the body has 179 bytes after its header, which says 180"),
        (npy(np.zeros((101, 5), np.float32)), r"the body has 101 frames; this service takes at most 100"),
        (npy(np.zeros((9, 5))).replace(b"(9, 5)", b"(-9,5)"), r"the body"),
    ],
)
def test_a_body_that_is_no_array_of_the_classes(client, content, message):
    answer = client(frames=100).post("/decode", content=content)
    assert answer.status_code == 400
    assert re.search(message, answer.json()["error"]["message"])
