"""`weighbridge audit formats`: in which formats the archive can be handed over, and for whom.

Rules of this file: no logic; the tables are in `bridge.records.exports`. It needs neither settings nor store.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import click

from bridge.cli import output

_FORMATS = {"limit": "at most", "options": "options", "needed": "needs", "lost": "lacks"}
_PROFILES = {"format": "format", "region": "goes to", "basis": "from", "read": "read there"}


@click.command()
@output.json_option
def formats(*, as_json: bool) -> None:
    """The formats of `audit export` with their limits and what they cannot express; the profiles of archives
    and authorities, with where each is from and whether it was read there."""
    if as_json:
        for row in [*_formats(), *_profiles()]:
            output.json_line(row)
        return
    from bridge.records.exports.manifest import DAYS

    click.echo("Formats (--format)")
    for one in _formats():
        _told(_format_line(one), _FORMATS)
    click.echo("\nProfiles (--profile)")
    for one in _profiles():
        _told({**one, "read": "yes" if one["confirmed"] else "no"}, _PROFILES)
    click.echo("\n" + _lines(f"Days: {DAYS}; for when something was written, ask with written:", ""))


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
            "needs": dict(one.needs),
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
    size = one["slice_bytes"] / 1e6
    letter = f", {size:,.0f} MB of attachments a mail (base64 is a third more)" if size else ""
    return {
        **one,
        "limit": f"{one['part_items']:,} items a part{letter}",
        "options": ", ".join(one["options"]),
        "needed": ", ".join(f"{name} with {when}" if when else name for name, when in one["needs"].items()),
        "lost": ", ".join(one["lacks"]),
    }


def _told(one: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    """A row as lines of a terminal: its name and what it is, and below that whatever else there is."""
    said = {title: one[key] for key, title in columns.items() if one.get(key)}
    click.echo(_lines(f"{one['name']}: {one['what']}", ""))
    for title, value in said.items():
        click.echo(_lines(f"{title}: {value}", "    "))


def _lines(text: str, before: str) -> str:
    return textwrap.fill(text, 80, initial_indent=before, subsequent_indent=f"{before}    ")
