"""Samples for every built-in detector: texts in which it must find something, and near misses.

Rules of this file: check digits are computed here a second time, by hand or by python-stdnum, never by the
code under test. A near miss is wrong in one thing only. Everything comes from a `Random` that is handed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits

from stdnum import iban, lei, luhn
from stdnum.cn import ric, uscc
from stdnum.isin import calc_check_digit as isin_check
from stdnum.iso7064 import mod_97_10

Maker = Callable[[Random], str]


def some(random: Random, alphabet: str, length: int) -> str:
    """`length` characters of `alphabet`."""
    return "".join(random.choice(alphabet) for _ in range(length))


def another(random: Random, char: str, alphabet: str) -> str:
    """A character of `alphabet` that is not `char`."""
    return random.choice([other for other in alphabet if other != char])


def wrong_end(random: Random, number: str, alphabet: str = digits) -> str:
    """`number` with another last character."""
    return number[:-1] + another(random, number[-1], alphabet)


# --- cards and identity ---------------------------------------------------------------------------------


def card(random: Random) -> str:
    """A card of some brand, in one piece or in groups."""
    start, length = random.choice([("4", 16), ("53", 16), ("34", 15), ("62", 19), ("3566", 16), ("6011", 16)])
    body = start + some(random, digits, length - len(start) - 1)
    number = body + luhn.calc_check_digit(body)
    step = random.choice([0, 4])
    return "-".join(number[at : at + 4] for at in range(0, length, 4)) if step else number


def resident_id(random: Random) -> str:
    """A resident identity number of China."""
    born = f"{random.randint(1940, 2015)}{random.randint(1, 12):02}{random.randint(1, 28):02}"
    body = random.choice(["110105", "310101", "440305", "510104"]) + born + some(random, digits, 3)
    return body + ric.calc_check_digit(body + "0")


def hkid(random: Random) -> str:
    """A Hong Kong identity number, with brackets."""
    body = some(random, ascii_uppercase, random.choice([1, 2])) + some(random, digits, 6)
    values = [36] * (8 - len(body)) + [int(char, 36) for char in body]
    rest = -sum((9 - place) * value for place, value in enumerate(values)) % 11
    return f"{body}({'0123456789A'[rest]})"


def wrong_hkid(random: Random) -> str:
    """One whose check character is wrong."""
    number = hkid(random)
    return f"{number[:-2]}{another(random, number[-2], digits)})"


_TAIWAN = dict(zip("ABCDEFGHJKLMNPQRSTUVXYWZIO", range(10, 36), strict=True))


def taiwan_id(random: Random) -> str:
    """An identity number of a citizen of Taiwan, or of a resident."""
    body = random.choice(ascii_uppercase) + random.choice("1289") + some(random, digits, 7)
    tens, units = divmod(_TAIWAN[body[0]], 10)
    total = tens + 9 * units + sum((8 - place) * int(digit) for place, digit in enumerate(body[1:]))
    return f"{body}{-total % 10}"


def macau_bir(random: Random) -> str:
    """A number in the form of a Macau identity card, behind a word for one."""
    return f"澳门身份证 {random.choice('157')}{some(random, digits, 6)}({random.choice(digits)})"


def passport(random: Random) -> str:
    """A passport of China, Hong Kong or Taiwan, behind a word for one."""
    number = random.choice(
        ["E1" + some(random, digits, 7), "EB" + some(random, digits, 7), "K" + some(random, digits, 8)]
    )
    return f"护照 {number}"


# --- registers ------------------------------------------------------------------------------------------


def an_iban(random: Random) -> str:
    """An IBAN of a country whose own rules need no further digit, in groups or in one piece."""
    country, bban = random.choice(
        [
            ("GB", some(random, ascii_uppercase, 4) + some(random, digits, 14)),
            ("DE", some(random, digits, 18)),
            ("AE", some(random, digits, 19)),
            ("LU", some(random, digits, 3) + some(random, digits + ascii_uppercase, 13)),
        ]
    )
    number = country + iban.calc_check_digits(f"{country}00{bban}") + bban
    return iban.format(number) if random.random() < 0.5 else number


def wrong_iban(random: Random) -> str:
    """One of whose check digits one is wrong."""
    number = an_iban(random)
    return number[:3] + another(random, number[3], digits) + number[4:]


def bic(random: Random) -> str:
    """A BIC behind a word for one."""
    branch = some(random, ascii_uppercase, 3) if random.random() < 0.5 else ""
    return f"SWIFT: {some(random, ascii_uppercase, 4)}{random.choice(['HK', 'CN', 'GB', 'US'])}2X{branch}"


def wrong_bic(random: Random) -> str:
    """One of a country that does not exist."""
    return f"SWIFT: {some(random, ascii_uppercase, 4)}{random.choice(['QQ', 'ZX', 'XX'])}2X"


def an_lei(random: Random) -> str:
    """A legal entity identifier."""
    body = some(random, digits, 4) + "00" + some(random, ascii_uppercase + digits, 11) + "X"
    number = body + mod_97_10.calc_check_digits(body)
    return lei.validate(number)


def isin(random: Random) -> str:
    """A securities number of a few countries."""
    body = random.choice(["US", "HK", "CN", "KY", "GB"]) + some(random, ascii_uppercase + digits, 9)
    return body + isin_check(body)


def an_uscc(random: Random) -> str:
    """A unified social credit code."""
    body = "91" + random.choice(["110000", "310115", "440300"]) + some(random, digits, 8) + "K"
    return body + uscc.calc_check_digit(body)


# --- wallets --------------------------------------------------------------------------------------------

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def _base58check(version: bytes, random: Random) -> str:
    data = version + random.randbytes(20)
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    number, written = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        written = _BASE58[digit] + written
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + written


def wallet(random: Random) -> str:
    """A Bitcoin or TRON address in base 58, or an Ethereum address in one case."""
    if random.random() < 0.3:
        return "0x" + some(random, "0123456789abcdef", 40)
    return _base58check(random.choice([b"\x00", b"\x05", b"\x41"]), random)


def wrong_wallet(random: Random) -> str:
    """An address of which one character is wrong."""
    number = _base58check(random.choice([b"\x00", b"\x05", b"\x41"]), random)
    at = random.randrange(2, len(number))
    return number[:at] + another(random, number[at], _BASE58) + number[at + 1 :]


# --- contacts and secrets -------------------------------------------------------------------------------


def phone(random: Random) -> str:
    """A Chinese mobile number, or one of Hong Kong with its country code."""
    mobile = f"13{some(random, '56789', 1)}{some(random, digits, 8)}"
    spaced = f"{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}"
    return random.choice(
        [
            mobile,
            spaced,
            f"+86 {mobile}",
            f"+852 9{some(random, '123', 1)}{some(random, digits, 2)} {some(random, digits, 4)}",
        ]
    )


def wrong_phone(random: Random) -> str:
    """Eleven digits that no network in China uses, or a date."""
    return random.choice(
        ["12" + some(random, digits, 9), f"20{some(random, '12', 1)}5-11-2{some(random, digits, 1)}"]
    )


def email(random: Random) -> str:
    """An address below `example`, which is nobody's."""
    first, last, host = (some(random, ascii_lowercase, length) for length in (6, 4, 7))
    return f"{first}.{last}@{host}.example"


def url(random: Random) -> str:
    """A web address, with or without its scheme."""
    host = f"{some(random, ascii_lowercase, 6)}.example"
    return random.choice(
        [
            f"https://{host}/{some(random, ascii_letters, 5)}",
            f"www.{host}",
            f"t.me/{some(random, ascii_letters, 6)}",
        ]
    )


def secret(random: Random) -> str:
    """A key of a known maker, a given password, or a random token behind a word for one."""
    given = f"{some(random, ascii_letters, 7)}{some(random, digits, 3)}"
    token = "aA1" + "".join(random.sample(ascii_letters + digits, 29))
    return random.choice([f"AKIA{some(random, ascii_uppercase, 16)}", f"password: {given}", f"token {token}"])


@dataclass(frozen=True)
class Kind:
    """How to write a detector, and samples for it. `wrong` are near misses."""

    options: str
    right: Maker
    wrong: Maker


def _but(right: Maker, alphabet: str = digits) -> Maker:
    return lambda random: wrong_end(random, right(random), alphabet)


def _without_word(right: Maker) -> Maker:
    return lambda random: "编号 " + right(random).split(" ", 1)[1]


KINDS = {
    "payment_card": Kind("type: payment_card", card, _but(card)),
    "china_resident_id": Kind("type: china_resident_id", resident_id, _but(resident_id)),
    "hkid": Kind("type: hkid", hkid, wrong_hkid),
    "taiwan_id": Kind("type: taiwan_id", taiwan_id, _but(taiwan_id)),
    "macau_bir": Kind("type: macau_bir", macau_bir, _without_word(macau_bir)),
    "passport": Kind("type: passport", passport, _without_word(passport)),
    "home_return_permit": Kind(
        "type: home_return_permit",
        lambda random: f"回乡证 {random.choice('HM')}{some(random, digits, 8)}",
        lambda random: f"回乡证 {random.choice('AB')}{some(random, digits, 8)}",
    ),
    "taiwan_permit": Kind(
        "type: taiwan_permit",
        lambda random: f"台胞证 {some(random, digits, 8)}",
        lambda random: f"台胞证 {some(random, digits, 7)}",
    ),
    "iban": Kind("type: iban", an_iban, wrong_iban),
    "bic": Kind("type: bic", bic, wrong_bic),
    "lei": Kind("type: lei", an_lei, _but(an_lei)),
    "isin": Kind("type: isin", isin, _but(isin)),
    "uscc": Kind("type: uscc", an_uscc, _but(an_uscc)),
    "phone": Kind("type: phone", phone, wrong_phone),
    "crypto_wallet": Kind("type: crypto_wallet", wallet, wrong_wallet),
    "email": Kind("type: email", email, lambda random: email(random).replace(".example", ".")),
    "url": Kind(
        "type: url", url, lambda random: f"0{some(random, digits, 3)}.HK {some(random, ascii_lowercase, 6)}"
    ),
    "secret": Kind(
        "type: secret", secret, lambda random: "the password is " + some(random, ascii_lowercase, 12)
    ),
}
