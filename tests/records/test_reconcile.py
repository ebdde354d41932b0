"""Comparing window by window names exactly what differs, and remembers one bit a message."""

from __future__ import annotations

import pytest

from bridge.message import SYMPHONY, Sighting
from bridge.records.reconcile import Known, Numbers, Ours, Recount, Seen, What, letters, out_of_place, rising


def test_what_was_moved_is_named_alone() -> None:
    """One item taken elsewhere is one position, forwards or backwards; a rising row has none."""
    assert out_of_place([1, 2, 3, 4]) == []
    assert out_of_place([2, 3, 4, 1, 5]) == [3]
    assert out_of_place([4, 1, 2, 3]) == [0]
    assert out_of_place([]) == []


def test_numbers_that_never_come_come_late_or_come_twice() -> None:
    """A skipped number is only missing at the end: until then it may come late."""
    numbers = Numbers(4)
    assert [numbers.take(n) for n in (5, 8, 6, 8, 9)] == [None, None, What.REORDERED, What.DUPLICATE, None]
    assert numbers.rest() == [7]


def test_a_bit_for_each_number_of_a_range() -> None:
    """A number is fresh once; what lies outside of the range is never held against anybody."""
    seen = Seen(10, 20)
    assert [seen.add(10), seen.add(10), seen.add(20), seen.add(99), seen.add(99)] == [
        True, False, True, True, True,
    ]  # fmt: skip
    assert 10 in seen and 11 not in seen and 99 not in seen and 3 not in seen


def test_a_range_of_nothing_holds_nothing() -> None:
    """A day without messages can be compared as well."""
    assert 1 not in Seen(1, 0)


def _seen(number: int, at: int, conversation: str = "a") -> Sighting:
    return Sighting(SYMPHONY, conversation, f"s{number}", at, "d")


def test_order_is_compared_conversation_by_conversation() -> None:
    """Each has an order of its own, and what came at the same moment has none."""
    known = {f"s{n}": Known(n, "d") for n in range(1, 7)}
    recount = Recount(SYMPHONY, (1, 9), (1, 9))
    shown = [_seen(2, 1), _seen(1, 1), _seen(3, 2), _seen(6, 1, "b"), _seen(4, 2, "b"), _seen(5, 3, "b")]
    assert list(recount.compare(shown, known, {})) == []
    assert [fault.name for fault in recount.rest()] == ["message/6"]


def test_windows_give_what_the_whole_gives() -> None:
    """Compared one by one or all at once: the same counts, the same faults."""
    known = {f"s{n}": Known(n, "d" if n != 3 else "other") for n in range(1, 6)}
    shown = [_seen(n, n) for n in (1, 2, 3, 3, 5, 8)]
    whole, parts = (Recount(SYMPHONY, (1, 9), (1, 9)) for _ in range(2))
    faults = list(whole.compare(shown, known, {}))
    assert faults == [fault for one in shown for fault in parts.compare([one], known, {})]
    assert [(fault.what, fault.name) for fault in faults] == [
        (What.ALTERED, "symphony/s3"),
        (What.MISSING, "symphony/s8"),
    ]
    assert whole.counts == parts.counts == {"collected": 6, "archived": 4, "duplicate": 1, "own": 0}


def _ours(permit: str, at: int, text: str) -> Sighting:
    return Sighting(SYMPHONY, "a", f"x{at}", at, permit=permit, ours=True, text=text)


def test_what_is_said_in_our_name_is_ours_to_the_letter() -> None:
    """Signed notes of the house, and what passed, by its permit; anything else in our name is a surplus,
    whatever it calls itself."""
    ours = {"checkpoint/0/5": Ours(0, letters("a signed note")), "p1": Ours(1, letters("Good morning!"))}
    shown = [_ours("checkpoint/0/5", 1, "a signed\nnote"), _ours("p1", 2, "Alice Wong: Good  morning!")]
    assert list(Recount(SYMPHONY, (1, 9), (1, 9)).compare(shown, {}, ours)) == []
    shown = [_ours("checkpoint/0/5", 1, "buy now"), _ours("p1", 2, "Alice Wong: Good evening!")]
    shown += [_ours("x/y", 3, "by no permit"), _ours("", 4, "by hand")]
    faults = list(Recount(SYMPHONY, (1, 9), (1, 9)).compare(shown, {}, ours))
    assert [(one.what, one.name) for one in faults] == [
        (What.SURPLUS, "symphony/x1"),
        (What.ALTERED, "delivery/p1"),
        (What.SURPLUS, "symphony/x3"),
        (What.SURPLUS, "symphony/x4"),
    ]


def test_deliveries_that_the_network_has_in_another_order_are_named() -> None:
    """What was sent at its first try stands where it was sent."""
    ours = {f"p{n}": Ours(n, "", place=n * 10) for n in (1, 2, 3)}
    recount = Recount(SYMPHONY, (1, 9), (1, 9))
    shown = [_ours("p1", 1, ""), _ours("p3", 2, ""), _ours("p2", 3, "")]
    assert list(recount.compare(shown, {}, ours)) == []
    assert [(one.what, one.name) for one in recount.rest()] == [(What.REORDERED, "delivery/p3")]


def test_what_was_caught_up_with_is_not_out_of_order() -> None:
    """Archived hours after it was said: late, and in nobody's place."""
    known = {"s1": Known(1, "d", 1), "s2": Known(9, "d", 9_000_000), "s3": Known(3, "d", 3)}
    recount = Recount(SYMPHONY, (1, 9), (1, 9))
    assert list(recount.compare([_seen(1, 1), _seen(2, 2), _seen(3, 3)], known, {})) == []
    assert list(recount.rest()) == []


def test_what_was_said_before_the_bridge_came_is_not_missing() -> None:
    """Number 0: it is counted as excluded, and is nobody's fault."""
    recount = Recount(SYMPHONY, (1, 9), (1, 9))
    assert list(recount.compare([_seen(1, 1)], {"s1": Known(0, "")}, {})) == []
    assert (recount.counts["excluded"], recount.counts["collected"]) == (1, 1)


def test_rows_rise_as_the_ledger_does() -> None:
    """The row whose place is lower than its neighbours' is the one that is named."""
    from bridge.records.reconcile import Stage

    assert [one.name for one in rising(Stage.OUTBOX, "delivery", [("a", 4), ("b", 9), ("c", 5)])] == [
        "delivery/b"
    ]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("USD 1.5m at -3%", "USD 15m at 3%"),
        ("\N{THUMBS UP SIGN}", "\N{THUMBS DOWN SIGN}"),
        ("yes!", "yes?"),
        ("5", "-5"),
    ],
)
def test_a_sign_is_part_of_what_was_said(said: str, shown: str) -> None:
    """A point, a minus or an emoji says as much as a word: whoever shows another one has altered it."""
    asked = Recount("symphony", (1, 9), (1, 9))
    ours = {"p": Ours(1, letters(said))}
    one = Sighting("symphony", "room", "a", 1, permit="p", ours=True, text=shown)
    assert [fault.what for fault in asked.compare([one], {}, ours)] == [What.ALTERED]


def test_white_space_and_the_drawing_of_a_sign_are_the_networks() -> None:
    """Lines that are broken elsewhere, and an emoji that is drawn in colour, are as they were said."""
    assert letters("one\n two \u2764\ufe0f") == letters("one two\u00a0\u2764")
    assert letters("caf\u00e9") == letters("cafe\u0301")


def test_another_conversation_is_another_fault() -> None:
    """A message that a network has in another chat is altered, ours as well as theirs; nobody is accused
    where the archive does not know the chat."""
    asked = Recount("symphony", (1, 9), (1, 9))
    known = {"a": Known(1, "d", 0, "room"), "b": Known(2, "d", 0, "")}
    ours = {"p": Ours(1, "", 0, "room"), "q": Ours(2, "")}
    seen = [
        Sighting("symphony", "elsewhere", "a", 1, "d"),
        Sighting("symphony", "elsewhere", "b", 1, "d"),
        Sighting("symphony", "elsewhere", "c", 1, permit="p", ours=True),
        Sighting("symphony", "elsewhere", "e", 1, permit="q", ours=True),
    ]
    faults = list(asked.compare(seen, known, ours))
    assert [(fault.what, fault.name) for fault in faults] == [
        (What.ALTERED, "symphony/a"),
        (What.ALTERED, "delivery/p"),
    ]
