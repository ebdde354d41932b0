"""`weighbridge audit list`: messages in the archive.

Rules of this file: no logic; the question goes to `bridge.store.views`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from bridge.cli import output
from bridge.cli.audit.given import TIME
from bridge.cli.root import Root, pass_root
from bridge.flow import MessageState
from bridge.message import SYMPHONY, WEIXIN, Outcome

_COLUMNS = {
    "message": "ID", "time": "ARCHIVED", "sender": "FROM", "recipient": "TO", "kind": "KIND",
    "state": "STATE", "outcome": "POLICY", "text": "TEXT",
}  # fmt: skip


@click.command("list")
@click.option("--since", type=TIME, help="Archived at this time or later, UTC: a day, a time, or 24h, 7d.")
@click.option("--until", type=TIME, help="Archived before this time.")
@click.option("--person", default="", metavar="TEXT", help="A part of anybody's name, address or id.")
@click.option("--network", type=click.Choice([SYMPHONY, WEIXIN]), help="Where it was written.")
@click.option("--outcome", type=click.Choice([one.value for one in Outcome]), help="The last verdict.")
@click.option("--state", type=click.Choice([one.value for one in MessageState]), help="Where it stands.")
@click.option("--pair", type=click.IntRange(1), help="The number of a pair.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Only older than this: the next page.")
@output.json_option
@pass_root
def list_(root: Root, limit: int, as_json: bool, **wanted: Any) -> None:
    """Messages in the archive, the newest first; the bridge's own notices too."""
    from bridge.store import views

    chosen = views.Filter(**{key: value for key, value in wanted.items() if value is not None})
    rows = root.read(lambda db: views.archive(db, chosen, limit))
    shown = rows if as_json else [_line(row) for row in rows]
    output.listing(shown, _COLUMNS, as_json=as_json, empty="No such message.")
    if len(rows) == limit:
        output.note(f"There may be more: add --before {rows[-1]['message']}.")


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    parts = [row["text"].replace("\n", " ⏎ "), *(f"📎 {name}" for name in row["files"])]
    return {
        **row,
        "time": output.when(row["at"]),
        "text": output.cut(" · ".join(filter(None, parts)), 48),
    }
