"""Shares: any that are enough give the secret back, fewer give nothing, and a slip of the pen is named."""

from __future__ import annotations

import hashlib
import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import shares
from bridge.shares import Share, Unfit, combine, over, secret_of, share_from, split, times


def slow_times(one: int, other: int) -> int:
    """The product by the definition of FIPS 197: shift and add, modulo x^8 + x^4 + x^3 + x + 1."""
    product = 0
    for bit in range(8):
        product ^= (one << bit) if other >> bit & 1 else 0
    for bit in range(14, 7, -1):
        product ^= (0x11B << (bit - 8)) if product >> bit & 1 else 0
    return product


def test_the_field_is_that_of_aes() -> None:
    """The example of FIPS 197, section 4.2, and every product by the definition."""
    assert times(0x57, 0x83) == 0xC1
    for one, other in itertools.product(range(256), range(256)):
        assert times(one, other) == slow_times(one, other)
        if other:
            assert times(over(one, other), other) == one


def test_shares_are_what_the_formula_says() -> None:
    """A line through the secret: with slope 1, share x is the secret plus x."""
    made = split(b"\x42\x00", 3, 2, lambda size: b"\1" * size)
    assert made == {1: b"\x43\x01", 2: b"\x40\x02", 3: b"\x41\x03"}
    assert combine({1: b"\x43\x01", 3: b"\x41\x03"}) == b"\x42\x00"


@given(st.binary(min_size=1, max_size=40), st.data())
def test_any_that_are_enough_give_the_secret(secret: bytes, data: st.DataObject) -> None:
    """Whichever come together, in whatever order."""
    count = data.draw(st.integers(2, 9))
    needed = data.draw(st.integers(2, count))
    made = split(secret, count, needed, os.urandom)
    chosen = data.draw(st.permutations(sorted(made)))[:needed]
    assert combine({number: made[number] for number in chosen}) == secret


def test_fewer_say_nothing() -> None:
    """For any value of the secret there is a polynomial through too few shares: all are equally likely."""
    made = split(b"\x42", 5, 3, os.urandom)
    guesses = {combine({1: made[1], 2: made[2], 3: bytes([third])}) for third in range(256)}
    assert len(guesses) == 256


def test_a_share_is_text_and_back() -> None:
    """What a custodian keeps is read again, also when it was broken into lines."""
    one = Share("k-0a1b", 3, 2, bytes(range(32)))
    text = one.text()
    assert share_from(text + "\n") == one
    assert share_from(text[:40] + "\n  " + text[40:]) == one
    assert bytes(range(32)).hex() not in repr(one)


def test_a_slip_of_the_pen_is_named() -> None:
    """One letter other: it is told from a wrong share."""
    text = Share("k-0a1b", 3, 2, bytes(32)).text()
    for odd, why in ((text.replace("00", "01", 1), "copied"), ("hello", "begins with wbs1"), ("", "wbs1")):
        with pytest.raises(Unfit, match=why):
            share_from(odd)


@pytest.mark.parametrize("line", ["wbs1-k-x-2-00ff", "wbs1-k-2-y-00ff", "wbs1-k-2-1-0zff", "wbs1-k-2-1-0"])
def test_a_line_with_a_checksum_and_no_numbers_is_no_share(line: str) -> None:
    """Somebody made it up: it is refused as a share, not as a fault of the program."""
    checksum = hashlib.sha256(line.encode()).hexdigest()[:8]
    with pytest.raises(Unfit, match="not a share"):
        share_from(f"{line}-{checksum}")


@pytest.mark.parametrize(
    "odd", [Share("k", 2, 0, bytes(32)), Share("k", 2, 256, bytes(32)), Share("k", 2, 2, b"")]
)
def test_shares_without_a_place_or_of_another_length_are_refused(odd: Share) -> None:
    """Number 0 would be the secret itself; what is shorter would shorten it."""
    with pytest.raises(Unfit, match="between 1 and 255"):
        secret_of([Share("k", 2, 1, bytes(32)), odd])


def test_shares_that_do_not_fit_are_refused() -> None:
    """Too few, the same twice, or of two keys."""
    made = [Share("k", 2, number, value) for number, value in split(b"s" * 32, 3, 2, os.urandom).items()]
    assert secret_of(made[1:]) == b"s" * 32
    with pytest.raises(Unfit, match="2 different shares are needed, and there are 1"):
        secret_of([made[0], made[0]])
    with pytest.raises(Unfit, match="not all of the same key"):
        secret_of([made[0], Share("other", 2, 2, bytes(32))])


@pytest.mark.parametrize(("count", "needed"), [(3, 4), (3, 1), (256, 2)])
def test_numbers_that_make_no_sense_are_refused(count: int, needed: int) -> None:
    """More needed than there are, one alone, or more than the field has."""
    with pytest.raises(ValueError, match="between 2 and all"):
        split(b"secret", count, needed, os.urandom)
    assert shares.MOST == 255
