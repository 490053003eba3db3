"""How late captions are: ``python -m benchmarks.decoding.captions --dictionary cmudict.dict``.

A stream gets the recordings of ``asr_hama``, three times one after another (112 s), in chunks of 0.2 s, with the word
model and those of its words that the dictionary has. For each word of the final text, its delay is the time from its
end in the likeliest alignment until it is a stable word of a partial result.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.common.arrays import Array
from benchmarks.common.posteriors import read
from benchmarks.decoding.exact import edits_of_words
from benchmarks.decoding.files import Files
from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.alignment import PronouncingDictionary

STRIDE = 0.02  # seconds
CHUNK = 10  # frames
TIMES = 3
DELAYS = (None, 1.0, 1.5, 2.0, 3.0)


@dataclass(frozen=True)
class Captions:
    """What one stream did.

    Attributes:
        words: The words of its final text.
        delays: Seconds for each.
        partial_ms: The time of each ``partial()``.
        push_ms: The time of each ``push()``.
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
        begin = time.perf_counter()
        stream.push(log_probs[at : at + CHUNK])
        pushed = time.perf_counter()
        partial = stream.partial()
        partial_ms.append((time.perf_counter() - pushed) * 1e3)
        push_ms.append((pushed - begin) * 1e3)
        stable_at += [stream.frames] * (len(partial.stable_words) - len(stable_at))
        kept = max(kept, len(stream._kept))
    words = stream.finish().words
    stable_at += [len(log_probs)] * (len(words) - len(stable_at))
    delays = [(frame - word.end) * STRIDE for frame, word in zip(stable_at, words, strict=True)]
    return Captions([word.text for word in words], np.array(delays), np.array(partial_ms), np.array(push_ms), kept)


def main(
    dictionary: Annotated[Path, typer.Option(help="A pronouncing dictionary in CMU's format.")],
    beam_width: Annotated[int, typer.Option(help="The width of the beam.")] = 100,
) -> None:
    """Measure the delays, the errors and the times of streams."""
    about, log_probs, _ = read("asr_hama")
    log_probs = np.concatenate([log_probs] * TIMES)
    said = " ".join(item["text"] for item in about["items"] * TIMES).split()
    tokens = ["" if k == about["blank"] else token for k, token in enumerate(about["labels"])]
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
    print("commit_after, delay in s: median, 95 %, longest; WER in %; partial() and push() in ms: median, 95 %; frames")
    for commit_after in DELAYS:
        found = caption(decoder, log_probs, commit_after)
        wer = 100 * edits_of_words([(word,) for word in found.words], [(word,) for word in said]) / len(said)
        late = np.percentile(found.delays, [50, 95, 100])
        times = np.percentile([found.partial_ms, found.push_ms], [50, 95], axis=1).T
        print(commit_after, late.round(2), round(wer, 2), times.round(2).tolist(), found.kept, flush=True)


if __name__ == "__main__":
    typer.run(main)
