"""The live lattice with files, keys, themes, touch, small windows, and in another page."""

import re

import numpy as np
import pytest

from ctckit import Vocabulary, lattice
from ctckit.viz import LivePosterior, write_live_page
from ctckit.viz.synthetic import synthetic_vocabulary
from tests.support.live_page import cell, settle, store, tile, until
from tests.support.paths import ROOT
from tests.support.tolerances import BROWSER, COLUMN_OF_THREE_DIGITS, FOUR_DIGITS


def dropped(page, path):
    """Drop a file on the page, as from a desktop."""
    content = list(path.read_bytes())
    data = page.evaluate_handle(
        """([name, content]) => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(content)], name));
          return data;
        }""",
        [path.name, content],
    )
    page.dispatch_event("main", "dragover", {"dataTransfer": data})
    assert page.is_visible("#drop")
    page.dispatch_event("main", "drop", {"dataTransfer": data})
    until(page, "document.getElementById('drop').className === ''")


def test_dropping_an_array(page, tmp_path):
    probs = np.random.default_rng(0).dirichlet(np.ones(4), 12)
    np.save(tmp_path / "probs.npy", probs)
    dropped(page, tmp_path / "probs.npy")
    until(page, "store.source === 'file'")
    settle(page)
    assert "are they probabilities?" in page.text_content("#file-note")
    page.select_option("#file-kind", "probs")
    page.fill("#file-blank", "3")
    page.press("#file-blank", "Tab")
    page.fill("#file-names", "x y z")
    page.press("#file-names", "Enter")
    settle(page)
    np.testing.assert_allclose(store(page, "store.logProbs.map((frame) => [...frame])"), np.log(probs), atol=BROWSER)
    page.fill("#target", "xyx")
    expected = -lattice(np.log(probs), [0, 1, 0], blank=3).log_likelihood
    assert tile(page, "loss") == f"{expected:.4f}"
    assert page.locator("#source option:checked").text_content() == "probs.npy, 12 × 4"
    page.click("#file-turn")
    settle(page)
    assert store(page, "[store.count, store.names.length]") == [4, 12]


def test_a_table_with_names(page, tmp_path):
    (tmp_path / "said.csv").write_text("∅,a,b\n0,2,0\n3,0,0\n0,0,1\n", encoding="utf-8")
    page.set_input_files("#file", tmp_path / "said.csv")
    until(page, "store.source === 'file'")
    assert tile(page, "greedy") == "ab ✓"
    assert page.input_value("#file-names") == "a b"
    page.select_option("#source", "synthetic")
    settle(page)
    assert page.is_hidden("#file-panel")
    page.select_option("#source", "file")
    assert tile(page, "greedy") == "ab ✓"


def test_a_file_that_cannot_be_read(page, tmp_path):
    (tmp_path / "prose.csv").write_text("1,2\nthree,4\n", encoding="utf-8")
    dropped(page, tmp_path / "prose.csv")
    page.wait_for_selector("#problem:visible")
    assert page.text_content("#problem") == 'prose.csv: row 2, column 1 is "three"; expected a number.'
    assert store(page, "store.source") == "synthetic"
    page.evaluate("() => ctckit.store.tell()")  # it stays when the page is drawn again
    settle(page)
    assert page.is_visible("#problem")
    page.fill("#target", "a")
    settle(page)
    assert page.is_hidden("#problem")


def test_by_key(page):
    page.focus("#posterior-canvas")
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown", "+", "+"):
        page.keyboard.press(key)
    settle(page)
    assert page.text_content("#said").startswith("frame 2, a: 0.")
    assert store(page, "store.edited")
    page.focus("#lattice-canvas")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    settle(page)
    assert re.fullmatch(r"frame 22, state 2, blank: alpha .+\. stay .+, advance .+\.", page.text_content("#said"))
    page.focus("[data-quantity=occupancy]")
    page.keyboard.press("ArrowLeft")
    assert store(page, "store.quantity") == "beta"
    settle(page)
    assert page.get_attribute("[data-quantity=beta]", "aria-checked") == "true"
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.dataset.scale") == "linear"


def test_keys_are_explained_where_they_work_and_shift_makes_big_steps(page):
    visibility = "(each) => getComputedStyle(each).visibility"
    assert page.locator("#posterior-help").evaluate(visibility) == "hidden"
    before = page.locator("#lattice").bounding_box()["y"]
    page.focus("#posterior-canvas")
    assert page.locator("#posterior-help").evaluate(visibility) == "visible"
    assert page.locator("#lattice").bounding_box()["y"] == before  # nothing moves
    page.keyboard.press("ArrowDown")  # the blank of frame 0
    page.keyboard.press("ArrowDown")  # a of frame 0
    page.evaluate("() => ctckit.store.setLogit(0, 1, Math.log(0.001 / 0.999) + Math.log(ctckit.store.logits[0].reduce("
                  "(sum, logit, c) => sum + (c === 1 ? 0 : Math.exp(logit)), 0)))")  # fmt: skip
    assert store(page, "Math.exp(store.logProbs[0][1])") == pytest.approx(0.001, rel=BROWSER)
    for _ in range(5):
        page.keyboard.press("Shift++")
    assert 0.5 < store(page, "Math.exp(store.logProbs[0][1])") < 0.8
    logit = store(page, "store.logits[0][1]")
    page.keyboard.press("Shift+_")
    page.keyboard.press("-")
    page.keyboard.press("=")
    assert store(page, "store.logits[0][1]") == pytest.approx(logit - 1.5, rel=BROWSER)


def test_the_scale_of_the_gradient_is_written(page):
    settle(page)
    most = store(page, "Math.max(...store.gradient.flatMap((frame) => store.rows.map((c) => Math.abs(frame[c]))))")
    assert page.text_content("#gradient-scale") == f"A full bar is {most:.3f}."


def test_everything_has_a_name_for_screen_readers(page):
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, canvas")].filter((each) => {
          const named = each.getAttribute("aria-label") || each.textContent.trim() || each.labels?.length;
          return !named && !each.closest("[aria-hidden=true]") && !each.hidden;
        }).map((each) => each.outerHTML)"""
    )
    assert [each for each in unnamed if "media-canvas" not in each] == []
    page.click("[data-quantity=occupancy]")
    page.click("#numbers summary")
    settle(page)
    headers = page.locator("#numbers tbody th").all_text_contents()
    assert headers[:3] == ["0: ∅", "1: a", "2: ∅"]
    column = page.locator("#numbers tbody tr td:nth-child(9)").all_text_contents()[:11]
    assert sum(float(each) for each in column if "·" not in each) == pytest.approx(1, abs=COLUMN_OF_THREE_DIGITS)


def test_the_results_are_announced_once_typing_stops(page):
    page.fill("#target", "appl")
    until(page, "document.getElementById('said').textContent.startsWith('Loss ')")
    assert page.text_content("#said").endswith("Greedy text: apple.")


def luminance(page, selector="body"):
    color = page.evaluate("(selector) => getComputedStyle(document.querySelector(selector)).backgroundColor", selector)
    return sum(map(int, re.findall(r"\d+", color)[:3])) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(opened, file, scheme):
    page = opened(file, color_scheme=scheme)
    assert (luminance(page) < 60) == (scheme == "dark")
    page.click("#theme")
    settle(page)
    assert (luminance(page) < 60) == (scheme == "light")


@pytest.mark.parametrize("width", [360, 390, 820])
def test_on_a_small_window(opened, file, width):
    page = opened(file, viewport={"width": width, "height": 800}, has_touch=True, is_mobile=width < 500)
    for source in ("synthetic", "digits", "word"):
        page.select_option("#source", source)
        settle(page)
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    scrolled = page.evaluate(
        """async () => {
          const scroller = document.getElementById("lattice-canvas").parentElement;
          scroller.scrollLeft = 40;
          await new Promise((done) => setTimeout(done, 200));
          return [scroller.scrollLeft, document.getElementById("posterior-canvas").parentElement.scrollLeft];
        }"""
    )
    assert scrolled[0] == scrolled[1]


def touches(page):
    """Send real touches: ("Start", x, y), ("Move", x, y), ("End",)."""
    session = page.context.new_cdp_session(page)

    def send(kind, *at):
        points = [{"x": at[0], "y": at[1]}] if at else []
        session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})

    return send


def swipe(page, x, y, across, down, pause=0):
    touch = touches(page)
    touch("Start", x, y)
    page.wait_for_timeout(pause)
    for step in range(1, 9):
        touch("Move", x + across * step / 8, y + down * step / 8)
        page.wait_for_timeout(16)
    touch("End")
    settle(page)


def test_a_finger_scrolls_and_drags_what_it_has_selected(opened, file):
    page = opened(file, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    data = "store.logits.map((frame) => [...frame])"
    before = store(page, data)
    at = cell(page, "#posterior-canvas", 8, 3)
    top = page.evaluate("() => scrollY")
    swipe(page, *at, 0, -150)  # a swipe up: the page scrolls
    page.wait_for_timeout(300)
    assert page.evaluate("() => scrollY") > top + 60
    swipe(page, *cell(page, "#posterior-canvas", 8, 3), -120, 0)  # to the left: the panels do
    page.wait_for_timeout(300)
    assert page.evaluate("() => document.getElementById('posterior-canvas').parentElement.scrollLeft") > 40
    assert store(page, data) == before
    assert not store(page, "store.edited")
    page.evaluate("() => (document.getElementById('posterior-canvas').parentElement.scrollLeft = 0)")
    at = cell(page, "#posterior-canvas", 8, 3)
    page.touchscreen.tap(*at)
    settle(page)
    assert page.text_content("#said").startswith("frame 8, l: 0.")
    assert store(page, data) == before
    top = page.evaluate("() => scrollY")
    swipe(page, *at, 0, -90)  # it is selected: now it is dragged
    assert page.evaluate("() => scrollY") == top
    c = synthetic_vocabulary("").encode("l")[0]
    after = store(page, data)
    assert after[8][c] - before[8][c] > 3
    after[8][c] = before[8][c]
    assert after == before  # and nothing else
    page.click("#reset")
    swipe(page, *cell(page, "#posterior-canvas", 3, 1), 0, -60, pause=600)  # a long press selects too
    assert store(page, "store.logits[3][1]") > before[3][1] + 2


def test_panels_that_go_on_fade_at_their_edge(opened, file):
    page = opened(file, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    scroller = "document.getElementById('lattice-canvas').parentElement"
    faded = f"[...{scroller}.classList].filter((each) => each.startsWith('more')).sort().join()"
    until(page, f"{faded} === 'more-right'")
    page.evaluate(f"() => ({scroller}.scrollLeft = 40)")
    until(page, f"{faded} === 'more-left,more-right'")
    page.evaluate(f"() => ({scroller}.scrollLeft = 4000)")
    until(page, f"{faded} === 'more-left'")


def embedding(file, folder):
    """The page in an iframe, with the script of docs/learn/live.md."""
    source = (ROOT / "docs" / "learn" / "live.md").read_text(encoding="utf-8")
    frame = re.search(r"<iframe.*?</iframe>", source)[0].replace("lattice.html", file.as_uri())
    script = re.search(r"<script>.*?</script>", source, re.DOTALL)[0]
    style = "<style>iframe { width: 800px; height: 700px; }</style>"
    path = folder / "live.html"
    path.write_text(f'<!doctype html>{style}<body data-theme="dark">{frame}{script}</body>', encoding="utf-8")
    return path


def test_embedded_it_has_the_theme_of_the_page_around_it(chromium, file, tmp_path):
    page = chromium.new_page(color_scheme="light")
    page.goto(embedding(file, tmp_path).as_uri())
    inner = page.frame_locator("iframe").locator("body")

    def dark():
        page.wait_for_timeout(300)
        red, *_ = re.findall(r"\d+", inner.evaluate("(body) => getComputedStyle(body).backgroundColor"))
        return int(red) < 60

    assert dark()
    page.evaluate("() => (document.body.dataset.theme = 'light')")
    assert not dark()
    page.evaluate("() => (document.body.dataset.theme = 'dark')")
    assert dark()
    page.evaluate("() => (document.body.dataset.theme = 'auto')")
    assert not dark()
    page.emulate_media(color_scheme="dark")
    assert dark()
    page.close()


def test_a_tap_picks_a_state(opened, file):
    page = opened(file, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.touchscreen.tap(*cell(page, "#lattice-canvas", 4, 3))
    settle(page)
    assert page.text_content("#inspector-title") == "Frame 4, state 3: p"


def test_what_is_asked_for_in_the_address(opened, file):
    page = opened(file, "#source=digits&step=12&target=352&quantity=alpha&scale=log")
    assert store(page, "[store.source, store.step, store.text, store.quantity, store.scale]") == [
        "digits", 12, "352", "alpha", "log",
    ]  # fmt: skip


def test_posteriors_of_one_s_own(opened, tmp_path):
    log_probs = np.log(np.random.default_rng(3).dirichlet(np.ones(4), (3, 9)))
    mine = LivePosterior(
        "mine", log_probs, Vocabulary(("ab", "", "c", "d"), blank=1), "ab c", "a note", steps=("a", "b", "c")
    )
    page = opened(write_live_page(tmp_path / "mine.html", posteriors=[mine]))
    expected = -lattice(log_probs[2].astype(np.float32), [0, 2], blank=1).log_likelihood
    settle(page)
    assert page.text_content("#replay-value") == "a"
    page.locator("#replay").fill("2")
    assert float(tile(page, "loss")) == pytest.approx(expected, abs=FOUR_DIGITS)
    assert page.text_content("#replay-value") == "c"
    assert page.text_content("#note") == "a note"


def test_many_frames_and_states(opened, tmp_path):
    page = opened(write_live_page(tmp_path / "long.html", text="so many words " * 8))
    assert store(page, "[store.count, store.lattice.states]") == [451, 225]
    until(page, "store.beams.length === 451")
    for tab in ("alpha", "beta"):
        page.click(f"[data-quantity={tab}]")
        settle(page)
    assert page.is_hidden("#infeasible")
