"""Where each token is: forced alignment, and what its results are made of.

::

    spans.py          TokenSpan, WordSpan (frames), TimedText (seconds)
"""

from __future__ import annotations

from ctckit.alignment.spans import Runs, TimedText, TokenSpan, WordSpan, runs_of_path

__all__ = ["Runs", "TimedText", "TokenSpan", "WordSpan", "runs_of_path"]
