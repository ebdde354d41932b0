"""States as tables: what can be reached, what never can, and how long anybody waits."""

from __future__ import annotations

from itertools import product
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Conflict
from bridge.flow import (
    DELIVERY_STEPS,
    LONGEST_PAUSE,
    MESSAGE_STEPS,
    OPEN,
    TESTIFIED,
    DeliveryState,
    MessageState,
    Patience,
    after,
    became,
    retry_at,
    sources,
)

M, D = MessageState, DeliveryState
HELD = ("message:judged", {"outcome": "hold"})
TABLES = [(MessageState, MESSAGE_STEPS), (DeliveryState, DELIVERY_STEPS)]


def reachable(start: MessageState | DeliveryState, table: dict) -> set:
    """Every state that some sequence of steps leads to, `start` itself left out unless one leads back."""
    found: set = set()
    new = {start}
    while new:
        new = {target for (state, _), target in table.items() if state in new} - found
        found |= new
    return found


@pytest.mark.parametrize(("states", "table"), TABLES)
def test_a_step_is_in_the_table_or_refused(states: type, table: dict) -> None:
    """Of all pairs of state and step, those in the table lead where it says; all others are Conflicts."""
    for state, step in product(states, {step for _, step in [*MESSAGE_STEPS, *DELIVERY_STEPS]}):
        if (state, step) in table:
            assert after(state, step) is table[state, step]
        else:
            with pytest.raises(Conflict, match=f"cannot {step} what is {state.value}"):
                after(state, step)


@pytest.mark.parametrize(
    ("table", "first"), [(MESSAGE_STEPS, {M.FETCHING, M.NEW}), (DELIVERY_STEPS, {D.READY})]
)
def test_every_state_can_be_reached(table: dict, first: set) -> None:
    """No state is a name only: from the first ones, steps lead to each."""
    seen = first.union(*(reachable(state, table) for state in first))
    assert seen == set(type(next(iter(first))))


@pytest.mark.parametrize(
    "state", [M.PASSED, M.BLOCKED, M.RELEASED, M.REJECTED, M.NOTED, M.RECALLED, D.DROPPED]
)
def test_the_last_states_are_last(state: MessageState | DeliveryState) -> None:
    """What was blocked, rejected, recalled or dropped never goes on, and what passed is not judged again."""
    assert not reachable(state, MESSAGE_STEPS | DELIVERY_STEPS)


def test_what_the_network_has_is_never_sent_again() -> None:
    """From `sent` no path leads to where a delivery can be claimed."""
    assert reachable(D.SENT, DELIVERY_STEPS) == {D.FAILED, D.DROPPED}


def test_nothing_is_judged_before_it_is_whole() -> None:
    """A message whose attachments are being fetched can only become new."""
    assert {step for state, step in MESSAGE_STEPS if state is M.FETCHING} == {"settle"}


def test_only_what_is_claimed_is_sent() -> None:
    """Sending starts from a claim and from nothing else: a crash always leaves the trace of an attempt."""
    assert sources("send", DELIVERY_STEPS) == (D.CLAIMED,)
    assert sources("claim", DELIVERY_STEPS) == (D.READY,)


@pytest.mark.parametrize("table", [MESSAGE_STEPS, DELIVERY_STEPS])
def test_a_step_has_one_target(table: dict) -> None:
    """`sources` may stand in one UPDATE's WHERE: wherever a step starts, it ends in the same state."""
    for step in {step for _, step in table}:
        assert sources(step, table) == tuple(state for state in _states(table) if (state, step) in table)
        assert len({table[state, step] for state in sources(step, table)}) == 1


def _states(table: dict) -> list:
    return list(dict.fromkeys(state for state, _ in table))


def test_open_deliveries_are_those_that_may_still_go_out_by_themselves() -> None:
    """What keeps later deliveries behind it is what needs nobody's decision to move on."""
    by_hand = {D.PARKED, D.FAILED, D.DROPPED, D.SENT}
    assert set(OPEN) == set(D) - by_hand


# --- patience -------------------------------------------------------------------------------------------

PATIENCE = st.builds(
    Patience, first=st.integers(1, 10_000), longest=st.integers(10_000, 10**9), tries=st.integers(2, 200)
)


def test_the_pause_doubles_up_to_the_longest() -> None:
    """500 ms, 1 s, 2 s ... five minutes, by default; after the twentieth failure it is enough."""
    pauses = [retry_at(0, attempt, Patience()) for attempt in range(1, 21)]
    assert pauses[:11] == [500 << n for n in range(10)] + [300_000]
    assert pauses[11:] == [300_000] * 8 + [None]


@given(PATIENCE, st.integers(1, 300), st.floats(0, 10**6) | st.none())
def test_a_networks_own_pause_is_kept(patience: Patience, attempt: int, named: float | None) -> None:
    """Nobody is asked again before the time it named, but for one that is beyond all reason; without one,
    never later than the longest pause."""
    at = retry_at(1000, attempt, patience, named)
    if attempt >= patience.tries:
        assert at is None
        return
    assert at is not None
    asked = int((named or 0) * 1000)
    assert at - 1000 >= min(max(patience.first, asked), LONGEST_PAUSE)
    assert at - 1000 <= min(max(patience.longest, asked), LONGEST_PAUSE)


def test_no_network_asks_for_ever() -> None:
    """What asks for days, or for all time, is asked again after half a day."""
    assert {retry_at(0, 1, Patience(), named) for named in (43_201.0, 172_800.0, 1e300, inf)} == {
        LONGEST_PAUSE
    }


@given(PATIENCE, st.integers(1, 300))
def test_pauses_never_shrink(patience: Patience, attempt: int) -> None:
    """Each failure waits at least as long as the one before."""
    now, following = (retry_at(0, n, patience) for n in (attempt, attempt + 1))
    assert following is None or (now is not None and now <= following)


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([], M.NEW),
        ([("message:noted", {})], M.NOTED),
        ([("message:judged", {"outcome": "redact"})], M.PASSED),
        ([("message:judged", {"outcome": "block"})], M.BLOCKED),
        ([HELD, ("hold:released", {})], M.RELEASED),
        ([HELD, ("hold:expired", {})], M.BLOCKED),
        ([HELD, ("hold:lifted", {})], M.NEW),
        ([HELD, ("message:judged", {"outcome": "deliver", "by": 7})], M.HELD),
        ([("message:judged", {"outcome": "deliver"}), ("message:judged", {"outcome": "block"})], M.PASSED),
        ([("message:judged", {"outcome": "wave through"})], None),
        ([("record:disposed", {})], M.NEW),
    ],
)
def test_the_ledger_says_where_a_message_stands(
    steps: list[tuple[str, dict[str, object]]], state: MessageState | None
) -> None:
    """Its entries alone lead there; what nobody knows leads nowhere, and is not taken for a pass."""
    assert became(steps) == state


def test_every_state_of_a_delivery_is_testified_to() -> None:
    """Whatever a delivery may be, there is an entry after which it may be that; none allows all."""
    assert {state for states in TESTIFIED.values() for state in states} == set(D)
    assert all(set(states) < set(D) for states in TESTIFIED.values())
