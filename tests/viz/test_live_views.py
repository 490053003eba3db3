"""The views of the live lattice in a browser: the pinned state, the layout, scales, players, other posteriors."""

import math
from itertools import pairwise

import numpy as np
import pytest

from ctckit import lattice
from tests.support.live_page import cell, settle, store, tile, until
from tests.support.tolerances import BROWSER, TWO_DIGITS


def test_a_state_is_pinned_and_let_go(page):
    def title():
        settle(page)
        return page.text_content("#inspector-title")

    there, elsewhere = ((5, 3), "Frame 5, state 3: p"), ((9, 5), "Frame 9, state 5: p")
    page.mouse.move(*cell(page, "#lattice-canvas", *elsewhere[0]))
    assert title() == elsewhere[1]
    page.mouse.click(*cell(page, "#lattice-canvas", *elsewhere[0]))
    page.mouse.move(*cell(page, "#lattice-canvas", *there[0]))
    assert title() == elsewhere[1]
    assert "Pinned." in page.text_content("#inspector-body")
    page.mouse.move(2, 2)
    assert title() == elsewhere[1]
    page.mouse.click(*cell(page, "#lattice-canvas", *elsewhere[0]))
    page.mouse.move(2, 2)
    assert title() == there[1]  # the one that is shown at first
    page.focus("#lattice-canvas")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.text_content("#said").startswith("pinned: frame 6, state 3, p: alpha")
    page.mouse.move(*cell(page, "#lattice-canvas", *elsewhere[0]))
    assert title() == "Frame 6, state 3: p"
    page.mouse.move(2, 2)
    page.keyboard.press("Escape")
    assert title() == there[1]


OCHRE = """([fromX, toX, fromY, toY]) => {
  const canvas = document.getElementById("lattice-canvas");
  const ratio = canvas.width / parseFloat(canvas.style.width);
  const wide = parseFloat(canvas.style.width) / ctckit.store.count;
  const high = parseFloat(document.getElementById("lattice-names").firstChild.style.height);
  const box = [fromX * wide, fromY * high, (toX - fromX) * wide, (toY - fromY) * high].map((each) => each * ratio);
  const { data } = canvas.getContext("2d").getImageData(...box);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) {
    const [red, green, blue, alpha] = data.slice(i, i + 4);
    found += alpha > 200 && red > green + 40 && green > blue + 50;
  }
  return found;
}"""


def test_a_forbidden_skip_is_a_dotted_stub(page):
    page.locator("#show-path").uncheck()
    between = [8.6, 9.3, 4.0, 5.1]  # on the way from state 3 of frame 8 to state 5 of frame 9
    page.mouse.move(*cell(page, "#lattice-canvas", 2, 9))
    settle(page)
    assert page.evaluate(OCHRE, between) == 0
    page.mouse.move(*cell(page, "#lattice-canvas", 9, 5))
    settle(page)
    assert 5 < page.evaluate(OCHRE, between) < 200
    assert "the two would merge" in page.text_content("#inspector-body")


def test_the_lattice_is_under_the_posterior_and_in_the_window(opened, file):
    page = opened(file, viewport={"width": 1400, "height": 950})
    boxes = {each: page.locator(each).bounding_box() for each in ("#posterior", "#lattice", "#reading", "#inspector")}
    bottom = {each: box["y"] + box["height"] for each, box in boxes.items()}
    assert bottom["#posterior"] < boxes["#lattice"]["y"] < bottom["#posterior"] + 40
    bars = page.locator("#posterior-canvas").bounding_box()
    assert 0 < boxes["#reading"]["y"] - (bars["y"] + bars["height"]) < 20  # the collapse directly under the bars
    canvas = page.locator("#lattice-canvas").bounding_box()
    assert canvas["y"] + canvas["height"] * 0.9 < 950
    for width, beside in ((1400, True), (800, True), (700, False), (390, False)):
        page.set_viewport_size({"width": width, "height": 950})
        settle(page)
        lattice_box, inspector = (page.locator(each).bounding_box() for each in ("#lattice", "#inspector"))
        if beside:
            assert inspector["x"] > lattice_box["x"] + lattice_box["width"]
        else:
            assert 0 < inspector["y"] - (lattice_box["y"] + lattice_box["height"]) < 40


def test_the_names_of_many_states_have_room(page):
    page.fill("#target", "a very long target with many letters, too long")
    settle(page)
    boxes = page.locator("#lattice-names > span").evaluate_all(
        """(all) => all.filter((each) => each.textContent).map((each) => {
          const range = document.createRange();
          range.selectNodeContents(each);
          return [range.getBoundingClientRect().top, range.getBoundingClientRect().height];
        })"""
    )
    assert len(boxes) == store(page, "store.target.length") + 1  # the tokens, and the word under them
    assert all(below[0] >= above[0] + above[1] - 1 for above, below in pairwise(boxes))


@pytest.mark.parametrize(("quantity", "letter"), [("alpha", "α"), ("beta", "β"), ("occupancy", "γ")])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_linear_and_log(page, quantity, letter, scale):
    page.click(f"[data-quantity={quantity}]")
    page.click(f"[data-scale={scale}]")
    page.mouse.move(*cell(page, "#lattice-canvas", 10, 5))
    settle(page)
    value = store(page, f"store.lattice.{quantity}[10][5]")
    log = math.log(value) if quantity == "occupancy" else value
    found = {row.split(")")[0]: row for row in page.locator("#inspector-body tr").all_text_contents()}
    (line,) = [row for row in found.values() if f"{letter}10(5)" in row and ("=" in row)]
    number = line.split(f"{letter}10(5)")[1].replace("−", "-")
    if "·10" in number:
        assert number == written(math.exp(log))
    else:
        assert ("log " in line) == (scale == "log")
        assert float(number) == pytest.approx(log if scale == "log" else math.exp(log), abs=TWO_DIGITS)


def written(value):
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}·10{str(int(exponent)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def test_playing_the_recursion(page):
    page.click("[data-quantity=alpha]")
    page.click("#play")
    until(page, "store.cursor >= 2 && store.cursor < store.count")
    settle(page)
    assert page.text_content("#frame") == f"frame {store(page, 'store.cursor')} (0–22)"
    assert page.text_content("#play-note") == "α is computed from the start"
    assert page.get_attribute("#play", "aria-pressed") == "true"
    page.click("#play")
    at = store(page, "store.cursor")
    page.wait_for_timeout(900)
    assert store(page, "store.cursor") == at
    beam = {text for text in page.locator("#beams-list li b").all_text_contents() if text != "(empty)"}
    assert max(map(len, beam)) <= at + 1  # the beam is that of the frame: no text is longer than it
    page.click("#ahead")
    assert store(page, "store.cursor") == at + 1
    page.click("#play")
    assert at + 2 <= store(page, "store.cursor") < 23  # it continues
    page.click("#play")
    page.locator("#scrub").fill("22")
    page.click("#play")
    assert store(page, "store.cursor") < 5  # after the end it begins
    page.click("#play")
    page.click("[data-quantity=beta]")
    page.click("#play")
    until(page, "store.cursor <= 20")  # from the end
    page.click("#play")


def test_it_plays_to_the_end(page):
    page.locator("#frames").fill("6")
    page.click("[data-quantity=occupancy]")
    page.click("#play")
    assert "from the end" in page.text_content("#play-note")
    until(page, "store.cursor === 0 && document.getElementById('play').textContent === '▶'")
    assert page.input_value("#scrub") == "0"  # where it has ended: the slider does not jump
    assert page.text_content("#frame") == "frame 0 (0–5)"
    page.click("[data-quantity=alpha]")
    page.click("#play")
    until(page, "store.cursor === 5 && document.getElementById('play').textContent === '▶'")
    assert page.input_value("#scrub") == "5"


def test_the_training_as_a_film(page):
    page.select_option("#source", "digits")
    settle(page)
    assert page.text_content("#replay-value") == "0"
    said = store(page, "store.history.map((frames) => ctckit.greedyPath(frames.map(ctckit.logSoftmax)))")
    note = page.text_content("#note")
    assert "at first all classes are about equally likely, then the network emits only blanks, then digits" in note
    assert np.exp(store(page, "store.logProbs.map((frame) => [...frame])")).max() < 0.12  # of 11 classes
    blanks = [k for k, path in enumerate(said) if not any(path)]
    assert blanks == list(range(1, 15))
    page.locator("#replay").fill("8")
    assert tile(page, "greedy") == "(empty)"  # nothing but blanks
    assert page.text_content("#replay-value") == "80"
    assert page.input_value("#target") == "35200"
    losses = []
    for step in (0, 8, 20, 36):
        page.locator("#replay").fill(str(step))
        losses.append(float(tile(page, "loss")))
    assert losses == sorted(losses, reverse=True)
    page.click("#replay-play")
    until(page, "store.step >= 3")
    page.click("#replay-play")


def test_another_posterior(page):
    page.select_option("#source", "word")
    settle(page)
    assert page.is_visible("#media")
    assert page.input_value("#target") == "s ɛ v ə n"
    assert tile(page, "greedy") == "s ɛ v ə n ✓"
    page.click("#posterior-names button >> text=<wb>")
    settle(page)
    assert page.input_value("#target") == "s ɛ v ə n <wb>"
    page.select_option("#source", "uniform")
    page.fill("#target", "ab")
    settle(page)
    total = store(page, "store.lattice.total")
    count = store(page, "store.count")
    paths = lattice(np.zeros((count, 3)), [1, 2]).log_likelihood
    assert total == pytest.approx(paths - count * math.log(len(store(page, "store.names"))), rel=BROWSER)
