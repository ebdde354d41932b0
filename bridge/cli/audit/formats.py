"""`weighbridge audit formats`: in which formats the archive can be handed over, and for whom.

Rules of this file: no logic; the tables are in `bridge.records.exports`. It needs neither settings nor store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from bridge.cli import output

_FORMATS = {"name": "FORMAT", "what": "WHAT IT IS", "limit": "AT MOST", "options": "OPTIONS", "lost": "LACKS"}
_PROFILES = {
    "name": "PROFILE", "format": "FORMAT", "region": "TO", "what": "WHAT IT IS", "basis": "FROM",
    "confirmed": "READ THERE",
}  # fmt: skip


@click.command()
@output.json_option
def formats(*, as_json: bool) -> None:
    """The formats of `audit export` with their limits and what they cannot express; the profiles of archives
    and authorities, with where each is from and whether it was read there."""
    if as_json:
        for row in [*_formats(), *_profiles()]:
            output.json_line(row)
        return
    output.listing([_format_line(one) for one in _formats()], _FORMATS, as_json=False)
    click.echo()
    output.listing(_profiles(), _PROFILES, as_json=False)


def _formats() -> Iterator[dict[str, Any]]:
    from bridge.records.exports import FORMATS

    for one in FORMATS.values():
        limits = one.limits
        yield {
            "kind": "format",
            "name": one.name,
            "what": one.what,
            "part_items": limits.part_items,
            "part_bytes": limits.part_bytes,
            "slice_items": limits.slice_items,
            "slice_bytes": limits.slice_bytes,
            "options": dict(one.options),
            "lacks": dict(one.lacks),
        }


def _profiles() -> list[dict[str, Any]]:
    from bridge.records.exports.profiles import PROFILES

    return [
        {
            "kind": "profile",
            "name": one.name,
            "format": one.format,
            "region": one.region,
            "what": one.what,
            "basis": one.basis,
            "confirmed": one.confirmed,
            "options": dict(one.options),
            "zip": one.zipped,
        }
        for one in PROFILES.values()
    ]


def _format_line(one: Mapping[str, Any]) -> dict[str, Any]:
    letter = f", {one['slice_bytes'] / 1e6:,.0f} MB a file" if one["slice_bytes"] else ""
    return {
        **one,
        "limit": f"{one['part_items']:,} items a part{letter}",
        "options": ", ".join(one["options"]),
        "lost": ", ".join(one["lacks"]),
    }
