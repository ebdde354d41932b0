"""Words of an index: whatever a query accepts has every word that the query needs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from specimens import ALICE, DOCUMENTS, QUERIES, Specimen, ask, decided, wrote

from bridge.message import Match, Outcome
from bridge.search.document import All, Any, Document, Live, Need, Span, Token
from bridge.search.tokens import tokens_of


def fulfils(need: Need, document: Document, tokens: set[str]) -> bool:
    """Whether an index that knows `tokens`, time and number, and no state, would offer the document."""
    if isinstance(need, Token):
        return need.word in tokens
    if isinstance(need, All):
        return all(fulfils(part, document, tokens) for part in need.parts)
    if isinstance(need, Any):
        return any(fulfils(part, document, tokens) for part in need.parts)
    return isinstance(need, Live) or _lies_in(need, document)


def _lies_in(span: Span, document: Document) -> bool:
    in_time = span.since <= document.at and (not span.until or document.at < span.until)
    return in_time and span.first <= document.number <= (span.last or document.number)


@settings(max_examples=120, deadline=None)
@given(QUERIES, DOCUMENTS)
def test_an_index_never_leaves_out_what_a_query_accepts(text: str, document: Specimen) -> None:
    """`accepts` implies `need`, for any query and any document: also for the span of the whole query."""
    query = ask(text)
    if query.accepts(document):
        assert fulfils(query.need, document, tokens_of(document))
        assert _lies_in(query.span, document)


def test_a_message_is_known_by_its_words_people_and_decisions() -> None:
    """Chinese by characters and pairs of them, people by names and addresses, verdicts by their parts."""
    match = Match("desk", "mnpi", "", Outcome.HOLD, detectors=("insider",))
    tokens = tokens_of(wrote("騰訊 IPO", decisions=[decided(Outcome.HOLD, match, queue="legal")]))
    assert tokens >= {"t:腾", "t:讯", "t:腾讯", "t:ipo", "from:alice", "from:@bank.example", "to:李雷"}
    assert tokens >= {"from:alice.wong@bank.example", "rule:mnpi", "rule:desk/mnpi", "action:hold"}
    assert tokens >= {"detector:insider", "queue:legal", "policy:ab12cd34", "reason:matched", "group:client"}
    assert not any(token.endswith(":") for token in tokens)


def test_only_what_was_said_is_known() -> None:
    """Texts do not run into each other: no pair of characters from two fields."""
    assert "t:幕消" not in tokens_of(wrote("内幕", quote="消息", sender=ALICE))


@pytest.mark.parametrize(
    ("text", "need"),
    [
        ("内幕消息", All((Token("t:内幕"), Token("t:幕消"), Token("t:消息")))),
        ("幕", Token("t:幕")),
        ("-内幕", All(())),
        ("-(-内幕 OR a)", Token("t:内幕")),
        ("a OR b", Any((Token("t:a"), Token("t:b")))),
        ("a OR -b", All(())),
        ("inform*", All(())),
        ('"market inform*"', All((Token("t:inform"), Token("t:market")))),
        ('"market inform"*', Token("t:market")),
        ("is:held", Live("is", "held")),
        ("inside:内幕", Token("i:内幕")),
        ("from:@bank.example", Token("from:@bank.example")),
    ],
)
def test_needs_are_as_selective_as_they_can_be(text: str, need: Need) -> None:
    """All pairs of a run, one word for a character alone, nothing for what is excluded."""
    assert ask(text).need == need
