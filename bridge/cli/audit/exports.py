"""`weighbridge audit exports`: what was handed over, when, by whom, why and how much.

Rules of this file: no logic; the ledger is asked through `bridge.store.exports`. It shows queries and
reasons, no messages, and so is itself not recorded.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

import click

from bridge.cli import output
from bridge.cli.audit.columns import time_of, whose
from bridge.cli.audit.zone import desk_zone, zone_option
from bridge.cli.root import Root, pass_root

_COLUMNS = {
    "time": "TIME", "what": "WHAT", "person": "WHO", "format": "FORMAT", "messages": "MESSAGES",
    "excluded": "LEFT OUT", "region": "TO", "asked": "ASKED FOR", "reason": "WHY", "case": "CASE",
    "manifest": "MANIFEST",
}  # fmt: skip


@click.command()
@click.option(
    "--message", type=click.IntRange(1), metavar="ID", help="Those that this message went out with."
)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@zone_option
@output.json_option
@pass_root
def exports(root: Root, *, message: int | None, limit: int, zone: tzinfo | None, as_json: bool) -> None:
    """What was exported, and what was refused: when, by whom, why, to which region, how much.

    \b
    weighbridge audit exports
    weighbridge audit exports --message 17
    """
    from bridge.store.exports import exports_of, made

    shown_in = desk_zone(zone, root.settings().audit.timezone)

    def ask(db: Any) -> list[Mapping[str, Any]]:
        return list(itertools.islice(exports_of(db, message)[::-1] if message else made(db), limit))

    found = root.read(ask)
    rows = found if as_json else [_line(one, shown_in) for one in found]
    output.listing(rows, _COLUMNS, as_json=as_json, empty="Nothing was exported.")


def _line(one: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    return {
        **one,
        "time": time_of(one["at"], zone),
        "what": one["kind"].partition(":")[2],
        "asked": output.cut(output.cell(_asked(one)), 40),
        "manifest": one["sha256"][:16],
    }


def _asked(one: Mapping[str, Any]) -> str:
    """What was asked for, and whose words alone; of a copy that was made for a client, that it was one."""
    return ": ".join(filter(None, (whose(one), one["query"] or "everything")))
