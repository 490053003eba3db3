"""JSON for programs. docs/guides/align_recordings.md has the schema; ``version`` increases if a field changes."""

from __future__ import annotations

import json
from typing import Any

from ctckit.alignment.spans import TimedText
from ctckit.alignment.writers.tiers import Tiers


def json_text(tiers: Tiers) -> str:
    """Return a JSON object: for each tier its name and the list of its entries."""
    content = {
        "format": "ctckit-alignment",
        "version": 1,
        "media": tiers.media,
        "duration_seconds": tiers.duration_seconds,
        "tiers": {name: [_entry(each) for each in entries] for name, entries in tiers.entries.items()},
    }
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _entry(each: TimedText) -> dict[str, Any]:
    return {
        "text": each.text,
        "start_seconds": each.start_seconds,
        "end_seconds": each.end_seconds,
        "confidence": each.confidence,
    }
