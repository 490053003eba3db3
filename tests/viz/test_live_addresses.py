"""The live lattice's addresses: examples, the tour, what is shown as a link, and chapters."""

import html
import re

import pytest

from ctckit.viz import LivePosterior, write_live_page
from ctckit.viz.bundled import bundled_posteriors
from tests.support.live_page import settle, store, tile, until
from tests.support.paths import ROOT


def address(page):
    """Return the address that the page writes, a moment after each change."""
    settle(page)
    return page.evaluate("() => ctckit.address.now")


def test_what_is_shown_is_in_the_address_and_comes_back_from_it(opened, file):
    page = opened(file)
    page.fill("#target", "ape")
    page.click("#say")
    page.fill("#target", "appe")
    page.locator("#frames").fill("17")
    page.evaluate("() => { ctckit.store.nudge(4, 3, 2.5); ctckit.store.nudge(9, 0, -3); }")
    page.click("[data-quantity=beta]")
    page.click("[data-scale=log]")
    page.locator("#scrub").fill("6")
    page.evaluate("() => { ctckit.store.pin({ t: 5, s: 2 }); ctckit.store.tell(); }")
    link = address(page)
    until(page, f"location.hash === '{link}'")
    names = ("source", "spelled", "text", "count", "quantity", "scale", "frame", "picked")
    shown = f"[{', '.join(f'store.{name}' for name in names)}]"
    loss = tile(page, "loss")
    again = opened(file, link)
    assert store(again, shown) == store(page, shown)
    assert tile(again, "loss") == loss
    assert store(again, "store.drags()") == store(page, "store.drags()") == [[4, 3, -1.5], [9, 0, -2.5]]
    assert address(again) == link


def test_the_address_stays_empty_until_something_changes(page):
    page.wait_for_timeout(600)
    assert store(page, "store.quantity") == "alpha"  # chapter 3 begins with it; γ comes in chapter 5
    assert page.evaluate("() => location.hash") == ""


@pytest.mark.parametrize(
    "asked",
    [
        "#source=none",
        "#frames=-3",
        "#frames=x&step=2.5",
        "#frames=99999",
        "#state=99.99&frame=999",
        "#drags=1.2_x.y.z_900.900.5",
        "#quantity=delta&scale=cubic&play=chess",
        "#%",
    ],
)
def test_senseless_addresses_do_no_harm(opened, file, asked):
    page = opened(file, asked)
    assert tile(page, "greedy") == "apple ✓"
    assert not store(page, "store.edited")


def test_the_link_is_copied(chromium, file):
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{file.as_uri()}#source=misread")
    page.fill("#target", "5480")
    page.click("#link")
    until(page, "document.getElementById('link').textContent === 'Copied'")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied == f"{file.as_uri()}#source=misread&target=5480"
    context.close()


def test_where_copying_is_forbidden_the_link_is_shown(page):
    page.evaluate("() => (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))")
    page.click("#link")
    page.wait_for_selector("#link-field:visible")
    assert page.input_value("#link-field").endswith("#source=synthetic&text=apple")


CHIPS = {
    "squeeze to 5 frames": ("aple", "∞"),
    "remove the blank between pp": ("aple", "4.7012"),
    "a network that knows nothing": ("(empty)", None),
    "a misread digit": ("5480", None),
}


@pytest.mark.parametrize("name", CHIPS)
def test_an_example_is_a_link(page, name):
    chip = page.locator(".chips a", has_text=name)
    chip.click()
    text, loss = CHIPS[name]
    until(page, "document.querySelectorAll('.chips [aria-current]').length === 1")
    assert tile(page, "greedy") == text
    assert loss in (None, tile(page, "loss"))
    assert chip.get_attribute("aria-current") is not None
    assert store(page, "store.quantity") == "alpha"
    assert address(page) == chip.get_attribute("href")  # as the page would write it
    assert page.is_visible("#note") or page.is_visible("#infeasible")  # it says what there is to see
    page.fill("#target", "0")
    settle(page)
    assert page.locator(".chips [aria-current]").count() == 0
    page.go_back()
    until(page, "store.text === 'apple'")


def test_the_example_that_plays(page):
    page.click("text=watch it learn")
    until(page, "store.step > 2")
    page.click("#replay-play")
    at = store(page, "store.step")
    page.wait_for_timeout(600)
    assert store(page, "store.step") == at
    page.click("#replay-play")
    assert store(page, "store.step") > at  # it continues
    page.click("text=a misread digit")
    page.wait_for_timeout(600)
    assert store(page, "[store.source, store.step]") == ["misread", 0]


def test_the_tour_shows_one_panel_at_a_time(page):
    page.focus("#tour-start")
    page.keyboard.press("Enter")
    shown, quantities = [], []
    for step in range(1, 8):
        until(page, f"document.getElementById('tour-count').textContent === '{step} of 7'")
        (panel,) = page.locator(".panel:visible").evaluate_all("(all) => all.map((each) => each.id)")
        shown.append(panel)
        quantities.append(store(page, "store.quantity"))
        assert page.is_hidden(".controls")
        assert page.locator("#tour-back:visible").count() == (step > 1)
        assert page.evaluate("() => location.hash").startswith(f"#tour={step}&source=synthetic&text=apple")
        assert page.evaluate("() => document.activeElement.id") == "tour-next"
        assert page.locator("#posterior-names:visible", has_text="frame").count() == (panel == "posterior")
        page.keyboard.press("Enter")
    assert shown == ["posterior", "posterior", "lattice", "lattice", "lattice", "posterior", "gradient"]
    assert quantities == ["alpha"] * 4 + ["occupancy"] * 3  # γ from the step on that explains it
    page.wait_for_selector(".controls:visible")
    assert page.is_hidden("#tour")
    assert page.evaluate("() => document.activeElement.id") == "tour-start"
    assert page.locator("#posterior-names", has_text="frame").count() == 0  # the lattice has them now
    assert address(page) == "#source=synthetic&text=apple"
    page.go_back()
    page.wait_for_selector("#tour:visible")
    page.click("text=End the tour")
    page.wait_for_selector(".controls:visible")


def test_the_tour_is_about_apple_on_every_page(opened, tmp_path):
    given = bundled_posteriors()["misread"]
    mine = LivePosterior("mine", given.log_probs, given.vocabulary, "3480")
    page = opened(write_live_page(tmp_path / "mine.html", text="pear", posteriors=[mine]), "#")
    assert store(page, "store.source") == "given-0"
    page.click("text=Tour in seven steps")
    until(page, "store.text === 'apple'")
    assert tile(page, "greedy") == "apple ✓"


def test_links_to_chapters_only_where_there_are_chapters(opened, file, tmp_path):
    assert opened(file).locator("[data-chapter]:visible").count() == 0
    page = opened(write_live_page(tmp_path / "lattice.html", chapters="."))
    panels = page.locator(".panel [data-chapter]:visible").all_text_contents()
    assert panels == [f"Chapter {n}" for n in (2, 3, 5, 7)]
    links = page.locator(".chapters [data-chapter]:visible").evaluate_all("(all) => all.map((each) => each.href)")
    assert [re.sub(r".*/", "", link)[0] for link in links] == list("123456789")


def chapter_links():
    """The links of the chapters to the page: (number of the chapter, what is behind #)."""
    for path in sorted((ROOT / "docs" / "learn").rglob("*.py")):
        text = path.read_text(encoding="utf-8").replace("\n# ", " ")
        for link in re.findall(r'href="(?:\.\./)?lattice\.html(#[^"]*)"', text):
            yield path.stem[0], html.unescape(link)


def test_chapters_two_to_eight_link_to_what_they_speak_of(page):
    links = list(chapter_links())
    assert {chapter for chapter, _ in links} == set("2345678")
    for chapter, link in links:
        page.evaluate("(link) => { location.hash = link; }", link)
        settle(page)
        plays = re.search("&play=(.*)", link)
        if plays:
            until(page, {"recursion": "store.cursor < store.count", "training": "store.step > 0"}[plays[1]])
        else:
            assert address(page) == link, chapter  # all that it asks for is shown
        assert page.is_hidden("#problem"), link
