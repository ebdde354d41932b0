"""Terms: exactly where they stand in a text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from specimens import TEXTS

from bridge.policy.folding import Folded, fold
from bridge.search.parts import parts
from bridge.search.terms import Term


def stands_in(term: Term, folded: str) -> bool:
    """The definition, slowly: parts that follow each other; the ends of a Chinese run may be cut off."""
    theirs = [(part.kind, part.text) for part in parts(folded)]
    ours = [(part.kind, part.text) for part in term.parts]
    return any(_fits(ours, theirs[start : start + len(ours)]) for start in range(len(theirs)))


def _fits(ours: list[tuple[str, str]], theirs: list[tuple[str, str]]) -> bool:
    return len(ours) == len(theirs) and all(
        _same(mine, other, place == 0, place == len(ours) - 1)
        for place, (mine, other) in enumerate(zip(ours, theirs, strict=True))
    )


def _same(mine: tuple[str, str], other: tuple[str, str], first: bool, last: bool) -> bool:
    if mine[0] != other[0]:
        return False
    if mine[0] != "run":
        return mine[1] == other[1]
    if first and last:
        return mine[1] in other[1]
    if first:
        return other[1].endswith(mine[1])
    return other[1].startswith(mine[1]) if last else other[1] == mine[1]


@given(
    TEXTS,
    st.sampled_from(
        ("内", "内幕", "腾讯", "a", "A股", "insider tip", "500", "😀", "€ 500", "内幕 消息", "e")
    ),
)
def test_a_term_stands_where_its_definition_says(text: str, written: str) -> None:
    """The pattern and the definition agree, but for what joins runs: a gap may be nothing at all."""
    term, folded = Term(written), fold(text)
    if stands_in(term, folded):
        assert term.within(folded, text)
    elif term.within(folded, text):
        joined = [part for part in term.parts if part.kind == "run"]
        assert len(joined) > 1  # 内幕 消息 is also in 内幕消息


def test_chinese_in_a_phrase_may_be_written_together() -> None:
    """Spaces mean nothing in Chinese: `"内幕 消息"` is in 内幕消息, and in 内幕，消息."""
    term = Term("内幕 消息")
    for text in ("内幕消息", "内幕，消息", "有内幕 消息了"):
        assert term.within(text, text)
    assert not term.within("内幕的消息", "内幕的消息")


def test_exact_terms_are_found_both_ways() -> None:
    """As folded and as written: neither another script nor a hidden character."""
    exact = Term("騰訊", exact=True)
    assert exact.within(fold("騰訊"), "騰訊")
    assert not exact.within(fold("腾讯"), "腾讯")
    word = Term("abc", exact=True)
    hidden = "abc\u200bd"
    assert not word.within(fold(hidden), hidden)
    assert not word.within(fold("Abc"), "Abc")


@given(TEXTS, st.sampled_from(("内幕", "腾讯", "a", "500", "ab", "cafe", "iv")))
def test_places_lie_in_the_original(text: str, written: str) -> None:
    """What is shown folds back to what was asked for."""
    term = Term(written)
    places = term.originals(Folded(text))
    assert bool(places) == term.within(fold(text), text)
    for start, end in places:
        assert term.folded in fold(text[start:end])


@given(TEXTS, st.sampled_from(("内幕", "腾讯", "讯", "a", "500", "ab", "cafe", "iv", "A股", "😀")))
def test_what_is_seen_in_the_text_is_in_it(text: str, written: str) -> None:
    """A look at the text as it was written never finds more than folding it does."""
    term = Term(written)
    assert term.within(fold(text), text) or not term.is_plain_in(text)


def test_a_look_at_the_text_finds_what_is_plainly_there() -> None:
    """Runs anywhere, words between signs that stay; nothing where a hidden sign joins two words."""
    assert Term("內幕").is_plain_in("有内幕消息")
    assert Term("tip").is_plain_in("a tip, again")
    assert Term("tip").is_plain_in("一tip一")
    assert not Term("tip").is_plain_in("tips and attip")
    assert not Term("tip").is_plain_in("the tip\u200bs")
    assert not Term("内幕", exact=True).is_plain_in("内幕")
