"""Payment cards: the ranges and lengths of the brands, and the Luhn check digit.

Rules of this file: groups of digits are never cut, and every window of neighbouring groups is looked at, in
linear time however long a number is. Spaces and hyphens may stand anywhere; with other signs, which stand
between amounts and prices as well, the groups have to be those of a card and the signs the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, pairwise

from bridge.policy.detectors import HIGH, LOW, MEDIUM, Finding, Scan, Shape
from bridge.policy.folding import Span

# Hyphens as they remain after folding; the plain one last, where no range can begin.
_DASHES = "\u2010\u2012\u2013\u2014\u2212-"
_RUN_SHAPE = rf"[0-9](?:[ {_DASHES}]?[0-9]){{12,}}"
_RUN = re.compile(_RUN_SHAPE)
_SIGNS = r"._/,|\\·・•∙⋅‧、"
_WIDE_SHAPE = rf"[0-9](?:(?: ?[{_DASHES}] ?|[ {_SIGNS}])?[0-9]){{12,}}"
_WIDE = re.compile(_WIDE_SHAPE)
_LAYOUTS = {(4, 6, 5), (4, 6, 4), (6, 10), (6, 13)}  # American Express, Diners Club, UnionPay
_GROUP = re.compile(r"[0-9]+")
WORDS = ("银行卡", "借记卡", "卡号", "银联", "unionpay", "debit card", "card number", "card no")

# (first number, last number, lengths), compared over as many digits as the limits have (ISO/IEC 7812).
BRANDS: Mapping[str, tuple[tuple[str, str, frozenset[int]], ...]] = {
    "visa": (("4", "4", frozenset({13, 16, 19})),),
    "mastercard": (("51", "55", frozenset({16})), ("2221", "2720", frozenset({16}))),
    "amex": (("34", "34", frozenset({15})), ("37", "37", frozenset({15}))),
    "unionpay": (("62", "62", frozenset({16, 17, 18, 19})), ("81", "81", frozenset({16, 17, 18, 19}))),
    "jcb": (("3528", "3589", frozenset({16, 17, 18, 19})),),
    "discover": (
        ("6011", "6011", frozenset({16, 17, 18, 19})),
        ("644", "649", frozenset({16, 17, 18, 19})),
        ("65", "65", frozenset({16, 17, 18, 19})),
    ),
    "diners": (
        ("300", "305", frozenset({14, 15, 16, 17, 18, 19})),
        ("36", "36", frozenset({14, 15, 16, 17, 18, 19})),
        ("38", "39", frozenset({14, 15, 16, 17, 18, 19})),
    ),
}
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = sum(int(d) if i % 2 == 0 else _DOUBLED[int(d)] for i, d in enumerate(reversed(digits)))
    return total % 10 == 0


def brand_of(digits: str, brands: Iterable[str] = BRANDS) -> str:
    """The first of `brands` whose ranges and lengths take `digits`; "" if none."""
    for brand in brands:
        for low, high, lengths in BRANDS[brand]:
            if len(digits) in lengths and low <= digits[: len(low)] <= high:
                return brand
    return ""


class LuhnSums:
    """Luhn of every window of a long number in constant time: a hostile text of digits costs no more."""

    def __init__(self, digits: str) -> None:
        plain = [int(d) for d in digits]
        self._even = [0, *accumulate(_DOUBLED[d] if i % 2 else d for i, d in enumerate(plain))]
        self._odd = [0, *accumulate(d if i % 2 else _DOUBLED[d] for i, d in enumerate(plain))]

    def holds(self, start: int, end: int) -> bool:
        """Whether digits[start:end] ends in its check digit."""
        sums = self._even if (end - 1) % 2 == 0 else self._odd
        return (sums[end] - sums[start]) % 10 == 0


def payment_card(brands: Sequence[str]) -> Shape:
    """Card numbers of `brands`, in one piece or in groups with spaces, hyphens, dots and other signs between.

    A number of UnionPay whose last digit is no Luhn digit is a card of medium confidence beside a word for
    one: not every debit card has the digit.
    """

    def find(scan: Scan) -> Iterator[Finding]:
        for run in _RUN.finditer(scan.text):
            yield from _in_run(run.group(), run.start(), brands, lambda groups: True)
        for run in _WIDE.finditer(scan.text):
            alike = partial(_as_on_a_card, run.group())
            yield from _in_run(run.group(), run.start(), brands, alike)

    return Shape(_WIDE_SHAPE, find, WORDS)


def _as_on_a_card(run: str, groups: Sequence[Span]) -> bool:
    """Whether digits are grouped as on a card: by the same sign, and in equal groups or as a brand does."""
    signs = {run[end:start] for (_, end), (start, _) in pairwise(groups)}
    lengths = tuple(end - start for start, end in groups)
    equal = len(set(lengths[:-1])) < 2 and lengths[-1] <= lengths[0]
    return len(signs) < 2 and (equal or lengths in _LAYOUTS)


def _in_run(
    run: str, offset: int, brands: Sequence[str], may_be: Callable[[Sequence[Span]], bool]
) -> list[Finding]:
    groups = [match.span() for match in _GROUP.finditer(run)]
    digits = "".join(run[start:end] for start, end in groups)
    sums = LuhnSums(digits)
    ends = list(accumulate(end - start for start, end in groups))
    starts = [0, *ends[:-1]]
    proven = [
        Finding(offset + groups[first][0], offset + groups[last][1], HIGH, HIGH)
        for first, last in _windows(starts, ends)
        if sums.holds(starts[first], ends[last])
        and brand_of(digits[starts[first] : ends[last]], brands)
        and may_be(groups[first : last + 1])
    ]
    if not proven and "unionpay" in brands and brand_of(digits, ["unionpay"]) and may_be(groups):
        return [Finding(offset, offset + len(run), LOW, MEDIUM)]
    return proven


def _windows(starts: Sequence[int], ends: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Every (first, last) of neighbouring groups with 13 to 19 digits together."""
    for first, start in enumerate(starts):
        for last in range(first, min(first + 19, len(ends))):
            length = ends[last] - start
            if length > 19:
                break
            if length >= 13:
                yield first, last
