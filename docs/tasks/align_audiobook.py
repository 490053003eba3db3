"""Align an audiobook: recordings and texts go in, a book that is read along comes out.

python align_audiobook.py BOOK [MODEL [DICTIONARY]]

BOOK has a recording and a text for each chapter: 01.mp3 (or .wav, .flac, .ogg) and 01.txt,
a sentence, or a part of one, in each line. It gets 01.xhtml and 01.smil, the text and the
times as EPUB 3 has them, and 01.srt.
"""

import sys
from pathlib import Path

from ctckit.acoustic_models import AcousticModel, audio, listen, load_model
from ctckit.alignment import (
    PronouncingDictionary,
    align_lines,
    quiet_spans,
    subtitle_cues,
    summarize,
    timed_utterances,
    write_alignment,
)

SOUNDS = {".mp3", ".wav", ".flac", ".ogg"}


def spellings(model: AcousticModel, dictionary: str):
    """Return a function from a word to its pronunciations by dictionary and model."""
    if model.spell is None:  # the tokens are letters
        return None
    known = PronouncingDictionary(dictionary, model.vocabulary)

    def ways(word: str) -> list:
        own = model.spell(word.lower())
        return [*known.get(word, []), *([] if own is None else [own])]

    return ways


def align_chapter(recording: Path, model: AcousticModel, dictionary: str) -> None:
    """Align a chapter, write its files, and name the lines that were probably not read."""
    lines = [
        line
        for line in recording.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    # 1. The output of the model. A recording of any length is computed in chunks.
    heard = listen(recording, model)
    # 2. Each line in its frames. What the text lacks, such as music, may lie between.
    spans = align_lines(
        heard.log_probs, lines, model.vocabulary, spellings=spellings(model, dictionary)
    )
    # 3. Frames become seconds. A word lasts until the next one begins, or until a pause.
    tiers = timed_utterances(
        spans,
        model.vocabulary,
        heard.frame_seconds,
        boundaries="contiguous",
        lag_seconds=model.lag or 0.0,
        quiet=quiet_spans(audio.blocks(recording, model.rate), model.rate),
        duration_seconds=heard.duration_seconds,
    )
    # 4. The files, and what to check by ear.
    book = {name: tiers[name] for name in ("lines", "words")}
    for ending in (".xhtml", ".smil"):
        write_alignment(recording.with_suffix(ending), book, media=recording.name)
    write_alignment(recording.with_suffix(".srt"), {"lines": subtitle_cues(tiers["words"])})
    summary = summarize(tiers)
    print(f"{recording.name}: {summary}")
    for line in summary.suspicious:
        print(f"  check line {line}")


def main(book: str, model: str = "hama", dictionary: str = "cmudict") -> None:
    """Align all chapters of a book."""
    loaded = load_model(model)
    for recording in sorted(path for path in Path(book).iterdir() if path.suffix in SOUNDS):
        align_chapter(recording, loaded, dictionary)


if __name__ == "__main__":
    main(*sys.argv[1:])
