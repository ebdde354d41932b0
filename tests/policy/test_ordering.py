"""The tables of directions: every section is in them, and signs multiply as signs do."""

from __future__ import annotations

import pytest

from bridge.policy import language as lang
from bridge.policy import ordering as o


def test_tables_name_only_keys_that_exist() -> None:
    """A key that was renamed in the grammar would otherwise silently become one to look at."""
    for section, keys in o.KEYS.items():
        assert keys.keys() <= section.model_fields.keys(), section.__name__


def test_signs_multiply() -> None:
    """Weaker in what spares is stricter; what has no effect has none anywhere; unclear stays unclear."""
    assert o.times(o.DOWN, o.DOWN) == o.UP
    assert o.times(o.EITHER, o.NOWHERE) == o.NOWHERE
    assert o.times(o.DOWN, o.EITHER) == o.EITHER


@pytest.mark.parametrize(
    ("before", "after", "signs"),
    [
        (("a",), ("a", "b"), o.UP),
        (("a",), (), o.UP),
        ((), ("a",), o.DOWN),
        (("a", "b"), ("b", "a"), o.NOWHERE),
    ],
)
def test_an_empty_set_may_mean_all(before: tuple[str, ...], after: tuple[str, ...], signs: o.Signs) -> None:
    """`for: all` reaches more than any list of groups."""
    steps = list(o.members(1, nothing_is_all=True)(before, after))
    assert frozenset().union(*(step[0] for step in steps)) == signs


def test_an_exchange_of_members_is_told_both_ways() -> None:
    """What was taken out and what came in are two lines: one of them is looser."""
    steps = list(o.members(1)(("a", "b"), ("b", "c")))
    assert steps == [(o.DOWN, ("a",), ()), (o.UP, (), ("c",))]


@pytest.mark.parametrize(
    ("before", "after", "signs"),
    [
        ({"days": "weekdays"}, {"days": "all"}, o.DOWN),
        ({"days": ["mon", "tue"]}, {"days": ["tue"]}, o.UP),
        ({"days": ["mon"]}, {"days": ["tue"]}, o.EITHER),
        ({"days": "trading", "calendar": "XHKG"}, {"days": "all"}, o.DOWN),
        ({"days": "trading", "calendar": "XHKG"}, {"days": "weekdays"}, o.EITHER),
        ({"hours": "09:00-17:00"}, {"hours": "08:00-16:00"}, o.EITHER),
        ({"hours": "09:00-17:00"}, {"hours": "10:00-16:00"}, o.UP),
    ],
)
def test_more_working_time_leaves_less_outside(before: dict, after: dict, signs: o.Signs) -> None:
    """`outside` is what lies outside of the hours and days that it names."""
    old, new = lang.Outside.model_validate(before), lang.Outside.model_validate(after)
    how = o.KEYS[lang.When]["outside"]
    assert callable(how)
    assert next(iter(how(old, new)))[0] == signs
