"""Comparing window by window names exactly what differs, and remembers one bit a message."""

from __future__ import annotations

from bridge.message import SYMPHONY, Sighting
from bridge.records.reconcile import Known, Numbers, Recount, Seen, What, out_of_place, rising


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


def test_a_checkpoint_in_a_room_is_nobodys_delivery() -> None:
    """The bridge's own posts carry a key with a slash where deliveries have their permit."""
    recount = Recount(SYMPHONY, (1, 9), (1, 9))
    note = Sighting(SYMPHONY, "a", "x", 0, permit="checkpoint/0/5")
    assert list(recount.compare([note], {}, {})) == []


def test_rows_rise_as_the_ledger_does() -> None:
    """The row whose place is lower than its neighbours' is the one that is named."""
    from bridge.records.reconcile import Stage

    assert [one.name for one in rising(Stage.OUTBOX, "delivery", [("a", 4), ("b", 9), ("c", 5)])] == [
        "delivery/b"
    ]
