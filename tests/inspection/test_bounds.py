"""One look keeps its bounds, whatever a reader does."""

from __future__ import annotations

from io import BytesIO

import pytest

from bridge.inspection import bounds
from bridge.inspection.bounds import Full, Look, Unreadable


def nothing(file: object, name: str, look: Look) -> str:
    """Examines nothing."""
    return "txt"


def test_text_ends_where_it_is_full() -> None:
    """Exactly the limit is kept; what fits exactly is not cut."""
    look = Look(nothing, 5)
    look.say("hello")
    assert (look.text, look.cut) == ("hello", False)
    with pytest.raises(Full):
        look.say("!")
    assert (look.text, look.cut) == ("hello", True)


def test_the_first_reason_is_kept() -> None:
    """What was wrong first is what is told."""
    look = Look(nothing, 5)
    look.cannot("it is damaged")
    look.cannot("it is too large")
    assert look.unreadable == "it is damaged"


def test_unpacking_counts_everything_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several small parts are as much as one large one."""
    monkeypatch.setattr(bounds, "UNPACKED", 10)
    look = Look(nothing, 5)
    assert look.unpack(BytesIO(b"123456")).read() == b"123456"
    with pytest.raises(Unreadable):
        look.unpack(BytesIO(b"12345"))


def test_levels_end() -> None:
    """Files within files are opened so deep and no deeper; side by side they may be many."""
    look = Look(lambda file, name, look: look.enter(BytesIO(), name), 5)
    with pytest.raises(Unreadable):
        look.enter(BytesIO(), "a")
    look = Look(nothing, 5)
    for _ in range(50):
        look.enter(BytesIO(), "a")
    assert look.level == 0


def test_a_program_inside_is_told() -> None:
    """Whatever carries a program is for a person to look at."""
    look = Look(lambda *_: "exe", 5)
    look.enter(BytesIO(), "a")
    assert look.unreadable == "it has a program inside"
