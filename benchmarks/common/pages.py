"""Pages of docs/benchmarks: texts from notes/ with measurements from results/."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.common.libraries import Setting
from benchmarks.common.results import Results, saved

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results"
NOTES = ROOT / "benchmarks" / "notes"
PAGES = ROOT / "docs" / "benchmarks"
IMAGES = ROOT / "docs" / "images"
QUIET = 0.5  # a machine with at most this load average counts as quiet
HEAD = "<!-- Made by `make bench-page` from benchmarks/results and benchmarks/notes: edit those. -->\n"


def fill(name: str, **values: object) -> str:
    """Return a text of ``benchmarks/notes`` with its placeholders filled in."""
    return (NOTES / name).read_text(encoding="utf-8").strip().format(**values)


def page(name: str, **values: object) -> str:
    """Return a whole page, from a text of ``benchmarks/notes``."""
    return f"{HEAD}\n{fill(name, **values)}\n"


def write(path: Path, text: str) -> None:
    """Write a page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def results_or_exit(path: Path, command: str) -> Results:
    """Return saved results; end the program with a message if there are none."""
    if (found := saved(path)) is None:
        raise SystemExit(f"no results yet in {path.relative_to(ROOT)}: {command}")
    return found


def warning(results: Results) -> str:
    """Return a warning if the figures are rough, else nothing."""
    reasons = []
    if results["load_before"] > QUIET:
        reasons.append(f"the machine was not quiet (load average before the run: {results['load_before']})")
    if results["quick"]:
        reasons.append("few items and rounds (`--quick`)")
    return f"**Rough figures: {'; '.join(reasons)}.**\n\n" if reasons else ""


def run_of(case: Results) -> str:
    """Return a sentence on the run of a case that was measured later than the others; else nothing."""
    if not (run := case.get("run")):
        return ""
    rough = "" if run["load_before"] <= QUIET else ": rough figures"
    where = f" on another machine, {run['processor']}" if "processor" in run else ""
    return f" Measured later{where} ({run['date']}, commit {run['commit']}), load before: {run['load_before']}{rough}."


def settings_list(results: Results, settings: Mapping[str, Setting]) -> str:
    """Return a list of the settings that took part."""
    names = {name for case in results["cases"] for name in case["peers"]}
    return "\n".join(f"- {name}: {setting.about}" for name, setting in settings.items() if name in names)


def versions(results: Results) -> str:
    """Return the versions of all packages, as one line."""
    return ", ".join(f"{name} {version}" for name, version in results["versions"].items())


def when(results: Results) -> str:
    """Return date, commit, rounds and load, as one line."""
    parts = (results["date"], f"commit {results['commit']}", f"{results['rounds']} rounds")
    return f"{', '.join(parts)}, load before: {results['load_before']}."


def refusals(results: Results) -> list[str]:
    """Return a line for each library that has no figure on a case."""
    return [f"No figure for {who}: {why}." for who, why in results["refused"].items()]


def bullets(lines: list[str]) -> str:
    """Return a list in Markdown."""
    return "\n".join(f"- {line}" for line in lines)


def about(results: Results) -> str:
    """Return a list: the machine, the run, the versions, what has no figure."""
    machine = f"{results['processor']}, {results['cores']} cores, {results['instruction_set']}; {results['system']}."
    return bullets([machine, when(results), f"{versions(results)}.", *refusals(results)])


def items_of(case: Results) -> str:
    """Return the number of items in words."""
    return "one item" if case["items"] == 1 else f"{case['items']} items"


def capital(text: str) -> str:
    """Return a text with a capital first letter."""
    return text[0].upper() + text[1:]
