"""Where things are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN_FILES = ROOT / "tests" / "golden"
SHARED = ROOT.parent / "shared" / "data"  # posteriors, models and recordings; not in every checkout
