"""Goals for the saved results. Each list of misses states the truth: a new miss fails, and so does a repaired one."""

from dataclasses import dataclass
from typing import Any

import pytest

from benchmarks.alignment.page import gigacells
from benchmarks.common import pages, results
from benchmarks.decoding import figures
from benchmarks.gpu import page as gpu_page
from benchmarks.loss.tables import ratio
from benchmarks.ocr import page as ocr_page

MISSED, REACHED, MOONSHOT, NOT_MEASURED = "missed", "reached", "moonshot", "not measured"


@dataclass(frozen=True)
class Goal:
    """A value of the results, the bound that it must reach, and a bound that would be excellent."""

    value: Any  # a function of the results
    must: float
    moonshot: float | None = None
    more: bool = False  # whether larger values are better

    def holds(self, value, bound):
        return value >= bound if self.more else value <= bound

    def verdict(self, found):
        value = self.value(found)
        if value is None:
            return NOT_MEASURED
        if self.moonshot is not None and self.holds(value, self.moonshot):
            return MOONSHOT
        return REACHED if self.holds(value, self.must) else MISSED


def names(goals, found, verdict):
    return {name for name, goal in goals.items() if goal.verdict(found) == verdict}


def misses(goals, found):
    """Name → the figure with three digits."""
    return {name: float(f"{goals[name].value(found):.3g}") for name in names(goals, found, MISSED)}


def saved(name):
    found = results.saved(pages.RESULTS / name)
    if found is None:
        pytest.skip(f"no results in {name}")
    return found


# The loss: times torch's speed, forward + backward; threads → workload → factor.
LOSS_SPEED = {
    1: {"W1": 6, "W2": 12, "W3": 35, "W4": 14, "W5": 80},
    2: {"W1": 8, "W2": 12, "W3": 28, "W4": 12, "W5": 60},
}
LOSS_MOONSHOTS = {1: {"W1": 12, "W2": 30, "W3": 60, "W4": 30, "W5": 120}, 2: {}}
LOSS_MISSED = {
    1: {"W5, first step, MB": 3.76},
    2: {"W1, one process": 7.12, "W5, first step, MB": 7.21},
}
LOSS_MOONSHOTS_REACHED = {1: {"W2, own processes"}, 2: set()}


def memory_goal(logits_bytes):
    """Bytes that a step may need beyond logits and gradient: 5 % of the logits or 1 MB, whichever is more."""
    return max(0.05 * logits_bytes, 1e6)


def loss_goals(threads, measurements):
    goals = {}
    for each in measurements:
        name = each["workload"]
        must, moonshot = LOSS_SPEED[threads][name], LOSS_MOONSHOTS[threads].get(name)
        for place, words in (("peers", "own processes"), ("together", "one process")):
            value = ratio(each, "torch", place=place)
            goals[f"{name}, {words}"] = Goal(lambda _, value=value: value, must, moonshot, more=True)
        memory = each["peers"]["ctckit"]["memory"] or {}
        for kind, words in (("first", "first step"), ("warm", "later steps")):
            value = memory.get(kind)
            goals[f"{name}, {words}, MB"] = Goal(lambda _, value=value: value, memory_goal(each["logits_bytes"]) / 1e6)
    return goals


@pytest.mark.parametrize("threads", [1, 2])
def test_loss(threads):
    run = saved(f"loss-threads-{threads}.json")
    assert not run["isa_asked_for"]  # the goals are for the best instruction set
    goals = loss_goals(threads, run["rows"])
    assert misses(goals, run) == LOSS_MISSED[threads]
    assert names(goals, run, MOONSHOT) == LOSS_MOONSHOTS_REACHED[threads]
    assert names(goals, run, NOT_MEASURED) == set()


def test_the_memory_goal_of_the_loss_is_the_greater_of_share_and_megabyte():
    assert memory_goal(1e6) == 1e6
    assert memory_goal(1e8) == 5e6


# Decoding.
PLAIN = ("ocr_ppv4", "ocr_ppv6", "speech", "nanopore", "long", "large", "huge")  # cases without models and words
SPEED = ("ocr_ppv4", "speech", "nanopore")  # cases that the ratios are judged on


def microseconds(case):
    return lambda found: (each := results.case_of(found, case)) and figures.microseconds(each, "ctckit")


def median(case, peer="ctckit", unit=1.0):
    return lambda found: (each := results.figures_of(found, case, peer)) and each["ms"]["median"] / unit


def quotient(above, below):
    def value(found):
        times = [median(*each)(found) for each in (above, below)]
        return times[0] / times[1] if all(times) else None

    return value


def over(library):
    """The smallest advantage over a library at equal quality."""

    def value(found):
        cases = [case for name in SPEED if (case := results.case_of(found, name))]
        ratios = [each for case in cases if (each := figures.equal_quality_ratio(case, library))]
        return min(ratios) if len(ratios) == len(SPEED) else None

    return value


def worst_avx2(found):
    cases = [case for name in SPEED if (case := results.case_of(found, name))]
    ratios = [case["peers"]["ctckit AVX2"]["ratio"] for case in cases if "ctckit AVX2" in case["peers"]]
    return max(ratios) if ratios and found["instruction_set"] == "avx512" else None


def worst_deficit(found):
    cases = [case for name in PLAIN if (case := results.case_of(found, name)) and len(case["peers"]) > 2]
    return max((figures.deficit(case, "ctckit") for case in cases if "ctckit" in case["peers"]), default=None)


def worst_claim(found):
    each = [case["peers"].get("ctckit", {}).get("claim_error") for case in found["cases"]]
    return max((error for error in each if error is not None), default=None)


def megabytes(case, part=lambda memory: memory):
    def value(found):
        each = results.figures_of(found, case, "ctckit")
        return part(each["memory"]) if each and each.get("memory") else None

    return value


def loading(title):
    return lambda found: 1e3 * found["loading"][title]["seconds"] if title in found["loading"] else None


def saved_words(found):
    """By how many percent a model of `ctckit lm train` reduces wrong words, held out."""
    greedy, model = (
        figures.error_rate(results.figures_of(found, "trained", name), "word") for name in ("greedy", "ctckit")
    )
    return 100 * (1 - model / greedy) if greedy and model is not None else None


def different_bits(found):
    return sum(not same for same in found["same_bits"].values()) if found["same_bits"] else None


DECODING = {
    "text lines, µs a frame": Goal(microseconds("ocr_ppv4"), 5, 2.5),
    "speech, µs a frame": Goal(microseconds("speech"), 2, 1),
    "nanopore, µs a frame": Goal(microseconds("nanopore"), 0.8, 0.4),
    "AVX2, times AVX-512's time": Goal(worst_avx2, 2),
    "times ctc-beam-decoder, equal quality": Goal(over("ctc-beam-decoder"), 10, 25, more=True),
    "times pyctcdecode, equal quality": Goal(over("pyctcdecode"), 60, 150, more=True),
    "times fast-ctc-decode, equal quality": Goal(over("fast-ctc-decode"), 3, 10, more=True),
    "nats an item behind the best library": Goal(worst_deficit, 0),
    "relative error of log_prob": Goal(worst_claim, 1e-5),
    "word 3-gram, µs a frame": Goal(microseconds("words"), 10, 5),
    "character 6-gram, µs a frame": Goal(microseconds("characters"), 27, 12),
    "10,000 hotwords, times 10": Goal(quotient(("hotwords 10000",), ("hotwords 10",)), 2, 1.3),
    "18,710 classes, ms a line": Goal(median("huge"), 4, 2),
    "18,710 classes, MB": Goal(megabytes("huge", lambda memory: memory["one"]), 32),
    "ARPA file, ms to load": Goal(loading("ctckit"), 700, 300),
    "own file, ms to load": Goal(loading("ctckit, own file"), 1, 0.1),
    "2 threads, times 1": Goal(
        quotient(("batch lines", "ctckit batch"), ("batch lines", "ctckit batch, 2 threads")), 1.8, 1.95, more=True
    ),
    "sets with other bits in chunks or threads": Goal(different_bits, 0),
    "percent of wrong words saved by `ctckit lm train`": Goal(saved_words, 100 / 3, more=True),
}
DECODING_MISSED = {"percent of wrong words saved by `ctckit lm train`": 22.2}
DECODING_MOONSHOTS_REACHED = {"ARPA file, ms to load", "2 threads, times 1"}


def test_decoding():
    found = saved("decoding.json")
    assert misses(DECODING, found) == DECODING_MISSED
    assert names(DECODING, found, MOONSHOT) == DECODING_MOONSHOTS_REACHED
    assert names(DECODING, found, NOT_MEASURED) == set()
    assert all(results.case_of(found, name)["comparable"] for name in PLAIN)


# Alignment.
FEW_CLASSES = ("sure", "unsure", "late", "hour")
LONG = ("joined", "sure", "unsure", "late", "classes")


def slowest(cases):
    """The smallest number of 10⁹ cells per second in these cases."""

    def value(found):
        each = [gigacells(case, "ctckit") for case in found["cases"] if case["case"] in cases]
        return min((speed for speed in each if speed), default=None) if len(each) == len(cases) else None

    return value


def worst(part):
    """The worst value of ctckit over all cases; a wrong path counts as infinite."""

    def value(found):
        peers = [case["peers"]["ctckit"] for case in found["cases"] if "ctckit" in case["peers"]]
        if any(each["behind"]["wrong"] for each in peers):
            return float("inf")
        return max((each for peer in peers if (each := part(peer)) is not None), default=None)

    return value


def over_torchaudio(found):
    ratios = [quotient((case, "torchaudio"), (case, "ctckit"))(found) for case in LONG]
    return min((each for each in ratios if each), default=None)


ALIGNMENT = {
    "nats below the optimum": Goal(worst(lambda peer: peer["behind"]["worst"]), 1e-3, 0),
    "error of log_prob, nats": Goal(worst(lambda peer: peer.get("claim_error")), 1e-3),
    "text lines, µs a line": Goal(median("lines", unit=1e-3), 60),
    "recordings, µs a clip": Goal(median("clips", unit=1e-3), 100),
    "C ≤ 64, G cells/s": Goal(slowest(FEW_CLASSES), 8, 24, more=True),
    "C = 1,024, G cells/s": Goal(slowest(("classes",)), 4, more=True),
    "180,000 × 40,000, s": Goal(median("hour", unit=1e3), 2),
    "180,000 × 40,000, MB": Goal(megabytes("hour"), 30),
    "times torchaudio, 30,000 frames": Goal(over_torchaudio, 20, more=True),
    "a million × 200,000, s": Goal(median("million", unit=1e3), 60),
    "a million × 200,000, MB": Goal(megabytes("million"), 200),
}
ALIGNMENT_MISSED = {"times torchaudio, 30,000 frames": 12.4}
ALIGNMENT_MOONSHOTS_REACHED = {"nats below the optimum"}


def test_alignment():
    found = saved("alignment.json")
    assert misses(ALIGNMENT, found) == ALIGNMENT_MISSED
    assert names(ALIGNMENT, found, MOONSHOT) == ALIGNMENT_MOONSHOTS_REACHED
    assert names(ALIGNMENT, found, NOT_MEASURED) == set()


def test_a_wrong_path_misses_the_goal():
    found = saved("alignment.json")
    found["cases"][0]["peers"]["ctckit"]["behind"]["wrong"] = 1
    assert ALIGNMENT["nats below the optimum"].verdict(found) == MISSED


# Recognizers of handwriting: character error rates in percent, on lines of other hands.
def character_errors(case):
    return lambda found: (each := results.figures_of(found, case, "ctckit")) and 100 * each["cer"]


def below_kraken(found):
    """By how many percent ctckit's errors are fewer than kraken's, after 30 CPU minutes from random weights."""
    each = [results.figures_of(found, "scratch", peer) for peer in ("ctckit", "kraken")]
    return 100 * (1 - each[0]["cer"] / each[1]["cer"]) if all(each) else None


def saved_by_a_model(found):
    share = ocr_page.fewer_errors(found)
    return None if share is None else 100 * share


OCR = {
    "percent below kraken, from random weights": Goal(below_kraken, 100 / 3, more=True),
    "from random weights, 30 minutes": Goal(character_errors("scratch"), 100, 30),
    "PP-OCRv6 small, 10 minutes": Goal(character_errors("pretrained"), 18.5, 15),
    "PP-OCRv6 small, 60 minutes": Goal(character_errors("pretrained 60"), 16, 11),
    "PP-OCRv6 small, 100 lines, 5 minutes": Goal(character_errors("100 lines"), 28, 24),
    "percent of errors saved by a model of characters": Goal(saved_by_a_model, 10, 25, more=True),
}
OCR_MISSED = {"PP-OCRv6 small, 60 minutes": 17.3, "PP-OCRv6 small, 100 lines, 5 minutes": 29.6}
OCR_MOONSHOTS_REACHED = {"from random weights, 30 minutes", "percent of errors saved by a model of characters"}
OCR_NOT_MEASURED: set[str] = set()


def test_ocr():
    found = saved("ocr.json")
    assert misses(OCR, found) == OCR_MISSED
    assert names(OCR, found, MOONSHOT) == OCR_MOONSHOTS_REACHED
    assert names(OCR, found, NOT_MEASURED) == OCR_NOT_MEASURED


# The loss on a GPU, float32.
GPU_SPEED = {"G1": 4.0, "G2": 3.0, "G3": 3.0, "G4": 3.0, "G5": 2.5}  # times the faster of torch's two kernels
GPU_BANDWIDTH = {"G2": 0.6, "G4": 0.6}  # of a copy's bandwidth, for three passes over the logits
GPU_MEMORY = {"G2": 0.4, "G4": 0.4}  # of the smaller peak of torch's two kernels
GPU_MISSED = {}  # there are no saved results yet


def gpu_goals(found):
    goals = {}
    for each in found["measurements"]:
        others = gpu_page.rivals(found, each)
        if each["peer"] != "ctckit" or each["dtype"] != "float32" or not others:
            continue
        name = each["workload"]
        speed = min(other["milliseconds"] for other in others) / each["milliseconds"]
        share = gpu_page.of_copy(found, each, each["milliseconds"])
        memory = each["peak_bytes"] / min(other["peak_bytes"] for other in others)
        values = (("speed", speed, GPU_SPEED), ("bandwidth", share, GPU_BANDWIDTH), ("memory", memory, GPU_MEMORY))
        for what, value, bounds in values:
            if name in bounds:
                goals[f"{name}, {what}"] = Goal(lambda _, v=value: v, bounds[name], more=what != "memory")
    return goals


def test_gpu():
    found = saved("gpu.json")
    assert misses(gpu_goals(found), found) == GPU_MISSED


def test_goals_of_a_gpu_compare_with_the_faster_and_the_smaller_rival():
    def measured(peer, milliseconds, megabytes):
        size = {"peak_bytes": megabytes * 1_000_000, "logits_bytes": 100_000_000}
        return {"workload": "G2", "dtype": "float32", "peer": peer, "milliseconds": milliseconds, **size}

    each = [measured("ctckit", 1.0, 130), measured("torch", 4.0, 400), measured("torch, cuDNN", 2.9, 300)]
    found = {"copy_gigabytes_per_second": 400.0, "measurements": each}
    assert misses(gpu_goals(found), found) == {"G2, speed": 2.9, "G2, memory": 0.433}


@pytest.mark.parametrize(
    ("value", "more", "verdict"),
    [
        (1.0, False, MOONSHOT),
        (1.5, False, REACHED),
        (2.5, False, MISSED),
        (None, False, NOT_MEASURED),
        (2.5, True, REACHED),
        (1.5, True, MISSED),
    ],
)
def test_goals_are_judged_from_both_sides(value, more, verdict):
    assert Goal(lambda found: value, 2, 4 if more else 1, more).verdict({}) == verdict


def test_pages_do_not_show_goals():
    for path in pages.PAGES.glob("*.md"):
        text = path.read_text(encoding="utf-8").lower()
        assert not {word for word in ("moonshot", "goal", "missed:", "must reach") if word in text}, path
