"""Whom a query speaks of; a conversation by all of its keys."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.search.document import Person
from bridge.search.query import Query, parse
from bridge.search.subjects import changing, names, others, widened

CHATS = [("room-a", "wk/wm1"), ("room-b", "wk/wm1"), ("room-c", "wk/wm2")]
ALICE = Person("symphony", "7001", "Alice Wong", "alice.wong@bank.example", frozenset({"Research"}))
LI_LEI = Person("weixin", "wm1", "李雷")


def asked(text: str) -> Query:
    """A query as somebody types it."""
    return parse(text, datetime(2026, 11, 23, tzinfo=UTC), UTC)


@pytest.mark.parametrize(
    ("text", "wide"),
    [
        ("in:room-c", "in:room-c OR in:wk/wm2"),
        ("in:room-c OR in:wk/wm2", "in:room-c OR in:wk/wm2"),
        ("in:wk/wm1", "in:wk/wm1 OR in:room-a OR in:room-b"),
        ("in:room-a", "in:room-a OR in:wk/wm1 OR in:room-b"),
        ("in:wm2", "in:wm2 OR in:room-c"),
        ("in:wk", "in:wk OR in:room-a OR in:room-b OR in:room-c"),
        ("in:elsewhere swap", "in:elsewhere swap"),
        ("swap in:room-c limit:3", "swap (in:room-c OR in:wk/wm2) limit:3"),
        ("swap -in:room-c", "swap -in:room-c"),
        ("-(swap -in:room-c)", "-(swap -(in:room-c OR in:wk/wm2))"),
    ],
)
def test_a_conversation_has_all_of_its_keys(text: str, wide: str) -> None:
    """By either key, by an account, and by every pair that ever had it; what is left out is left as it is,
    because to leave out the other half as well would hold less."""
    assert str(widened(asked(text), CHATS)) == wide


def test_other_keys_are_named_once() -> None:
    """None for a key that nobody has. Whoever names the room of one advisor names what the client wrote to
    the next one as well: his half is one, and so are both of theirs."""
    assert others("room-a", [*CHATS, *CHATS]) == ["wk/wm1", "room-b"]
    assert others("wm", CHATS) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("swap", False),
        ("after:2026-01-01", False),
        ("-from:李雷", False),
        ("reviewer:bob", False),
        ("to:somebody", False),
        ("with:=wm1", True),
        ("swap from:李雷", True),
        ("swap OR to:alice", True),
        ("in:room-a", True),
        ("in:wk", True),
        ("in:room-b", False),
        ("group:research", True),
        ("group:sales", False),
        ("tag:research", False),
    ],
)
def test_whom_a_query_names(text: str, named: bool) -> None:
    """One of the two, in whatever role; their conversation; their label of the directory's."""
    assert names(asked(text), [ALICE, LI_LEI], ("room-a", "wk/wm1")) == named


def test_what_may_change_is_told() -> None:
    """Where a message stands, and what people decided about it, said or left out; nothing that it says."""
    settled = "from:alice swap in:wk kind:text is:notice tag:mnpi has:attachment after:2026-01-01"
    assert changing(asked(settled)) == []
    text = "swap -is:dropped (reviewer:bob OR -actor:bob) reason:late -action:block has:note is:dropped"
    assert set(changing(asked(text))) == {
        *("is:dropped", "reviewer:bob", "actor:bob", "reason:late", "action:block", "has:note")
    }
