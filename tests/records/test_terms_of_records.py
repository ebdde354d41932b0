"""When a period is over: calendar arithmetic that errs on the long side, and the longest that wins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.message import Retention
from bridge.policy.periods import after
from bridge.records.terms import CREATION, Term, end, is_write_once, longer, readable_until, term

DAY = 86_400_000
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)).map(
    lambda when: when.replace(tzinfo=UTC)
)
PERIODS = st.one_of(
    *(
        st.integers(1, most).map(lambda n, u=unit: f"{n}{u}")
        for unit, most in (("d", 900), ("m", 90), ("y", 30))
    )
)
EVENTS = ("deal-termination", "end-of-relationship")
CLASSES = st.builds(
    Retention,
    st.sampled_from(["a/1", "a/2", "b/3"]),
    PERIODS,
    st.sampled_from([CREATION, *EVENTS]),
    st.booleans(),
)


def ms(when: datetime) -> int:
    """A moment as the store writes it."""
    return round(when.timestamp() * 1000)


@pytest.mark.parametrize(
    ("begin", "keep", "over"),
    [
        ("2026-01-05T08:00", "7y", "2033-01-06"),  # the last day is whole
        ("2026-01-05T00:00", "1d", "2026-01-07"),
        ("2024-02-29T10:00", "7y", "2031-03-02"),  # no such day: the first of the next month
        ("2024-02-29T10:00", "4y", "2028-03-01"),  # there is one
        ("2025-08-31T23:59", "6m", "2026-03-02"),
        ("2025-12-31T12:00", "2m", "2026-03-02"),
        ("2026-11-30T12:00", "18m", "2028-05-31"),
    ],
)
def test_periods_are_those_of_the_calendar(begin: str, keep: str, over: str) -> None:
    """Years and months count as a calendar does, to the end of their last day in UTC."""
    began = datetime.fromisoformat(begin).replace(tzinfo=UTC)
    assert end(ms(began), keep) == ms(datetime.fromisoformat(over).replace(tzinfo=UTC))


@given(MOMENTS, PERIODS)
def test_no_period_ends_too_early(begin: datetime, keep: str) -> None:
    """Never before the same moment of the last day, and at most two days after it."""
    over, true = end(ms(begin), keep), after(begin, keep)
    assert true <= datetime.fromtimestamp(over / 1000, UTC) <= true + timedelta(days=2)
    assert over % DAY == 0


def test_a_period_beyond_the_calendar_ends_with_it() -> None:
    """Nine thousand years are kept as long as there are dates."""
    assert datetime.fromtimestamp(end(ms(datetime(2026, 1, 1, tzinfo=UTC)), "9999y") / 1000, UTC).year == 9999


@given(st.lists(CLASSES, max_size=6), MOMENTS, st.dictionaries(st.sampled_from(EVENTS), MOMENTS, max_size=2))
def test_the_longest_class_wins(
    classes: list[Retention], born: datetime, events: dict[str, datetime]
) -> None:
    """The term is that of one of the classes, no other ends later, and without its event nothing ends."""
    created, happened = ms(born), {name: ms(when) for name, when in events.items()}
    found = term(classes, created, happened)
    if not classes:
        assert found is None
        return
    assert found is not None
    begins = {one: created if one.start == CREATION else happened.get(one.start) for one in classes}
    assert found.key in {one.key for one in classes}
    if None in begins.values():
        assert found.until is None and found.start not in {CREATION, *happened}
    else:
        ends = [end(max(begin, created), one.keep) for one, begin in begins.items() if begin is not None]
        assert found.until == max(ends)


@given(st.lists(CLASSES, max_size=4), st.lists(CLASSES, max_size=4), MOMENTS)
def test_more_classes_never_end_sooner(some: list[Retention], more: list[Retention], born: datetime) -> None:
    """Whatever is added, a record that had a term keeps at least that."""
    before, then = term(some, ms(born), {}), term([*some, *more], ms(born), {})
    if before is not None:
        assert then is not None
        assert then.until is None or (before.until is not None and then.until >= before.until)


def test_an_extension_only_lengthens() -> None:
    """It ends no term, starts none, and never brings an end nearer."""
    seven, swap = Retention("a/1", "7y"), Retention("a/2", "5y", "deal-termination")
    own = end(0, "7y")
    assert term([seven], 0, {}, own - 1) == term([seven], 0, {}) == Term("a/1", CREATION, own)
    assert term([seven], 0, {}, own + 1) == Term("a/1", CREATION, own + 1)
    assert term([swap], 0, {}, own) == Term("a/2", "deal-termination", None)
    assert term([], 0, {}, own) is None


def test_no_end_is_longer_than_any() -> None:
    """A term without an end wins, and of two equal ones the first."""
    never, soon, late = Term("a/1", "sale", None), Term("a/2", CREATION, 5), Term("a/3", CREATION, 9)
    assert longer(never, late) is longer(late, never) is never
    assert longer(soon, late) is longer(late, soon) is late
    assert longer(None, soon) is longer(soon, None) is soon


def test_the_strictest_medium_and_the_longest_first_period_count() -> None:
    """One class that asks for media written once binds the record; one that asks for it at hand as well."""
    classes = [
        Retention("a/1", "7y"),
        Retention("a/2", "3y", worm=True, first="2y"),
        Retention("a/3", "6y", first="1y"),
    ]
    assert is_write_once(classes) and not is_write_once(classes[:1])
    assert readable_until(classes, 0) == end(0, "2y")
    assert readable_until(classes[:1], 0) == 0


def test_an_event_from_before_the_record_shortens_nothing() -> None:
    """A day in 1990, said of a record of today, does not make it due: its period is its own."""
    born = ms(datetime(2026, 9, 21, tzinfo=UTC))
    swap = Retention("otc/swaps", "5y", "deal-termination")
    found = term([swap], born, {"deal-termination": ms(datetime(1990, 1, 1, tzinfo=UTC))})
    assert found is not None
    assert found.until == end(born, "5y")
