"""Payment cards: published numbers, wrong digits, brands, and debit cards without a check digit."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from policy_rig import found, looking_for, one_rule, policy_set, stops
from stdnum import luhn as reference_luhn

from bridge.policy import cards as d

CARDS = looking_for("type: payment_card")

# Numbers that card schemes publish for testing.
TEST_CARDS = {
    "visa": ["4111111111111111", "4012888888881881", "4222222222222"],
    "mastercard": ["5555555555554444", "5105105105105100", "2223003122003222"],
    "amex": ["378282246310005", "371449635398431"],
    "unionpay": ["6222021234567890128", "6200000000000005"],
    "jcb": ["3530111333300000", "3566002020360505"],
    "discover": ["6011111111111117", "6011000990139424"],
    "diners": ["30569309025904", "38520000023237"],
}


@pytest.mark.parametrize("number", [number for numbers in TEST_CARDS.values() for number in numbers])
def test_published_test_cards_are_found(number: str) -> None:
    """In one piece, in groups, full-width, inside Chinese text."""
    groups = " ".join(number[i : i + 4] for i in range(0, len(number), 4))
    wide = number.translate({ord("0") + i: chr(ord("０") + i) for i in range(10)})
    for written in (number, groups, groups.replace(" ", "-"), wide):
        assert found(CARDS, f"我的卡号{written}，谢谢") == [written]


@pytest.mark.parametrize("brand", d.BRANDS)
def test_brands_are_told_apart(brand: str) -> None:
    """A published number belongs to its brand and to no other."""
    for number in TEST_CARDS[brand][:2]:
        others = [other for other in d.BRANDS if other != brand]
        assert d.brand_of(number, [brand]) == brand and not d.brand_of(number, others)


@given(st.sampled_from([n for numbers in TEST_CARDS.values() for n in numbers]), st.data())
def test_one_wrong_digit_is_no_card(number: str, data: st.DataObject) -> None:
    """Luhn notices every single wrong digit."""
    at = data.draw(st.integers(0, len(number) - 1))
    digit = data.draw(st.sampled_from("0123456789"))
    assume(digit != number[at])
    assert not stops(CARDS, f"x {number[:at]}{digit}{number[at + 1 :]} x")


@pytest.mark.parametrize(
    "text",
    [
        "94111111111111111",
        "41111111111111111",
        "4111; 1111; 1111; 1111",
        "4111..1111..1111..1111",
        "4111 and 1111 1111 1111",
        "0000000000000000",
    ],
)
def test_what_only_looks_like_a_card_is_not_found(text: str) -> None:
    """Longer numbers, more than one sign between digits and numbers of no brand are left alone."""
    assert not stops(CARDS, text)


@pytest.mark.parametrize("between", [".", "_", "/", ",", "·", "・", "•", "\\", " - ", "- ", " – ", "，", "|"])
def test_what_stands_between_the_groups_hides_no_card(between: str) -> None:
    """People separate groups with whatever sign is at hand."""
    written = between.join(["4111", "1111", "1111", "1111"])
    assert found(CARDS, f"卡 {written}。") == [written]


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1", True),
        ("3782/822463/10005", True),
        ("622202/1234567890128", True),
        ("4,111,111,111,111,111", False),
        ("4111.1111/1111.1111", False),
        ("41.11,1111.1111,1111", False),
        ("卡号 6222021234567890127,13800138000", True),
    ],
)
def test_amounts_and_prices_are_no_cards(text: str, hit: bool) -> None:
    """Between other signs than spaces and hyphens the groups are those of a card, the signs the same."""
    assert stops(CARDS, text) is hit


def test_a_card_is_found_beside_other_numbers() -> None:
    """Groups before and behind do not hide a card, and overlapping cards are all found."""
    assert found(CARDS, "12 4111 1111 1111 1111 123") == ["4111 1111 1111 1111"]
    assert found(CARDS, "4111111111111111 5555555555554444") == ["4111111111111111", "5555555555554444"]


def test_brands_can_be_chosen() -> None:
    """A detector for Visa does not find American Express."""
    visa = policy_set(one_rule("card: { type: payment_card, brands: visa }"))
    assert stops(visa, "4111111111111111") and not stops(visa, "378282246310005")


@given(st.from_regex(r"[0-9]{13,19}", fullmatch=True))
def test_luhn_agrees_with_the_reference(digits: str) -> None:
    """Both ways of computing agree with python-stdnum."""
    assert d.luhn(digits) == reference_luhn.is_valid(digits)
    assert d.LuhnSums("7" + digits + "9").holds(1, len(digits) + 1) == d.luhn(digits)


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("银行卡 6222021234567890127", True),
        ("卡號：6222 0212 3456 7890 127", True),
        ("my debit card 6222021234567890127", True),
        ("订单 6222021234567890127", False),
        ("银行卡 4111111111111112", False),
        ("银行卡 622202123456789", False),
    ],
)
def test_a_debit_card_without_check_digit_needs_a_word(text: str, hit: bool) -> None:
    """UnionPay numbers whose last digit is no Luhn digit are cards beside a word for one, others are not."""
    assert stops(CARDS, text) is hit


def test_what_a_word_makes_likely_is_not_certain() -> None:
    """A card without its check digit is of medium confidence, whatever the detector says it wants."""
    certain = looking_for("type: payment_card, confidence: { alone: high, with_context: high }", "high")
    assert stops(certain, "4111111111111111") and not stops(certain, "银行卡 6222021234567890127")
