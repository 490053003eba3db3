"""The table of arguments in the guide about other decoders has every argument of each, and no other name."""

import inspect
import re

import pytest

import ctckit
from ctckit import BeamDecoder, Vocabulary
from ctckit.compat.pyctcdecode import BeamSearchDecoderCTC, build_ctcdecoder
from tests.support.paths import ROOT

GUIDE = ROOT / "docs" / "guides" / "moving_from_other_decoders.md"
NAME = re.compile(r"`([A-Za-z_][\w.]*)[^`]*`")


def parameters(*functions):
    """The parameters of functions; ``strict`` is ctckit's own."""
    return {name for each in functions for name in inspect.signature(each).parameters} - {"self", "strict"}


# The signatures of libraries that are not installed, as their sources have them.
TORCHAUDIO = """lexicon tokens lm lm_dict nbest beam_size beam_size_token beam_threshold lm_weight word_score unk_score
sil_score log_add blank_token sil_token unk_word"""
TORCHAUDIO_OTHERS = "emissions lengths decode_begin timesteps"  # of the decoder that it makes, and of its results
PARLANCE = "labels model_path alpha beta cutoff_top_n cutoff_prob beam_width num_processes blank_id log_probs_input"
PARLANCE_OTHERS = "probs seq_lens timesteps"
NEMO = """strategy preserve_alignments compute_timestamps word_seperator segment_seperators segment_gap_threshold
ctc_timestamp_type batch_dim_index greedy beam wfst confidence_cfg temperature
beam_size search_type return_best_hypothesis beam_alpha beam_beta kenlm_path flashlight_cfg pyctcdecode_cfg
lexicon_path boost_path beam_size_token beam_threshold unk_weight sil_weight
beam_prune_logp token_min_logp prune_history hotwords hotword_weight"""
PYCTCDECODE = parameters(
    build_ctcdecoder,
    BeamSearchDecoderCTC.decode,
    BeamSearchDecoderCTC.decode_beams,
    BeamSearchDecoderCTC.decode_batch,
    BeamSearchDecoderCTC.decode_beams_batch,
)
COLUMNS = {
    "pyctcdecode": PYCTCDECODE | {"text_frames"},
    "torchaudio `ctc_decoder`": set(f"{TORCHAUDIO} {TORCHAUDIO_OTHERS}".split()),
    "parlance/ctcdecode": set(f"{PARLANCE} {PARLANCE_OTHERS}".split()),
    "NeMo": set(NEMO.split()),
}


def table():
    """The rows of the table, as dictionaries by the names of the columns."""
    text = GUIDE.read_text(encoding="utf-8")
    block = text.partition("<!-- arguments -->\n")[2].partition("<!-- end of arguments -->")[0]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines()]
    head = [cell.strip("| ") for cell in head]
    assert all(len(row) == len(head) for row in rows)
    return [dict(zip(head, [cell.strip("| ") for cell in row], strict=True)) for row in rows]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_has_every_argument(column):
    named = {name for row in table() for name in NAME.findall(row[column])}
    assert named == COLUMNS[column]


def test_every_argument_of_the_decoder_has_a_row():
    found = {name for row in table() for name in NAME.findall(row["here"])}
    decoder = set(inspect.signature(BeamDecoder).parameters)
    assert decoder <= found
    marks = {"Vocabulary.separator", "word_start", "continuation"}
    assert {mark.removeprefix("Vocabulary.") for mark in marks} <= set(inspect.signature(Vocabulary).parameters)
    methods = {name for name in found - decoder - marks if hasattr(BeamDecoder, name)}
    assert methods == {"decode", "stream"}
    of_hypotheses = {"Hypothesis.words", "spans", "confidence"}
    others = found - decoder - marks - methods - of_hypotheses
    assert others == {"set_num_threads", "greedy_decode", "subtitle_lines"}
    assert all(hasattr(ctckit, name) or hasattr(ctckit.alignment, name) for name in others)


def test_the_arguments_of_decode_are_its_own():
    found = [re.findall(r"`decode\((\w+)\)`", row["here"]) for row in table()]
    assert {name for each in found for name in each} <= set(inspect.signature(BeamDecoder.decode).parameters)


@pytest.mark.parametrize("library", ["parlance/ctcdecode", "NeMo", "pyctcdecode"])
def test_each_library_has_a_section(library):
    assert re.search(rf"^## From {library}", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
