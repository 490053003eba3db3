"""A compact set of strings."""

from __future__ import annotations

from hashlib import blake2b

_SIZE = 16  # bytes of a digest: two of a billion strings have the same one with a probability of 1e-21
_EMPTY = bytes(_SIZE)


class KeySet:
    """A set of strings that keeps a digest of 16 bytes of each: 24 to 48 bytes a string, whatever its length.

    Example:
        >>> keys = KeySet()
        >>> keys.add("a.png"), keys.add("b.png"), keys.add("a.png"), len(keys)
        (True, True, False, 2)
    """

    def __init__(self) -> None:
        self._slots = 1024
        self._table = bytearray(self._slots * _SIZE)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, key: str) -> bool:
        """Add a string; return whether it is new."""
        return self._add(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_SIZE).digest())

    def _add(self, digest: bytes) -> bool:
        at = self._place(digest)
        if self._table[at : at + _SIZE] == digest:
            return False
        self._table[at : at + _SIZE] = digest
        self._count += 1
        if 3 * self._count > 2 * self._slots:
            self._grow()
        return True

    def _place(self, digest: bytes) -> int:
        """Return where a digest is, or the empty slot for it."""
        slot = int.from_bytes(digest[:8], "little") % self._slots
        while self._table[slot * _SIZE : (slot + 1) * _SIZE] not in (_EMPTY, digest):
            slot = (slot + 1) % self._slots
        return slot * _SIZE

    def _grow(self) -> None:
        before = self._table
        self._slots *= 2
        self._table, self._count = bytearray(self._slots * _SIZE), 0
        for at in range(0, len(before), _SIZE):
            if (digest := bytes(before[at : at + _SIZE])) != _EMPTY:
                self._add(digest)
