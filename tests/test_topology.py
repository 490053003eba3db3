import itertools

import numpy as np
import pytest

from ctckit.topology import adjacent_repeats, collapse, ctc_topology, frames_needed
from tests.support import oracle


def walks(topology, frames):
    """Yield all state sequences that the transitions allow, by brute force."""
    states = range(topology.num_states)
    for walk in itertools.product(states, repeat=frames):
        if not np.isfinite(topology.start[walk[0]]) or not np.isfinite(topology.final[walk[-1]]):
            continue
        transitions = {0: topology.stay, 1: topology.advance, 2: topology.skip}
        steps = itertools.pairwise(walk)
        if all(b - a in transitions and np.isfinite(transitions[b - a][b]) for a, b in steps):
            yield walk


@pytest.mark.parametrize("target", [[], [1], [1, 2], [1, 1], [2, 1, 1], [1, 2, 1]])
@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_walks_are_exactly_the_paths_that_collapse_to_the_target(target, frames):
    topology = ctc_topology(target)
    found = [tuple(topology.labels[list(walk)]) for walk in walks(topology, frames)]
    expected = [
        path for path in itertools.product(range(3), repeat=frames) if oracle.collapse(path, 0) == tuple(target)
    ]
    assert sorted(found) == sorted(expected)  # sorted lists: no path appears twice


@pytest.mark.parametrize(
    ("target", "needed"), [([], 0), ([4], 1), ([1, 2, 3], 3), ([1, 1], 3), ([1, 1, 1], 5), ([2, 1, 1, 2, 2], 7)]
)
def test_frames_needed(target, needed):
    assert frames_needed(target) == needed
    assert ctc_topology(target).frames_needed == needed
    assert adjacent_repeats(target) == needed - len(target)


def test_no_skip_onto_a_blank_or_between_equal_neighbors():
    skip = np.isfinite(ctc_topology([5, 5, 7], blank=2).skip)
    assert skip.tolist() == [False, False, False, False, False, True, False]


@pytest.mark.parametrize("blank", [0, 2])
def test_collapse_agrees_with_the_oracle(blank):
    for path in itertools.product(range(3), repeat=5):
        assert tuple(collapse(path, blank=blank)) == oracle.collapse(path, blank)
    assert collapse([]) == []
