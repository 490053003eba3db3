"""What all routes share: bounds, errors, state."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ctckit import BeamDecoder
from ctckit.errors import InvalidInputError
from ctckit.service import Limits, Models
from tests.service.conftest import VOCABULARY, log_probs, npy, png


def test_health_and_metrics(client):
    service = client("acoustic")
    assert service.get("/health").json()["models"] == ["decoder", "acoustic model"]
    service.get("/nothing/here")
    metrics = service.get("/metrics").text
    assert 'ctckit_answers_total{route="/health",status="200"} 1.0' in metrics
    assert 'ctckit_answers_total{route="other",status="404"} 1.0' in metrics


def form(value):
    """The keys and kinds of a value of JSON; null is left out, as FastAPI leaves it out of examples."""
    if isinstance(value, dict):
        return {key: form(each) for key, each in value.items() if each is not None}
    return [form(value[0])] if value and isinstance(value, list) else type(value)


def test_the_page_of_openapi_tells_all_that_a_client_meets(client):
    pytest.importorskip("torch")
    from tests.support import bars_network

    service, of_words = client("recognizer"), client()
    page = service.get("/openapi.json").json()
    line, frames = png(bars_network.draw("a")), npy(log_probs("a"))
    answers = {
        "/read": service.post("/read", files=[("images", line), ("images", b"no image")]),
        "/decode": of_words.post("/decode", content=frames),
        "/align": service.post("/align", data={"text": "a", "frame_seconds": "0.02"}, files={"log_probs": frames}),
        "/health": service.get("/health"),
    }
    assert set(page["paths"]) == set(answers)
    for path, answer in answers.items():
        [(method, route)] = page["paths"][path].items()
        assert route["operationId"] == path[1:]
        assert route["summary"]
        assert route["description"]
        examples = {int(status): each["content"]["application/json"] for status, each in route["responses"].items()}
        example = examples.pop(200)["example"]
        assert form(example) == form(answer.json())
        if method == "post":
            assert set(examples) == {400, 408, 413, 422, 500, 503, 504}
            assert all(set(each["example"]["error"]) == {"kind", "message"} for each in examples.values())
            assert "Retry-After" in route["responses"]["503"]["headers"]


def test_the_page_of_openapi_asks_for_what_a_form_can_say(client):
    pytest.importorskip("torch")
    bodies = client("recognizer").get("/openapi.json").json()["components"]["schemas"]
    assert bodies["Body_read"]["properties"]["images"]["minItems"] == 1
    fields = bodies["Body_align"]["properties"]
    assert {name: field["type"] for name, field in fields.items()} == {
        "text": "string",
        "recording": "string",
        "log_probs": "string",
        "frame_seconds": "number",
    }
    assert (fields["frame_seconds"]["exclusiveMinimum"], fields["frame_seconds"]["maximum"]) == (0, 10)


def test_a_body_above_the_limit_is_not_read(client):
    service = client(body_bytes=1000)
    declared = service.post("/decode", content=b"x" * 1001)
    streamed = service.post("/decode", content=iter([b"x" * 600] * 2))
    form = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n' + b"a" * 2000
    in_a_form = service.post(
        "/align", content=iter([form, b"\r\n--x--\r\n"]), headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    for answer in (declared, streamed, in_a_form):
        assert (answer.status_code, answer.json()["error"]["kind"]) == (413, "TooLarge")


def test_a_full_service_says_when_to_try_again(client, monkeypatch):
    gate = threading.Event()
    decode = BeamDecoder.decode
    monkeypatch.setattr(BeamDecoder, "decode", lambda *args, **options: gate.wait(10) and decode(*args, **options))
    service = client(requests=2)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(service.post, "/decode", content=npy(log_probs("a"))) for _ in range(2)]
        while "ctckit_requests_under_way 2.0" not in service.get("/metrics").text:
            time.sleep(0.01)
        refused = service.post("/decode", content=npy(log_probs("a")))
        assert service.get("/health").status_code == 200
        gate.set()
        assert [each.result().status_code for each in waiting] == [200, 200]
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")


def test_an_answer_that_takes_too_long(client, monkeypatch):
    monkeypatch.setattr(BeamDecoder, "decode", lambda *args, **options: time.sleep(0.5))
    answer = client(answer_seconds=0.1).post("/decode", content=npy(log_probs("a")))
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        504,
        "the answer was not ready within 0.1 seconds.",
    )


def test_an_unexpected_error_tells_nothing_of_the_server(client, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("/home/secret")

    monkeypatch.setattr(BeamDecoder, "decode", broken)
    service = client()
    answer = service.post("/decode", content=npy(log_probs("a")))
    assert (answer.status_code, answer.json()) == (
        500,
        {"error": {"kind": "Unexpected", "message": "an error of this service; its log says more."}},
    )
    monkeypatch.undo()
    assert service.post("/decode", content=npy(log_probs("a"))).json()["hypotheses"][0]["text"] == "a"


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/decode", 405, "Method Not Allowed"),
        ("POST", "/nothing", 404, "Not Found"),
        ("POST", "/decode?n_best=0", 422, "n_best: Input should be greater than or equal to 1"),
        ("POST", "/decode?hotwords=Zurich", 422, "hotwords: there is no such parameter; expected hotword or n_best."),
        ("POST", "/align", 422, "text: Field required"),
        ("POST", "/align?text=a", 422, "text: is a field of the form; send it there, as curl -F text=… does."),
        ("POST", "/align?n_best=3", 422, "n_best: there is no such parameter; expected none."),
    ],
)
def test_errors_of_the_framework_have_the_same_form(client, method, path, status, message):
    answer = client().request(method, path)
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, message)


def test_models_with_other_tokens_are_refused():
    from tests.support import tiny_acoustic_model

    with pytest.raises(InvalidInputError, match="the vocabulary of acoustic is not the decoder's; expected the same"):
        Models(BeamDecoder(VOCABULARY), acoustic=tiny_acoustic_model.load(""))


def test_limits_are_checked():
    with pytest.raises(InvalidInputError, match="pixels is 0"):
        Limits(pixels=0)
    with pytest.raises(InvalidInputError, match="window_seconds is -1"):
        Limits(window_seconds=-1)


@pytest.mark.parametrize(
    ("kind", "path", "head"),
    [
        ("decode", "/decode", []),
        ("recognizer", "/read", [(b"content-type", b"multipart/form-data; boundary=b")]),
        ("acoustic", "/align", [(b"content-type", b"multipart/form-data; boundary=b")]),
    ],
)
def test_a_client_that_goes_away_is_no_error_of_the_service(client, caplog, kind, path, head):
    messages = iter([{"type": "http.request", "body": b"--b\r\n", "more_body": True}, {"type": "http.disconnect"}])
    sent = []

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message)

    service = client("decoder" if kind == "decode" else kind)
    scope = {"type": "http", "method": "POST", "path": path, "headers": head, "query_string": b"", "app": service.app}
    asyncio.run(service.app(scope, receive, send))
    assert sent[0]["status"] == 499
    assert not caplog.records
    assert f'answers_total{{route="{path}",status="499"}} 1.0' in service.get("/metrics").text


def test_a_client_that_goes_away_while_its_answer_is_computed_is_counted_as_such(client):
    service = client()
    request = service.build_request(
        "POST", "/align", data={"text": "a", "frame_seconds": "1"}, files={"log_probs": npy(log_probs("a"))}
    )
    messages = iter([{"type": "http.request", "body": request.read()}, {"type": "http.disconnect"}])

    async def receive():
        return next(messages)

    async def send(message):
        pass

    scope = {"type": "http", "method": "POST", "path": "/align", "query_string": b"", "app": service.app}
    head = [(name.lower(), value) for name, value in request.headers.raw]
    asyncio.run(service.app({**scope, "headers": head}, receive, send))
    assert 'answers_total{route="/align",status="499"} 1.0' in service.get("/metrics").text
    service.send(request)
    assert 'answers_total{route="/align",status="200"} 1.0' in service.get("/metrics").text
