"""A Chromium to open the live lattice in."""

import os
import shutil
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium; skips where none is installed. CTCKIT_CHROMIUM names another than the first found."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    found = os.environ.get("CTCKIT_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with playwright.sync_playwright() as session:
        browser = session.chromium.launch(executable_path=found, args=arguments, timeout=300_000)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium):
    """Opens a file in a window of its own; fails on whatever the page reports as an error, or asks of the network."""
    complaints, contexts = [], []

    def open_page(path, fragment="", **settings):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        contexts.append(context)
        context.set_default_timeout(300_000)  # a busy machine may stop for minutes
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: complaints.append(request.url) if asks_network(request.url) else None)
        page.goto(f"{path.as_uri()}{fragment}")
        page.wait_for_function("globalThis.ctckit?.store !== undefined")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def asks_network(address):
    return not address.startswith(("file:", "data:", "blob:"))


@contextmanager
def drawn(page):
    """Does something, then waits until the page has been drawn again."""
    yield
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
