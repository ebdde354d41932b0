"""People: what a contact's name in commands may look like, and what a pair hands to the store."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.message import SYMPHONY, WEIXIN, Party
from bridge.people import Pair, contact_key, pair, unpair

ALICE = Party(SYMPHONY, "7001", "Alice Wong", "alice.wong@bank.example", "en", frozenset({"desk", "a"}))
CLIENT = Party(WEIXIN, "wmLiLei", "李雷", "", "zh-Hans", frozenset({"vip", "客户"}))
TWO = Pair(ALICE, "stream-alice", CLIENT, "wkDesk")


class Recorder:
    """`bridge.ports.Acts`, as far as people need it."""

    def __init__(self) -> None:
        self.made: list[tuple[Any, str, str]] = []
        self.ended: list[tuple[int, str, str]] = []

    async def make_pair(self, two: Any, person: str, reason: str) -> int:
        """Write it down."""
        self.made.append((two, person, reason))
        return 42

    async def end_pair(self, number: int, person: str, reason: str) -> None:
        """Write it down."""
        self.ended.append((number, person, reason))


async def test_a_pair_is_handed_over_whole() -> None:
    """Ids bind; names, languages and tags come along, the same each time."""
    acts: Any = Recorder()
    assert await pair(acts, TWO, "carol", "onboarding") == 42
    ((record, person, reason),) = acts.made
    assert (person, reason) == ("carol", "onboarding")
    assert record == {
        "advisor": "7001",
        "stream": "stream-alice",
        "contact": "wkDesk/wmLiLei",
        "advisor_name": "Alice Wong",
        "advisor_address": "alice.wong@bank.example",
        "advisor_language": "en",
        "advisor_tags": ["a", "desk"],
        "contact_name": "李雷",
        "contact_language": "zh-Hans",
        "contact_tags": ["vip", "客户"],
    }


async def test_an_end_is_handed_over() -> None:
    """With its number, who and why."""
    acts: Any = Recorder()
    await unpair(acts, 42, "carol", "left the firm")
    assert acts.ended == [(42, "carol", "left the firm")]


@pytest.mark.parametrize(("person", "reason"), [("", "why"), ("carol", " ")])
async def test_nobody_is_paired_without_who_and_why(person: str, reason: str) -> None:
    """An act without its person or reason touches nothing."""
    acts: Any = Recorder()
    with pytest.raises(ConfigError):
        await pair(acts, TWO, person, reason)
    with pytest.raises(ConfigError):
        await unpair(acts, 42, person, reason)
    assert (acts.made, acts.ended) == ([], [])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("wkDesk/wmLiLei", ("wkDesk", "wmLiLei")),
        ("  wkDesk/wmLiLei\n", ("wkDesk", "wmLiLei")),
        ("wk-A_b9/wo-C_d8", ("wk-A_b9", "wo-C_d8")),
    ],
)
def test_a_contact_is_an_account_and_an_id(text: str, key: tuple[str, str]) -> None:
    """As the platform writes them, with blanks around them forgiven."""
    assert contact_key(text) == key


@pytest.mark.parametrize(
    "text", ["", "李雷", "wkDesk", "wmLiLei/wkDesk", "wkDesk/wmLiLei/x", "wkDesk / wmLiLei", "wkDesk/xxLiLei"]
)
def test_anything_else_is_refused_with_the_remedy(text: str) -> None:
    """The error shows what was given, what is wanted, and where to find it."""
    with pytest.raises(ConfigError, match="OPEN_KFID/EXTERNAL_USERID"):
        contact_key(text)


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_makes_a_contact_by_accident(account: str, contact: str) -> None:
    """Whatever is accepted has the platform's form, and is what was written."""
    try:
        found = contact_key(f"{account}/{contact}")
    except ConfigError:
        return
    assert "/".join(found) == f"{account}/{contact}".strip()
    assert found[0].startswith("wk")
    assert found[1][:2] in ("wm", "wo")
