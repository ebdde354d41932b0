"""The nouns: values that cannot change, and proofs that nobody else can make."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import message
from bridge.message import (
    SYMPHONY,
    Archived,
    Batch,
    Content,
    Message,
    Outcome,
    Permit,
    Receipt,
    Traffic,
    Verdict,
    mend,
    said_digest,
    sighting,
)
from bridge.store.codec import message_body, message_from

MESSAGE = Message(SYMPHONY, "m1", "stream", "7001", 1, text="hello", raw=b'{"text": "hello"}')
NOUNS = [
    one
    for _, one in inspect.getmembers(message, dataclasses.is_dataclass)
    if one.__module__ == message.__name__
]


def permit(**more: Any) -> Permit:
    """A permit as anybody might try to make it."""
    return Permit("0" * 20, SYMPHONY, "stream", Content("hello"), 1, **more)


def archived(**more: Any) -> Archived:
    """The same for an archived message."""
    return Archived(1, MESSAGE, None, (), (), 1, **more)


@pytest.mark.parametrize("make", [permit, archived])
@pytest.mark.parametrize("seal", [{}, {"seal": None}, {"seal": object()}, {"seal": True}])
def test_only_the_store_makes_proofs(make: Any, seal: dict) -> None:
    """Invariant 1: without the store's seal there is no Permit and no Archived."""
    with pytest.raises(TypeError, match=r"only bridge\.store makes one"):
        make(**seal)


def test_a_proof_cannot_be_altered() -> None:
    """A permit says for ever what the store committed."""
    made = permit(seal=message._SEAL)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.conversation = "elsewhere"  # type: ignore[misc]


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_every_noun_is_a_value(noun: type) -> None:
    """Frozen, and without room for attributes that nobody declared."""
    assert noun.__dataclass_params__.frozen
    assert "__slots__" in vars(noun)


def test_raw_bytes_are_not_shown() -> None:
    """What prints a message by mistake does not print what the network sent."""
    assert "raw" not in repr(MESSAGE)


def test_outcomes_have_an_order() -> None:
    """The stricter answer has the higher rank."""
    assert sorted(Outcome, key=lambda one: one.rank) == [
        Outcome.DELIVER,
        Outcome.ANNOTATE,
        Outcome.REDACT,
        Outcome.HOLD,
        Outcome.BLOCK,
    ]
    assert len({one.rank for one in Outcome}) == len(Outcome)


@given(st.integers(0), st.integers(0, 100), st.integers(0), st.lists(st.integers(0, 9)))
def test_traffic_is_spent_by_parts(last: int, sent: int, inbound: int, parts: list[int]) -> None:
    """Spending adds to what was sent and touches nothing else; the traffic before stays as it was."""
    before = now = Traffic(last, sent, inbound)
    for count in parts:
        now = now.spend(count)
    assert now == Traffic(last, sent + sum(parts), inbound)
    assert before == Traffic(last, sent, inbound)


def test_values_share_nothing() -> None:
    """Two messages, batches or verdicts made without mappings do not share one."""
    one, two = Batch(SYMPHONY), Batch(SYMPHONY)
    assert one.cursors == {} and one.cursors is not two.cursors
    first, second = (Verdict(Outcome.HOLD, message.Cause.RULE, "") for _ in range(2))
    assert first.tell is not second.tell


def test_a_receipt_is_ours_unless_found() -> None:
    """Only a lookup says that an earlier attempt had arrived."""
    assert not Receipt(("m1",)).found


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "70\x0001"},
        {"replaces": "m\x000"},
        {"conversation": "str\0eam", "id": "m\ud800"},
        {"text": "half a sign \ud83d", "quote": "\udfff"},
        {"sent_at": 1 << 70},
    ],
)
def test_what_is_seen_again_is_what_the_archive_would_have(changes: dict[str, Any]) -> None:
    """Whatever the archive cannot carry of an item, nobody is accused of having altered it."""
    came = dataclasses.replace(MESSAGE, **changes)
    kept = message_from(message_body(mend(came)), b"")
    seen = sighting(came)
    assert (seen.id, seen.conversation, seen.at) == (kept.id, kept.conversation, kept.sent_at)
    assert seen.digest == said_digest(kept)
