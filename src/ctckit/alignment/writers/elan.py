"""ELAN's annotation format, version 3.0."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from datetime import datetime, timezone
from itertools import pairwise
from xml.etree import ElementTree

from ctckit.alignment.spans import TimedText
from ctckit.alignment.writers import xml
from ctckit.alignment.writers.tiers import CONFIDENCE, NOT_FOUND, Tiers, found_and_not, milliseconds
from ctckit.errors import InvalidInputError

SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
TYPE = "aligned"


def eaf(tiers: Tiers) -> str:
    """Return a document with a tier of time-aligned annotations for each tier.

    Texts without frames are annotations of 1 ms in a separate tier. The confidences of a tier are a dependent tier.
    """
    named: dict[str, Sequence[tuple[int, int, str]]] = {}
    sure: dict[str, Sequence[float | None]] = {}
    for name, entries in tiers.disjoint().items():
        found, missing = found_and_not(entries)
        named[name] = [_annotation(each) for each in found]
        sure[name] = [each.confidence for each in found]
        if missing:
            named[f"{name}: {NOT_FOUND}"] = [_annotation(each) for each in missing]
    for name, timed in named.items():
        _expect_distinct_times(tiers, name, timed)
    document = ElementTree.Element("ANNOTATION_DOCUMENT", _document_attributes())
    header = ElementTree.SubElement(document, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if tiers.media is not None:
        kind = mimetypes.guess_type(tiers.media)[0] or "audio/*"
        ElementTree.SubElement(
            header, "MEDIA_DESCRIPTOR", MEDIA_URL=tiers.media, MIME_TYPE=kind, RELATIVE_MEDIA_URL=tiers.media
        )
    numbers = _add_tiers(document, named)
    added = [_add_confidences(document, name, numbers[name], sure[name]) for name in sure]
    ElementTree.SubElement(
        document, "LINGUISTIC_TYPE", GRAPHIC_REFERENCES="false", LINGUISTIC_TYPE_ID=TYPE, TIME_ALIGNABLE="true"
    )
    if any(added):
        _add_dependent_type(document)
    ElementTree.indent(document)
    return xml.text_of(document)


def _document_attributes() -> dict[str, str]:
    return {
        "AUTHOR": "ctckit",
        "DATE": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "FORMAT": "3.0",
        "VERSION": "3.0",
        "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
        "xsi:noNamespaceSchemaLocation": SCHEMA,
    }


def _add_tiers(document: ElementTree.Element, named: dict[str, Sequence[tuple[int, int, str]]]) -> dict[str, list[str]]:
    """Add the tiers and their times; return the identifiers of the annotations of each."""
    order = ElementTree.SubElement(document, "TIME_ORDER")
    times = sorted({at for timed in named.values() for start, end, _ in timed for at in (start, end)})
    slots = {at: f"ts{n}" for n, at in enumerate(times, 1)}
    for at, slot in slots.items():
        ElementTree.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(at))
    count = 0
    identifiers: dict[str, list[str]] = {name: [] for name in named}
    for name, timed in named.items():
        tier = ElementTree.SubElement(document, "TIER", LINGUISTIC_TYPE_REF=TYPE, TIER_ID=name)
        for start, end, text in timed:
            count += 1
            identifiers[name].append(f"a{count}")
            place = ElementTree.SubElement(
                ElementTree.SubElement(tier, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                ANNOTATION_ID=f"a{count}",
                TIME_SLOT_REF1=slots[start],
                TIME_SLOT_REF2=slots[end],
            )
            ElementTree.SubElement(place, "ANNOTATION_VALUE").text = xml.allowed(text)
    return identifiers


def _add_confidences(
    document: ElementTree.Element, name: str, identifiers: Sequence[str], sure: Sequence[float | None]
) -> bool:
    """Add the tier of the confidences of a tier; return whether there are any."""
    known = [(of, value) for of, value in zip(identifiers, sure, strict=True) if value is not None]
    if not known:
        return False
    tier = ElementTree.SubElement(
        document, "TIER", LINGUISTIC_TYPE_REF=CONFIDENCE, PARENT_REF=name, TIER_ID=f"{name}: {CONFIDENCE}"
    )
    for of, value in known:
        annotation = ElementTree.SubElement(
            ElementTree.SubElement(tier, "ANNOTATION"), "REF_ANNOTATION", ANNOTATION_ID=f"{of}c", ANNOTATION_REF=of
        )
        ElementTree.SubElement(annotation, "ANNOTATION_VALUE").text = f"{value:.2f}"
    return True


def _add_dependent_type(document: ElementTree.Element) -> None:
    association = "Symbolic_Association"
    ElementTree.SubElement(
        document,
        "LINGUISTIC_TYPE",
        CONSTRAINTS=association,
        GRAPHIC_REFERENCES="false",
        LINGUISTIC_TYPE_ID=CONFIDENCE,
        TIME_ALIGNABLE="false",
    )
    ElementTree.SubElement(
        document, "CONSTRAINT", DESCRIPTION="1-1 association with a parent annotation", STEREOTYPE=association
    )


def _annotation(entry: TimedText) -> tuple[int, int, str]:
    start = milliseconds(entry.start_seconds)
    return start, max(start + 1, milliseconds(entry.end_seconds)), entry.text


def _expect_distinct_times(tiers: Tiers, name: str, timed: Sequence[tuple[int, int, str]]) -> None:
    for n, ((_, end, text), (start, _, behind)) in enumerate(pairwise(timed)):
        if start < end:
            raise InvalidInputError(
                f"{tiers.name}: {text!r} and {behind!r}, {n} and {n + 1} of tier {name!r}, fall on the same "
                "millisecond, the shortest time in ELAN. Write another format."
            )
