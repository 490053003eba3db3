"""How late captions are: ``python -m benchmarks.decoding.captions --dictionary cmudict.dict``.

A stream gets the recordings of ``asr_hama``, three times one after another (112 s), in chunks of 0.2 s, with the word
model and those of its words that the dictionary has. For each word of the final text, its delay is the time from its
end in the likeliest alignment until it is a stable word of a partial result.

Then the 191 classes are spread over 5,000, for the memory of a stream, and the time of partial results without a model.
All times are those of the processor.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.common import machine, pages, results
from benchmarks.common.arrays import Array
from benchmarks.common.memory import start_peak
from benchmarks.common.posteriors import read, spread
from benchmarks.common.tables import markdown_table
from benchmarks.decoding.exact import edits_of_words
from benchmarks.decoding.files import Files
from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.alignment import PronouncingDictionary

STRIDE = 0.02  # seconds
CHUNK = 10  # frames
TIMES = 3
DELAYS = (None, 1.0, 1.5, 2.0, 3.0)
WIDE = 5000  # classes
STREAMS = 8  # of which the mean memory is measured
RESULTS = pages.RESULTS / "decoding-streams.json"


@dataclass(frozen=True)
class Captions:
    """What one stream did.

    Attributes:
        words: The words of its final text.
        delays: Seconds for each.
        partial_ms: The processor's time for each ``partial()``.
        push_ms: The same for each ``push()``.
        kept: The most frames that it kept.
    """

    words: list[str]
    delays: Array
    partial_ms: Array
    push_ms: Array
    kept: int


def caption(decoder: BeamDecoder, log_probs: Array, commit_after: float | None) -> Captions:
    """Measure one stream."""
    stream = decoder.stream(commit_after=commit_after, stride=STRIDE)
    stable_at: list[int] = []
    partial_ms, push_ms, kept = [], [], 0
    for at in range(0, len(log_probs), CHUNK):
        begin = time.thread_time()
        stream.push(log_probs[at : at + CHUNK])
        pushed = time.thread_time()
        partial = stream.partial()
        partial_ms.append((time.thread_time() - pushed) * 1e3)
        push_ms.append((pushed - begin) * 1e3)
        stable_at += [stream.frames] * (len(partial.stable_words) - len(stable_at))
        kept = max(kept, len(stream._kept))
    words = stream.finish().words
    stable_at += [len(log_probs)] * (len(words) - len(stable_at))
    delays = [(frame - word.end) * STRIDE for frame, word in zip(stable_at, words, strict=True)]
    return Captions([word.text for word in words], np.array(delays), np.array(partial_ms), np.array(push_ms), kept)


def recordings() -> tuple[dict[str, Any], Array, list[str]]:
    """Return the description, the frames and the tokens of the recordings."""
    about, log_probs, _ = read("asr_hama")
    log_probs = np.concatenate([log_probs] * TIMES).astype(np.float32)
    return about, log_probs, ["" if k == about["blank"] else token for k, token in enumerate(about["labels"])]


def delays(dictionary: Path, beam_width: int) -> list[dict[str, Any]]:
    """Measure streams with a word model and a dictionary."""
    about, log_probs, tokens = recordings()
    said = " ".join(item["text"] for item in about["items"] * TIMES).split()
    vocabulary = Vocabulary(tuple(tokens), about["blank"], separator=tokens[about["word_boundary"]])
    spoken = PronouncingDictionary(dictionary, vocabulary)
    with tempfile.TemporaryDirectory() as folder:
        files = Files(Path(folder))
        lexicon = {word: spoken[word] for word in files.words if word in spoken}
        model = NGramModel.load(files.model("word3"))
    decoder = BeamDecoder(
        vocabulary,
        language_model=model,
        lexicon=lexicon,
        oov_charge=None,
        lm_weight=0.8,
        lm_boundary=False,
        beam_width=beam_width,
    )
    measured = []
    for commit_after in DELAYS:
        found = caption(decoder, log_probs, commit_after)
        errors = edits_of_words([(word,) for word in found.words], [(word,) for word in said])
        measured.append(
            {
                "commit_after": commit_after,
                "delay": np.percentile(found.delays, [50, 95, 100]).round(2).tolist(),
                "wer": round(errors / len(said), 4),
                "partial_ms": np.percentile(found.partial_ms, [50, 95]).round(3).tolist(),
                "push_ms": np.percentile(found.push_ms, [50, 95]).round(3).tolist(),
                "frames": found.kept,
            }
        )
    return measured


def wide_stream() -> tuple[BeamDecoder, Array]:
    """Return a decoder of 5,000 classes, and the recordings."""
    about, few, tokens = recordings()
    log_probs, places = spread(few, WIDE)
    names = [f"<{k}>" for k in range(WIDE)]
    for place, token in zip(places.tolist(), tokens, strict=True):
        names[place] = token
    separator = tokens[about["word_boundary"]]
    return BeamDecoder(Vocabulary(tuple(names), int(places[about["blank"]]), separator=separator)), log_probs


def wide() -> list[dict[str, Any]]:
    """Measure streams with 5,000 classes, without a model."""
    decoder, log_probs = wide_stream()
    whole = decoder.decode(log_probs)[0][0]
    measured = []
    for commit_after in (None, 2.0):
        stream = decoder.stream(commit_after=commit_after, stride=STRIDE)
        partial_ms, kept, fullest = [], [0], 0
        for at in range(0, len(log_probs), CHUNK):
            stream.push(log_probs[at : at + CHUNK])
            begin = time.thread_time()
            stream.partial()
            partial_ms.append((time.thread_time() - begin) * 1e3)
            fullest = at + CHUNK if len(stream._kept) > max(kept) else fullest
            kept.append(len(stream._kept))
        found = stream.finish()
        measured.append(
            {
                "commit_after": commit_after,
                "partial_ms": np.percentile(partial_ms, [50, 95, 100]).round(3).tolist(),
                "megabytes": round(megabytes(decoder, log_probs[:fullest], commit_after), 2),
                "frames": max(kept),
                "same_text": found.text == whole.text,
                "log_prob_off": abs(found.log_prob - whole.log_prob),
            }
        )
    return measured


def megabytes(decoder: BeamDecoder, log_probs: Array, commit_after: float | None) -> float:
    """Return the memory of a stream after these frames: the mean of some that exist together."""
    before = start_peak()
    streams = [decoder.stream(commit_after=commit_after, stride=STRIDE) for _ in range(STREAMS)]
    for at in range(0, len(log_probs), CHUNK):
        for stream in streams:
            stream.push(log_probs[at : at + CHUNK])
            stream.partial()
    return (start_peak() - before) / len(streams) / 1e6


def tables(found: results.Results) -> str:
    """Return the measurements as tables in Markdown."""
    of_delays = markdown_table(
        (
            "`commit_after`",
            "delay: median",
            "95 %",
            "longest",
            "words wrong",
            "`partial()`, ms",
            "`push()`, ms",
            "frames",
        ),
        (
            (
                _seconds(each["commit_after"]),
                *(f"{delay:.1f} s" for delay in each["delay"]),
                f"{100 * each['wer']:.1f} %",
                *("{:.2f} / {:.2f}".format(*each[name]) for name in ("partial_ms", "push_ms")),
                str(each["frames"]),
            )
            for each in found["delays"]
        ),
    )
    of_wide = markdown_table(
        ("`commit_after`", "MB a stream", "frames", "`partial()`, ms", "text of `decode`", "log p off by"),
        (
            (
                _seconds(each["commit_after"]),
                f"{each['megabytes']:.1f}",
                str(each["frames"]),
                "{:.2f} / {:.2f} / {:.2f}".format(*each["partial_ms"]),
                "yes" if each["same_text"] else "no",
                f"{each['log_prob_off']:.1g}" if each["same_text"] else "–",
            )
            for each in found["wide"]
        ),
    )
    where = f"{found['processor']}, {found['date']}, commit {found['commit']}, load before: {found['load_before']}."
    return f"{of_delays}\n\nWith {WIDE:,} classes, without a model:\n\n{of_wide}\n\n{where}"


def _seconds(commit_after: float | None) -> str:
    return "None (exact)" if commit_after is None else f"{commit_after:.1f} s"


def main(
    dictionary: Annotated[Path, typer.Option(help="A pronouncing dictionary in CMU's format.")],
    beam_width: Annotated[int, typer.Option(help="The width of the beam.")] = 100,
) -> None:
    """Measure the delays, the errors, the times and the memory of streams."""
    found = {**machine.about(), "wide": wide(), "delays": delays(dictionary, beam_width)}
    results.write(found, RESULTS)
    print(tables(found))


if __name__ == "__main__":
    typer.run(main)
