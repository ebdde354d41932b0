"""`weighbridge audit reindex`: the search index made again from the archive.

Rules of this file: no logic; the work is done by `bridge.store.index`.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

import click

from bridge.cli import output
from bridge.cli.output import Exit
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root

if TYPE_CHECKING:
    from bridge.config import Settings

_HIDES = "The archive is not touched by that. `weighbridge audit reindex` makes the search index again."


@click.command()
@click.option("--check", is_flag=True, help="Change nothing: look whether the index would hide a message.")
@output.json_option
@pass_root
def reindex(root: Root, check: bool, as_json: bool) -> int:
    """Forget the search index, and make it again from the archive.

    What the index does not know yet is opened directly, and a part of it that is broken is noticed and made
    again by the daemon. Searches go on meanwhile, and so does the daemon. Whoever can write to the index, or
    a bit that flips, can hide messages from searches, and never invent any: --check finds out, this command
    mends it, and `audit search --no-index` does not depend on it.

    With --check every message is opened, and each of its words looked up, as a search would. Exit code 1 if
    one is hidden.
    """
    settings = root.settings()
    return _check(settings, as_json) if check else _make(settings, as_json)


def _check(settings: Settings, as_json: bool) -> int:
    from bridge.cli.compose import index_folder
    from bridge.cli.root import reading
    from bridge.store.index.checking import hidden
    from bridge.store.searching import open_index

    with reading(settings) as db, contextlib.closing(open_index(db.engine, index_folder(settings))) as index:
        with progress("Checking the search index") as tell:
            found = hidden(db, index, tell)
        months = len(index.state(db).parts)
    if as_json:
        output.json_line({"months": months, "hidden": found})
    for month, numbers in found.items() if not as_json else ():
        click.echo(f"{month}: {len(numbers):,} messages would be hidden, the first of them {numbers[0]}")
    if not as_json:
        click.echo(_HIDES if found else f"The search index hides nothing: {output.counted(month=months)}.")
    return Exit.NO if found else Exit.DONE


def _make(settings: Settings, as_json: bool) -> int:
    from bridge.cli.compose import index_folder, keeper
    from bridge.cli.root import reading
    from bridge.store.database import open_engine
    from bridge.store.index.following import catch_up
    from bridge.store.searching import open_index

    with reading(settings) as db:
        index = open_index(db.engine, index_folder(settings))
        index.clear(db)
    engine = open_engine(settings.store.url, keeper(settings))
    try:
        with progress("Making the search index") as tell:
            catch_up(engine, index, math.inf, tell)
        with engine.connect() as db:
            while index.tidy(db):
                pass
            with db.begin():
                state = index.state(db)
    finally:
        index.close()
        engine.dispose()
    entries = sum(state.positions.values())
    if as_json:
        output.json_line({"months": [part.name for part in state.parts], "entries": entries})
    else:
        click.echo(
            f"The search index is complete: {len(state.parts):,} months, {entries:,} ledger entries followed."
        )
    return Exit.DONE
