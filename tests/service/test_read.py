"""POST /read."""

import numpy as np
import pytest

from tests.service.conftest import png

pytest.importorskip("torch")

from tests.support import bars_network


def sent(*contents):
    return [("images", (f"line{n}.png", content, "image/png")) for n, content in enumerate(contents)]


def picture(text):
    return png(bars_network.draw(text))


def test_the_readings_are_those_of_the_recognizer(client):
    answer = client("recognizer").post("/read", files=sent(picture("ab"), picture("c b")))
    assert answer.status_code == 200
    lines = answer.json()["lines"]
    assert [(line["name"], line["error"]) for line in lines] == [("line0.png", None), ("line1.png", None)]
    [[first], [second]] = [line["readings"] for line in lines]
    [expected] = bars_network.recognizer().read([bars_network.draw("ab")])
    assert (first["text"], second["text"]) == ("ab", "c b")
    assert first["log_prob"] == pytest.approx(expected.log_prob, abs=1e-6)
    assert [(span["character"], span["left"], span["right"]) for span in first["spans"]] == [
        (span.character, span.left, span.right) for span in expected.spans
    ]


def test_several_texts_for_each_image(client):
    [line] = client("recognizer").post("/read?n_best=3", files=sent(picture("ab"))).json()["lines"]
    assert line["readings"][0]["text"] == "ab"
    assert len(line["readings"]) == 3


def test_an_image_that_cannot_be_read_spoils_no_other(client):
    wide = png(np.full((10, 11), 255, np.uint8))
    answer = client("recognizer", pixels=32 * 60).post(
        "/read", files=sent(b"no image", picture("ab"), picture("ab")[:-40], png(np.zeros((100, 100), np.uint8)), wide)
    )
    assert answer.status_code == 200
    lines = answer.json()["lines"]
    assert [bool(line["error"]) for line in lines] == [True, False, True, True, False]
    assert lines[0]["error"]["message"].startswith("images[0] cannot be read as an image (cannot identify image file")
    assert lines[2]["error"]["message"].startswith("images[2] cannot be read as an image (")
    assert lines[3]["error"]["message"] == "images[3] has 100 × 100 pixels; this service takes at most 1,920."
    assert lines[1]["readings"][0]["text"] == "ab"


def test_a_parameter_in_the_form(client):
    answer = client("recognizer").post("/read", files=sent(picture("ab")), data={"n_best": "3"})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == "n_best: belongs in the address, not in the form: /read?n_best=…."


def test_too_many_images(client):
    answer = client("recognizer", images=2).post("/read", files=sent(*[picture("a")] * 3))
    assert (answer.status_code, answer.json()["error"]["kind"]) == (413, "TooLarge")


def test_a_service_without_a_recognizer(client):
    assert client("decoder").post("/read", files=sent(picture("a"))).status_code == 404
