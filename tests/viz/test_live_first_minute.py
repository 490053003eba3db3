"""The live lattice as someone meets it: explanations, changes of the loss, players, long inputs, phones."""

import math
import re

import numpy as np
import pytest

from ctckit import lattice
from tests.support.live_page import cell, clear_target, settle, store, tile, until

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def test_each_tile_has_an_explanation_of_its_own(page):
    marks = page.locator(".tiles .help")
    assert marks.count() == page.locator(".tiles > div").count() == 6
    for n in range(6):
        marks.nth(n).focus()
        page.keyboard.press("Enter")
        shown = page.locator("[popover]:popover-open")
        assert shown.count() == 1
        box, mark = shown.bounding_box(), marks.nth(n).bounding_box()
        assert 0 < box["y"] - mark["y"] < 60
        assert 0 <= box["x"] <= 1280 - box["width"]
        page.keyboard.press("Escape")
        assert shown.count() == 0


def test_a_small_probability_beside_a_tick_is_explained(page):
    settle(page)
    assert page.text_content("#meaning") == (
        "p(“apple”) = 0.037 looks small, but no text has more. "
        "The other texts share the rest; the next, “appple”, has 0.012."
    )
    page.fill("#target", "ape")
    settle(page)
    assert page.text_content("#meaning").startswith("“apple” is more likely than “ape”: 0.037.")
    clear_target(page)
    settle(page)
    assert "more likely than the empty text" in page.text_content("#meaning")
    page.locator("#frames").fill("1")
    page.evaluate("() => { for (let c = 1; c < 28; c++) ctckit.store.setLogit(0, c, -Infinity); }")
    settle(page)
    assert page.text_content("#meaning") == "No other text has a probability that counts."
    page.select_option("#source", "word")
    settle(page)
    assert page.text_content("#meaning").startswith("p(“s ɛ v ə n”) = 0.264: no text has more.")
    page.select_option("#source", "digits")
    page.locator("#replay").fill("36")
    settle(page)
    assert page.text_content("#meaning").startswith("“35200” is more likely than all other texts together. The next is")


def test_of_texts_that_are_equally_likely_none_is_the_better_one(opened, file):
    page = opened(file, "#source=uniform&text=dog&frames=6")
    settle(page)
    with_all_paths = 84 / store(page, "store.names.length") ** 6
    assert store(page, "Math.exp(store.rival.total)") == pytest.approx(with_all_paths)
    assert re.search("“dog”.* no text has more.* “...” has as much.$", page.text_content("#meaning"))
    assert tile(page, "best").endswith(" =")
    assert page.text_content("#greedy") == "(empty)"


def test_a_small_change_of_the_loss_is_not_zero(page):
    before = float(tile(page, "loss"))
    page.evaluate("() => ctckit.store.nudge(2, 0, -0.02)")
    change = float(tile(page, "change").replace("−", "-"))
    assert change == pytest.approx(float(tile(page, "loss")) - before, abs=1.5e-4)
    assert 0 < abs(change) < 0.005


def test_a_phone_says_that_there_are_more_frames_and_examples(opened, file):
    page = opened(file, **PHONE)
    settle(page)
    assert page.is_visible(".beyond")
    assert "more-right" in page.get_attribute(".chips", "class")
    page.set_viewport_size({"width": 1280, "height": 844})
    settle(page)
    assert page.is_hidden(".beyond")
    assert page.evaluate("() => { const { scrollWidth, clientWidth } = document.querySelector('.chips');"
                         " return scrollWidth <= clientWidth; }")  # fmt: skip


def test_no_label_of_a_tile_is_cut(opened, file):
    page = opened(file)
    for width in (390, 640, 760, 1057, 1200, 1300):
        page.set_viewport_size({"width": width, "height": 800})
        settle(page)
        assert page.evaluate(
            "() => [...document.querySelectorAll('dt span')].every((each) => each.scrollWidth <= each.clientWidth)"
        ), width


def test_the_change_of_the_loss_while_dragging(page):
    before = float(tile(page, "loss"))
    x, y = cell(page, "#posterior-canvas", 8, 0)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 60, steps=3)
    change = float(tile(page, "change").replace("−", "-"))
    assert change == pytest.approx(float(tile(page, "loss")) - before, abs=0.006)
    assert change > 0.1
    assert page.get_attribute("#change", "class") == "change worse"
    page.mouse.up()
    page.fill("#target", "aple")  # the change for this target
    plain = lattice(np.array(store(page, "store.original.map((row) => [...ctckit.logSoftmax(row)])")),
                    store(page, "store.target")).log_likelihood  # fmt: skip
    change = float(tile(page, "change").replace("−", "-"))
    assert change == pytest.approx(float(tile(page, "loss")) + plain, abs=0.006)
    assert page.get_attribute("#change", "class") == "change better"
    page.click("#reset")
    assert tile(page, "change") == ""


IN_VIEW = """() => {
  const { store } = ctckit;
  const [lattice, bars] = ["lattice", "posterior"].map((name) => document.getElementById(`${name}-canvas`));
  const { scrollLeft, clientWidth } = lattice.parentElement;
  const x = (store.cursor * parseFloat(lattice.style.width)) / store.count - scrollLeft;
  return [store.cursor, 0 <= x && x < clientWidth, bars.parentElement.scrollLeft === scrollLeft];
}"""


def test_playing_scrolls_along(opened, file):
    page = opened(file, "#source=synthetic&text=alongertargetthatdoesnotfit&quantity=alpha", **PHONE)
    page.evaluate("() => (document.getElementById('lattice-canvas').parentElement.scrollLeft = 500)")
    for frame in ("0", "63"):
        page.locator("#scrub").fill(frame)
        settle(page)
        assert page.evaluate(IN_VIEW) == [int(frame), True, True]
    page.click("#play")
    until(page, "store.cursor > 75")
    page.click("#play")
    settle(page)
    frame, *seen = page.evaluate(IN_VIEW)
    assert frame > 75
    assert seen == [True, True]


def test_the_lattice_is_on_the_first_screen_of_a_phone(opened, file):
    page = opened(file, **PHONE)
    settle(page)
    box = page.locator("#lattice-canvas").bounding_box()
    assert box["y"] + box["height"] <= 844
    for selector in (".chips", "#loss", "#posterior-canvas", "#reading-canvas"):
        assert page.locator(selector).bounding_box()["y"] < box["y"]


@pytest.mark.parametrize("quantity", ["alpha", "beta"])
def test_every_frame_of_a_long_lattice_is_readable(opened, file, quantity):
    page = opened(file, f"#text=a+long+text+for+many+frames&frames=300&quantity={quantity}")
    tops = page.evaluate(
        """(quantity) => {
          const { store } = ctckit;
          const canvas = document.getElementById("lattice-canvas");
          const [wide, high] = [canvas.width / store.count, canvas.height];
          const context = canvas.getContext("2d");
          return [1, 75, 150, 225, 298].map((t) => {
            const { data } = context.getImageData(Math.round(t * wide), 0, Math.ceil(wide), high - 20);
            let most = 0;
            for (let i = 0; i < data.length; i += 4) {
              if (data[i + 2] > data[i] + 40) most = Math.max(most, data[i + 3]); // blue
            }
            return most;
          });
        }""",
        quantity,
    )
    assert min(tops) > 200  # of 255
    assert page.text_content("#lattice-note").endswith("scaled in each frame.")


def test_the_numbers_are_not_scaled(page):
    page.click("[data-quantity=alpha]")
    page.mouse.move(*cell(page, "#lattice-canvas", 22, 10))
    settle(page)
    alpha = store(page, "Math.exp(store.lattice.alpha[22][10])")
    assert f"{alpha:.3f}" in page.text_content("#inspector-body")
    assert not math.isclose(alpha, 1)
