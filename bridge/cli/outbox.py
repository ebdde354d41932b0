"""`weighbridge outbox`: deliveries that are under way, wait, or need a person.

Rules of this file: no logic; questions go to `bridge.store.views`, acts to `bridge.desk`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.root import Root, pass_root, person_option, reason_option
from bridge.flow import DeliveryState

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PERMIT = click.argument("permit")

_COLUMNS = {
    "permit": "PERMIT", "message": "MESSAGE", "state": "STATE", "sender": "FROM", "recipient": "TO",
    "network": "INTO", "attempt": "TRIES", "age": "AGE", "what": "WHY",
}  # fmt: skip


@click.group()
def outbox() -> None:
    """Deliveries: what is under way, what waits, what was refused.

    \b
    weighbridge outbox list --state parked
    weighbridge outbox retry 0a1b2c3d4e5f6g7h8i9j --reason "account unblocked"
    """


@outbox.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in DeliveryState]),
    help="Only these; may be given more than once. Default: all that is not finished.",
)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many at most.")
@output.json_option
@pass_root
def list_(root: Root, states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Unfinished deliveries, in their order; or those in a state."""
    from bridge.cli.compose import WallClock
    from bridge.store import views

    rows = root.read(lambda db: _held_up(db, views.outbox(db, states or views.UNDER_WAY, limit)))
    now = WallClock().now()
    stuck: set[tuple[str, str]] = set()
    shown = rows if as_json else [_line(row, now, stuck) for row in rows]
    output.listing(shown, _COLUMNS, as_json=as_json, empty="No such delivery: the outbox is in order.")
    if len(rows) == limit:
        output.note(f"There may be more than these {limit}: use --limit.")


def _held_up(db: Connection, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same, each with the archives that it waits for and that refused its copy."""
    from bridge.store import copies

    waiting = [row["message"] for row in rows if _waits(row)]
    refused = copies.held_up(db, waiting)
    return [{**row, "refused_by": refused.get(row["message"], []) if _waits(row) else []} for row in rows]


def _waits(row: Mapping[str, Any]) -> bool:
    """Whether a delivery waits for its archives."""
    from bridge.store.rows import FAR

    return bool(row["state"] == "ready" and row["next_at"] >= FAR)


def _line(row: Mapping[str, Any], now: int, stuck: set[tuple[str, str]]) -> dict[str, Any]:
    """One row; `stuck` gathers the conversations in which a row before it waits for its archives."""
    what, chat = row["reason"], (row["network"], row["conversation"])
    if _waits(row):
        names = ", ".join(row["refused_by"])
        what = f"{names} refused its copy: `weighbridge sinks status`" if names else "waits for its archives"
        stuck.add(chat)
    elif row["state"] == "ready" and chat in stuck:
        what = "behind one that waits for its archives"
    elif row["state"] == "ready" and row["next_at"] > now:
        what = f"{what}, again in {output.span(row['next_at'] - now)}".lstrip(", ")
    if row["behind"]:
        what = f"{what}, and {row['behind']} behind it"
    if row["uncertain"] and row["state"] not in ("sent", "dropped"):
        what = f"{what}, may have arrived".lstrip(", ")
    return {**row, "age": output.span(now - row["archived_at"]), "what": what}


@outbox.command()
@_PERMIT
@reason_option
@person_option
@pass_root
def retry(root: Root, permit: str, reason: str, person: str) -> None:
    """Try a parked, waiting or failed delivery again now."""
    from bridge import desk

    root.act(lambda store: desk.retry(store, permit, person, reason))
    click.echo(f"Delivery {permit} is tried again; said by {output.cell(person)}.")


@outbox.command()
@_PERMIT
@reason_option
@person_option
@pass_root
def drop(root: Root, permit: str, reason: str, person: str) -> None:
    """Give a delivery up: its message stays in the archive."""
    from bridge import desk

    root.act(lambda store: desk.drop(store, permit, person, reason))
    click.echo(f"Delivery {permit} will never be made; said by {output.cell(person)}.")
