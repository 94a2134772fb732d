"""Merkle trees over hashes (RFC 6962): one root stands for many, and a short proof shows that one of them is in it.

Hashes are 64 hex digits. A proof is the list of neighbours on the way to the root, each with the side it stands on.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

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
    return proofs(leaves, {place})[place]


def proofs(leaves: Iterable[str], places: Collection[int]) -> dict[int, Proof]:
    """The proofs for the leaves at these places, counted from 0. Keeps nothing of the others."""
    ways: dict[int, Proof] = {place: [] for place in places}

    def join(left: _Peak, right: _Peak) -> _Peak:
        for place in left.places:
            ways[place].append(("R", right.node.hex()))
        for place in right.places:
            ways[place].append(("L", left.node.hex()))
        return _Peak(left.height + 1, _join(left.node, right.node), left.places + right.places)

    peaks: list[_Peak] = []
    for place, leaf in enumerate(leaves):
        peak = _Peak(0, _leaf(leaf), [place] if place in ways else [])
        while peaks and peaks[-1].height == peak.height:
            peak = join(peaks.pop(), peak)
        peaks.append(peak)
    while len(peaks) > 1:
        right = peaks.pop()
        peaks.append(join(peaks.pop(), right))
    return ways


class _Peak(NamedTuple):
    """A full subtree, and which of its leaves are to be proved."""

    height: int
    node: bytes
    places: list[int]


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
