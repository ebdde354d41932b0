"""A secret in shares: any `needed` of them give it back, fewer say nothing at all (Shamir, CACM 22:11, 1979).

Rules of this file: pure; `chance` gives random bytes. Byte by byte, over the field of 256 elements that AES
uses (FIPS 197, section 4). A share is a line of text that a person can keep on paper; each has a checksum, so
that a slip of the pen is told from a wrong share:

    wbs1 - name of the master key - needed - number of the share - bytes in hex - checksum
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST = 255
_POLYNOMIAL = 0x11B


class Unfit(ValueError):
    """These shares do not give the secret: the text says which, and why."""


def _tables() -> tuple[list[int], list[int]]:
    powers, logs, value = [0] * 510, [0] * 256, 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = value
        logs[value] = exponent
        value ^= value << 1  # times 3, which generates every element but 0
        if value & 0x100:
            value ^= _POLYNOMIAL
    return powers, logs


_POWERS, _LOGS = _tables()


def times(one: int, other: int) -> int:
    """The product of two elements of the field."""
    return _POWERS[_LOGS[one] + _LOGS[other]] if one and other else 0


def over(one: int, other: int) -> int:
    """The quotient; `other` is not 0."""
    return _POWERS[_LOGS[one] - _LOGS[other] + 255] if one else 0


def split(secret: bytes, shares: int, needed: int, chance: Callable[[int], bytes]) -> dict[int, bytes]:
    """`secret` in so many shares, by number from 1. Raises ValueError for numbers that make no sense."""
    if not 2 <= needed <= shares <= MOST:
        raise ValueError(f"of {shares} shares, between 2 and all must be needed, and {MOST} are the most")
    # One polynomial for each byte: the byte itself is its value at 0.
    lines = [bytes([byte]) + chance(needed - 1) for byte in secret]
    return {x: bytes(_value(line, x) for line in lines) for x in range(1, shares + 1)}


def _value(coefficients: bytes, x: int) -> int:
    value = 0
    for coefficient in reversed(coefficients):
        value = times(value, x) ^ coefficient
    return value


def combine(shares: dict[int, bytes]) -> bytes:
    """The secret of these shares, which are enough; of too few, bytes that mean nothing."""
    weights = {x: _weight(x, shares) for x in shares}
    size = min(map(len, shares.values()))
    secret = bytearray(size)
    for x, share in shares.items():
        for place in range(size):
            secret[place] ^= times(weights[x], share[place])
    return bytes(secret)


def _weight(x: int, others: dict[int, bytes]) -> int:
    """The value at 0 of the polynomial that is 1 at `x` and 0 at the others (Lagrange)."""
    weight = 1
    for other in others:
        if other != x:
            weight = times(weight, over(other, other ^ x))
    return weight


# --- as text --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Share:
    """One custodian's part of the master key called `key`."""

    key: str
    needed: int
    number: int
    value: bytes

    def __repr__(self) -> str:
        return f"Share(key={self.key!r}, number={self.number}, value=***)"

    def text(self) -> str:
        """The line that a custodian keeps."""
        line = f"wbs1-{self.key}-{self.needed}-{self.number}-{self.value.hex()}"
        return f"{line}-{_checksum(line)}"


def share_from(text: str) -> Share:
    """The share that a line of text is. Raises Unfit."""
    line, _, checksum = "".join(text.split()).rpartition("-")
    parts = line.split("-")
    if parts[0] != "wbs1" or len(parts) < 5:
        raise Unfit("this is not a share of a version known here: it begins with wbs1-")
    if checksum != _checksum(line):
        raise Unfit("a share was not copied rightly: its last letters do not fit the rest")
    needed, number, value = parts[-3:]
    try:
        return Share("-".join(parts[1:-3]), int(needed), int(number), bytes.fromhex(value))
    except ValueError:
        raise Unfit("this is not a share: its numbers, or its bytes, are none") from None


def secret_of(shares: Sequence[Share]) -> bytes:
    """The secret of these shares. Raises Unfit when they are too few, or not of one key."""
    if len({(one.key, one.needed) for one in shares}) != 1:
        raise Unfit("these shares are not all of the same key")
    if len({len(one.value) for one in shares}) != 1 or not all(1 <= one.number <= MOST for one in shares):
        raise Unfit("these shares are not of one length, or their numbers are not between 1 and 255")
    values = {one.number: one.value for one in shares}
    if len(values) < shares[0].needed:
        raise Unfit(f"{shares[0].needed} different shares are needed, and there are {len(values)}")
    return combine(values)


def _checksum(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()[:8]
