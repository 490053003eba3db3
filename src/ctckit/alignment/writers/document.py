"""JSON for programs. The schema is in docs/guides/align_recordings.md; ``version`` goes up if a field changes."""

from __future__ import annotations

import json
from dataclasses import asdict

from ctckit.alignment.writers.tiers import Tiers


def json_text(tiers: Tiers) -> str:
    """The tiers as an object of names and lists of entries."""
    content = {
        "format": "ctckit-alignment",
        "version": 1,
        "media": tiers.media,
        "duration_seconds": tiers.duration_seconds,
        "tiers": {name: [asdict(each) for each in entries] for name, entries in tiers.rows.items()},
    }
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
