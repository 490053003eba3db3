"""The public API in one file: each name of the reference with its parameters, and each command with its options.

``make api`` writes the file, and a test compares it, so that no change is an accident. ``make api AGAINST=v0.1.0``
lists what is incompatible with that tag. docs/contributing/public_api.md says what is public.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import griffe

from tests.support.paths import ROOT

LIST = ROOT / "docs" / "contributing" / "public_api.txt"


def package() -> griffe.Module:
    """Return the package as its source says it, without importing it."""
    return griffe.load("ctckit", search_paths=[ROOT / "src"], allow_inspection=False)


def public_names() -> dict[str, str]:
    """Return the names in the reference, and where each is defined."""
    sys.path.insert(0, str(ROOT / "docs" / "_extensions"))
    import reference_pages as reference

    found = {}
    for name in (name for page in reference.all_pages() for name in reference.contents(page)):
        value = reference._resolve(name)
        own = str(getattr(value, "__module__", "")).startswith("ctckit")
        found[name] = f"{value.__module__}.{value.__qualname__}" if own and hasattr(value, "__qualname__") else name
    return found


def lines() -> Iterator[str]:
    """Yield the lines of the file."""
    source = package()
    for name, place in sorted(public_names().items()):
        yield from described(name, source[place.removeprefix("ctckit.")])
    yield from options("ctckit", command_line())


def described(name: str, value: griffe.Object | griffe.Alias) -> Iterator[str]:
    """Yield a name with its parameters; for a class, also its public methods and attributes."""
    if value.is_attribute:
        yield name
        return
    yield f"{name}({', '.join(parameters(value.parameters))})"
    if value.is_class:
        for member, each in sorted(value.all_members.items()):
            if not member.startswith("_"):
                yield from described(f"{name}.{member}", each)


def parameters(found: griffe.Parameters) -> Iterator[str]:
    """Yield parameters as they stand in a signature, without types and without ``self`` and private ones."""
    kinds, star = griffe.ParameterKind, False
    shown = [each for each in found if each.name not in ("self", "cls") and not each.name.startswith("_")]
    for n, each in enumerate(shown):
        star |= each.kind is kinds.var_positional
        if each.kind is kinds.keyword_only and not star:
            star = True
            yield "*"
        mark = {kinds.var_positional: "*", kinds.var_keyword: "**"}.get(each.kind, "")
        default = "" if mark or each.default is None else f"={each.default}"
        yield f"{mark}{each.name}{default}"
        if each.kind is kinds.positional_only and all(later.kind is not each.kind for later in shown[n + 1 :]):
            yield "/"


def command_line():
    from ctckit.cli import app
    from ctckit.cli.lazy import with_all_commands

    return with_all_commands(app)


def options(name, command) -> Iterator[str]:
    """Yield a command with its options, then its own commands."""
    yield " ".join([f"$ {name}", *(word for each in command.params for word in words(each))])
    for own, each in getattr(command, "commands", {}).items():
        yield from options(f"{name} {own}", each)


def words(parameter) -> Iterator[str]:
    if parameter.param_type_name == "argument":
        yield f"[{parameter.name}]" if not parameter.required else parameter.name
    else:
        yield from (
            f"[{each}]" if not parameter.required else each for each in parameter.opts + parameter.secondary_opts
        )


def breakages(reference: str) -> Iterator[str]:
    """Yield what is public and incompatible with a commit or tag, as griffe finds it."""
    old = griffe.load_git("ctckit", ref=reference, repo=ROOT, search_paths=["src"], allow_inspection=False)
    public = tuple(public_names().values())
    for each in griffe.find_breaking_changes(old, package()):
        if any(each.obj.path == name or each.obj.path.startswith((f"{name}.", f"{name}(")) for name in public):
            yield each.explain(griffe.ExplanationStyle.ONE_LINE)


def write(path: Path = LIST) -> None:
    path.write_text("\n".join(lines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:]:
        print("\n".join(breakages(sys.argv[1])) or "nothing public is incompatible")
    else:
        write()
