"""`weighbridge audit searches`: who looked at what people wrote, when, why and for what.

Rules of this file: no logic; the ledger is asked through `bridge.store.looks`. It shows queries and reasons,
no messages, and so is itself not recorded.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

import click

from bridge.cli import output
from bridge.cli.audit.columns import time_of
from bridge.cli.audit.given import TIME
from bridge.cli.audit.zone import desk_zone, zone_option
from bridge.cli.root import Root, pass_root

_COLUMNS = {
    "time": "TIME", "person": "WHO", "command": "BY", "found": "FOUND", "asked": "ASKED FOR",
    "reason": "WHY", "case": "CASE",
}  # fmt: skip


@click.command()
@click.option("--since", type=TIME, help="At this time or later, UTC: a day, a time, or 24h, 7d.")
@click.option("--person", default="", metavar="TEXT", help="A part of the name of whoever looked.")
@click.option("--case", default="", metavar="NUMBER", help="For this case.")
@click.option("--message", type=click.IntRange(1), metavar="ID", help="Who was shown this message.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@zone_option
@output.json_option
@pass_root
def searches(
    root: Root,
    *,
    since: int | None,
    person: str,
    case: str,
    message: int | None,
    limit: int,
    zone: tzinfo | None,
    as_json: bool,
) -> None:
    """Who searched the archive or was shown messages: when, why, for which case, and what was asked.

    \b
    weighbridge audit searches --since 7d
    weighbridge audit searches --message 17
    """
    from bridge.store import looks

    settings = root.settings()
    shown_in = desk_zone(zone, settings.audit.timezone)

    def wanted(look: Mapping[str, Any]) -> bool:
        return (
            person.casefold() in look["person"].casefold()
            and case in ("", look["case"])
            and (message is None or message in look["shown"])
        )

    def ask(db: Any) -> list[Mapping[str, Any]]:
        recent = itertools.takewhile(lambda look: look["at"] >= (since or 0), looks.looks(db))
        return list(itertools.islice(filter(wanted, recent), limit))

    found = root.read(ask)
    rows = found if as_json else [_line(look, shown_in) for look in found]
    output.listing(rows, _COLUMNS, as_json=as_json, empty="Nobody looked.")


def _line(look: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    numbers = ", ".join(f"message {number}" for number in look["shown"])
    asked = numbers if look["kind"] == "message:shown" else look["query"] or "everything"
    return {**look, "time": time_of(look["at"], zone), "asked": output.cut(output.cell(asked), 40)}
