"""What a process remembers of the permits that it used."""

from __future__ import annotations

from bridge.message import SYMPHONY, WEIXIN
from bridge.store.rows import permit_id
from bridge.store.uses import Uses, made_at

THEN, NOW, LATER = 1_700_000_000_000, 1_700_000_060_000, 1_700_000_120_000


def test_a_permit_says_when_it_was_made() -> None:
    """To the millisecond."""
    assert made_at(permit_id(NOW, b"chance!!")) == NOW


def test_a_permit_is_used_from_when_it_is_taken() -> None:
    """While it is in hand, and once the network has it; not when nothing was sent."""
    uses, permit = Uses(THEN), permit_id(NOW, b"chance!!")
    assert not uses.is_used(permit)
    uses.take(permit, SYMPHONY)
    assert uses.is_used(permit) and uses.is_in_hand(permit)
    uses.end(permit, sent=False, uncertain=False)
    assert not uses.is_used(permit)
    uses.take(permit, SYMPHONY)
    uses.end(permit, sent=True, uncertain=False)
    assert uses.is_used(permit) and not uses.is_in_hand(permit)


def test_what_may_have_arrived_stays_uncertain() -> None:
    """Whatever its row says: an attempt nobody knows the end of, and what was in hand when a room closed."""
    uses = Uses(THEN)
    first, second = permit_id(NOW, b"chance!!"), permit_id(NOW, b"another!")
    uses.take(first, SYMPHONY)
    uses.end(first, sent=False, uncertain=True)
    uses.take(second, WEIXIN)
    uses.give_back(SYMPHONY)
    assert uses.is_in_hand(second)
    uses.give_back(WEIXIN)
    assert not uses.is_in_hand(second)
    assert uses.may_have_arrived(first) and uses.may_have_arrived(second)
    uses.take(first, SYMPHONY)
    uses.end(first, sent=True, uncertain=False)
    assert not uses.may_have_arrived(first)


def test_of_what_is_older_nothing_is_known() -> None:
    """Where the network takes no key, it is asked first; what is not known is no sign of an attempt."""
    uses, old = Uses(NOW), permit_id(THEN, b"chance!!")
    assert uses.is_unknown(old, SYMPHONY) and not uses.is_unknown(old, WEIXIN)
    uses.take(old, SYMPHONY)
    uses.end(old, sent=False, uncertain=False)
    assert uses.is_unknown(old, SYMPHONY) and not uses.may_have_arrived(old)


def test_what_it_has_no_room_for_counts_as_older() -> None:
    """So many permits are known as spent, and of those before them that nothing is known."""
    uses = Uses(THEN, many=2)
    permits = [permit_id(NOW + n, b"chance!!") for n in range(3)]
    for permit in permits:
        uses.take(permit, SYMPHONY)
        uses.end(permit, sent=True, uncertain=False)
    assert [uses.is_used(permit) for permit in permits] == [False, True, True]
    assert uses.is_unknown(permits[0], SYMPHONY)
    assert not uses.is_unknown(permit_id(LATER, b"chance!!"), SYMPHONY)
