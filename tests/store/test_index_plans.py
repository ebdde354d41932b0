"""A plan has whatever a query may accept: by tokens where it can, by lists of states, or anywhere."""

from __future__ import annotations

from bridge.search.document import EVERYTHING, All, Any, Live, Need, Span, Token
from bridge.store.index.plans import NOTHING, WHOLE, Plan, plan

A, B = Token("t:a"), Token("t:b")
HELD, SEEN = Live("is", "held"), Live("is", "seen")


def alive(live: Live) -> list[int] | None:
    """Three messages are held; of anything else nobody knows."""
    return [3, 7, 9] if live == HELD else None


def planned(need: Need) -> Plan:
    """The plan for `need`."""
    return plan(need, alive)


def test_words_are_looked_up() -> None:
    """Alone, together, and either of them."""
    assert planned(A) == Plan(A)
    assert planned(All((A, B))) == Plan(All((A, B)))
    assert planned(Any((A, B))) == Plan(Any((A, B)))
    assert planned(All((Any((A, B)), A, Span(since=5)))) == Plan(All((Any((A, B)), A)))


def test_a_part_of_an_and_may_be_left_out() -> None:
    """What no index answers is left to whoever opens the message."""
    assert planned(All((A, SEEN))) == Plan(A)
    assert planned(All((A, HELD))) == Plan(A)
    assert planned(All((SEEN, HELD))) == Plan(numbers=frozenset({3, 7, 9}))
    assert planned(All((Span(first=2), SEEN))) == WHOLE


def test_no_part_of_an_or_is_left_out() -> None:
    """One part that nobody can look up means all messages; a list of a state is added to what is found."""
    assert planned(Any((A, SEEN))) == WHOLE
    assert planned(Any((A, Span(since=1)))) == WHOLE
    assert planned(Any((A, HELD))) == Plan(A, frozenset({3, 7, 9}))
    assert planned(All((Any((A, HELD)), B))) == Plan(B)
    assert planned(All((Any((A, HELD)), SEEN))) == Plan(A, frozenset({3, 7, 9}))


def test_nothing_and_everything() -> None:
    """An AND of no parts is everything, an OR of none is nothing."""
    assert planned(EVERYTHING) == WHOLE
    assert planned(Any(())) == NOTHING
    assert planned(All((A, Any(())))) == Plan(A)
