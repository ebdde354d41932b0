"""Addresses that are made, and regions that are given."""

from __future__ import annotations

import re

import corpus

from bridge.records.addresses import address_of, may_lie, origin

RULES = ("weixin=CN", "tag:hk-client=HK")


def test_an_address_is_the_same_for_ever() -> None:
    """Archives know a person by it: a change would make two of one."""
    assert (
        address_of("weixin", "wmLiLei", "weixin.bank.example") == "wmlilei-82761c6eb1e2@weixin.bank.example"
    )


def test_ids_that_differ_by_case_alone_get_two_addresses() -> None:
    """Mailboxes do not tell cases apart, and the network does."""
    one, other = (address_of("weixin", id, "w.example") for id in ("wmAbC", "wmabc"))
    assert one.casefold() != other.casefold()


def test_whatever_the_id_is_the_address_is_one() -> None:
    """RFC 5321: at most 64 characters before the sign, of letters, digits and dashes."""
    for id in ("", "李雷", "a" * 300, "x<b>\r\n"):
        local, _, domain = address_of("weixin", id, "w.example").partition("@")
        assert re.fullmatch(r"[a-z0-9-]{1,64}", local)
        assert domain == "w.example"


def test_a_label_counts_more_than_a_network() -> None:
    """A client of another region is not of the network's; nobody's records are of none."""
    assert origin(RULES, (corpus.ALICE, corpus.LI_LEI), ()) == "CN"
    assert origin(RULES, (corpus.ALICE, corpus.LI_LEI), ("hk-client",)) == "HK"
    assert origin(RULES, (corpus.ALICE,), ()) == ""


def test_a_wall_is_passed_by_region_or_approval() -> None:
    """Records of a walled region may lie in it, or elsewhere by an approval; nobody's word is no region."""
    assert may_lie("CN", ("CN",), "cn", "") and may_lie("CN", ("CN",), "", "CSRC-1")
    assert not any(may_lie("CN", ("HK", "CN"), region, "") for region in ("", "HK", "CN-11", "us-east-1"))
    assert may_lie("HK", ("CN",), "", "") and may_lie("", ("CN",), "US", "")
