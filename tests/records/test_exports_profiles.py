"""Profiles: each is of a format that there is, and says where it comes from."""

from __future__ import annotations

import pytest

from bridge.errors import Missing
from bridge.records.exports import FORMATS
from bridge.records.exports.profiles import PROFILES, profile


def test_every_profile_can_be_used() -> None:
    """Its format exists, its basis is named, its region is a code or open."""
    for one in PROFILES.values():
        assert one.format in FORMATS
        assert one.basis
        assert set(one.options) <= set(FORMATS[one.format].options)
        assert one.region == "" or one.region.isupper()


def test_regulators_take_records_out_of_their_region() -> None:
    """An export for an authority is for that authority's region, whatever the settings say."""
    regions = {name: PROFILES[name].region for name in ("sec", "doj", "ftc", "finra", "fca", "mas", "sfc")}
    assert regions == {
        **dict.fromkeys(("sec", "doj", "ftc", "finra"), "US"),
        "fca": "GB",
        "mas": "SG",
        "sfc": "HK",
    }


def test_an_unknown_profile_is_answered_with_those_there_are() -> None:
    """Whoever mistypes one learns the names."""
    with pytest.raises(Missing, match="finra"):
        profile("esma")
