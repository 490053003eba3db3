import numpy as np
import pytest

import ctckit
from ctckit.errors import InvalidInputError, MissingDependencyError
from ctckit.topology import ctc_topology
from ctckit.variants import CTCVariant, token_graphs
from ctckit.viz import draw_states, draw_trellis
from ctckit.viz.figures import NODES
from tests.support.problems import random_probs
from tests.support.tolerances import DOUBLE

matplotlib = pytest.importorskip("matplotlib")


def lattice(frames, target=(1, 2, 2)):
    return ctckit.lattice(np.log(random_probs(np.random.default_rng(0), frames, 4)), list(target))


def test_arrow_occupancies_flow_from_state_to_state():
    item = lattice(8)
    for t in range(1, 8):
        leaving = item.arrow_occupancy(t)
        np.testing.assert_allclose(leaving.sum(axis=0), item.occupancy[t - 1], atol=DOUBLE)
        arriving = leaving[0].copy()
        arriving[1:] += leaving[1, :-1]
        arriving[2:] += leaving[2, :-2]
        np.testing.assert_allclose(arriving, item.occupancy[t], atol=DOUBLE)


def test_a_small_trellis_has_dots_lines_and_the_path():
    item = lattice(8)
    axes = draw_trellis(item, names=["", "a", "b", "c"])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["∅", "a", "∅", "b", "∅", "b", "∅"]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), item.best_path())
    assert len(axes.collections) == 3
    assert not axes.images
    assert not draw_trellis(item, best_path=False).lines


def test_a_large_one_is_a_matrix(tmp_path):
    item = lattice(NODES)
    axes = draw_trellis(item)
    np.testing.assert_array_equal(axes.images[0].get_array(), item.occupancy.T)
    axes.figure.savefig(tmp_path / "trellis.png")
    assert (tmp_path / "trellis.png").stat().st_size > 1000


def test_where_not_all_names_have_room_tokens_are_named():
    item = ctckit.lattice(np.zeros((200, 3)), [1, 2] * 40)
    shown = [label.get_text() for label in draw_trellis(item, names=["", "a", "b"]).get_yticklabels()]
    assert 20 < len(shown) <= 45
    assert set(shown) <= {"a", "b"}


def test_every_class_needs_a_name():
    with pytest.raises(InvalidInputError, match=r"names has 2 entries; expected one for each of the C = 4 classes\."):
        draw_trellis(lattice(5), names=["", "a"])


def test_it_draws_where_it_is_told(tmp_path):
    axes = matplotlib.figure.Figure().add_subplot()
    assert draw_trellis(lattice(5), axes=axes) is axes


def test_the_impossible_is_drawn_without_a_path():
    axes = draw_trellis(lattice(3, (1, 1, 1)))
    assert not axes.lines
    assert axes.get_title(loc="left") == "log p = -inf: no path"


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"draw_trellis needs matplotlib.*pip install \"ctckit\[viz\]\""):
        draw_trellis(lattice(3))


def test_states_have_every_arrow_of_the_topology():
    from matplotlib.patches import Circle, FancyArrowPatch

    topology = ctc_topology([1, 2, 2])  # 7 stay, 6 advance, 1 skip (not between the equal ones), 2 starts
    axes = draw_states(topology, names=["", "a", "b", "c"])
    assert [text.get_text() for text in axes.texts] == ["∅", "a", "∅", "b", "∅", "b", "∅"]
    assert sum(isinstance(patch, FancyArrowPatch) for patch in axes.patches) == 7 + 6 + 1 + 2
    assert sum(isinstance(patch, Circle) for patch in axes.patches) == 7 + 2  # and two rings, where a path may end


def test_states_of_a_variant_have_hops(tmp_path):
    star = CTCVariant(wildcards="between")
    built = token_graphs(np.array([[1, 2]]), np.array([2]), np.array([9]), star, classes=3).topology(0)
    axes = draw_states(built)
    assert [text.get_text() for text in axes.texts][1::2] == ["1", "3", "2"]
    axes.figure.savefig(tmp_path / "states.png")


def test_states_without_matplotlib_say_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"draw_states needs matplotlib"):
        draw_states(ctc_topology([1]))
