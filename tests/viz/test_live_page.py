"""The live lattice as a file, and in a browser: targets, dragged bars, states."""

import json
import math
import re
from collections import Counter

import numpy as np
import pytest

from ctckit import Vocabulary, lattice
from ctckit.errors import InvalidInputError
from ctckit.viz import LivePosterior, write_live_page
from ctckit.viz.live_page import _LIVE, joined_modules, live_page
from ctckit.viz.synthetic import synthetic_vocabulary
from tests.support.live_page import cell, clear_target, loss_of, settle, store, tile
from tests.support.tolerances import BROWSER, THREE_DIGITS

DATA = re.compile(r'<script type="application/json" id="page-data">\n(.*?)\n</script>', re.DOTALL)
TOP_LEVEL = re.compile(r"^(?:export )?(?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)


def modules():
    return {path.name: path.read_text(encoding="utf-8") for path in _LIVE.iterdir() if path.name.endswith(".js")}


# ---- as a file


def test_it_needs_nothing_else():
    page = live_page()
    assert not re.search(r"""https?:|src=|@import|url\((?!data:)|<link(?! rel="icon" href="data:,")""", page)
    assert "default-src 'none'" in page
    assert "@@" not in page
    assert not re.search(r"^(import|export) ", joined_modules(), re.MULTILINE)


def test_no_two_modules_use_a_name_for_two_things():
    names = Counter(name for source in modules().values() for name in TOP_LEVEL.findall(source))
    assert [name for name, count in names.items() if count > 1] == []


def test_every_module_is_in_it_once_after_those_that_it_imports():
    joined = joined_modules()
    found = re.findall(r"^// ---- (\w+\.js)$", joined, re.MULTILINE)
    assert sorted(found) == sorted(modules())
    for name, source in modules().items():
        imported = re.findall(r'^import \{[^}]*\} from "\./(\w+\.js)";$', source, re.MULTILINE)
        assert len(imported) == len(re.findall(r"^import", source, re.MULTILINE)), f"{name} imports in another way"
        assert all(found.index(each) < found.index(name) for each in imported)


def test_the_modules_are_short():
    assert max(source.count("\n") for source in modules().values()) < 400
    assert max(len(line) for source in modules().values() for line in source.splitlines()) <= 120


def test_a_text_cannot_end_the_script():
    page = live_page(text="</script><b>")
    data = json.loads(DATA.search(page)[1])
    assert data["text"] == "</script><b>"
    assert page.count("</script>") == live_page().count("</script>")


def test_the_folder_is_made(tmp_path):
    path = write_live_page(tmp_path / "new" / "lattice.html", text="a", frames=4)
    assert json.loads(DATA.search(path.read_text(encoding="utf-8"))[1])["frames"] == 4


@pytest.mark.parametrize("frames", [-1, 1001])
def test_frames_that_it_does_not_show(frames):
    with pytest.raises(InvalidInputError, match=rf"frames is {frames}; the page shows 0 to 1000\."):
        live_page(frames=frames)


def test_posteriors_that_it_cannot_show():
    vocabulary = Vocabulary.from_characters("ab")
    with pytest.raises(InvalidInputError, match=r"log_probs has shape \(4, 2\); expected .* with C = 3"):
        LivePosterior("two", np.zeros((4, 2)), vocabulary, "ab")
    with pytest.raises(InvalidInputError, match=r"steps has 3 entries; log_probs has shape \(2, 4, 3\)\."):
        LivePosterior("steps", np.zeros((2, 4, 3)), vocabulary, "ab", steps=(0, 1, 2))


# ---- in a browser


def test_it_opens_with_the_loss_of_the_library(page):
    assert tile(page, "loss") == f"{loss_of('apple'):.4f}"
    assert tile(page, "needed") == "6 / 23"
    assert tile(page, "greedy") == "apple ✓"
    assert tile(page, "best") == "apple ✓"


def test_typing_a_target(page):
    page.fill("#target", "ape")
    assert tile(page, "loss") == f"{loss_of('apple', 'ape'):.4f}"
    assert tile(page, "greedy") == "apple"
    page.click("#say")
    assert tile(page, "loss") == f"{loss_of('ape'):.4f}"
    assert tile(page, "greedy") == "ape ✓"


def test_a_target_never_changes_the_output_of_the_network(page):
    before = store(page, "store.logProbs.map((frame) => [...frame])")
    score = page.locator("#beams-list .number").first.text_content()
    for text, target in (("apple pie", "apple pie"), ("Äpfel", "pfel"), ("Zoë", "o")):
        page.fill("#target", text)
        settle(page)
        assert store(page, "store.logProbs.map((frame) => [...frame])") == before
        assert page.locator("#beams-list .number").first.text_content() == score
        assert tile(page, "loss") == f"{loss_of('apple', target):.4f}"
        assert page.is_visible("#problem") == (text != target)
        assert page.locator("#source option:checked").text_content() == "synthetic: spells ‘apple’"
    assert page.text_content("#problem") == (
        "This network has no class for “Z”, “ë”. Computed for the rest: “o”. "
        "“Make the frames spell it” adds the classes."
    )
    page.locator("#frames").fill("24")
    assert store(page, "store.names.length") == len(synthetic_vocabulary("apple"))  # other frames, the same classes
    page.click("#say")
    assert tile(page, "greedy") == "Zoë ✓"
    assert page.is_hidden("#problem")
    assert page.locator("#source option:checked").text_content() == "synthetic: spells ‘Zoë’"
    page.select_option("#source", "uniform")
    page.fill("#target", "Ö")
    settle(page)
    assert store(page, "store.names.length") == len(synthetic_vocabulary("Zoë"))
    assert page.locator("#source option").first.text_content() == "synthetic, for the target"


def test_the_most_likely_class_of_a_frame_has_a_row(page):
    page.fill("#target", "cat")
    page.click("#say")
    page.fill("#target", "a very long target with many letters, too long")
    settle(page)
    assert tile(page, "greedy") == "cat"
    rows = store(page, "store.rows")
    assert set(rows) >= {*store(page, "store.greedy"), *store(page, "store.target")}
    c = synthetic_vocabulary("cat").encode("c")[0]
    page.mouse.move(*cell(page, "#posterior-canvas", 2, rows.index(c)))
    page.mouse.down()
    page.mouse.move(*cell(page, "#posterior-canvas", 2, rows.index(c) + 4), steps=3)
    page.mouse.up()
    assert tile(page, "greedy") == "ccat"  # the neighboring frames still emit c
    assert store(page, "store.rows") == rows


def test_a_letter_that_a_trained_network_does_not_know(page):
    page.select_option("#source", "digits")
    page.fill("#target", "35a")
    settle(page)
    assert page.text_content("#problem") == (
        "This network has no class for “a”. Computed for the rest: “35”. Its classes: 0 1 2 3 4 5 6 7 8 9"
    )
    assert store(page, "store.target") == [4, 6]
    page.fill("#target", "abc")
    settle(page)
    assert "Computed for the rest: (empty text)." in page.text_content("#problem")


def test_too_few_frames_are_explained(page):
    page.locator("#frames").fill("5")
    settle(page)
    assert page.text_content("#infeasible") == (
        "No path. 5 tokens + 1 blank between equal neighbors (pp) = 6 frames needed, 5 available: "
        "the loss is ∞ and the gradient 0."
    )
    assert tile(page, "loss") == "∞"
    assert page.locator(".tiles .bad dd:nth-of-type(1)").evaluate_all("(all) => all.map((each) => each.id)") == [
        "loss",
        "needed",
    ]
    above, message = (page.locator(each).bounding_box() for each in ("#target", "#infeasible"))
    assert 0 < message["y"] - (above["y"] + above["height"]) < 20
    assert store(page, "store.gradient.every((frame) => frame.every((value) => value === 0))")
    page.locator("#frames").fill("6")
    settle(page)
    assert page.is_hidden("#infeasible")
    assert page.locator(".tiles .bad").count() == 0


@pytest.mark.parametrize("frames", [0, 1])
def test_hardly_any_frames(page, frames):
    clear_target(page)
    page.locator("#frames").fill(str(frames))
    expected = 0.0 if frames == 0 else -math.log(store(page, "Math.exp(store.logProbs[0][0])"))
    assert tile(page, "loss") == f"{expected:.4f}"
    for tab in ("alpha", "beta", "occupancy"):
        page.click(f"[data-quantity={tab}]")
        settle(page)


def test_dragging_a_bar(page):
    before = store(page, "[...store.logProbs[8]]")
    x, y = cell(page, "#posterior-canvas", 8, 3)  # row 3: l
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 70, steps=4)
    page.mouse.up()
    after = store(page, "[...store.logProbs[8]]")
    c = 12
    assert after[c] - before[c] > 1
    others = [k for k in range(len(before)) if k != c]
    np.testing.assert_allclose(np.diff(np.array(after)[others]), np.diff(np.array(before)[others]), atol=BROWSER)
    assert np.exp(after).sum() == pytest.approx(1, rel=BROWSER)
    scores = np.array(store(page, "store.logProbs.map((frame) => [...frame])"))
    assert tile(page, "loss") == f"{-lattice(scores, store(page, 'store.target')).log_likelihood:.4f}"
    assert tile(page, "greedy") == "aplple"
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 500, steps=4)  # and down again, far out of the picture
    page.mouse.up()
    assert store(page, "Math.exp(store.logProbs[8][12])") < 1e-6
    page.click("#reset")
    assert store(page, "[...store.logProbs[8]]") == before
    assert page.is_disabled("#reset")


def test_the_beams_after_a_drag_are_those_of_a_search_from_the_start(page):
    page.evaluate("() => { ctckit.store.nudge(5, 3, 4); ctckit.store.nudge(17, 20, 9); }")
    kept, anew = page.evaluate(
        """() => {
          const { store, beamsOf, tokensOf } = ctckit;
          const plain = (beams) => beams.map((beam) => beam.map((each) => [tokensOf(each.text), each.total]));
          return [plain(store.beams), plain(beamsOf(store.logProbs, store.blank, 40))];
        }"""
    )
    assert kept == anew


def test_a_class_that_is_impossible_can_be_dragged_up(page):
    page.evaluate("() => ctckit.store.setLogit(3, 5, -Infinity)")
    page.evaluate("() => ctckit.store.nudge(3, 5, 20)")
    assert store(page, "Math.exp(store.logProbs[3][5])") > 0.9


def test_every_path_may_pass_the_impossible(page):
    page.evaluate("() => { for (let c = 0; c < 27; c++) if (c !== 7) ctckit.store.setLogit(4, c, -Infinity); }")
    settle(page)
    assert page.text_content("#infeasible").startswith("No path: each one uses a class of probability 0 in some frame.")


def test_pointing_at_a_state_shows_its_arrows(page):
    page.click("[data-quantity=alpha]")
    page.mouse.move(*cell(page, "#lattice-canvas", 5, 3))
    settle(page)
    assert page.text_content("#inspector-title") == "Frame 5, state 3: p"
    words = page.text_content("#inspector-body")
    assert "p differs from a: the path may skip the blank between them" in words
    alpha = store(page, "store.lattice.alpha[5][3]")
    assert f"{math.exp(alpha):.3f}" in words
    terms = store(page, "[3, 2, 1].map((s) => Math.exp(store.lattice.alpha[4][s]))")
    shown = page.locator("#inspector-body tr td").all_text_contents()
    assert [float(each) for each in shown[:3]] == pytest.approx(terms, abs=THREE_DIGITS)
    assert float(shown[3]) == pytest.approx(sum(terms), abs=THREE_DIGITS)
    page.mouse.move(*cell(page, "#lattice-canvas", 9, 5))
    settle(page)
    assert "p follows p: without the blank between them, the two would merge" in page.text_content("#inspector-body")
    assert page.locator("#inspector-body tr td").all_text_contents()[2] == "none"
    page.mouse.move(*cell(page, "#lattice-canvas", 9, 4))
    settle(page)
    assert "a skip never leads to a blank" in page.text_content("#inspector-body")
    assert page.locator("#inspector-body tr td").all_text_contents()[2] == "none"
    page.mouse.move(*cell(page, "#lattice-canvas", 0, 1))
    settle(page)
    assert "a path begins in one of the first two states" in page.text_content("#inspector-body")
