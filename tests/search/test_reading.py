"""Reading one message: nothing is opened or folded twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from specimens import ask, wrote

from bridge.search.reading import FIELDS, Reading


class Counting:
    """A message that counts how often each of its parts is asked for."""

    def __init__(self, **fields: Any) -> None:
        self.asked: Counter[str] = Counter()
        self._inner = wrote("内幕", **fields)

    def __getattr__(self, name: str) -> Any:
        self.asked[name] += 1
        return getattr(self._inner, name)


def test_each_field_is_opened_once() -> None:
    """However many conditions ask for it."""
    message = Counting(permitted="消息")
    assert ask("text:内幕 orig:内 sent:消息 -orig:公告").accepts(message)  # type: ignore[arg-type]
    assert message.asked["text"] == message.asked["permitted"] == 1


def test_empty_texts_are_left_out() -> None:
    """A field is there if something stands in it."""
    reading = Reading(wrote("x"))
    assert reading.texts("text") == [("text", "x")]
    assert all(not reading.texts(name) for name in FIELDS if name != "text")


def test_equal_texts_are_folded_once() -> None:
    """The very same string comes back."""
    reading = Reading(wrote("Ｘ", permitted="Ｘ"))
    assert reading.folded("Ｘ") is reading.folded("Ｘ")
