"""Addresses of crypto wallets: Bitcoin, Ethereum, TRON.

Rules of this file: an address is looked for in the folded text and proved on the characters that were
written, because its checksum is in its capitals.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from bridge.policy.detectors import HIGH, MEDIUM, Finding, Scan, Shape
from bridge.policy.keccak import keccak_256
from bridge.policy.patterns import MOST_HITS, TooMany

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_SUMS = {0: 1, 1: 0x2BC830A3}  # version 0: BIP-173; later ones: BIP-350


def base58check(address: str, versions: bytes) -> bool:
    """Whether `address` is 25 bytes in base 58 with one of `versions` first and a right checksum last."""
    number = 0
    for char in address:
        digit = _BASE58.find(char)
        if digit < 0:
            return False
        number = number * 58 + digit
    if number >> 200:
        return False
    data = number.to_bytes(25, "big")
    # Each leading 1 stands for one zero byte: another number of them is another address.
    if len(address) - len(address.lstrip("1")) != 25 - len(data.lstrip(b"\0")):
        return False
    check = hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4]
    return data[0] in versions and data[-4:] == check


def _polymod(values: Sequence[int]) -> int:
    """The BCH checksum of BIP-173."""
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> place & 1 else 0
    return check


def segwit(address: str) -> bool:
    """Whether `address` (bc1…) is a segregated-witness address of Bitcoin (BIP-173, BIP-350)."""
    if address not in (address.lower(), address.upper()):
        return False
    data = [_BECH32.find(char) for char in address.lower()[3:]]
    if len(data) < 8 or -1 in data or data[0] > 16:
        return False
    prefix = [3, 3, 0, 2, 3]  # "bc" expanded
    bits = 5 * (len(data) - 7)
    length = bits // 8
    sized = length in (20, 32) if data[0] == 0 else 2 <= length <= 40
    padded = bits % 8 < 5 and not data[-7] & ((1 << bits % 8) - 1)
    return sized and padded and _polymod([*prefix, *data]) == _BECH32_SUMS[min(data[0], 1)]


def eip55(address: str) -> bool:
    """Whether the capitals of 0x and 40 hexadecimal digits are their checksum (EIP-55)."""
    digits = address[2:]
    check = keccak_256(digits.lower().encode()).hex()
    return all(
        char.isdigit() or char.isupper() == (int(nibble, 16) >= 8)
        for char, nibble in zip(digits, check, strict=False)
    )


def _btc(address: str) -> int | None:
    right = segwit(address) if address[:3].lower() == "bc1" else base58check(address, b"\x00\x05")
    return HIGH if right else None


def _eth(address: str) -> int | None:
    """An address in one case has no checksum; a mixed one must have the right one."""
    digits = address[2:]
    if digits in (digits.lower(), digits.upper()):
        return MEDIUM
    return HIGH if eip55(address) else None


def _trx(address: str) -> int | None:
    return HIGH if base58check(address, b"\x41") else None


_COINS: Mapping[str, tuple[str, Callable[[str], int | None]]] = {
    "btc": (r"[13][1-9a-z]{24,34}|bc1[02-9ac-hj-np-z]{8,87}", _btc),
    "eth": (r"0x[0-9a-f]{40}", _eth),
    "trx": (r"t[1-9a-z]{33}", _trx),
}
COINS = tuple(_COINS)


def crypto_wallet(coins: Sequence[str]) -> Shape:
    """Addresses of `coins` (btc, eth, trx) with a right checksum; an Ethereum address may have none."""
    kinds = [(re.compile(rf"(?<![a-z0-9])(?:{_COINS[c][0]})(?![a-z0-9])"), _COINS[c][1]) for c in coins]

    def find(scan: Scan) -> Iterator[Finding]:
        for pattern, prove in kinds:
            for count, match in enumerate(pattern.finditer(scan.text)):
                if count == MOST_HITS:
                    raise TooMany
                level = prove(scan.written(*match.span()))
                if level is not None:
                    yield Finding(*match.span(), level, HIGH)

    return Shape("|".join(_COINS[coin][0] for coin in coins), find)
