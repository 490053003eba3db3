"""The compact set of strings."""

from hypothesis import given
from hypothesis import strategies as st

from ctckit.bulk.keys import KeySet


@given(st.lists(st.text(max_size=3)))
def test_it_is_a_set(words):
    keys, known = KeySet(), set()
    for word in words:
        assert keys.add(word) is (word not in known)
        known.add(word)
    assert len(keys) == len(known)


def test_it_grows_and_takes_at_most_48_bytes_a_string():
    keys = KeySet()
    assert all(keys.add(f"{n}.png") for n in range(5000))
    assert not any(keys.add(f"{n}.png") for n in range(5000))
    assert len(keys) == 5000
    assert len(keys._table) <= 48 * 5000
