"""Too few is as unusual as too many, and nobody is accused without a history."""

from __future__ import annotations

from bridge.message import SYMPHONY, WEIXIN
from bridge.records.expectations import falls_silent, is_missed, silent, surprises, turnout, unusual, usual


def test_without_a_history_nothing_is_expected() -> None:
    """One earlier week says nothing."""
    assert usual([]) is None and usual([500]) is None
    assert unusual("messages", 0, [500]) == ""


def test_what_is_usual_is_no_surprise() -> None:
    """Weeks like these, and a week like them."""
    for count in (80, 100, 130):
        assert unusual("messages", count, [100, 90, 110, 95]) == ""


def test_too_few_and_too_many_are_told_with_the_range() -> None:
    """A dead feed, a half-dead one, and a flood."""
    earlier = [100, 90, 110, 95]
    assert unusual("messages", 0, earlier).startswith("too few: messages 0")
    assert unusual("messages", 30, earlier).startswith("too few")
    assert unusual("messages", 900, earlier).startswith("too many")


def test_chance_alone_is_not_told() -> None:
    """Where a day has a handful, one without any is chance: three of a hundred such days are."""
    assert unusual("messages", 0, [4, 3, 2, 5]) == unusual("messages", 0, [9, 9, 9, 9]) == ""
    assert unusual("messages", 0, [10, 10, 10, 10]).startswith("too few")


def test_who_left_is_told_once() -> None:
    """On the day on which his silence has lasted long enough, and on no other."""
    workdays = [day for day in range(100, 128) if day % 7 < 5]
    told = [day for day in range(128, 200) if falls_silent([d for d in workdays if d > day - 49], day, 3, 4)]
    assert len(told) == 1


def test_silence_begins_again_once_it_was_explained() -> None:
    """What came before the day that was settled does not count any more."""
    days = range(100, 128)
    assert silent(days, 140, 3, 4) == 13 and silent(days, 140, 3, 4, since=138) == 0
    assert silent(days, 141, 3, 4, since=138) == 3


def test_a_rule_that_hit_every_week_and_hits_nothing_is_told() -> None:
    """A silenced rule shows; one that now and then hit nothing does not."""
    weeks = [{"p/a": 20, "p/b": 0}, {"p/a": 11, "p/b": 3}, {"p/a": 13}]
    assert [said.split(" ")[:4] for said in surprises("hits of", {}, weeks)] == [
        ["too", "few:", "hits", "of"]
    ]
    assert list(surprises("hits of", {}, [None, None])) == []


def test_what_is_missed_is_told_and_known_again() -> None:
    """Too few from a network, and none for days: both say of their day that it is no measure."""
    few, none = turnout(SYMPHONY, 0, [19, 18], 5)
    assert few.startswith("too few: messages from symphony 0")
    assert none == "silent: nobody has written in symphony on 5 usual days"
    for said in (few, none):
        assert is_missed([said], SYMPHONY) and not is_missed([said], WEIXIN)
    (many,) = turnout(SYMPHONY, 900, [9, 8], 0)
    assert not is_missed([many, "silent: symphony/7001 has not written on 3 usual days"], SYMPHONY)


def test_somebody_who_always_wrote_falls_silent() -> None:
    """Three usual days without a word are reported; weekends are nobody's usual days."""
    workdays = [day for day in range(100, 128) if day % 7 < 5]
    last = workdays[-1]
    assert silent(workdays, last + 1, 3, 4) == 0
    gone = next(day for day in range(last + 1, last + 9) if silent(workdays, day, 3, 4))
    assert sum(1 for day in range(last + 1, gone + 1) if day % 7 < 5) == 3


def test_who_writes_now_and_then_is_not_silent() -> None:
    """A client who writes on one odd day in a month has no usual days."""
    assert silent([100, 111, 117], 130, 2, 4) == 0
