"""Identity documents: numbers that prove themselves, near misses, and formats that need a word."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_rig import found, looking_for, stops
from stdnum.cn import ric as reference_id

from bridge.policy import identity as d

IDS = looking_for("type: china_resident_id")


def with_check_digit(body: str) -> str:
    """17 digits and their check character."""
    return body + reference_id.calc_check_digit(body + "0")


@pytest.mark.parametrize("number", ["11010519491231002X", "11010519491231002x", "440524188001010014"])
def test_known_identity_numbers_are_found(number: str) -> None:
    """The standard's own examples, with either x, also in groups and full-width."""
    wide = number.translate({ord("0") + i: chr(ord("０") + i) for i in range(10)})
    spaced = f"{number[:6]} {number[6:14]} {number[14:]}"
    for written in (number, wide, spaced, f"12 {number}"[3:]):
        assert found(IDS, f"身份证{written}号") == [written]
    assert found(IDS, f"12 {number}") == [number]


@pytest.mark.parametrize(
    "number",
    [
        "110105194912310021",  # check digit
        with_check_digit("11010519491331002"),  # 13th month
        with_check_digit("11010519490229002"),  # no leap year
        with_check_digit("99010519491231002"),  # no such province
        "911010519491231002X",  # inside a longer number
        "11010519491231002X1",
    ],
)
def test_near_misses_are_not_identity_numbers(number: str) -> None:
    """Region, date, check digit and length all have to be right."""
    assert not stops(IDS, f"编号 {number} 号")


@given(
    st.sampled_from(["110105", "310101", "440305", "510104", "650102"]),
    st.dates(datetime.date(1992, 1, 1), datetime.date(2025, 12, 31)),
    st.integers(0, 999),
)
def test_generated_identity_numbers_agree_with_the_reference(
    region: str, born: datetime.date, order: int
) -> None:
    """Every valid number is found, and python-stdnum calls it valid too."""
    number = with_check_digit(f"{region}{born:%Y%m%d}{order:03}")
    assert reference_id.is_valid(number)
    assert d.is_resident_id(number.lower()) and stops(IDS, number)


# --- Hong Kong, Taiwan, Macau ---------------------------------------------------------------------------

HKIDS, TAIWAN, MACAU = (looking_for(f"type: {name}") for name in ("hkid", "taiwan_id", "macau_bir"))


@pytest.mark.parametrize("number", ["A123456(3)", "a123456 (3)", "Ａ１２３４５６（３）", "A1234563"])
def test_hong_kong_identity_numbers_are_found(number: str) -> None:
    """With and without brackets, in any width and case."""
    assert found(HKIDS, f"我的身份證{number}，") == [number]


@pytest.mark.parametrize("number", ["A123456(4)", "A123456(A)", "A123457(3)", "ABC123456(3)", "A12345(3)"])
def test_near_misses_are_no_hong_kong_numbers(number: str) -> None:
    """The check character, the number of letters and of digits have to be right."""
    assert not found(HKIDS, f"编号 {number}")


@given(st.from_regex(r"[A-Z]{1,2}[0-9]{6}", fullmatch=True))
def test_one_check_character_in_eleven_is_right(body: str) -> None:
    """Every number has exactly one, and it is found."""
    checks = [check for check in "0123456789a" if d.is_hkid(body.lower() + check)]
    assert len(checks) == 1 and stops(HKIDS, f"{body}({checks[0].upper()})")


def test_an_hkid_without_brackets_is_less_sure() -> None:
    """Eight characters may be anything: high confidence needs the brackets, or a word."""
    high = looking_for("type: hkid", "high")
    assert stops(high, "A123456(3)") and stops(high, "HKID A1234563") and not stops(high, "ref A1234563")


@pytest.mark.parametrize("number", ["A123456789", "a123456789", "F131104093", "A800000014"])
def test_taiwan_identity_numbers_are_found(number: str) -> None:
    """Citizens' numbers and residents' new ones."""
    assert found(TAIWAN, f"編號{number}。") == [number]


@pytest.mark.parametrize("number", ["A123456788", "A323456789", "A12345678", "A1234567890", "1A23456789"])
def test_near_misses_are_no_taiwan_numbers(number: str) -> None:
    """Check digit, second character and length have to be right."""
    assert not stops(TAIWAN, f"編號{number}。")


def test_old_resident_numbers_of_taiwan_have_two_letters() -> None:
    """The second letter counts with its last digit; exactly one check digit of ten is right."""
    assert sum(d.is_taiwan_id(f"ab1234567{check}") for check in range(10)) == 1


@pytest.mark.parametrize(
    ("type_", "text", "hit"),
    [
        ("macau_bir", "澳門身份證 1234567(8)", True),
        ("macau_bir", "BIR 5/123456/7", True),
        ("macau_bir", "1234567(8)", False),
        ("macau_bir", "BIR 2234567(8)", False),
        ("passport", "护照 E12345678", True),
        ("passport", "護照號 EA1234567", True),
        ("passport", "passport no. K12345678", True),
        ("passport", "passport 123456789", True),
        ("passport, countries: CN", "passport 123456789", False),
        ("passport", "订单 E12345678", False),
        ("passport", "护照 EI1234567", False),
        ("home_return_permit", "回鄉證 H12345678", True),
        ("home_return_permit", "home return permit M1234567801", True),
        ("home_return_permit", "H12345678", False),
        ("home_return_permit", "回乡证 A12345678", False),
        ("taiwan_permit", "台胞證號碼 12345678", True),
        ("taiwan_permit", "臺胞證 0123456789(B)", True),
        ("taiwan_permit", "日期 20261120", False),
        ("taiwan_permit", "台胞证 123456789", False),
    ],
)
def test_formats_need_a_word(type_: str, text: str, hit: bool) -> None:
    """What has no check digit is found beside a word for it, and not alone."""
    assert stops(looking_for(f"type: {type_}"), text) is hit
