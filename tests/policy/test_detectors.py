"""What is found, what is nearly found, and that no hostile text costs more than its length."""

from __future__ import annotations

import functools

import pytest
from policy_rig import found, looking_for, one_rule, policy_set, stops, weigh, words_rule
from proportion import in_proportion
from samples import KINDS

from bridge.message import Cause, Outcome
from bridge.policy import PolicySet
from bridge.policy.lexicon import Lexicon, Words
from bridge.policy.patterns import MOST_HITS, PatternSet

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
    return looking_for(f"type: pattern, {options}")


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
        ("pattern: '[0-9]{6} [0-9]{6}', boundary: digits", "1234567 123456 654321", True),
        ("pattern: '［内部］'", "下周部门聚餐", False),
        ("pattern: '［内部］'", "[内部] 报告", True),
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


def test_thousands_of_entries_cost_microseconds() -> None:
    """5,000 words and 1,000 patterns are looked for in one pass: a message costs no more for their number."""
    text = "请查收附件中的研究报告 词条7号 ref-5-12 " * 6

    @functools.cache
    def engine(entries: int) -> tuple[Lexicon, PatternSet]:
        lexicon = Lexicon({0: Words([f"词条{n}号" for n in range(entries)])})
        return lexicon, PatternSet([rf"ref-{n}-[0-9]+" for n in range(entries // 5)])

    def read(entries: int) -> None:
        lexicon, patterns = engine(entries)
        for _ in range(200):
            words, hits = lexicon.find(text), patterns.occurring(text)
        assert len(words[0]) == 6 and hits == {5}

    in_proportion(read, 5000, most=2.5)


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
    """A message of 80,000 characters, made to hurt, has an answer, in time in proportion to its length."""
    assert weigh(HATED, text).outcome in Outcome
    in_proportion(lambda size: weigh(HATED, text[:size]), len(text))


NEARLY = {
    "accounts": "gb82 west " * 8_000,
    "one account": "gb82" * 20_000,
    "mail": "a@a.a." * 13_000,
    "hosts": "com." * 20_000,
    "addresses of the web": "http://" * 11_000,
    "wallets": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed " * 1_900,
    "base 58": "3j98t1wpez73cnmqviecrnyiwrnqrhwnly " * 2_300,
    "passwords": "password: " * 8_000,
    "tokens of the web": "eyja-eyja." * 8_000,
    "telephones": "9123 4567 " * 8_000,
    "brackets": "(1 " * 27_000,
    "letters and digits": "a1" * 40_000,
    "codes": "91350100m000100y43 " * 4_000,
}


@pytest.mark.parametrize("text", NEARLY.values(), ids=NEARLY)
@pytest.mark.parametrize("kind", KINDS)
def test_built_in_detectors_do_not_stall(kind: str, text: str) -> None:
    """80,000 characters of what each of them nearly finds take time in proportion to their number."""
    policies = looking_for(KINDS[kind].options)
    assert weigh(policies, text).outcome in Outcome
    in_proportion(lambda size: weigh(policies, text[:size]), len(text))


def test_words_everywhere_hold_the_message() -> None:
    """More words than anybody would look at: the message waits for a person."""
    verdict = weigh(HATED, "哈" * 80_000)
    assert verdict.outcome is Outcome.HOLD and verdict.cause is Cause.FAILURE


def test_a_pattern_that_hits_everywhere_holds_the_message() -> None:
    """More hits than a person would look at: nobody guesses, the message waits."""
    policies = pattern("pattern: 'a'")
    assert weigh(policies, "a" * MOST_HITS).outcome is Outcome.BLOCK
    assert weigh(policies, "a" * (MOST_HITS + 1)).outcome is Outcome.HOLD
