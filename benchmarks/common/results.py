"""Results that are saved after each case, so that a run that ends early can be resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.common import machine

Results = dict[str, Any]


def saved(path: Path) -> Results | None:
    """Return the results in a file; None if there is no file."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def write(results: Results, path: Path) -> None:
    """Write results to a file. The file is either whole or not there."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def begin(out: Path | None, resume: bool, **more: Any) -> Results:
    """Return the results in ``out`` if they are to be resumed, else empty ones with ``more`` entries."""
    if resume and out and (found := saved(out)):
        return found
    return {**machine.about(), "instruction_set": "", "versions": {}, "refused": {}, "cases": [], **more}


def case_of(results: Results, name: str) -> Results | None:
    """Return the measurements of a case; None if there are none."""
    return next((each for each in results["cases"] if each["case"] == name), None)


def figures_of(results: Results, case: str, peer: str) -> Results | None:
    """Return the measurements of a library on a case; None if there are none."""
    found = case_of(results, case)
    return found["peers"].get(peer) if found else None


def run_of_its_own(results: Results) -> Results:
    """Return ``{"run": …}``: what is known of this run, if it adds to the results of another one; else nothing."""
    keys = ("date", "commit", "processor", "load_before")
    now = {key: value for key, value in machine.about().items() if key in keys}
    if all(now[key] == results[key] for key in ("date", "commit")):
        return {}
    if now["processor"] == results["processor"]:
        del now["processor"]
    return {"run": now}


class Recorder:
    """The results of one run, where they are written, and where refusals are printed."""

    def __init__(self, found: Results, out: Path | None, console: Console) -> None:
        self.found, self.out, self.console = found, out, console

    def refuse(self, name: str, where: str, why: object) -> None:
        """Record that a library has no figure on a case, and the reason."""
        key = f"{name}, {where}" if where else name
        self.found["refused"][key] = str(why)
        self.console.print(f"{key}: {why}", style="yellow")

    def add(self, result: Results, cases: list[str], peers: list[str]) -> None:
        """Add the measurements of a case, or of more libraries on a case, and write all.

        Args:
            result: The measurements.
            cases: All names of cases, in order.
            peers: All names of libraries, in order.
        """
        found = {each["case"]: each for each in self.found["cases"]}
        name = result["case"]
        together = {**result["peers"], **found.get(name, result)["peers"]}
        ordered = dict(sorted(together.items(), key=lambda item: peers.index(item[0])))
        found[name] = {**found.get(name, result), "peers": ordered}
        self.found["cases"] = sorted(found.values(), key=lambda each: cases.index(each["case"]))
        self.write()

    def write(self) -> None:
        """Write the results, if a file was named."""
        self.found["versions"] = dict(sorted(self.found["versions"].items()))
        if self.out:
            write(self.found, self.out)
