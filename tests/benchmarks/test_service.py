"""The benchmark of the service: the plain loop, the page, what has to hold."""

from benchmarks.common.results import saved
from benchmarks.service import load, page


def test_the_plain_loop_takes_all_bodies_in_turn():
    seen = []
    route = load.Route("/decode", [], [b"1", b"2"], seen.append)
    per_second = load.loop(route, 0.01)
    assert seen[:4] == [b"1", b"2", b"1", b"2"]
    assert per_second > 100


def test_rows_are_relative_to_the_loop():
    figures = {"per_second": 500.0, "p50_ms": 2.0, "p99_ms": 4.0, "faults": 0}
    first, one = page.rows({"loop": 1000.0, "peers": {"1": figures}})
    assert first[:3] == ("plain loop", "1,000", "1×")
    assert one == ("1", "500", "0.50×", "2.0", "4.0", "0")


def test_the_page_is_what_the_results_make():
    assert page.PAGE.read_text(encoding="utf-8") == page.page(saved(page.RESULTS), saved(page.JOBS)), (
        "run make bench-page"
    )


def test_nothing_failed_and_memory_does_not_grow():
    """Bad clients cause no fault of the server, and 100,000 requests (20,000 images) leave its memory as it was."""
    for case in saved(page.RESULTS)["cases"]:
        assert case["bad"]["faults"] == 0
        assert sum(each["faults"] for each in case["peers"].values()) == 0
        before, after = case["mb"]
        assert case["requests"] >= {"decode": 100_000, "read": 20_000}[case["case"]]
        assert after <= 1.05 * before


def test_two_processors_read_more_lines():
    for case in saved(page.JOBS)["cases"]:
        speeds = {(run["processors"], run["workers"]): run["lines_per_second"] for run in case["runs"]}
        assert speeds[2, 2] >= 1.7 * speeds[1, 1]
