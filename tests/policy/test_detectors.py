"""What is found, what is nearly found, and how long it takes when somebody is hostile."""

from __future__ import annotations

import datetime
import time

import pytest
import re2
from hypothesis import assume, given
from hypothesis import strategies as st
from policy_rig import one_rule, policy_set, weigh, words_rule
from stdnum import luhn as reference_luhn
from stdnum.cn import ric as reference_id

from bridge.message import Cause, Outcome
from bridge.policy import PolicySet
from bridge.policy import detectors as d
from bridge.policy.lexicon import Lexicon, Words

CARDS = policy_set(one_rule())
IDS = policy_set(one_rule("id: { type: china_resident_id }", "{ direction: both, finds: id }"))


def found(policies: PolicySet, text: str) -> list[str]:
    """The passages of `text` that the rule's detectors find."""
    return [text[start:end] for match in weigh(policies, text).matches for start, end in match.spans]


def stops(policies: PolicySet, text: str) -> bool:
    """Whether the blocking rule acts on `text`."""
    return weigh(policies, text).outcome is Outcome.BLOCK


# --- payment cards --------------------------------------------------------------------------------------

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
        "4111  1111_1111 1111",
        "4111.1111.1111.1111",
        "0000000000000000",
    ],
)
def test_what_only_looks_like_a_card_is_not_found(text: str) -> None:
    """Longer numbers, other separators and numbers of no brand are left alone."""
    assert not stops(CARDS, text)


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
    assert d._LuhnSums("7" + digits + "9").holds(1, len(digits) + 1) == d.luhn(digits)


# --- resident identity numbers --------------------------------------------------------------------------


def with_check_digit(body: str) -> str:
    """17 digits and their check character."""
    return body + reference_id.calc_check_digit(body + "0")


@pytest.mark.parametrize("number", ["11010519491231002X", "11010519491231002x", "440524188001010014"])
def test_known_identity_numbers_are_found(number: str) -> None:
    """The standard's own examples, with either x, also in groups and full-width."""
    wide = number.translate({ord("0") + i: chr(ord("０") + i) for i in range(10)})
    spaced = f"{number[:6]} {number[6:14]} {number[14:]}"
    for written in (number, wide, spaced, f"12 {number}"[3:]):
        assert found(IDS, f"身份证{written}号") == [written]
    assert found(IDS, f"12 {number}") == [number]


@pytest.mark.parametrize(
    "number",
    [
        "110105194912310021",  # check digit
        with_check_digit("11010519491331002"),  # 13th month
        with_check_digit("11010519490229002"),  # no leap year
        with_check_digit("99010519491231002"),  # no such province
        "911010519491231002X",  # inside a longer number
        "11010519491231002X1",
    ],
)
def test_near_misses_are_not_identity_numbers(number: str) -> None:
    """Region, date, check digit and length all have to be right."""
    assert not stops(IDS, f"编号 {number} 号")


@given(
    st.sampled_from(["110105", "310101", "440305", "510104", "650102"]),
    st.dates(datetime.date(1992, 1, 1), datetime.date(2025, 12, 31)),
    st.integers(0, 999),
)
def test_generated_identity_numbers_agree_with_the_reference(
    region: str, born: datetime.date, order: int
) -> None:
    """Every valid number is found, and python-stdnum calls it valid too."""
    number = with_check_digit(f"{region}{born:%Y%m%d}{order:03}")
    assert reference_id.is_valid(number)
    assert d.is_resident_id(number.lower()) and stops(IDS, number)


# --- words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "text", "hit"),
    [
        ("MNPI", "这是MNPI消息", True),
        ("MNPI", "xMNPI", False),
        ("mnpi", "Ｍ\u200bＮＰＩ!", True),
        ("'0700'", "7.00 港元", False),
        ("'0700'", "港股 0700.5", False),
        ("'0700'", "港股 10700", False),
        ("'0700'", "港股 7.0700", False),
        ("'0700'", "at 0700 we meet", False),
        ("'0700'", "0700.HK 港股", True),
        ("'0700'", "买 0700 HK.", True),
        ("并购", "合并购买", True),
        ("call my mobile", "CALL  MY\nmobile", True),
        ("end", "The end.Next", True),
    ],
)
def test_words_have_the_boundaries_of_their_script(word: str, text: str, hit: bool) -> None:
    """Latin words stand alone, numbers need a ticker word, Chinese words are found anywhere."""
    assert stops(policy_set(words_rule(word)), text) is hit


def test_overlapping_words_are_all_found() -> None:
    """A word inside or across another one is not lost."""
    policies = policy_set(words_rule("内幕, 内幕消息, 消息面", "{ redact: true }"))
    assert found(policies, "内幕消息面") == ["内幕", "内幕消息", "消息面"]
    assert weigh(policies, "x内幕消息面x").text == "x*****x"


# --- patterns -------------------------------------------------------------------------------------------


def pattern(options: str) -> PolicySet:
    """A policy whose rule looks for one pattern."""
    return policy_set(one_rule(f"x: {{ type: pattern, {options} }}", "{ direction: both, finds: x }"))


@pytest.mark.parametrize(
    ("options", "text", "hit"),
    [
        ("pattern: '88\\d{8}', boundary: digits", "a8812345678b", True),
        ("pattern: '88\\d{8}', boundary: digits", "88123456789", False),
        ("pattern: '88\\d{8}', boundary: none", "88123456789", True),
        ("pattern: '88\\d{8}', boundary: word", "a8812345678", False),
        ("pattern: '88\\d{8}', boundary: word", "账户8812345678号", True),
        ("pattern: '88\\d{8}'", "８８１２３４５６７８", True),
        ("pattern: 'ＯＲＤＥＲ：[A-Z]+'", "order: xx", False),
        ("pattern: 'ＯＲＤＥＲ：[A-Z]+'", "Order：xx", True),
        ("pattern: '^secret$'", "secret", True),
        ("pattern: '^secret$'", "a secret", False),
        ("pattern: 'x*'", "abc", False),
    ],
)
def test_patterns_respect_boundaries_and_folding(options: str, text: str, hit: bool) -> None:
    """`boundary` replaces look-around; width and case do not matter; nothing is not a hit."""
    assert stops(pattern(options), text) is hit


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("账户 8812345678", True),
        ("8812345678 这是账户", True),
        ("账户" + "。" * 12 + "8812345678", False),
        ("8812345678", False),
    ],
)
def test_context_words_make_a_pattern_certain(text: str, hit: bool) -> None:
    """Alone it is of low confidence, below the floor; near a context word it is found."""
    assert stops(pattern("pattern: '88\\d{8}', context: { words: 账户, within: 10 }"), text) is hit


def test_the_floor_of_a_rule_decides() -> None:
    """A rule that asks for `low` acts on what another one leaves alone."""
    detector = "x: { type: pattern, pattern: secret, confidence: { alone: low } }"
    assert not stops(policy_set(one_rule(detector, "{ direction: both, finds: x }")), "secret")
    assert stops(policy_set(one_rule(detector, "{ direction: both, finds: x, confidence: low }")), "secret")


@pytest.mark.parametrize("memory", [1 << 10, 1 << 20, 1 << 23])
def test_patterns_too_large_for_one_set_are_still_found(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the patterns do not fit together they run in parts, or each on its own."""
    monkeypatch.setattr(d, "MOST_MEMORY", memory)
    patterns = d.PatternSet([rf"a{n}.{{0,400}}b.{{0,400}}c" for n in range(50)])
    assert 7 in patterns.occurring("a7 xx b xx c")


def test_a_set_that_gives_up_hides_nothing() -> None:
    """RE2 answers nothing when its memory is used up while it runs; then every pattern is tried."""

    class Exhausted:
        def Match(self, text: str) -> list[int]:
            return []

    patterns = d.PatternSet(["a", "b"])
    assert patterns.occurring("b") == {1}
    patterns._sets = [(Exhausted(), numbers) for _, numbers in patterns._sets]
    assert patterns.occurring("b") == {0, 1}


def test_thousands_of_entries_cost_microseconds() -> None:
    """5,000 words and 1,000 patterns are looked for in one pass: far under a millisecond a message."""
    lexicon = Lexicon({0: Words([f"词条{n}号" for n in range(5000)])})
    patterns = d.PatternSet([rf"ref-{n}-[0-9]+" for n in range(1000)])
    text = "请查收附件中的研究报告 词条77号 ref-500-12 " * 6
    lexicon.find(text), patterns.occurring(text)
    started = time.perf_counter()
    for _ in range(100):
        words, hits = lexicon.find(text), patterns.occurring(text)
    assert (time.perf_counter() - started) / 100 < 0.001
    assert len(words[0]) == 6 and hits == {500}


# --- hostility ------------------------------------------------------------------------------------------

HOSTILE = {
    "groups of one digit": "1 " * 40_000,
    "one long number": "4" * 80_000,
    "groups of fours": "4 " * 40_000,
    "nearly an identity": "11010519491231002" * 4_000,
    "what the pattern loves": "a" * 80_000,
    "invisible characters": "内\u200b" * 40_000,
    "words in words": "哈" * 80_000,
    "tickers far from their word": "0700 " * 8_000 + "$" * 40_000,
    "marks on marks": "4" + "\u0301" * 80_000,
}
HATED = policy_set(
    one_rule(
        "card: { type: payment_card }\n  id: { type: china_resident_id }\n"
        "  x: { type: pattern, pattern: '(a+)+$|(a.*z)|a', context: { words: ['4'], within: 1000 } }\n"
        "  w: { type: words, list: ws }",
        "{ direction: both, finds: [card, id, x, w], confidence: low }",
        "{ redact: { keep_last: 4 } }",
        top=f"lists:\n  ws: {{ words: ['0700', {', '.join('哈' * n for n in range(2, 100))}] }}\n",
    )
)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_does_not_stall(text: str) -> None:
    """A message of 80,000 characters, made to hurt, is judged within a second, and has an answer."""
    started = time.process_time()
    verdict = weigh(HATED, text)
    assert time.process_time() - started < 1.5
    assert verdict.outcome in Outcome


def test_words_everywhere_hold_the_message() -> None:
    """More words than anybody would look at: the message waits for a person."""
    verdict = weigh(HATED, "哈" * 80_000)
    assert verdict.outcome is Outcome.HOLD and verdict.cause is Cause.FAILURE


def test_a_pattern_that_hits_everywhere_holds_the_message() -> None:
    """More hits than a person would look at: nobody guesses, the message waits."""
    policies = pattern("pattern: 'a'")
    assert weigh(policies, "a" * d.MOST_HITS).outcome is Outcome.BLOCK
    assert weigh(policies, "a" * (d.MOST_HITS + 1)).outcome is Outcome.HOLD


def test_patterns_never_reach_pythons_engine() -> None:
    """What people write is compiled by RE2, which has no look-around and runs in linear time."""
    with pytest.raises(re2.error):
        d.compile_pattern("(?=a)")
