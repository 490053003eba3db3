"""Make the films of the live lattice, light and dark, for the README and the home page.

    python docs/_figures/live_film.py

Needs Playwright, an installed Chromium and Pillow. The films are animated WebP, docs/images/live-lattice*.webp.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from ctckit.viz import write_live_page

IMAGES = Path(__file__).parents[1] / "images"
FILMS = {"light": IMAGES / "live-lattice.webp", "dark": IMAGES / "live-lattice-dark.webp"}
WIDTH, HEIGHT = 880, 820
MOST_BYTES = 750_000  # of each
STEP, PAUSE = 160, 1400  # milliseconds
TRAINING = (0, 3, 8, 13, 15, 16, 17, 18, 19, 20, 22, 24, 26, 29, 32, 36)  # of the steps of the bundled training
HIDDEN = """
.top, .chips, .controls, .rail, .bar, .swap, .help, .about, .tiles div:nth-child(n + 3):not(:nth-child(5)),
#meaning, #reset, #gradient, #best-path, #numbers { display: none !important; }"""
LAYOUT = """
.columns { grid-template-columns: minmax(0, 1fr) !important; } main { padding-top: .3rem; }
#note { font-size: 1.25rem; font-weight: 600; color: var(--ink) !important; margin: .3rem 0; }"""

Frame = tuple[Image.Image, int]


def picture(page: Page) -> Image.Image:
    """Return what the page shows."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def show(page: Page, address: str, caption: str) -> Image.Image:
    """Return the picture of an address of the page, with a caption."""
    page.evaluate("(address) => { location.hash = address; }", address)
    page.wait_for_timeout(50)
    page.evaluate("(text) => { const note = document.getElementById('note'); note.textContent = text; "
                  "note.hidden = false; }", caption)  # fmt: skip
    return picture(page)


def frames(page: Page) -> Iterator[Frame]:
    """Yield pictures with their times: α runs, the blank between pp falls, a network learns to read."""
    occupancy = "&quantity=occupancy"
    apple = "#source=synthetic&text=apple"
    for t in range(23):
        yield show(page, f"{apple}&frame={t}", "α: the sum over all paths, frame by frame"), STEP
    apple += occupancy
    yield show(page, apple, "γ: how likely each letter is in each frame"), PAUSE
    for logit in range(50, -650, -100):
        drags = f"drags=8.0.{logit}_9.0.{logit}"
        yield show(page, f"{apple}&{drags}", "No blank between pp: the loss of “apple” rises"), STEP
    yield picture(page), PAUSE
    for step in TRAINING:
        yield show(page, f"#source=digits&step={step}{occupancy}", "A network learns to read"), 2 * STEP
    yield picture(page), PAUSE


def main() -> None:
    """Write docs/images/live-lattice.webp and live-lattice-dark.webp."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = write_live_page(Path(folder) / "lattice.html")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme, film in FILMS.items():
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
            page.goto(path.as_uri())
            page.add_style_tag(content=HIDDEN + LAYOUT)
            (first, *others), times = zip(*frames(page), strict=True)
            first.save(film, save_all=True, append_images=others, duration=list(times), loop=0, quality=70, method=4)
            print(f"{film.name}: {len(times)} pictures, {sum(times) / 1000:.1f} s, {film.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
