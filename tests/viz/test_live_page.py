"""The live lattice as a file, and in a browser with mouse, keys and touch."""

import json
import math
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from ctckit import Vocabulary, lattice
from ctckit.errors import InvalidInputError
from ctckit.viz import LivePosterior, write_live_page
from ctckit.viz.live_page import _LIVE, joined_modules, live_page
from ctckit.viz.synthetic import synthetic_log_probs, synthetic_vocabulary
from tests.support.paths import ROOT
from tests.support.tolerances import BROWSER, COLUMN_OF_THREE_DIGITS, FOUR_DIGITS, THREE_DIGITS, TWO_DIGITS

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


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_live_page(tmp_path_factory.mktemp("live") / "lattice.html")


@pytest.fixture
def page(opened, file):
    return opened(file)


def store(page, expression):
    return page.evaluate(f"() => {{ const {{ store }} = ctckit; return {expression}; }}")


def settle(page):
    """Wait until everything is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def until(page, condition):
    """Wait for an expression. wait_for_function does not work: the page forbids eval."""
    while not page.evaluate(f"() => {{ const {{ store }} = ctckit; return Boolean({condition}); }}"):
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


def cell(page, canvas, t, row, height):
    x, y = corner(page, canvas)
    width = page.evaluate(
        "(canvas) => parseFloat(document.querySelector(canvas).style.width) / ctckit.store.count", canvas
    )
    return x + (t + 0.5) * width, y + (row + 0.5) * height


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
    page.mouse.move(*cell(page, "#posterior-canvas", 2, rows.index(c), 19))
    page.mouse.down()
    page.mouse.move(*cell(page, "#posterior-canvas", 2, rows.index(c) + 4, 19), steps=3)
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
    assert page.locator(".tiles .bad dd").evaluate_all("(all) => all.map((each) => each.id)") == ["loss", "needed"]
    above, message = (page.locator(each).bounding_box() for each in ("#target", "#infeasible"))
    assert 0 < message["y"] - (above["y"] + above["height"]) < 20
    assert store(page, "store.gradient.every((frame) => frame.every((value) => value === 0))")
    page.locator("#frames").fill("6")
    settle(page)
    assert page.is_hidden("#infeasible")
    assert page.locator(".tiles .bad").count() == 0


@pytest.mark.parametrize("frames", [0, 1])
def test_hardly_any_frames(page, frames):
    page.fill("#target", "")
    page.locator("#frames").fill(str(frames))
    expected = 0.0 if frames == 0 else -math.log(store(page, "Math.exp(store.logProbs[0][0])"))
    assert tile(page, "loss") == f"{expected:.4f}"
    for tab in ("alpha", "beta", "occupancy"):
        page.click(f"[data-quantity={tab}]")
        settle(page)


def test_dragging_a_bar(page):
    before = store(page, "[...store.logProbs[8]]")
    x, y = cell(page, "#posterior-canvas", 8, 3, 27)  # row 3: l
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
    page.mouse.move(*cell(page, "#lattice-canvas", 5, 3, 32))
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
    page.mouse.move(*cell(page, "#lattice-canvas", 9, 5, 32))
    settle(page)
    assert "p follows p: without the blank between them, the two would merge" in page.text_content("#inspector-body")
    assert page.locator("#inspector-body tr td").all_text_contents()[2] == "none"
    page.mouse.move(*cell(page, "#lattice-canvas", 9, 4, 32))
    settle(page)
    assert "a skip never leads to a blank" in page.text_content("#inspector-body")
    assert page.locator("#inspector-body tr td").all_text_contents()[2] == "none"
    page.mouse.move(*cell(page, "#lattice-canvas", 0, 1, 32))
    settle(page)
    assert "a path begins in one of the first two states" in page.text_content("#inspector-body")


def test_a_state_is_pinned_and_let_go(page):
    def title():
        settle(page)
        return page.text_content("#inspector-title")

    there, elsewhere = ((5, 3), "Frame 5, state 3: p"), ((9, 5), "Frame 9, state 5: p")
    page.mouse.move(*cell(page, "#lattice-canvas", *elsewhere[0], 32))
    assert title() == elsewhere[1]
    page.mouse.click(*cell(page, "#lattice-canvas", *elsewhere[0], 32))
    page.mouse.move(*cell(page, "#lattice-canvas", *there[0], 32))
    assert title() == elsewhere[1]
    assert "Pinned." in page.text_content("#inspector-body")
    page.mouse.move(2, 2)
    assert title() == elsewhere[1]
    page.mouse.click(*cell(page, "#lattice-canvas", *elsewhere[0], 32))
    page.mouse.move(2, 2)
    assert title() == there[1]  # the one that is shown at first
    page.focus("#lattice-canvas")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.text_content("#said").startswith("pinned: frame 6, state 3, p: occupancy")
    page.mouse.move(*cell(page, "#lattice-canvas", *elsewhere[0], 32))
    assert title() == "Frame 6, state 3: p"
    page.mouse.move(2, 2)
    page.keyboard.press("Escape")
    assert title() == there[1]


OCHRE = """([fromX, toX, fromY, toY]) => {
  const canvas = document.getElementById("lattice-canvas");
  const ratio = canvas.width / parseFloat(canvas.style.width);
  const wide = parseFloat(canvas.style.width) / ctckit.store.count;
  const box = [fromX * wide, fromY * 32, (toX - fromX) * wide, (toY - fromY) * 32].map((each) => each * ratio);
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
    page.mouse.move(*cell(page, "#lattice-canvas", 2, 9, 32))
    settle(page)
    assert page.evaluate(OCHRE, between) == 0
    page.mouse.move(*cell(page, "#lattice-canvas", 9, 5, 32))
    settle(page)
    assert 5 < page.evaluate(OCHRE, between) < 200
    assert "the two would merge" in page.text_content("#inspector-body")


def test_the_lattice_is_under_the_posterior_and_in_the_window(opened, file):
    page = opened(file, viewport={"width": 1400, "height": 950})
    boxes = {each: page.locator(each).bounding_box() for each in ("#posterior", "#lattice", "#reading", "#inspector")}
    bottom = {each: box["y"] + box["height"] for each, box in boxes.items()}
    assert bottom["#posterior"] < boxes["#lattice"]["y"] < bottom["#posterior"] + 40
    assert bottom["#lattice"] < boxes["#reading"]["y"]
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
    page.mouse.move(*cell(page, "#lattice-canvas", 10, 5, 32))
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
    until(page, "store.cursor === 2")
    settle(page)
    assert page.text_content("#frame") == f"frame {store(page, 'store.cursor')} (0–22)"
    assert page.text_content("#play-note") == "α is computed from the start"
    assert page.locator("#play").get_attribute("class") == "playing"
    page.click("#play")
    at = store(page, "store.cursor")
    page.wait_for_timeout(900)
    assert store(page, "store.cursor") == at
    beam = {text for text in page.locator("#beams-list li b").all_text_contents() if text != "(empty)"}
    assert max(map(len, beam)) <= at + 1  # the beam is that of the frame: no text is longer than it
    page.click("#ahead")
    assert store(page, "store.cursor") == at + 1
    page.locator("#scrub").fill("21")
    page.click("#play")
    until(page, "store.cursor === 0")  # it begins anew
    page.click("#play")
    page.click("[data-quantity=beta]")
    page.click("#play")
    until(page, "store.cursor === 20")  # from the end
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
    until(page, "store.step === 3")
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
    assert re.fullmatch(r"frame 22, state 2, blank: occupancy .+\. stay .+, advance .+\.", page.text_content("#said"))
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
    at = cell(page, "#posterior-canvas", 8, 3, 27)
    top = page.evaluate("() => scrollY")
    swipe(page, *at, 0, -150)  # a swipe up: the page scrolls
    page.wait_for_timeout(300)
    assert page.evaluate("() => scrollY") > top + 60
    swipe(page, *cell(page, "#posterior-canvas", 8, 3, 27), -120, 0)  # to the left: the panels do
    page.wait_for_timeout(300)
    assert page.evaluate("() => document.getElementById('posterior-canvas').parentElement.scrollLeft") > 40
    assert store(page, data) == before
    assert not store(page, "store.edited")
    page.evaluate("() => (document.getElementById('posterior-canvas').parentElement.scrollLeft = 0)")
    at = cell(page, "#posterior-canvas", 8, 3, 27)
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
    swipe(page, *cell(page, "#posterior-canvas", 3, 1, 27), 0, -60, pause=600)  # a long press selects too
    assert store(page, "store.logits[3][1]") > before[3][1] + 2


def test_panels_that_go_on_fade_at_their_edge(opened, file):
    page = opened(file, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    assert page.locator("#source").bounding_box()["width"] > 350
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
    page.touchscreen.tap(*cell(page, "#lattice-canvas", 4, 3, 32))
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
