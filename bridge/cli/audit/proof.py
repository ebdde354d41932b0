"""`weighbridge audit checkpoint` and `audit proof`: what is handed to somebody outside.

Rules of this file: nothing is printed that `bridge.cli.prove` did not verify first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.audit.given import FILE, KEY
from bridge.cli.root import Root, pass_root
from bridge.errors import Missing

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.store.proving import Placed


@click.command()
@click.option("--lane", type=click.IntRange(0), help="Of this lane only.")
@click.option(
    "--stamps",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Also write every time-stamped checkpoint there, with the authority's response (.tsr) beside it.",
)
@click.option(
    "--adopt",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Instead: begin anew in this folder of the settings, because what was left in it is gone for good.",
)
@KEY
@output.json_option
@pass_root
def checkpoint(
    root: Root,
    lane: int | None,
    stamps: Path | None,
    adopt: Path | None,
    key: tuple[Path, ...],
    as_json: bool,
) -> None:
    """The newest signed checkpoint of each lane, to be kept where nobody here can change it.

    What is printed is the very note (C2SP tlog-checkpoint); --json adds the public key, size and root.
    """
    from bridge.cli import prove
    from bridge.store import views

    if adopt:
        prove.adopt(root.settings(), adopt)
        output.note(f"{adopt} gets the next checkpoint.")
        return
    keys = prove.public_keys(root.settings(), key)

    def ask(db: Connection) -> list[dict[str, Any]]:
        lanes = [one["lane"] for one in views.lanes(db)] if lane is None else [lane]
        if stamps:
            output.note(f"{prove.write_stamps(db, lanes, stamps)} time stamps are in {stamps}.")
        return list(prove.newest(db, keys, lanes))

    found = root.read(ask)
    if not found:
        raise Missing("nothing has been signed yet: the daemon does so when it starts.")
    for one in found:
        if as_json:
            output.json_line(one)
        else:
            click.echo(one["checkpoint"], nl=False)


@click.command()
@click.argument("what", metavar="MESSAGE|LANE/ENTRY")
@click.option("--against", type=FILE, help="An older checkpoint: prove, too, that history only went on.")
@KEY
@pass_root
def proof(root: Root, what: str, against: Path | None, key: tuple[Path, ...]) -> None:
    """That a message's entries (17), or one entry (0/40), are under the newest checkpoint: JSON to hand on.

    docs/audit.md has a page of Python that checks it, for somebody who trusts none of us.
    """
    from bridge.cli import prove

    keys = prove.public_keys(root.settings(), key)
    note = prove.read_note(against) if against else ""
    output.json_line(root.read(lambda db: prove.document(db, keys, _entries_of(db, what), note)))


def _entries_of(db: Connection, what: str) -> Sequence[Placed]:
    """The entries that a person names: "17" are those of message 17, "0/40" is one."""
    from bridge.store import proving

    found = re.fullmatch(r"(?:([0-9]{1,9})/)?([0-9]{1,18})", what)
    if found is None:
        raise click.BadParameter(f"{what!r}: write the number of a message, 17, or of an entry, 0/40.")
    number = int(found[2])
    if found[1] is None:
        entries = proving.entries_about(db, number)
    else:
        entry = proving.entry_at(db, int(found[1]), number)
        entries = [entry] if entry else []
    if not entries:
        raise Missing(f"there is nothing in the ledger about {what}; see `weighbridge audit show`.")
    return entries
