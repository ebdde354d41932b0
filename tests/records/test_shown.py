"""A client's part of a conversation: what he wrote and was shown, and by whom; nothing beside."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import corpus

from bridge.records.shown import NOT_REACHED, as_client, for_client
from bridge.records.transcript import (
    ADVISOR,
    CLIENT,
    Came,
    Enclosure,
    Judged,
    Later,
    Line,
    Party,
    Passed,
    Slice,
)

HIM = Party("weixin", "wmLiLei", "李雷", "li-lei@w.example", CLIENT)
ALICE = Party("symphony", "7001", "Alice Wong", "alice.wong@bank.example", ADVISOR)
BOB = replace(ALICE, id="7002", name="Bob Li", address="bob.li@bank.example")
SENT = Passed("p1", "sent", corpus.START + 5, "why", ("x1",), arrived=(corpus.START + 5,))


def said(**more: object) -> Line:
    """Something of Alice's that reached him, and that Bob could read as well."""
    fields = {
        "sender": ALICE,
        "readers": (BOB, HIM),
        "sent": "shown",
        "deliveries": (SENT,),
        "source_id": "s1",
    }
    return replace(corpus.line(1, "as written"), **{**fields, **more})


def given(line: Line) -> Line:
    """What he is given of it."""
    found = as_client(line, "w.example")
    assert found
    return found


def test_he_is_given_what_he_was_shown_by_the_name_that_he_was_shown() -> None:
    """No other words, no id or address of hers, no other reader, no reason, no decision."""
    one = given(said(decisions=(Judged(1, "redact", "rule"),), refers_to="s0", replaces="s0", state="sent"))
    assert (one.text, one.sent, one.state, one.decisions, one.copy) == ("shown", "", "", (), True)
    assert (one.sender.name, one.sender.id, one.sender.role) == ("Alice Wong", "Alice Wong", ADVISOR)
    assert one.sender.address.endswith("@w.example")
    assert (one.source_id, one.refers_to, one.replaces, one.readers) == ("", "", "", (HIM,))
    assert [(passed.at, passed.reason, passed.receipts) for passed in one.deliveries] == [
        (SENT.at, "", ("x1",))
    ]


def test_of_a_part_he_is_told_when_it_came_and_not_when_the_rest_was_given_up() -> None:
    """Nor what its files were called."""
    part = Passed("p1", "dropped", corpus.START + 9999, "by telephone", ("x1",), arrived=(corpus.START + 5,))
    file = Enclosure("secret.pdf", "application/pdf", 3, "ab")
    one = given(said(sent="", offered="half", deliveries=(part,), files=(file,)))
    assert one.text == "half"
    (passed,) = one.deliveries
    assert (passed.at, passed.state, passed.reason) == (corpus.START + 5, "", "")
    assert one.files == (Enclosure("", "application/pdf", -1, missing=NOT_REACHED),)


def test_what_never_reached_him_is_not_his() -> None:
    """Not delivered, read by others alone, or a network's remark in his name; of what he wrote, who read it
    is not told."""
    assert as_client(said(sent="", deliveries=()), "w.example") is None
    assert as_client(said(readers=(BOB,)), "w.example") is None
    assert as_client(said(sender=HIM, kind="note"), "w.example") is None
    own = given(said(sender=HIM, network="weixin"))
    assert (own.text, own.source_id, own.sender) == ("as written", "s1", HIM)
    assert (own.readers, own.deliveries) == ((), ())


def test_a_later_version_is_named_without_what_the_firm_knows_it_by() -> None:
    """Neither her id nor the message's; his own stays as he sent it."""
    hers, his = (
        Later(number, 1, 1, "id", False, sender, True, "words", True)
        for number, sender in ((2, ALICE), (3, HIM))
    )
    first, second = given(said(later=(hers, his))).later
    assert (first.number, first.source_id, first.text, first.sender.id) == (2, "", "", "Alice Wong")
    assert second == his


def test_a_conversation_has_him_and_whoever_wrote_to_him() -> None:
    """Whoever else was paired is not named, nor when anybody else came and went, nor why."""
    one = given(said())
    items = (
        Came(1, ALICE, True, "paired"),
        Came(1, HIM, True, "paired"),
        one,
        Came(2, BOB, False, "left us"),
    )
    whole = Slice(
        "pair/7", "Alice Wong, Bob Li ↔ 李雷", date(2026, 9, 21), (ALICE, BOB, HIM), items, (ALICE, BOB, HIM)
    )
    told = for_client(whole, "chat/1")
    assert (told.key, told.title, told.present) == ("chat/1", "Alice Wong ↔ 李雷", (HIM,))
    assert told.items == (Came(1, HIM, True, ""), one)
    assert set(told.participants) == {HIM, one.sender}
    alone = for_client(replace(whole, items=(given(said(sender=HIM)),)), "chat/1")
    assert (alone.title, alone.participants) == ("李雷", (HIM,))
