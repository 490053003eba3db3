"""The live lattice, as a file and in a browser, used as a reader would: by mouse, by key, by touch."""

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
from ctckit.viz.made_up import made_up_log_probs, made_up_vocabulary

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
    """Waits until everything has been drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def until(page, condition):
    """Waits; not by wait_for_function, whose eval the page's own rules forbid."""
    while not page.evaluate(f"() => {{ const {{ store }} = ctckit; return Boolean({condition}); }}"):
        page.wait_for_timeout(20)
    settle(page)


def tile(page, name):
    settle(page)
    return page.text_content(f"#{name}").strip()


def loss_of(text, target=None):
    vocabulary = made_up_vocabulary(text)
    tokens = vocabulary.encode(text)
    return -lattice(made_up_log_probs(tokens, len(vocabulary)), vocabulary.encode(target or text)).log_likelihood


def corner(page, canvas):
    """A canvas' upper left corner, in the window."""
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
    page.fill("#target", "Zoë")  # letters that the network did not know are added to it
    assert page.is_hidden("#problem")
    assert store(page, "store.target.length") == 3


def test_a_letter_that_a_trained_network_does_not_know(page):
    page.select_option("#source", "digits")
    page.fill("#target", "35a")
    settle(page)
    assert page.text_content("#problem") == "This network has no class for “a”: left out. It knows: 0 1 2 3 4 5 6 7 8 9"
    assert store(page, "store.target") == [4, 6]


def test_too_few_frames_are_explained(page):
    page.locator("#frames").fill("5")
    settle(page)
    assert page.text_content("#infeasible") == (
        "No path. 5 tokens + 1 blank between equal neighbours (pp) = 6 frames needed, 5 there: "
        "the loss is ∞ and the gradient 0."
    )
    assert tile(page, "loss") == "∞"
    assert store(page, "store.gradient.every((frame) => frame.every((value) => value === 0))")
    page.locator("#frames").fill("6")
    settle(page)
    assert page.is_hidden("#infeasible")


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
    np.testing.assert_allclose(np.diff(np.array(after)[others]), np.diff(np.array(before)[others]), atol=1e-9)
    assert np.exp(after).sum() == pytest.approx(1)
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
    assert page.text_content("#infeasible").startswith("No path: each one passes a class whose probability is 0")


def test_pointing_at_a_state_shows_its_arrows(page):
    page.click("[data-quantity=alpha]")
    page.mouse.move(*cell(page, "#lattice-canvas", 5, 3, 32))
    settle(page)
    assert page.text_content("#inspector-title") == "Frame 5, state 3: p"
    words = page.text_content("#inspector-body")
    assert "p differs from a: the blank between may be left out" in words
    alpha = store(page, "store.lattice.alpha[5][3]")
    assert f"{math.exp(alpha):.3f}" in words
    terms = store(page, "[3, 2, 1].map((s) => Math.exp(store.lattice.alpha[4][s]))")
    shown = page.locator("#inspector-body tr td").all_text_contents()
    assert [float(each) for each in shown[:3]] == pytest.approx(terms, abs=5e-4)
    assert float(shown[3]) == pytest.approx(sum(terms), abs=5e-4)
    page.mouse.move(*cell(page, "#lattice-canvas", 9, 5, 32))
    settle(page)
    assert "p follows p: without the blank between, the two would merge" in page.text_content("#inspector-body")
    assert page.locator("#inspector-body tr td").all_text_contents()[2] == "none"
    page.mouse.move(*cell(page, "#lattice-canvas", 9, 4, 32))
    settle(page)
    assert "a skip never leads to a blank" in page.text_content("#inspector-body")
    assert page.locator("#inspector-body tr td").all_text_contents()[2] == "none"
    page.mouse.move(*cell(page, "#lattice-canvas", 0, 1, 32))
    settle(page)
    assert "a path begins in one of the first two states" in page.text_content("#inspector-body")


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
        assert float(number) == pytest.approx(log if scale == "log" else math.exp(log), abs=6e-3)


def written(value):
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}·10{str(int(exponent)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def test_playing_the_recursion(page):
    page.click("[data-quantity=alpha]")
    page.click("#play")
    until(page, "store.cursor === 2")
    settle(page)
    assert page.text_content("#frame").endswith("of 23")
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
    until(page, "store.cursor === 0")
    until(page, "store.cursor === Infinity")
    assert page.text_content("#play") == "▶"


def test_the_training_as_a_film(page):
    page.select_option("#source", "digits")
    settle(page)
    assert page.text_content("#replay-value") == "1600"
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
    assert total == pytest.approx(paths - count * math.log(len(store(page, "store.names"))), rel=1e-9)


def dropped(page, path):
    """Drops a file on the page, as from a desktop."""
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
    np.testing.assert_allclose(store(page, "store.logProbs.map((frame) => [...frame])"), np.log(probs), atol=1e-9)
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
    page.select_option("#source", "made-up")
    settle(page)
    assert page.is_hidden("#file-panel")
    page.select_option("#source", "file")
    assert tile(page, "greedy") == "ab ✓"


def test_a_file_that_cannot_be_read(page, tmp_path):
    (tmp_path / "prose.csv").write_text("1,2\nthree,4\n", encoding="utf-8")
    dropped(page, tmp_path / "prose.csv")
    page.wait_for_selector("#problem:visible")
    assert page.text_content("#problem") == 'prose.csv: row 2, column 1 is "three"; expected a number.'
    assert store(page, "store.source") == "made-up"


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


def test_everything_has_a_name_for_those_who_listen(page):
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
    assert sum(float(each) for each in column if "·" not in each) == pytest.approx(1, abs=0.01)


def test_the_results_are_said_once_typing_stops(page):
    page.fill("#target", "appl")
    until(page, "document.getElementById('said').textContent.startsWith('Loss ')")
    assert page.text_content("#said").endswith("Greedy text: apple.")


def luminance(page, selector="body"):
    colour = page.evaluate("(selector) => getComputedStyle(document.querySelector(selector)).backgroundColor", selector)
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


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
    for source in ("made-up", "digits", "word"):
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
    assert float(tile(page, "loss")) == pytest.approx(expected, abs=1e-4)
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
