"""Telephone numbers, e-mail and web addresses: found whole, and not where something else is meant."""

from __future__ import annotations

import pytest
from policy_rig import found, looking_for, stops, weigh

from bridge.message import Cause, Outcome
from bridge.policy import contacts as d


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("我的手机13812345678，晚点打", ["13812345678"]),
        ("１３８１２３４５６７８", ["１３８１２３４５６７８"]),
        ("138 1234 5678", ["138 1234 5678"]),
        ("+86-138-1234-5678", ["+86-138-1234-5678"]),
        ("+852 9123 4567 or +1 (415) 555-0132", ["+852 9123 4567", "+1 (415) 555-0132"]),
        ("010-62771234", ["010-62771234"]),
        ("(0755) 2345 6789", ["(0755) 2345 6789"]),
        ("電話 9123 4567", ["9123 4567"]),
        ("tel: 2345 6789 or 9876 5432", ["2345 6789", "9876 5432"]),
        ("9123 4567", []),
        ("价格 91234567 元", []),
        ("2026-11-20", []),
        ("2026 11 20 9:30", []),
        ("123456789012345678901", []),
        ("12345678901", []),
    ],
)
def test_telephone_numbers_of_the_regions_are_found(text: str, numbers: list[str]) -> None:
    """With +, as Chinese mobile numbers, with brackets or hyphens; eight bare digits only beside a word."""
    assert found(looking_for("type: phone"), text) == numbers


def test_regions_can_be_chosen() -> None:
    """A number is one of the named regions, or international."""
    assert stops(looking_for("type: phone, regions: US"), "(415) 555-0132")
    assert not stops(looking_for("type: phone, regions: HK"), "(415) 555-0132")
    assert stops(looking_for("type: phone, regions: CN"), "+1 415 555 0132")


def test_too_many_numbers_hold_the_message() -> None:
    """The tables are not asked without end: a page of numbers waits for a person."""
    text = " x ".join(f"9{n:07}" for n in range(d.MOST_QUESTIONS + 1))
    verdict = weigh(looking_for("type: phone"), text)
    assert (verdict.outcome, verdict.cause) == (Outcome.HOLD, Cause.FAILURE)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("联系alice.wong@bank.example。", ["alice.wong@bank.example"]),
        ("a.b+c@x-y.bank.example, B@C.example", ["a.b+c@x-y.bank.example", "B@C.example"]),
        ("ａｌｉｃｅ＠bank.example", ["ａｌｉｃｅ＠bank.example"]),
        ("user@xn--80ak6aa92e.com", ["user@xn--80ak6aa92e.com"]),
        ("@alice hello", []),
        ("alice@bank", []),
        ("alice@-bank.example", []),
        ("3@5.2", []),
    ],
)
def test_mail_addresses_are_found_whole(text: str, addresses: list[str]) -> None:
    """With all their labels, without the punctuation behind them; a mention is none."""
    assert found(looking_for("type: email"), text) == addresses


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("见https://www.bank.example/a/b?q=1#c。", ["https://www.bank.example/a/b?q=1#c"]),
        ("(see http://10.0.0.1:8080/x).", ["http://10.0.0.1:8080/x"]),
        ("加我 t.me/abc123 或 wa.me/85291234567", ["t.me/abc123", "wa.me/85291234567"]),
        ("weixin://dl/chat?x", ["weixin://dl/chat?x"]),
        ("www.bank.example,", ["www.bank.example"]),
        ("0700.HK and 600519.SH", []),
        ("alice@bank.com", []),
        ("report.pdf", []),
        ("the end.In the", []),
        ("http://localhost", []),
    ],
)
def test_web_addresses_are_found_whole(text: str, addresses: list[str]) -> None:
    """With path and query, without the punctuation behind them; shares, files and sentences are none."""
    assert found(looking_for("type: url"), text) == addresses
