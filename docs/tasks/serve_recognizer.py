"""Serve a recognizer in an ONNX file over HTTP: an image goes in, its text comes out.

python serve_recognizer.py MODEL.onnx [PORT]
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from ctckit import BeamDecoder
from ctckit.errors import CTCKitError
from ctckit.ocr import Recognizer
from ctckit.ocr.data.images import image_from_bytes

MOST_BYTES = 10_000_000


class Handler(BaseHTTPRequestHandler):
    """Answers each request in a thread; the threads share model and decoder."""

    recognizer: ClassVar[Recognizer]
    decoder: ClassVar[BeamDecoder]

    def do_POST(self) -> None:
        """Read the image in the body of the request."""
        length = self.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() else 0
        if size == 0:
            wrong = f"Content-Length is {length!r}; expected the bytes of an image."
            self.answer(400, {"error": wrong})
            return
        if size > MOST_BYTES:
            wrong = f"the body has {size} bytes; expected at most {MOST_BYTES}."
            self.answer(413, {"error": wrong})
            return
        try:
            image = image_from_bytes(self.rfile.read(size), "the body")
            [reading] = self.recognizer.read([image], decoder=self.decoder)
        except CTCKitError as error:
            self.answer(400, {"error": str(error)})
            return
        places = [[span.character, span.left, span.right] for span in reading.spans]
        found = {
            "text": reading.text,
            "confidence": round(reading.confidence, 3),
            "places": places,
        }
        self.answer(200, found)

    def answer(self, status: int, content: dict) -> None:
        """Send JSON."""
        body = (json.dumps(content, ensure_ascii=False) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(model: str, port: str = "8000") -> None:
    """Load the model once, then answer until Ctrl-C."""
    try:
        Handler.recognizer = Recognizer.load(model)
    except CTCKitError as error:
        sys.exit(str(error))
    # A service may add a language model, a lexicon or hotwords here.
    Handler.decoder = BeamDecoder(Handler.recognizer.vocabulary)
    with ThreadingHTTPServer(("127.0.0.1", int(port)), Handler) as server:
        print(f"listening on port {server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
