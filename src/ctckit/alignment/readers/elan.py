"""The texts of an ELAN file."""

from __future__ import annotations

from xml.etree import ElementTree


def eaf(content: str) -> dict[str, list[str]]:
    """Return the texts of each tier whose annotations have times, in the order of time.

    Raises:
        ValueError: If it is no ELAN file.
    """
    try:
        document = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no XML ({error}).") from None
    if document.tag != "ANNOTATION_DOCUMENT":
        raise ValueError(f"its root is {document.tag!r}; expected an ANNOTATION_DOCUMENT of ELAN.")
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in document.iter("TIME_SLOT")}
    tiers = {}
    for tier in document.iter("TIER"):
        timed = []
        for annotation in tier.iter("ALIGNABLE_ANNOTATION"):
            start = slots.get(annotation.get("TIME_SLOT_REF1"))
            timed.append((int(start or -1), annotation.findtext("ANNOTATION_VALUE") or ""))
        if timed:
            tiers[tier.get("TIER_ID", "")] = [text for _, text in sorted(timed, key=lambda each: each[0])]
    return tiers
