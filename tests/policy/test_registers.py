"""Register numbers: structures and check digits, groups, edges, and words for what has none."""

from __future__ import annotations

import phonenumbers
import pytest
from policy_rig import found, looking_for, stops

from bridge.policy.registers import COUNTRIES


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("账户DE89370400440532013000号", ["DE89370400440532013000"]),
        ("GB82 WEST 1234 5698 7654 32 please", ["GB82 WEST 1234 5698 7654 32"]),
        ("gb82-west-1234-5698-7654-32.", ["gb82-west-1234-5698-7654-32"]),
        ("ＧＢ82WEST12345698765432", ["ＧＢ82WEST12345698765432"]),
        ("BE71 0961 2345 6769 99", ["BE71 0961 2345 6769"]),
        (
            "DE89370400440532013000 GB82WEST12345698765432",
            ["DE89370400440532013000", "GB82WEST12345698765432"],
        ),
        ("GB82WEST12345698765433", []),
        ("xGB82WEST12345698765432", []),
        ("GB82WEST123456987654321", []),
        ("GB82  WEST 1234 5698 7654 32", ["GB82  WEST 1234 5698 7654 32"]),
        ("ZZ82WEST12345698765432", []),
        ("CN82WEST12345698765432", []),
    ],
)
def test_ibans_are_found_in_groups_and_whole(text: str, numbers: list[str]) -> None:
    """The country gives the length; what follows is not part of it, what touches it makes it none."""
    assert found(looking_for("type: iban"), text) == numbers


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("SWIFT HSBCHKHHHKH", True),
        ("DEUTDEFF 银行代码", True),
        ("匯款 DEUTDEFF", True),
        ("DEUTDEFF", False),
        ("our business is good", False),
        ("SWIFT DEUTQQFF", False),
        ("SWIFT DEUTDEFFF", False),
    ],
)
def test_a_bic_needs_a_word_and_a_country(text: str, hit: bool) -> None:
    """Every eighth English word of eight letters looks like one."""
    assert stops(looking_for("type: bic"), text) is hit


@pytest.mark.parametrize(
    ("kind", "number", "wrong"),
    [
        ("lei", "549300E9PC51EN656011", "549300E9PC51EN656012"),
        ("isin", "US0378331005", "US0378331006"),
        ("isin", "KYG875721634", "KYG875721643"),
        ("uscc", "91110000600037341L", "91110000600037342L"),
    ],
)
def test_check_digits_are_checked(kind: str, number: str, wrong: str) -> None:
    """A right number is found inside Chinese text, in any case; a wrong or longer one is not."""
    policies = looking_for(f"type: {kind}")
    assert found(policies, f"代码{number}，{number.lower()}。") == [number, number.lower()]
    assert not stops(policies, f"代码{wrong}，x{number} {number}9")


def test_digits_alone_are_less_sure() -> None:
    """Twenty digits that happen to fit are no LEI unless a word says so."""
    number = next(f"{n:018}{98 - n * 100 % 97:02}" for n in range(10**17, 10**17 + 9))
    lei = looking_for("type: lei")
    assert stops(lei, f"LEI {number}") and not stops(lei, f"order {number}")


def test_the_countries_are_those_that_have_telephones() -> None:
    """The list of country codes agrees with another one, but for a few islands and Kosovo's order."""
    telephones = {region.lower() for region in phonenumbers.SUPPORTED_REGIONS}
    assert telephones - COUNTRIES == {"ac", "ta"}
    assert COUNTRIES - telephones == {"aq", "bv", "gs", "hm", "pn", "tf", "um"}
