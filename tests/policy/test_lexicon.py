"""Words in a text: all of them, at their places, disguised or not, and innocent where they are sheltered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_rig import one_rule, policy_set, weigh
from proportion import in_proportion

from bridge.message import Cause, Outcome
from bridge.policy import PolicySet, disguises
from bridge.policy.folding import fold
from bridge.policy.lexicon import PIECE, Lexicon, Shelters, Surroundings, Words


def listed(options: str, then: str = "{ redact: true }") -> PolicySet:
    """A policy that masks the words of one list, written with all its keys."""
    top = f"lists:\n  ws: {{ {options} }}\n"
    return policy_set(
        one_rule("w: { type: words, list: ws }", "{ direction: both, finds: w }", then, top=top)
    )


@pytest.mark.parametrize("at", [0, PIECE - 5, PIECE - 1, PIECE, 3 * PIECE - 2, 5 * PIECE])
@pytest.mark.parametrize("kinds", [(), ("separators",), ("pinyin",)])
def test_a_word_in_a_long_text_is_found_once(at: int, kinds: tuple[str, ...]) -> None:
    """Long texts are searched in pieces; a word across two of them is one word."""
    lexicon = Lexicon({0: Words(["内幕消息", "消息"], frozenset(kinds))})
    text = "。" * at + "内幕消息" + "。" * PIECE
    assert {found[:2] for found in lexicon.find(text)[0]} == {(at, at + 4), (at + 2, at + 4)}


def test_a_word_of_several_owners_is_found_for_each() -> None:
    """One entry in two lists, one of them disguised: each list finds it by its own rules."""
    lexicon = Lexicon({0: Words(["内幕"]), 1: Words(["内幕"], frozenset({"separators"}))})
    assert set(lexicon.find("内幕")) == {0, 1}
    assert set(lexicon.find("内·幕")) == {1}


# --- disguises ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "word", "text", "covered"),
    [
        ("separators", "内幕消息", "有内 幕-消.息啊", "内 幕-消.息"),
        ("separators", "whatsapp me", "pls w.h.a.t.s.a.p.p m e!", "w.h.a.t.s.a.p.p m e"),
        ("separators", "内幕消息", "内😀幕消😀息", "内😀幕消😀息"),
        ("separators", "call me", "recall me", ""),
        ("separators", "call me", "call mean", ""),
        ("lookalike", "telegram", "on tеlеgrаm now", "tеlеgrаm"),
        ("lookalike", "whatsapp", "ΨHΑTSΑPP whαtsapp", "whαtsapp"),
        ("lookalike", "whatsapp", "🇼🇭🇦🇹🇸🇦🇵🇵 ok", "🇼🇭🇦🇹🇸🇦🇵🇵"),
        ("lookalike", "call my mobile", "ca11 my m0bi1e", "ca11 my m0bi1e"),
        ("lookalike", "telegram", "te legram", ""),
        ("[lookalike, separators]", "telegram", "t-е-l-е-g-r-а-m", "t-е-l-е-g-r-а-m"),
        ("split", "加微信", "力口微亻言", "力口微亻言"),
        ("split", "加微信", "加微人言吧", "加微人言"),
        ("[split, separators]", "加微信", "加 微 亻 言", "加 微 亻 言"),
        ("pinyin", "加我微信", "请jia wo wei xin吧", "jia wo wei xin"),
        ("pinyin", "加我微信", "jiā wǒ wēi xìn", "jiā wǒ wēi xìn"),
        ("pinyin", "加我微信", "jia1 wo3 wei1 xin4", "jia1 wo3 wei1 xin4"),
        ("pinyin", "加我微信", "加wo薇xin", "加wo薇xin"),
        ("pinyin", "加我微信", "加我威信", "加我威信"),
        ("pinyin", "招商银行", "zhao shang yin hang", "zhao shang yin hang"),
        ("pinyin", "招商银行", "招商yinhang", "招商yinhang"),
        ("pinyin", "旅行社", "lv xing she", "lv xing she"),
        ("pinyin", "加我微信", "jia wo wei xing", ""),
        ("pinyin", "西安", "先", ""),
        ("pinyin", "信", "xin", ""),
        ("pinyin", "mobile", "mo bi le", ""),
        ("numerals", "9988.HK", "买九九八八.hk吧", "九九八八.hk"),
        ("numerals", "港股9988", "港股玖⑨捌八", "港股玖⑨捌八"),
        ("numerals", "9988股", "零九九八八股", ""),
        ("numerals", "港股9988", "港股九九八八七", ""),
        ("numerals", "港股9988", "港股9九8八", "港股9九8八"),
        ("numerals", "第1天", "第一天", ""),
        ("initials", "加微信", "快jwx吧", "jwx"),
        ("initials", "加微信", "加wx", "加wx"),
        ("initials", "加微信", "JWX!", "JWX"),
        ("initials", "加微信", "ajwx", ""),
        ("initials", "微信", "wx", ""),
        ("initials", "微信", "加w信", "w信"),
        ("[initials, separators]", "加微信", "j.w.x", "j.w.x"),
    ],
)
def test_disguised_words_are_found_on_their_own_characters(
    kinds: str, word: str, text: str, covered: str
) -> None:
    """Each disguise finds what it is for, exactly the characters written; without it nothing is found."""
    verdict = weigh(listed(f"words: [{word}], evasion: {kinds}"), text)
    assert [text[start:end] for match in verdict.matches for start, end in match.spans] == [covered][
        : len(covered)
    ]
    assert weigh(listed(f"words: [{word}]"), text).matches == ()


@pytest.mark.parametrize("kind", disguises.KINDS)
@pytest.mark.parametrize(
    "word", ["\U000323af\U000323ae", "的\U000323af", "x", "·x·", "\U0001f600ok", "x.*[y]"]
)
def test_odd_words_are_found_as_written(kind: str, word: str) -> None:
    """Characters without a reading, single letters and signs: a disguise never makes a list unusable."""
    assert weigh(listed(f"words: ['{word}', 微信], evasion: {kind}"), f"。{word}。").matches
    assert weigh(listed(f"words: ['{word}'], evasion: {kind}"), "hello").matches == ()


@pytest.mark.parametrize("kind", [kind for kind in disguises.KINDS if kind != "split"])
def test_numbers_have_no_disguises(kind: str) -> None:
    """A ticker in pieces, or spelled in letters, would be found in every table of prices."""
    policies = listed(f"words: ['0700'], evasion: {kind}")
    assert weigh(policies, "HK 0.700 o7oo 0-700").matches == ()
    assert weigh(policies, "0700 HK").matches != ()


def hidden(kind: str, word: str, data: st.DataObject) -> str:
    """`word` with signs between some of its characters, or some of them replaced by what looks like them."""
    if kind == "separators":
        signs = st.text(".-_ ·*😀/", max_size=2)
        return word[0] + "".join(data.draw(signs) + char for char in word[1:])
    return "".join(
        data.draw(st.sampled_from([char, {"a": "а", "e": "е", "o": "0", "l": "1"}.get(char, char)]))
        for char in word
    )


@given(
    st.sampled_from(["separators", "lookalike"]), st.sampled_from(["telegram", "personal email"]), st.data()
)
def test_masks_cover_the_disguised_word_and_nothing_else(kind: str, word: str, data: st.DataObject) -> None:
    """Whatever stands between or instead of its letters, the word is masked whole and its neighbours stay."""
    written = hidden(kind, word, data)
    verdict = weigh(listed(f"words: [{word}], evasion: {kind}"), f"《{written}》右")
    ((start, end),) = verdict.matches[0].spans
    assert f"《{written}》右"[start:end] == written
    assert verdict.text.startswith("《") and verdict.text.endswith("》右")


# --- shelters -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("讨论并购", True),
        ("请合并购买", False),
        ("請合併購買", False),
        ("合并购买和并购", True),
        ("合 并 购 买", False),
        ("并 购", True),
    ],
)
def test_a_word_is_innocent_inside_a_longer_one(text: str, hit: bool) -> None:
    """Only where the whole word lies in its longer word, in every script and disguise of the list."""
    policies = listed("words: [并购], unless_words: { 并购: [合并购买, 合并购物] }, evasion: separators")
    assert bool(weigh(policies, text).matches) is hit


def test_a_shelter_is_for_one_word_of_one_list() -> None:
    """What makes one word innocent does not excuse another one that overlaps it."""
    policies = listed("words: [并购, 购买], unless_words: { 并购: 合并购买 }")
    assert weigh(policies, "合并购买").text == "合并**"


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), max_size=6),
    st.integers(0, 20),
    st.integers(1, 4),
)
def test_shelters_cover_what_lies_inside_one_of_them(
    others: list[tuple[int, int]], start: int, width: int
) -> None:
    """Two shelters that cover it together do not count: one has to hold it whole."""
    spans = [(left, left + more) for left, more in others]
    inside = any(left <= start and start + width <= right for left, right in spans)
    assert Shelters(spans).cover(start, start + width) is inside


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 5)), max_size=6),
    st.integers(0, 50),
    st.integers(0, 9),
)
def test_surroundings_are_measured_in_characters_between(
    others: list[tuple[int, int]], start: int, within: int
) -> None:
    """Near means: at most `within` characters lie between, or they overlap."""
    spans = [(left, left + width) for left, width in others]
    near = any(left - (start + 2) <= within and start - right <= within for left, right in spans)
    assert Surroundings(spans, within).touch(start, start + 2) is near


@pytest.mark.parametrize(
    "text", ["合并购买" * 20_000, "并 " * 40_000, "jiawoweixin" * 8_000, "亻言" * 40_000, "а" * 80_000]
)
def test_disguises_do_not_stall(text: str) -> None:
    """A message of 80,000 characters, made to hurt, is answered, and in time in proportion to its length."""
    evasion = "evasion: [pinyin, split, separators, lookalike]"
    words = "words: [并购, 加我微信, aaa], unless_words: { 并购: 合并购买 }"
    policies = listed(f"{words}, {evasion}", "{ block: true }")
    verdict = weigh(policies, text)
    assert verdict.outcome in Outcome and (verdict.cause is not Cause.FAILURE or len(fold(text)) > PIECE)
    in_proportion(lambda size: weigh(policies, text[:size]), len(text))
