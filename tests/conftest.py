"""The settings that must come before the tests are imported; tests of packages that are not installed are skipped; a
Chromium for the tests of the live lattice.
"""

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.optional import skipping_what_is_not_installed

if not Path("/dev/nvidiactl").exists():  # no GPU: Triton's interpreter must be selected before Triton is imported
    os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup():
    with skipping_what_is_not_installed():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    with skipping_what_is_not_installed():
        return (yield)


def pytest_pycollect_makemodule(module_path, parent):
    return ModuleOfTests.from_parent(parent, path=module_path)


class ModuleOfTests(pytest.Module):
    """A module of tests, which is skipped if it imports a package that is not installed."""

    def collect(self):
        with skipping_what_is_not_installed():
            try:
                return super().collect()
            except self.CollectError as error:
                raise error.__cause__ or error from error


NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")  # not for the session, because other modules fork
def chromium():
    """Return a running Chromium. Skip where none is installed; but one that CTCKIT_CHROMIUM names must exist."""
    named = os.environ.get("CTCKIT_CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else NAMES)), None)
    if found is None and named is None:
        pytest.skip("no Chromium is installed")
    if named is None:
        pytest.importorskip("playwright", reason="Playwright is not installed")
    from playwright import sync_api as playwright

    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with playwright.sync_playwright() as session:
        browser = session.chromium.launch(executable_path=found, args=arguments, timeout=300_000)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium):
    """Return a function that opens a file in a new window; the test fails on page errors and on network requests."""
    complaints, contexts = [], []

    def open_page(path, fragment="", **settings):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        contexts.append(context)
        context.set_default_timeout(300_000)  # a busy machine can be slow for minutes
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: complaints.append(request.url) if asks_network(request.url) else None)
        page.goto(f"{path.as_uri()}{fragment}")
        assert page.evaluate("() => ctckit.store !== undefined")  # the page's scripts have run when it has loaded
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def asks_network(address):
    return not address.startswith(("file:", "data:", "blob:"))


@pytest.fixture
def signals_as_usual():
    """Signals that this process ignores (a job in the background, ``nohup``) stop processes during the test."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
