"""`weighbridge audit reindex`: the search index made again from the archive.

Rules of this file: no logic; the work is done by `bridge.store.index`.
"""

from __future__ import annotations

import math

import click

from bridge.cli import output
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root


@click.command()
@output.json_option
@pass_root
def reindex(root: Root, as_json: bool) -> None:
    """Forget the search index, and make it again from the archive.

    It is never needed for right answers: what the index does not know is opened directly, and a part of it
    that is broken is noticed and made again by the daemon. Searches go on meanwhile, and so does the daemon.
    """
    from bridge.cli.compose import index_folder, keeper
    from bridge.cli.root import reading
    from bridge.store.database import open_engine
    from bridge.store.index.following import catch_up
    from bridge.store.searching import open_index

    settings = root.settings()
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
        output.print_json({"months": [part.name for part in state.parts], "entries": entries})
    else:
        click.echo(
            f"The search index is complete: {len(state.parts):,} months, {entries:,} ledger entries followed."
        )
