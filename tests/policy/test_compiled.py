"""Rules made ready: who is meant by a name, and whose detector a rule sees."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_rig import ALICE, CLIENT, one_rule, policy_set, weigh

from bridge.message import SYMPHONY, Outcome, Party
from bridge.policy.compiled import People


@pytest.mark.parametrize(
    ("members", "alice", "client"),
    [
        (["alice.wong@bank.example"], True, False),
        (["ALICE.Wong@Bank.Example"], True, False),
        (["*@bank.example"], True, False),
        (["alice*@*.example"], True, False),
        (["*@research.bank.example"], False, False),
        (["alice.wong@bank.exampl"], False, False),
        (["tag:客户"], False, True),
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
    """A pattern that makes other engines try everything is answered at once."""
    people = People(["*a" * 5000 + "b"])
    started = time.process_time()
    assert not people.has(Party(SYMPHONY, "a" * 50_000))
    assert time.process_time() - started < 0.5


def test_names_belong_to_their_file() -> None:
    """Two files may call different things by one name; each rule sees its own."""
    visa = one_rule("card: { type: payment_card, brands: visa }", name="visa", then="{ tag: visa }")
    amex = one_rule("card: { type: payment_card, brands: amex }", name="amex", then="{ tag: amex }")
    policies = policy_set(visa, amex)
    assert weigh(policies, "4111111111111111").tags == ("visa",)
    assert weigh(policies, "378282246310005").tags == ("amex",)


def test_a_rule_that_is_off_is_not_there() -> None:
    """`mode: off` leaves no trace in the verdict."""
    verdict = weigh(policy_set(one_rule(more="    mode: off\n")), "4111111111111111")
    assert verdict.outcome is Outcome.DELIVER and verdict.matches == ()


def test_a_set_can_be_made_again_from_what_it_keeps() -> None:
    """The sources of a set are enough to make an equal one."""
    policies = policy_set(one_rule())
    assert policy_set(*(source.data.decode() for source in policies.sources)).hashes == policies.hashes
