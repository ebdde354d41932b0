"""`weighbridge policy history`, `show`: who changed what, when and why; and one change whole.

Rules of this file: it asks the store and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from bridge.cli import output
from bridge.cli.policy.speech import language_option
from bridge.cli.root import Root, pass_root

_COLUMNS = {
    "when": "when",
    "what": "what",
    "change": "change",
    "person": "who",
    "reason": "why",
    "files": "files",
}


@click.command()
@output.json_option
@pass_root
def history(root: Root, as_json: bool) -> None:
    """Everything that happened to the policy, and every freeze: when, what, who and why."""
    from bridge.store import proposals

    rows, dead = root.read(lambda db: (proposals.history(db), proposals.overtaken(db)))
    shown = rows if as_json else [_line(row) for row in rows]
    output.listing(shown, _COLUMNS, as_json=as_json, empty="Nothing has happened yet: no daemon has run.")
    for number in dead:
        output.note(
            f"Change {number} is overtaken and cannot come into force: withdraw it, and propose again."
        )


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    facts, act = row["facts"], row["act"]
    what = row["kind"].partition(":")[2]
    if what == "scheduled":
        what = f"{'rollback' if facts['back'] else what} for {output.when(facts['at'])}"
    named = {digest: name for name, digest in act.get("policies", [])}
    files = ", ".join(f"{named.get(one, '')} {one[:12]}".strip() for one in facts.get("policies", []))
    number = str(row["change"] or "")
    why = row["reason"] or facts.get("code", "") or (f"by change {facts['by']}" if "by" in facts else "")
    said = {"person": row["person"], "reason": why, "files": files}
    return {"when": output.when(row["at"]), "what": what, "change": number, **said}


@click.command()
@click.argument("number", type=int)
@output.json_option
@language_option
@pass_root
def show(root: Root, number: int, as_json: bool, language: str) -> None:
    """Change NUMBER whole: its files, what it changes, who agreed, where it stands."""
    from bridge.cli.policy.shown import change_lines
    from bridge.store import proposals

    found = root.read(lambda db: proposals.change(db, number))
    if as_json:
        output.json_line(
            {"change": number, "state": found.state.value, "due_at": found.due_at}
            | {"overtaken": found.overtaken}
            | proposals.record(found.proposal)
        )
        return
    for line in change_lines(found, language):
        click.echo(line)
