"""What an archive's vendor or a regulator expects of an export, by name.

Rules of this file: a table. Each row says where it comes from and whether that was read; whatever the row
does not say is the format's own. A profile is a beginning: a vendor assigns types at enrolment, an authority
writes its own wishes into the request, and both stand above what is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.errors import Missing


@dataclass(frozen=True, slots=True)
class Profile:
    """What is expected: a format, options of it, the region of whoever gets it ("" if any), and whether it is
    to be one ZIP file. `basis` says where that is from; `confirmed` that it was read there."""

    name: str
    format: str
    region: str
    what: str
    basis: str
    confirmed: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    zipped: bool = False


PROFILES: Mapping[str, Profile] = {
    one.name: one
    for one in (
        Profile(
            "globalrelay",
            "globalrelay",
            "",
            "Global Relay by mail: message type as assigned (`msgtype`), mails of 250 MB at most",
            "other exporters' source code",
            True,
            {"largest": 250_000_000},
        ),
        Profile(
            "smarsh",
            "actiance",
            "",
            "Smarsh Vantage (Actiance XML), times in milliseconds as other exporters write them",
            "other exporters' source code, whose comments say seconds",
            True,
            {"unit": "ms"},
            zipped=True,
        ),
        Profile(
            "smarsh-seconds",
            "actiance",
            "",
            "the same with times in seconds, as the comments there say",
            "the same",
            False,
            {"unit": "s"},
            zipped=True,
        ),
        Profile(
            "relativity",
            "rsmf",
            "",
            "short messages for Relativity, at most 10,000 events in a file",
            "vendor's documentation",
            True,
        ),
        Profile(
            "sec",
            "dat",
            "US",
            "SEC: Concordance load file with custodians, plain ZIP without encryption; ask before "
            "de-duplicating",
            "data delivery standards of the SEC; the names of its columns were not read there",
            False,
            {"profile": "sec"},
            zipped=True,
        ),
        Profile(
            "doj",
            "dat",
            "US",
            "US Department of Justice: load file with families, custodians, the producing party (`company`)",
            "standard specifications of the Antitrust Division; the names of its columns were not read there",
            False,
            {"profile": "doj"},
        ),
        Profile(
            "ftc",
            "dat",
            "US",
            "US Federal Trade Commission: load file with Bates numbers",
            "production guide of the Bureau of Competition; the names of its columns were not read there",
            False,
            {"profile": "ftc"},
        ),
        Profile(
            "finra",
            "eml",
            "US",
            "FINRA (Rule 8210): mails that any client opens; no form is prescribed",
            "from memory",
            False,
            zipped=True,
        ),
        Profile(
            "fca",
            "eml",
            "GB",
            "FCA: mails that any client opens; no form is prescribed",
            "from memory",
            False,
            zipped=True,
        ),
        Profile(
            "mas",
            "eml",
            "SG",
            "MAS: mails that any client opens; no form is prescribed",
            "from memory",
            False,
            zipped=True,
        ),
        Profile(
            "sfc",
            "eml",
            "HK",
            "SFC: mails that any client opens; no form is prescribed",
            "from memory",
            False,
            zipped=True,
        ),
    )
}


def profile(name: str) -> Profile:
    """A profile by its name. Raises Missing with those there are."""
    if name not in PROFILES:
        raise Missing(f"there is no profile {name!r}: one of {', '.join(PROFILES)}.")
    return PROFILES[name]
