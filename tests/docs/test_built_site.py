"""The built site in a browser: nothing is cut off, nothing is a white box on a dark page.

``make docs-check`` builds the site and runs this; CTCKIT_SITE names the folder. Each page is measured in a wide and in
a narrow window, light and dark.
"""

import io
import os
from pathlib import Path

import numpy as np
import pytest

SITE = os.environ.get("CTCKIT_SITE")
NOT_TEXT = {"search.html", "genindex.html"}

pytestmark = pytest.mark.skipif(SITE is None, reason="CTCKIT_SITE names no built site; run make docs-check")

WINDOWS = [(1280, 900), (390, 844)]

MEASURE = """() => {
  const found = [];
  const tell = (what, element) => {
    const text = element.textContent.trim().replace(/\\s+/g, " ").slice(0, 60);
    found.push(`${what}: ${element.tagName}.${element.className} “${text}”`);
  };
  const behind = document.querySelector("article").getBoundingClientRect().right + 8;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const words = document.querySelector("article").textContent;
  if (words.includes("ndarray[tuple[")) found.push("a type is long");
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page is wider than the window");
  for (const each of document.querySelectorAll("article *")) {
    if (each.closest("svg, .sr-only, .visually-hidden, .headerlink")) continue;
    const style = getComputedStyle(each);
    const box = each.getBoundingClientRect();
    const cut = each.clientWidth > 0 && each.scrollWidth > each.clientWidth + 1 && style.overflowX !== "visible";
    const scrolls = each.tabIndex === 0 && each.classList.contains("scrolls");
    const [red, green, blue, opacity = 1] = style.backgroundColor.match(/[\\d.]+/g).map(Number);
    if (cut && each.matches("pre") && !each.closest(".cell_output")) tell("code is cut off", each);
    else if (cut && !scrolls) tell("it is cut off, or scrolls without a sign of it", each);
    const empty = !each.textContent.trim() && !each.matches("img, iframe");
    if (box.right > behind && !empty && !each.closest(".scrolls")) tell("it is wider than the text", each);
    if (each.matches(".cell_output pre") && style.whiteSpace !== "pre") tell("an output is wrapped", each);
    if (dark && opacity > 0.5 && red + green + blue > 450) tell("it is white on a dark page", each);
  }
  return found;
}"""


def pages():
    if SITE is None:
        return []
    found = [path.relative_to(SITE) for path in Path(SITE).rglob("*.html") if "_modules" not in path.parts]
    return sorted(path for path in found if path.name not in NOT_TEXT and path != Path("learn/lattice.html"))


@pytest.fixture(scope="module")
def window(chromium):
    context = chromium.new_context()
    context.set_default_timeout(300_000)
    yield context.new_page()
    context.close()


def drawn(window):
    window.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.mark.parametrize("path", pages(), ids=str)
def test_nothing_is_cut_off(window, path):
    window.goto((Path(SITE).absolute() / path).as_uri())
    window.evaluate("() => { for (const each of document.querySelectorAll('details')) each.open = true; }")
    found = {}
    for width, height in WINDOWS:
        for scheme in ("light", "dark"):
            window.set_viewport_size({"width": width, "height": height})
            window.emulate_media(color_scheme=scheme)
            drawn(window)
            if faults := window.evaluate(MEASURE):
                found[width, scheme] = faults
    assert not found


BRIGHT = 190  # of 255
MOST_BRIGHT = 0.4  # of the pixels of a picture; text and lines are fewer


@pytest.mark.parametrize("path", pages(), ids=str)
def test_no_picture_is_white_on_a_dark_page(window, path):
    image = pytest.importorskip("PIL.Image")
    window.set_viewport_size({"width": 1280, "height": 900})
    window.emulate_media(color_scheme="dark")
    window.goto((Path(SITE).absolute() / path).as_uri())
    for picture in window.locator("article :is(img, svg.picture image)").all():
        if picture.is_visible():
            pixels = np.asarray(image.open(io.BytesIO(picture.screenshot())).convert("L"))
            assert (pixels > BRIGHT).mean() < MOST_BRIGHT, picture.evaluate("(each) => each.outerHTML.slice(0, 99)")


def test_who_wants_to_begin_finds_the_first_pages(window):
    window.goto((Path(SITE).absolute() / "search.html").as_uri() + "?q=install")
    window.wait_for_function("() => /found|matching/.test(document.querySelector('#search-results p')?.textContent)")
    found = window.locator("#search-results li > a").all_inner_texts()
    assert [each.partition(" >")[0] for each in found[:2]] == ["Install", "Quickstart"]


def test_code_is_copied_without_prompts_and_outputs(window):
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    window.goto((Path(SITE).absolute() / "quickstart.html").as_uri())
    window.locator("button.copybtn").nth(1).click(force=True)
    window.wait_for_function("() => document.querySelector('button.copybtn.success')")
    copied = window.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines()[-1] == 'vocabulary.encode("apple")'
    assert not any(line.startswith((">>>", "...", "[1")) for line in copied.splitlines())


def test_a_chapter_can_be_downloaded(window):
    window.goto((Path(SITE).absolute() / "learn" / "3_forward.html").as_uri())
    files = [each.get_attribute("href") for each in window.locator("p.downloads a").all()]
    assert files == ["3_forward.ipynb", "3_forward.py"]
    assert all((Path(SITE) / "learn" / file).stat().st_size > 10_000 for file in files)
