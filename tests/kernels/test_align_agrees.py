"""The aligner: its definition against an enumeration, the core against the definition on each instruction set."""

import itertools
import math

import numpy as np
import pytest

from ctckit.kernels import runtime
from ctckit.kernels.align import native as native_align
from ctckit.kernels.align import reference as reference_align
from ctckit.kernels.align.native import AlignSettings
from ctckit.topology import frames_needed
from ctckit.variants import CTCVariant, token_graphs
from tests.support import oracle
from tests.support.tolerances import DOUBLE

NEVER = 1 << 62
# As it is best; rows kept often; in single precision first; with states given up; all of these.
SETTINGS = (
    AlignSettings(),
    AlignSettings(checkpoint_frames=16, single_from=NEVER),
    AlignSettings(single_from=0, prune_from=NEVER),
    AlignSettings(single_from=0, prune_from=0),
    AlignSettings(checkpoint_frames=32, single_from=0, prune_from=0),
)


@pytest.fixture(params=runtime.instruction_sets())
def on_instruction_set(request):
    before = runtime.instruction_set()
    runtime.set_instruction_set(request.param)
    yield
    runtime.set_instruction_set(before)


def spell(path, frames, blank, target):
    """The class of each frame."""
    classes = np.full(frames, blank)
    for token, start, end in zip(target, path.starts, path.ends, strict=True):
        classes[start:end] = token
    return tuple(classes.tolist())


def align_one(module, log_probs, target, blank, variant=None, **options):
    tokens, lengths, frames = np.array([target], dtype=np.int64), np.array([len(target)]), np.array([len(log_probs)])
    of = None
    if variant is not None:
        of = token_graphs(tokens, lengths, frames, variant, classes=log_probs.shape[1], blank=blank)
    (path,) = module.align_batch(log_probs[None], frames, tokens, lengths, blank=blank, graphs=of, **options)
    return path


def random_log_probs(rng, frames, classes, *, masks=True):
    log_probs = rng.standard_normal((frames, classes)) * rng.choice([0.5, 3, 20])
    if rng.random() < 0.4:  # sums without rounding: many ties
        log_probs = np.round(log_probs * 2) / 4
    if masks and rng.random() < 0.3:
        log_probs[rng.random(log_probs.shape) < 0.15] = -np.inf
        if rng.random() < 0.2 and frames:
            log_probs[rng.integers(frames)] = -np.inf
        if rng.random() < 0.2:
            log_probs[:, rng.integers(classes)] = -np.inf
    return log_probs


def assert_same(ours, expected, what):
    assert (ours is None) == (expected is None), what
    if expected is not None:
        assert ours.log_prob == pytest.approx(expected.log_prob, rel=DOUBLE, abs=DOUBLE), what
        assert ours.starts.tolist() == expected.starts.tolist(), what
        assert ours.ends.tolist() == expected.ends.tolist(), what


@pytest.mark.parametrize("module", [reference_align, native_align])
@pytest.mark.parametrize("seed", range(60))
def test_no_path_is_better(module, seed):
    """Against the list of all Cᵀ paths, for all targets of up to four tokens, impossible ones too."""
    rng = np.random.default_rng(seed)
    frames, classes = int(rng.integers(0, 6)), int(rng.integers(2, 4))
    blank = int(rng.integers(classes))
    probs = rng.dirichlet(np.full(classes, 0.5), size=frames)
    if seed % 3 == 0:
        probs[probs < 0.1] = 0
    with np.errstate(divide="ignore"):
        log_probs = np.log(probs)
    others = [c for c in range(classes) if c != blank]
    for count in range(5):
        for target in itertools.product(others, repeat=count):
            paths = oracle.path_probs(probs.tolist(), target, blank) if frames else {(): 1.0} if not count else {}
            best = max(paths.values(), default=0.0)
            path = align_one(module, log_probs, target, blank)
            assert (path is None) == (best == 0)
            if path is not None:
                assert math.exp(path.log_prob) == pytest.approx(best, rel=DOUBLE)
                assert paths[spell(path, frames, blank, target)] == pytest.approx(best, rel=DOUBLE)


@pytest.mark.parametrize("seed", range(40))
def test_no_path_of_a_variant_is_better(seed):
    """Against the list of all alignments of tokens and wildcards."""
    rng = np.random.default_rng(seed)
    frames, classes = int(rng.integers(0, 6)), 3
    probs = rng.dirichlet(np.full(classes, 0.5), size=frames)
    elements = [["*", 1, 2][rng.integers(3)] for _ in range(rng.integers(1, 4))]
    elements = [e for k, e in enumerate(elements) if not (e == "*" and k and elements[k - 1] == "*")]
    options = {"min_frames": int(rng.integers(1, 3)), "use_blank": bool(rng.random() < 0.7)}
    optional = bool(rng.random() < 0.5)
    variant = CTCVariant(wildcards="targets", wildcard_penalty=0.3, **options)
    target = [classes if e == "*" else e for e in elements]
    if optional:
        target = [e for e in target if e != classes]
        elements = ["*", *itertools.chain(*([e, "*"] for e in target))]
        variant = CTCVariant(wildcards="everywhere", wildcard_penalty=0.3, **options)

    def score(alignment):
        table = np.log(probs)
        on = np.zeros(frames, dtype=bool)
        total = 0.0
        for symbol, start, end in alignment:
            on[start:end] = True
            total += -0.3 if symbol == "*" else table[start:end, symbol].sum()
        return total + table[~on, 0].sum()

    best = max(map(score, oracle.variant_alignments(elements, frames, optional=optional, **options)), default=-math.inf)
    for module in (reference_align, native_align):
        path = align_one(module, np.log(probs), target, 0, variant)
        assert (path is None) == (best == -math.inf)
        if path is not None:
            assert path.log_prob == pytest.approx(best, abs=DOUBLE)


def random_batch(rng):
    """Frames around whole passes of 16, tokens around blocks of 64, classes around the tables of 16, 32 and 64."""
    items, frames = int(rng.integers(1, 4)), int(rng.choice([0, 1, 2, 5, 16, 17, 33, 70, 200]))
    classes = int(rng.choice([2, 3, 5, 9, 16, 17, 32, 33, 63, 64, 65, 66, 200]))
    blank = int(rng.integers(classes))
    tokens = int(rng.integers(1, frames + 3)) if rng.random() < 0.7 else int(rng.integers(1, frames // 2 + 2))
    others = np.array([c for c in range(classes) if c != blank])
    targets = rng.choice(others if rng.random() < 0.7 else others[:2], (items, tokens))
    log_probs = np.stack([random_log_probs(rng, frames, classes) for _ in range(items)])
    input_lengths = np.where(rng.random(items) < 0.6, frames, rng.integers(0, frames + 1, items))
    target_lengths = np.where(rng.random(items) < 0.6, tokens, rng.integers(0, tokens + 1, items))
    return log_probs, input_lengths, targets, target_lengths, blank


def random_variant(rng):
    return CTCVariant(
        wildcards=[None, "targets", "ends", "between", "everywhere"][rng.integers(5)],
        wildcard_penalty=float(rng.choice([0, 1, 2.5])),
        min_frames=int(rng.integers(1, 3)),
        use_blank=bool(rng.random() < 0.7),
        delay_penalty=float(rng.choice([0, 0.25])),
        blank_bias=float(rng.choice([0, -0.5])),
    )


@pytest.mark.usefixtures("on_instruction_set")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("with_chains", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_same_paths_as_the_definition(dtype, with_chains, seed):
    for round_ in range(25):
        rng = np.random.default_rng([seed, round_])
        log_probs, input_lengths, targets, target_lengths, blank = random_batch(rng)
        log_probs = log_probs.astype(dtype)
        classes, of = log_probs.shape[2], None
        if with_chains:
            variant = random_variant(rng)
            if variant.wildcards:
                targets = np.where(rng.random(targets.shape) < 0.2, classes, targets)
            of = token_graphs(targets, target_lengths, input_lengths, variant, classes=classes, blank=blank)
        for b, length in enumerate(input_lengths):
            log_probs[b, length:] = np.nan  # never read
        arguments = (log_probs, input_lengths, targets, target_lengths)
        expected = reference_align.align_batch(*arguments, blank=blank, graphs=of)
        for settings in SETTINGS:
            ours = native_align.align_batch(*arguments, blank=blank, graphs=of, settings=settings)
            for b, path in enumerate(expected):
                assert_same(ours[b], path, (seed, round_, b, settings))


@pytest.mark.usefixtures("on_instruction_set")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_longer_ones_across_several_kept_rows(dtype, seed):
    rng = np.random.default_rng(seed)
    log_probs = random_log_probs(rng, 1100, 40, masks=False).astype(dtype)
    target = rng.integers(1, 40, 330)
    for variant in (None, CTCVariant(wildcards="everywhere", wildcard_penalty=2.0)):
        expected = align_one(reference_align, log_probs, target, 0, variant)
        for settings in SETTINGS:
            assert_same(align_one(native_align, log_probs, target, 0, variant, settings=settings), expected, settings)


@pytest.mark.usefixtures("on_instruction_set")
@pytest.mark.parametrize("tokens", [1, 15, 16, 17, 63, 64, 65, 128, 129])
def test_as_few_frames_as_possible(tokens):
    """Every frame is needed: one path only."""
    target = np.resize([1, 1, 2, 3], tokens)
    frames = frames_needed(target)
    log_probs = np.zeros((frames, 4))
    path = align_one(native_align, log_probs, target, 0)
    repeats = np.cumsum(np.append(0, target[1:] == target[:-1]))
    assert path.starts.tolist() == (np.arange(tokens) + repeats).tolist()
    assert (path.ends - path.starts).tolist() == [1] * tokens
    assert align_one(native_align, log_probs[1:], target, 0) is None


def test_ties_stay_as_long_as_they_can():
    """All paths are equally likely: the later end wins, and staying wins on the way back."""
    for module in (reference_align, native_align):
        path = align_one(module, np.zeros((6, 3)), [1, 2], 0)
        assert (path.starts.tolist(), path.ends.tolist()) == ([0, 1], [1, 2])


@pytest.mark.parametrize("module", [reference_align, native_align])
def test_no_tokens(module):
    path = align_one(module, np.log(np.array([[0.5, 0.5], [0.25, 0.75]])), [], 0)
    assert path.log_prob == pytest.approx(math.log(0.125), rel=DOUBLE)
    assert path.starts.tolist() == path.ends.tolist() == []
    assert align_one(module, np.zeros((0, 2)), [], 0).log_prob == 0
    assert align_one(module, np.zeros((0, 2)), [1], 0) is None


@pytest.mark.parametrize("module", [reference_align, native_align])
def test_a_token_left_out_stands_where_it_would_have_been(module):
    """No wildcard takes a frame: neither before, nor between, nor behind the tokens."""
    log_probs = np.log(np.array([[0.01, 0.98, 0.01], [0.98, 0.01, 0.01], [0.01, 0.01, 0.98]]))
    path = align_one(module, log_probs, [1, 2], 0, CTCVariant(wildcards="everywhere", wildcard_penalty=9.0))
    assert path.starts.tolist() == [0, 0, 1, 2, 3]
    assert path.ends.tolist() == [0, 1, 1, 3, 3]


@pytest.mark.usefixtures("on_instruction_set")
def test_layouts():
    """Items, frames and classes may have any strides."""
    rng = np.random.default_rng(4)
    log_probs = rng.standard_normal((3, 40, 7)).astype(np.float32)
    lengths, targets, counts = np.array([40, 31, 17]), rng.integers(1, 7, (3, 9)), np.array([9, 4, 7])
    expected = native_align.align_batch(log_probs, lengths, targets, counts, blank=0)
    time_first = np.ascontiguousarray(log_probs.transpose(1, 0, 2)).transpose(1, 0, 2)
    classes_first = np.ascontiguousarray(log_probs.transpose(2, 0, 1)).transpose(1, 2, 0)
    wide = np.full((5, 80, 9), np.nan, dtype=np.float32)[1:4, ::2, 1:8]
    wide[:] = log_probs
    for other in (time_first, classes_first, wide):
        ours = native_align.align_batch(other, lengths, targets.astype(np.int32), counts.astype(np.int32), blank=0)
        for path, same in zip(ours, expected, strict=True):
            assert path.log_prob == same.log_prob
            assert_same(path, same, "layout")


@pytest.mark.usefixtures("on_instruction_set")
def test_any_number_of_threads_gives_the_same_bits():
    rng = np.random.default_rng(5)
    log_probs = rng.standard_normal((9, 120, 30)).astype(np.float32)
    lengths, targets, counts = rng.integers(60, 121, 9), rng.integers(1, 30, (9, 40)), rng.integers(0, 41, 9)
    before = runtime.num_threads()
    results = []
    for threads in (1, 2, 5):
        runtime.set_num_threads(threads)
        results.append(native_align.align_batch(log_probs, lengths, targets, counts, blank=0))
    runtime.set_num_threads(before)
    for paths in results[1:]:
        for path, same in zip(paths, results[0], strict=True):
            assert path.log_prob == same.log_prob
            assert_same(path, same, "threads")


def test_an_empty_batch():
    empty = np.zeros(0, dtype=np.int64)
    assert native_align.align_batch(np.zeros((0, 5, 3)), empty, np.zeros((0, 2), dtype=np.int64), empty, blank=0) == []
