"""The periods of regulations, by name: what `preset:` in a policy's `retention` stands for.

Rules of this file: one row for each period, with the rule it comes from and how it is known. A row is
`confirmed` only when the period was read in a source that names the rule; the others warn where they are used
(P046). None of this is legal advice: the firm's legal staff decides which rows apply, and the longest one
that is written wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Preset(NamedTuple):
    """One period. `keep` and `first` are written as in policies: years (y), months (m) or days (d).

    `start` is "creation", or the name of the event after which the period runs. `first` is the period in
    which a record must be readable at once, "" if the rule names none. `place` is an ISO 3166 code (with
    a subdivision), or EU. `basis` says where the period was read; `note` what the period alone does not say.
    """

    name: str
    keep: str
    start: str
    first: str
    place: str
    confirmed: bool
    rule: str
    basis: str
    note: str = ""


_CREATION = "creation"
_UNREAD = "no source read"

# fmt: off
_ROWS = (
    Preset("us-sec-17a4-b4-comms", "3y", _CREATION, "2y", "US", True,
           "SEC Rule 17a-4(b)(4), communications", "the regulator's page of the rule"),
    Preset("us-sec-17a4-a-core", "6y", _CREATION, "2y", "US", True,
           "SEC Rule 17a-4(a), core records", "a vendor's page about the rule"),
    Preset("us-finra-4511-default", "6y", _CREATION, "", "US", True,
           "FINRA Rule 4511(b), records without a period of their own", "a vendor's page about the rule"),
    Preset("us-finra-4513-complaint", "4y", _CREATION, "", "US", False,
           "FINRA Rule 4513, customer complaints", "second-hand accounts"),
    Preset("us-sec-204-2-adviser", "5y", "end-of-fiscal-year", "2y", "US", False,
           "SEC Rule 204-2, investment advisers", "second-hand accounts", "first two years in the office"),
    Preset("us-cftc-1.31", "5y", _CREATION, "5y", "US", True,
           "CFTC Regulation 1.31", "a vendor's page about the rule",
           "that it must be accessible throughout was not read"),
    Preset("us-cftc-1.31-swap", "5y", "deal-termination", "", "US", False,
           "CFTC Regulation 1.31, swaps", "second-hand accounts"),
    Preset("us-cftc-oral", "1y", _CREATION, "", "US", False,
           "CFTC Regulation 1.31, oral communications", _UNREAD),
    Preset("us-msrb-g9", "4y", _CREATION, "", "US", False,
           "MSRB Rule G-9", "second-hand accounts", "3 years for banks"),
    Preset("us-nydfs-symphony-2015", "7y", _CREATION, "", "US-NY", True,
           "NYDFS agreements of 2015 about Symphony", "the regulator's announcement",
           "with keys at an independent custodian"),
    Preset("eu-mifid2-16-7", "5y", _CREATION, "", "EU", True,
           "MiFID II article 16(7)", "a copy of the directive",
           "7 years where the authority asks; clients may ask for copies"),
    Preset("uk-fca-sysc-10a", "5y", _CREATION, "", "GB", True,
           "FCA Handbook SYSC 10A", "a copy of the handbook", "7 years where the authority asks"),
    Preset("eu-uk-mar-stor", "5y", _CREATION, "", "EU", False,
           "Market Abuse Regulation, suspicious orders", _UNREAD, "the United Kingdom as well"),
    Preset("eu-emir", "5y", "termination", "", "EU", False, "EMIR article 9", _UNREAD),
    Preset("hk-sfc-im-order", "2y", _CREATION, "", "HK", True,
           "SFC circular on orders by instant messaging (2018)", "the circular"),
    Preset("hk-sfc-phone-order", "6m", _CREATION, "", "HK", True,
           "SFC Code of Conduct, orders by telephone", "a law firm's page"),
    Preset("hk-sfo-books", "7y", _CREATION, "", "HK", False,
           "Securities and Futures (Keeping of Records) Rules", _UNREAD),
    Preset("sg-mas-order-comms", "5y", _CREATION, "", "SG", False,
           "MAS, communications about orders", "a proposal of the regulator"),
    Preset("cn-securities-law-137", "20y", _CREATION, "", "CN", False,
           "Securities Law article 137", _UNREAD, "kept in mainland China"),
    Preset("cn-aml-2025", "10y", "end-of-relationship", "", "CN", False,
           "Anti-Money Laundering Law (2025)", _UNREAD, "kept in mainland China"),
    Preset("ca-ciro", "7y", _CREATION, "", "CA", True, "CIRO Mutual Fund Dealer Rule 5.6", "the rule"),
    Preset("au-asic", "7y", _CREATION, "", "AU", False, "ASIC, financial records", _UNREAD),
    Preset("jp-fiea", "10y", _CREATION, "", "JP", False,
           "Financial Instruments and Exchange Act, books", _UNREAD),
    Preset("in-sebi", "5y", _CREATION, "", "IN", False, "SEBI, books of intermediaries", _UNREAD,
           "8 years for some"),
)
# fmt: on

PRESETS: Mapping[str, Preset] = {row.name: row for row in _ROWS}
"""Every preset by its name, in the order of places."""
