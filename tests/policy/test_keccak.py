"""Keccak-256 against published vectors, and against the one thing it shares with SHA-3."""

from __future__ import annotations

import hashlib

import pytest

from bridge.policy import keccak


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (
            b"The quick brown fox jumps over the lazy dog",
            "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15",
        ),
    ],
)
def test_published_digests_come_out(data: bytes, digest: str) -> None:
    """The digests that Ethereum's documents give."""
    assert keccak.keccak_256(data).hex() == digest


@pytest.mark.parametrize("length", [0, 1, 134, 135, 136, 137, 272, 1000])
def test_the_sponge_is_that_of_sha3(length: int) -> None:
    """With SHA-3's padding bit the permutation gives what the standard library gives, across block edges."""
    data = bytes(number % 251 for number in range(length))
    lanes = [0] * 25
    padded = bytearray(data) + b"\x06" + bytes(-(length + 1) % 136)
    padded[-1] |= 0x80
    for start in range(0, len(padded), 136):
        block = padded[start : start + 136]
        for lane in range(17):
            lanes[lane] ^= int.from_bytes(block[8 * lane : 8 * lane + 8], "little")
        lanes = keccak._permuted(lanes)
    digest = b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])
    assert digest == hashlib.sha3_256(data).digest()
