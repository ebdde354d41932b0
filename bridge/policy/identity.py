"""Numbers of identity documents in China, Hong Kong, Macau and Taiwan.

Rules of this file: a number that carries a check digit proves itself; one that is only a format is of low
confidence alone and needs a word beside it. Everything is folded: letters are small.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from bridge.policy.detectors import CERTAIN, DIGIT_EDGES, FORMAT, HIGH, MEDIUM, Levels, Shape, checked

# --- China ----------------------------------------------------------------------------------------------

# GB/T 2260: the first two digits name the province.
_PROVINCES = frozenset(
    str(code)
    for codes in (range(11, 16), range(21, 24), range(31, 38), range(41, 47), range(50, 55), range(61, 66))
    for code in (*codes, 71, 81, 82, 83)
)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10x98765432"


def is_resident_id(number: str) -> bool:
    """Whether 18 characters (digits, perhaps a final x) are a resident identity number (GB 11643-1999)."""
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, number, strict=False))
    if _ID_CHECKS[total % 11] != number[17] or number[:2] not in _PROVINCES:
        return False
    try:
        return datetime.date(int(number[6:10]), int(number[10:12]), int(number[12:14])).year >= 1880
    except ValueError:
        return False


def _resident_id(number: str) -> Levels | None:
    return CERTAIN if is_resident_id(number.replace(" ", "")) else None


# A number is also found behind digits that do not belong to it, so candidates may overlap.
CHINA_RESIDENT_ID = checked(
    r"[1-9][0-9](?: ?[0-9]){15} ?[0-9x]", _resident_id, edges=DIGIT_EDGES, overlapping=True
)


# --- Hong Kong, Taiwan, Macau ---------------------------------------------------------------------------


def is_hkid(number: str) -> bool:
    """Whether one or two letters, six digits and a check character (0-9, a) are a Hong Kong identity number.

    Weights 9 to 1, a missing first letter counts 36, letters count from 10; the sum is a multiple of 11.
    """
    values = [36] * (9 - len(number)) + [int(char, 36) for char in number]
    return sum(weight * value for weight, value in zip(range(9, 0, -1), values, strict=True)) % 11 == 0


def _hkid(number: str) -> Levels | None:
    bare = "".join(char for char in number if char.isalnum())
    if not is_hkid(bare):
        return None
    return CERTAIN if "(" in number else Levels(MEDIUM, HIGH)


HKID = checked(
    r"[a-z]{1,2}[0-9]{6}(?: ?\([0-9a]\)|[0-9a])", _hkid, words=("身份证", "hkid", "identity card", "id card")
)

# The two digits that a letter of a Taiwan identity number stands for, from 10 in this order.
_TAIWAN_LETTERS = {letter: 10 + place for place, letter in enumerate("abcdefghjklmnpqrstuvxywzio")}


def is_taiwan_id(number: str) -> bool:
    """Whether ten characters are an identity number of Taiwan: a citizen's, or a resident's, old or new.

    The letter's two digits, then the others, with weights 1, 9, 8 … 1, 1; the sum is a multiple of 10. In
    resident numbers before 2021 the second character is a letter and counts with its last digit.
    """
    first = _TAIWAN_LETTERS[number[0]]
    second = _TAIWAN_LETTERS[number[1]] % 10 if number[1].isalpha() else int(number[1])
    digits = [first // 10, first % 10, second, *map(int, number[2:])]
    weights = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)
    return sum(weight * digit for weight, digit in zip(weights, digits, strict=True)) % 10 == 0


def _taiwan_id(number: str) -> Levels | None:
    return CERTAIN if is_taiwan_id(number) else None


TAIWAN_ID = checked(r"[a-z][1289a-d][0-9]{8}", _taiwan_id)

# Macau does not publish how its check digit is computed: 1234567(8) and 1/234567/8 are a format.
MACAU_BIR = checked(
    r"[157][0-9]{6} ?\([0-9]\)|[157]/[0-9]{6}/[0-9]",
    lambda number: FORMAT,
    words=("澳门", "身份证", "macau", "macao", "bir"),
)

# --- passports and permits: formats ---------------------------------------------------------------------

_PASSPORTS = {
    "CN": "e[0-9a-hj-np-z][0-9]{7}|[gdsp][0-9]{8}|(?:de|se|pe)[0-9]{7}",
    "HK": "[hk][0-9]{8}|[hk]j[0-9]{7}",
    "TW": "[0-9]{9}",
}
PASSPORT_COUNTRIES = tuple(_PASSPORTS)


def passport(countries: Sequence[str]) -> Shape:
    """Passports of `countries` (CN, HK, TW): a format, no check digit."""
    pattern = "|".join(_PASSPORTS[country] for country in countries)
    return checked(pattern, lambda number: FORMAT, words=("护照", "passport"))


# 回乡证: of residents of Hong Kong (H) and Macau (M), perhaps with the number of its issue.
HOME_RETURN_PERMIT = checked(
    r"[hm][0-9]{8}(?:[0-9]{2})?",
    lambda number: FORMAT,
    words=("回乡证", "通行证", "港澳居民", "home return permit", "home visit permit", "travel permit"),
)
# 台胞证: eight digits; before 2015 ten, with a letter in brackets.
TAIWAN_PERMIT = checked(
    r"[0-9]{8}(?:[0-9]{2} ?\([a-z]\))?",
    lambda number: FORMAT,
    words=("台胞证", "通行证", "台湾居民", "taiwan compatriot permit", "travel permit"),
)
