"""Access to the live lattice in a browser: its store, its tiles, its canvases."""

import time

from ctckit import lattice
from ctckit.viz.synthetic import synthetic_log_probs, synthetic_vocabulary


def store(page, expression):
    return page.evaluate(f"() => {{ const {{ store }} = ctckit; return {expression}; }}")


def settle(page):
    """Wait until everything is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def clear_target(page):
    """Empty the target. ``page.fill`` would press Delete, a key that was lost once on a busy machine."""
    page.locator("#target").evaluate("(field) => { field.value = ''; field.dispatchEvent(new Event('input')); }")


def until(page, condition, seconds=120):
    """Wait for an expression. wait_for_function does not work: the page forbids eval."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"() => {{ const {{ store }} = ctckit; return Boolean({condition}); }}"):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(20)
    settle(page)


def tile(page, name):
    settle(page)
    return page.text_content(f"#{name}").strip()


def loss_of(text, target=None):
    vocabulary = synthetic_vocabulary(text)
    tokens = vocabulary.encode(text)
    return -lattice(synthetic_log_probs(tokens, len(vocabulary)), vocabulary.encode(target or text)).log_likelihood


def corner(page, canvas):
    """The upper left corner of a canvas, in the window."""
    page.locator(canvas).scroll_into_view_if_needed()
    settle(page)
    box = page.locator(canvas).bounding_box()
    return box["x"], box["y"]


def cell(page, canvas, t, row):
    """The middle of a cell, in the window."""
    x, y = corner(page, canvas)
    width, height = page.evaluate(
        """(canvas) => [
          parseFloat(document.querySelector(canvas).style.width) / ctckit.store.count,
          parseFloat(document.querySelector(canvas.replace("-canvas", "-names")).firstChild.style.height),
        ]""",
        canvas,
    )
    return x + (t + 0.5) * width, y + (row + 0.5) * height
