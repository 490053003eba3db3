import io

import numpy as np
import pytest

from ctckit import BeamDecoder, Vocabulary
from tests.support import tiny_acoustic_model

VOCABULARY = Vocabulary.from_characters("abc ", separator=" ")


@pytest.fixture
def client():
    """Make clients: of a decoder, a recognizer of bars or the tiny acoustic model, with these limits."""
    pytest.importorskip("httpx")
    from starlette.testclient import TestClient

    from ctckit.service import Limits, create_app

    with_states = []

    def make(kind="decoder", **limits):
        client = TestClient(create_app(models(kind), Limits(**limits)), raise_server_exceptions=False)
        client.__enter__()
        with_states.append(client)
        return client

    yield make
    for each in with_states:
        each.__exit__(None, None, None)


def models(kind):
    from ctckit.service import Models

    if kind == "decoder":
        return Models(BeamDecoder(VOCABULARY))
    if kind == "acoustic":
        acoustic = tiny_acoustic_model.load("")
        return Models(BeamDecoder(acoustic.vocabulary), acoustic=acoustic)
    pytest.importorskip("torch")
    from tests.support import bars_network

    recognizer = bars_network.recognizer()
    return Models(BeamDecoder(recognizer.vocabulary), recognizer)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def log_probs(text, frames=2):
    """Frames that say a text."""
    classes = [token for letter in VOCABULARY.encode(text) for token in [letter] * frames + [0]]
    probs = np.full((len(classes), len(VOCABULARY)), 0.02)
    probs[range(len(classes)), classes] = 0.92
    return np.log(probs).astype(np.float32)


def png(levels):
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()
