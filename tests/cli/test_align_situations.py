"""``ctckit align`` on recordings that their texts do not fit exactly, made of recorded sentences."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from ctckit.acoustic_models import Emissions
from ctckit.acoustic_models.saved import save_emissions
from ctckit.alignment import Transcript, align_utterances
from ctckit.cli import app
from tests.support.spoken_sentences import (
    FRAME_SECONDS,
    OTHERS,
    SENTENCES,
    SPELLINGS,
    VOCABULARY,
    joined,
    write_dictionary,
)


def shuffled(rng):
    return list(rng.permutation(SENTENCES))


def the_whole_text(rng):
    pieces = shuffled(rng)
    return pieces, range(len(pieces))


def sentences_missing_from_the_text(rng):
    pieces = shuffled(rng)
    return pieces, sorted(rng.choice(len(pieces), 7, replace=False))


def music_noise_silence_and_other_speech_between(rng):
    pieces = [piece for sentence in shuffled(rng) for piece in (sentence, rng.choice(OTHERS))]
    return pieces, range(0, len(pieces), 2)


def a_text_of_the_middle_third(rng):
    """The sentences of the middle are not said elsewhere."""
    middle, *rest = np.array_split(shuffled(rng), 3)
    around = np.concatenate(rest)
    pieces = [*around, *rng.permutation(around), *middle, *rng.permutation(around), *rng.permutation(around)]
    first = 2 * len(around)
    return pieces, range(first, first + len(middle))


def a_sentence_said_again_and_again(rng):
    """A refrain behind each sentence; two of the sentences between refrains are missing from the text."""
    refrain, *sentences = shuffled(rng)[:7]
    pieces = [piece for sentence in sentences for piece in (sentence, refrain)]
    missing = 2 * rng.choice(range(1, len(sentences)), 2, replace=False)
    return pieces, [k for k in range(len(pieces)) if k not in missing]


def speech_and_music_before_and_behind(rng):
    pieces = ["speech", "music", *shuffled(rng), "noise", "speech"]
    return pieces, range(2, len(pieces) - 2)


SITUATIONS = (
    the_whole_text,
    sentences_missing_from_the_text,
    music_noise_silence_and_other_speech_between,
    a_text_of_the_middle_third,
    a_sentence_said_again_and_again,
    speech_and_music_before_and_behind,
)


def aligned(folder, log_probs, lines, *arguments):
    """Return the lines of the command's JSON, and its result."""
    emissions = Emissions(log_probs, VOCABULARY, FRAME_SECONDS, len(log_probs) * FRAME_SECONDS)
    save_emissions(folder / "talk.npz", emissions)
    write_dictionary(folder / "words.dict")
    (folder / "talk.txt").write_text("\n".join(lines), encoding="utf-8")
    files = [str(folder / name) for name in ("talk.npz", "talk.txt", "words.dict", "out.json")]
    options = ["--dictionary", files[2], "--out", files[3], *arguments]
    result = CliRunner().invoke(app, ["align", *files[:2], *options])
    assert result.exit_code in (0, 3), result.output
    return json.loads((folder / "out.json").read_text(encoding="utf-8"))["tiers"]["lines"], result


def in_place(start, end, place):
    """Whether at least half of a line lies where it was said."""
    return min(end, place[1]) - max(start, place[0]) >= (end - start) / 2 > 0


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_line_is_in_its_place(tmp_path, situation, seed):
    pieces, said = situation(np.random.default_rng(seed))
    log_probs, places = joined(pieces)
    lines = [pieces[k] for k in said]
    found, result = aligned(tmp_path, log_probs, lines, "--fail-below", "0.1")
    frames = [(line["start_seconds"] / FRAME_SECONDS, line["end_seconds"] / FRAME_SECONDS) for line in found]
    right = [in_place(*each, places[k]) for each, k in zip(frames, said, strict=True)]
    transcripts = [Transcript(line, VOCABULARY, spell=SPELLINGS) for line in lines]
    library = align_utterances(log_probs, transcripts, VOCABULARY)
    assert sum(right) >= sum(in_place(u.start, u.end, places[k]) for u, k in zip(library, said, strict=True))
    assert all(right)
    assert result.exit_code == 0, result.stderr  # no line that was said is suspicious


def test_lines_that_were_not_said_are_told(tmp_path):
    pieces = shuffled(np.random.default_rng(0))
    log_probs, _ = joined(pieces[:8])
    found, result = aligned(tmp_path, log_probs, [pieces[8], *pieces[:8], *pieces[9:]], "--fail-below", "0.1")
    assert result.exit_code == 3
    assert [line["text"] for line in found if line["confidence"] < 0.1] == [pieces[8], *pieces[9:]]
    told = [line.split()[1] for line in result.stderr.splitlines() if line.startswith("  line ")]
    assert told == ["1,", "10,", "11,"]


@pytest.mark.parametrize("other", ["music", "noise", "silence"])
def test_a_text_of_another_recording_is_told(tmp_path, other):
    log_probs, _ = joined([other] * 4)
    found, result = aligned(tmp_path, log_probs, ["four queen of clubs", "five five"], "--fail-below", "0.1")
    assert result.exit_code == 3
    assert all(line["confidence"] < 0.1 for line in found)
