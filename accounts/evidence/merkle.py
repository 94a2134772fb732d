"""Merkle trees over hashes (RFC 6962): one root stands for many, and a short proof shows that one of them is in it.

Hashes are 64 hex digits. A proof is the list of neighbours on the way to the root, each with the side it stands on.
"""

import hashlib
from collections.abc import Iterable, Sequence

# (side, hash): "L" stands to the left of what is proved, "R" to the right.
Proof = list[tuple[str, str]]

EMPTY = hashlib.sha256().hexdigest()


class Root:
    """The root over leaves that come one by one, in constant memory."""

    def __init__(self) -> None:
        self._peaks: list[tuple[int, bytes]] = []  # (height, hash), of full subtrees from left to right

    def add(self, leaf: str) -> None:
        height, node = 0, _leaf(leaf)
        while self._peaks and self._peaks[-1][0] == height:
            node, height = _join(self._peaks.pop()[1], node), height + 1
        self._peaks.append((height, node))

    @property
    def value(self) -> str:
        if not self._peaks:
            return EMPTY
        *peaks, (_, node) = self._peaks
        for _, peak in reversed(peaks):
            node = _join(peak, node)
        return node.hex()


def root(leaves: Iterable[str]) -> str:
    """The root over any number of leaves."""
    tree = Root()
    for leaf in leaves:
        tree.add(leaf)
    return tree.value


def proof(leaves: Sequence[str], place: int) -> Proof:
    """The proof for the leaf at this place, counted from 0. Raises IndexError where there is none."""
    if not 0 <= place < len(leaves):
        raise IndexError("no such leaf")
    way: Proof = []
    row = [_leaf(leaf) for leaf in leaves]
    while len(row) > 1:
        beside = place ^ 1
        if beside < len(row):
            way.append(("L" if beside < place else "R", row[beside].hex()))
        row = [_join(*row[at : at + 2]) if at + 1 < len(row) else row[at] for at in range(0, len(row), 2)]
        place //= 2
    return way


def is_proved(leaf: str, way: Proof, expected: str) -> bool:
    """Whether the proof leads from the leaf to this root."""
    node = _leaf(leaf)
    for side, beside in way:
        node = _join(bytes.fromhex(beside), node) if side == "L" else _join(node, bytes.fromhex(beside))
    return node.hex() == expected


def _leaf(leaf: str) -> bytes:
    return hashlib.sha256(b"\x00" + bytes.fromhex(leaf)).digest()


def _join(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
