"""Values of qualifiers: what cannot be is refused at its place."""

from __future__ import annotations

import pytest
from specimens import ask, finds, wrote

from bridge.errors import QueryError
from bridge.search.document import Attached, Span


@pytest.mark.parametrize(
    ("query", "code", "covered"),
    [
        ("a size:>big", "Q033", "big"),
        ("size:1MB..2kb", "Q031", "1MB..2kb"),
        ("size:..", "Q033", ".."),
        ("id:9..3", "Q031", "9..3"),
        ("id:<0", "Q032", "0"),
        ("seq:x", "Q032", "x"),
        ("seq:..", "Q032", ".."),
        ("hash:9f86", "Q034", "9f86"),
        ("hash:nonsense", "Q034", "nonsense"),
        ("during:2026-13", "Q030", "2026-13"),
        ("at:2026-12..2026-11", "Q031", "2026-12..2026-11"),
        ("at:>2026-11..2026-12", "Q025", "2026-11..2026-12"),
        ("at:>last-30d", "Q030", "last-30d"),
        ("hour:25", "Q032", "25"),
        ("hour:9..", "Q032", "9.."),
        ("day:someday", "Q023", "someday"),
        ("tz:Moon/Base", "Q035", "Moon/Base"),
        ("tz:../etc", "Q035", "../etc"),
        ("from:alice@ba*", "Q029", "alice@ba*"),
        ("from:!!", "Q016", "!!"),
        ("text:a*b", "Q017", "a*b"),
        ("内幕 is:helt", "Q023", "helt"),
    ],
)
def test_refuses(query: str, code: str, covered: str) -> None:
    """The right words at the right place."""
    with pytest.raises(QueryError) as caught:
        ask(query)
    (problem,) = caught.value.problems
    assert (problem.code, query[problem.start : problem.end]) == (code, covered)


def test_sizes_are_exact() -> None:
    """KB is 1000 bytes, KiB is 1024; fractions do not lose bytes; a file of unknown size has none."""
    message = wrote("", files=[Attached("a", "file", 1_100_000)])
    assert finds("size:1.1MB size:1100KB size:<1.1mib", message)
    assert not finds("size:>=0", wrote("", files=[Attached("a", "file", -1)]))
    assert finds("size:0..0B", wrote("", files=[Attached("a", "file", 0)]))


def test_what_was_written_may_be_archived_on_another_day() -> None:
    """`written:` goes by the network's clock, `during:` by the archive's; a clock that cannot be is none."""
    archived = 1_795_339_800_000  # 2026-11-22 in Hong Kong
    late = wrote("a", at=archived, sent_at=archived - 86_400_000)
    assert finds("written:2026-11-21 during:2026-11-22", late)
    assert not finds("written:2026-11-22", late)
    assert not finds("during:2026-11-21", late)
    assert finds("written:<2026-11-22 written:2026-11-20..2026-11-21", late)
    for sent_at in (0, -1, 10**18):
        assert finds("written:2026-11-22", wrote("a", at=archived, sent_at=sent_at))
    assert ask("written:2026-11-21").span == Span()


def test_a_number_may_be_ours_or_the_networks() -> None:
    """`id:` with a number asks for both, with `=` for the network's alone."""
    ours, theirs = wrote("", number=77), wrote("", source_id="77")
    assert finds("id:77", ours)
    assert finds("id:77", theirs)
    assert not finds("id:=77", ours)
    assert finds("id:=77", theirs)


def test_the_first_place_of_a_ledger_is_zero() -> None:
    """Entries are counted from 0, messages from 1."""
    assert finds("seq:0", wrote("", entry=0))
    assert not finds("seq:0", wrote("", entry=1))
    assert finds("seq:1..", wrote("", entry=1))


def test_hours_may_go_through_midnight() -> None:
    """From 18:00 up to 08:00 is the night; the last hour is not part of it."""
    evening = wrote("", at=1_795_339_800_000)  # 17:30 in Hong Kong
    assert finds("hour:17", evening)
    assert finds("hour:17:30..24", evening)
    assert finds("hour:17:30..02", evening)
    assert not finds("hour:18..17:30", evening)
    assert finds("hour:09..10 tz:UTC", evening)
