"""Who is meant: sets of people by address, pattern, tag or id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_rig import ALICE, CLIENT
from proportion import in_proportion

from bridge.message import SYMPHONY, WEIXIN, Party
from bridge.policy.members import Roster


class People:
    """One set of people in a roster with another one."""

    def __init__(self, members: list[str]) -> None:
        self._roster = Roster()
        self._roster.number(["somebody.else@bank.example"])
        self._number = self._roster.number(members)

    def has(self, party: Party) -> bool:
        """Whether `party` is in it."""
        return self._number in self._roster.of(party)


@pytest.mark.parametrize(
    ("members", "alice", "client"),
    [
        (["alice.wong@bank.example"], True, False),
        (["ALICE.Wong@Bank.Example"], True, False),
        (["*@bank.example"], True, False),
        (["alice*@*.example"], True, False),
        (["*@BANK.example"], True, False),
        (["*@research.bank.example"], False, False),
        (["alice.wong@bank.exampl"], False, False),
        (["tag:客户"], False, True),
        (["tag:客戶"], False, True),
        (["tag: 客户 "], False, True),
        (["TAG:客户"], False, True),
        (["tag:客"], False, False),
        (["wm-lilei"], False, True),
        (["wm-*"], False, True),
        (["7001"], True, False),
        ([], False, False),
    ],
)
def test_people_are_known_by_address_pattern_tag_or_id(members: list[str], alice: bool, client: bool) -> None:
    """Case does not matter, a star stands for anything, and nothing matches a part of a name."""
    people = People(members)
    assert (people.has(ALICE), people.has(CLIENT)) == (alice, client)


@given(
    st.lists(st.text("ab", max_size=3), min_size=1, max_size=4),
    st.lists(st.text("ab*", max_size=3), max_size=4),
)
def test_a_pattern_fits_what_it_was_made_of(pieces: list[str], fillings: list[str]) -> None:
    """Whatever stands in place of the stars, the pattern fits."""
    fillings = (fillings + [""] * len(pieces))[: len(pieces) - 1]
    name = "".join(piece + filling for piece, filling in zip(pieces, [*fillings, ""], strict=True))
    assert not name or People(["*".join(pieces) if len(pieces) > 1 else name]).has(Party(SYMPHONY, name))


def test_a_pattern_full_of_stars_does_not_stall() -> None:
    """A pattern that makes other engines try everything takes time in proportion to the name."""
    people = People(["*a" * 5000 + "b"])
    assert not people.has(Party(SYMPHONY, "a" * 50_000))
    in_proportion(lambda size: people.has(Party(SYMPHONY, "a" * size)), 200_000)


def test_a_tag_is_the_same_in_every_script_and_width() -> None:
    """On either side: in the policy, and in what somebody called a contact."""
    person = Party(WEIXIN, "wm-2", tags=frozenset({"ＶＩＰ 客戶"}))
    assert People(["tag:vip 客户"]).has(person)
    assert not People(["tag:vip"]).has(person)


def test_equal_sets_have_one_number() -> None:
    """Two files that mean the same people, in another order or case, share a number; others do not."""
    roster = Roster()
    assert roster.number(["a@x.example", "B@x.example"]) == roster.number(["b@x.example", "a@x.example"])
    assert roster.number(["a@x.example"]) != roster.number(["b@x.example"])
