"""Keccak-256, the hash of Ethereum: not SHA3-256, whose padding is another.

Rules of this file: the sponge of the Keccak reference, rate 1088 bits, pad 0x01 … 0x80. It serves checksums
of addresses, 42 characters long; it is neither fast nor for secrets.
"""

from __future__ import annotations

from collections.abc import Iterator

_RATE = 136  # bytes
_MASK = (1 << 64) - 1


def _round_constants() -> Iterator[int]:
    """The 24 constants of step iota, from its shift register x^8 + x^6 + x^5 + x^4 + 1."""
    register = 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register >> 7 else 0)
        yield constant


def _turns() -> Iterator[tuple[int, int]]:
    """Source lane and rotation of each step of rho and pi, along the walk that visits every lane."""
    x, y = 1, 0
    for step in range(24):
        yield x + 5 * y, (step + 1) * (step + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5


_CONSTANTS = tuple(_round_constants())
_TURNS = tuple(_turns())


def _rotated(lane: int, bits: int) -> int:
    return ((lane << bits) | (lane >> (64 - bits))) & _MASK


def _permuted(lanes: list[int]) -> list[int]:
    """Keccak-f[1600] over 25 lanes, lane x, y at x + 5 y."""
    for constant in _CONSTANTS:
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        mixed = [columns[x - 1] ^ _rotated(columns[(x + 1) % 5], 1) for x in range(5)]
        lanes = [lane ^ mixed[place % 5] for place, lane in enumerate(lanes)]
        moved = [lanes[0]] * 25
        for source, bits in _TURNS:
            x, y = source % 5, source // 5
            moved[y + 5 * ((2 * x + 3 * y) % 5)] = _rotated(lanes[source], bits)
        lanes = [
            moved[p] ^ (~moved[p - p % 5 + (p + 1) % 5] & moved[p - p % 5 + (p + 2) % 5]) for p in range(25)
        ]
        lanes[0] ^= constant
    return lanes


def keccak_256(data: bytes) -> bytes:
    """The 32 bytes of Keccak-256 of `data`."""
    padded = bytearray(data) + b"\x01" + bytes(-(len(data) + 1) % _RATE)
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            at = start + 8 * lane
            lanes[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])
