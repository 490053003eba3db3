"""``ctckit serve`` under load: ``python -m benchmarks.service.load --out benchmarks/results/service.json``.

The service has one processor; wrk, which sends the requests, has another one. Beside it, the loop that one would write
without a service, on the same processor: it parses the same bodies and computes them one after the other. Then clients
that behave badly, while others load the service; and its memory before and after many requests.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from benchmarks.common import commands, results
from benchmarks.common.posteriors import SETS
from benchmarks.service.page import print_tables

CLIENTS = (1, 16, 200)
SECONDS = 10.0  # of each measurement
SETTLED = 10_000  # requests until the memory of a service is that of a running one
WRK = Path(__file__).with_name("post.lua")


@dataclass(frozen=True)
class Route:
    """A route of the service, and the same work without a service.

    Attributes:
        path: The address of the route.
        options: The options of ``ctckit serve``.
        bodies: What clients send, in turn.
        compute: Does the same with one body.
        kind: Their content type.
        requests: How many are sent between two looks at the memory.
    """

    path: str
    options: list[str]
    bodies: list[bytes]
    compute: Callable[[bytes], Any]
    kind: str = "application/octet-stream"
    requests: int = 100_000


def decode_route(folder: Path) -> Route:
    """Log-probabilities of lines, decoded by a beam of 100."""
    import ctckit

    data = SETS["ocr_ppv4"]()
    (folder / "tokens.txt").write_text("".join(f"{token or '<blank>'}\n" for token in data.tokens), encoding="utf-8")
    bodies = []
    for n in range(len(data)):
        np.save(file := io.BytesIO(), data[n])
        bodies.append(file.getvalue())
    vocabulary = ctckit.Vocabulary.load(folder / "tokens.txt")
    decoder = ctckit.BeamDecoder(vocabulary)
    return Route(
        "/decode",
        ["--vocabulary", str(folder / "tokens.txt")],
        bodies,
        lambda body: decoder.decode(np.load(io.BytesIO(body)))[0][0].text,
    )


def read_route(folder: Path) -> Route:
    """Images of digit strings, read by the demo's network; its weights are random, which takes the same time."""
    import torch
    from PIL import Image

    import ctckit
    from ctckit.ocr import CRNN, CRNNConfig, Recognizer
    from ctckit.ocr.data.synthetic import CHARSET, held_out_strings
    from ctckit.ocr.model_folder import save_model

    torch.set_num_threads(1)
    torch.manual_seed(0)
    vocabulary = ctckit.Vocabulary.from_characters(CHARSET)
    save_model(folder / "model", CRNN(CRNNConfig(num_classes=len(vocabulary))), vocabulary)
    recognizer = Recognizer.load(folder / "model")
    head, end = b'--b\r\nContent-Disposition: form-data; name="images"; filename="line.png"\r\n\r\n', b"\r\n--b--\r\n"
    bodies = []
    for line in held_out_strings(100):
        Image.fromarray(line.image).save(file := io.BytesIO(), "PNG")
        bodies.append(head + file.getvalue() + end)
    return Route(
        "/read",
        ["--model", str(folder / "model")],
        bodies,
        lambda body: recognizer.read([Image.open(io.BytesIO(body[len(head) : -len(end)]))])[0].text,
        "multipart/form-data; boundary=b",
        requests=20_000,
    )


ROUTES = {"decode": decode_route, "read": read_route}


def pinned(processor: int) -> list[str]:
    """Return the beginning of a command that runs on one processor."""
    return ["taskset", "--cpu-list", str(sorted(os.sched_getaffinity(0))[processor])]


@contextmanager
def served(options: list[str], folder: Path) -> Iterator[tuple[str, int]]:
    """Run the service on the first processor; gives its address and its process number."""
    command = [*pinned(0), sys.executable, "-m", "ctckit", "serve", "--port", "0", *options]
    log = folder / "log"
    with log.open("w") as said, subprocess.Popen(command, stderr=said) as process:
        try:
            while not (found := re.search(r"running on (http://\S+)", log.read_text())):
                if process.poll() is not None:
                    raise SystemExit(log.read_text())
                time.sleep(0.1)
            yield found[1], process.pid
        finally:
            process.terminate()


def loop(route: Route, seconds: float) -> float:
    """Return items per second of the plain loop."""
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        route.compute(route.bodies[count % len(route.bodies)])
        count += 1
    return count / spent


def load(address: str, route: Route, folder: Path, clients: int, seconds: float) -> dict[str, float]:
    """Send requests from so many clients at once, each after the answer to its last one."""
    while "requests_under_way 0.0" not in urllib.request.urlopen(f"{address}/metrics", timeout=60).read().decode():
        time.sleep(0.1)  # those of clients that are gone
    for n, body in enumerate(route.bodies):
        (folder / f"{n:03}.body").write_bytes(body)
    command = [*pinned(1), "wrk", "-t1", f"-c{clients}", f"-d{seconds:.0f}s", "--timeout", "60s", "-s", str(WRK)]
    done = subprocess.run(
        [*command, f"{address}{route.path}", "--", str(folder), str(len(route.bodies)), route.kind],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


def resident(process: int) -> float:
    """Return the resident memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def misbehave(address: str, route: Route) -> dict[str, int]:
    """Be slow, leave in the middle, and send what makes no sense; count the clients of each kind and the faults."""
    host, port = address.removeprefix("http://").split(":")
    rng = np.random.default_rng(0)
    head = f"POST {route.path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {route.kind}\r\nContent-Length: {{}}\r\n\r\n"
    body = route.bodies[0]
    slow = [socket.create_connection((host, int(port))) for _ in range(50)]
    for each in slow:
        each.sendall(head.format(len(body)).encode() + body[:100])
    for n in range(500):
        with socket.create_connection((host, int(port))) as cut:
            cut.sendall(head.format(len(body)).encode() + body[: int(rng.integers(len(body)))])
            if n % 2:  # reset, not closed
                cut.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    faults = 0
    for n in range(1000):
        garbage = bytearray(body) if n % 2 else bytearray(rng.bytes(int(rng.integers(5000))))
        for at in rng.integers(len(garbage), size=8) if garbage else ():
            garbage[at] = int(rng.integers(256))
        request = urllib.request.Request(f"{address}{route.path}", bytes(garbage), {"Content-Type": route.kind})
        try:
            urllib.request.urlopen(request, timeout=120).read()
        except urllib.error.HTTPError as error:
            faults += error.code >= 500 and error.code != 503
    for each in slow:
        each.close()
    return {"slow": len(slow), "cut": 500, "garbage": 1000, "faults": faults}


def measure(name: str, folder: Path, seconds: float, share: float) -> dict[str, Any]:
    """Return the figures of one route."""
    route = ROUTES[name](folder)
    (folder / "bodies").mkdir()
    alone = subprocess.run(
        [*pinned(0), sys.executable, "-m", __spec__.name, "--loop", name],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    with served(route.options, folder) as (address, process):
        load(address, route, folder / "bodies", 16, 3)
        found = {clients: load(address, route, folder / "bodies", clients, seconds) for clients in CLIENTS}
        bad = misbehave(address, route)
        sent = sum(each["requests"] for each in found.values())
        while sent < share * SETTLED:
            sent += load(address, route, folder / "bodies", 16, seconds)["requests"]
        before, counted = resident(process), 0.0
        while counted < share * route.requests:
            again = load(address, route, folder / "bodies", 200, seconds)
            counted += again["requests"]
            bad["faults"] += int(again["faults"])
        after = resident(process)
        urllib.request.urlopen(f"{address}/health", timeout=60).read()
    return {
        "case": name,
        "loop": float(alone.stdout),
        "peers": {str(clients): each for clients, each in found.items()},
        "bad": bad,
        "requests": int(counted),
        "mb": [round(before, 1), round(after, 1)],
    }


def main(
    quick: commands.Quick = False,
    loop_of: Annotated[str, typer.Option("--loop", help="Only print the plain loop's items per second.")] = "",
    cases: commands.Cases = "all",
    out: commands.Out = None,
) -> None:
    """Measure the service."""
    with tempfile.TemporaryDirectory() as name:
        if loop_of:
            print(loop(ROUTES[loop_of](Path(name)), SECONDS))
            return
    if shutil.which("wrk") is None:
        raise typer.BadParameter("wrk, which sends the requests, is not installed: apt-get install wrk")
    console = Console()
    found = results.begin(out, False, quick=quick, rounds=1)
    for case in commands.chosen(cases, tuple(ROUTES), "--cases"):
        with tempfile.TemporaryDirectory() as name:
            found["cases"].append(measure(case, Path(name), *((1, 0.01) if quick else (SECONDS, 1.0))))
        if out:
            results.write(found, out)
    print_tables(console, found)


if __name__ == "__main__":
    typer.run(main)
