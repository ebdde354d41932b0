"""States: where a message stands now."""

from __future__ import annotations

import pytest
from specimens import Specimen, decided, finds, wrote

from bridge.flow import DeliveryState, MessageState
from bridge.search.document import Decided, Delivered, Held
from bridge.search.states import STATES


@pytest.mark.parametrize("state", MessageState)
def test_a_message_is_in_one_state_at_least(state: str) -> None:
    """Nothing falls between the states: each has a word."""
    assert any(STATES[name].holds(wrote("", state=str(state))) for name in STATES if name != "unreviewed")


@pytest.mark.parametrize(
    ("query", "state"),
    [
        ("delivered", "sent"),
        ("waiting", "waiting"),
        ("parked", "parked"),
        ("failed", "failed"),
        ("dropped", "dropped"),
    ],
)
def test_deliveries(query: str, state: str) -> None:
    """One delivery in the state is enough."""
    assert state in set(DeliveryState)
    deliveries = (Delivered("p", "weixin", "ready"), Delivered("q", "weixin", state))
    assert finds(f"is:{query}", wrote("", deliveries=deliveries))
    assert not finds(f"is:{query}", wrote("", deliveries=deliveries[:1]))


@pytest.mark.parametrize(
    ("held", "late"),
    [
        (None, False), (Held("open", "q", 1, 0, 5), False), (Held("open", "q", 1, 0, 5, 6), True),
        (Held("released", "q", 1, 4, 5), False), (Held("released", "q", 1, 6, 5), True),
        (Held("released", "q", 1, 6, 0), False),
    ],
)  # fmt: skip
def test_late_is_after_its_time(held: Held | None, late: bool) -> None:
    """Decided too late, or not decided at all; without a time nothing is late."""
    assert finds("is:late", wrote("", held=held)) == late


def test_reviewed_is_by_a_person() -> None:
    """A verdict of the policy is no review."""
    plain = wrote("", decisions=[decided()])
    by_hand = wrote("", decisions=[decided(), Decided(9, decided().verdict, "bob.li@bank.example")])
    assert finds("is:unreviewed -is:reviewed", plain)
    assert finds("is:reviewed -is:unreviewed", by_hand)


def test_settled_states() -> None:
    """Words of the bridge, and messages of nobody's pair."""
    assert finds("is:notice", Specimen(notice_for=3))
    assert finds("is:unpaired", Specimen(pair=None))
    assert not finds("is:notice OR is:unpaired", Specimen())
