"""`weighbridge store`: where everything is kept, and how it is moved somewhere else.

Rules of this file: no logic; the work is done by `bridge.store.copying`. Passwords are never printed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.output import Exit
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root, person_option, reading, reason_option

if TYPE_CHECKING:
    from bridge.config import Settings
    from bridge.store.copying import Copied, Order

_COLUMNS = {"table": "TABLE", "rows": "ROWS", "bytes": "BYTES"}


@click.group()
def store() -> None:
    """Where everything is kept: how large it is; moved to another database.

    \b
    weighbridge store status
    weighbridge store copy --to postgresql://weighbridge@db.bank.example/archive \\
        --reason "to the server"
    """


def _address(_: click.Context, parameter: click.Parameter, value: str) -> str:
    from bridge.config import DATABASE, PASSWORD_PLACES, has_password

    try:
        url = str(DATABASE.read(value, Path.cwd()))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if has_password(url):
        raise click.BadParameter(
            "a password is not written on a command line, where every process of this machine can read it: "
            f"{PASSWORD_PLACES}"
        )
    return url


@store.command()
@output.json_option
@pass_root
def status(root: Root, as_json: bool) -> None:
    """On what the store stands, and how large it is. Opens nothing."""
    from bridge.store.engines import place
    from bridge.store.sizes import sizes

    found = root.read(sizes)
    where = place(root.settings().store.url)
    if as_json:
        output.json_line({"place": where, **asdict(found)})
        return
    click.echo(f"{where}: {found.engine} {found.version}, {found.total / 1e6:,.1f} MB")
    click.echo(f"{output.counted(entry=found.entries)}, the newest of {output.when(found.last_at)}")
    click.echo(f"search index: {found.index / 1e6:,.1f} MB, made again from the archive when it is lost")
    if found.closed:
        click.echo(f"! closed: {found.closed}")
    rows = [
        {"table": name, "rows": rows, "bytes": found.bytes.get(name, "")} for name, rows in found.rows.items()
    ]
    columns = _COLUMNS if found.bytes else {"table": "TABLE", "rows": "ROWS"}
    output.listing(rows, columns, as_json=False)


@store.command()
@click.option("--to", "url", required=True, metavar="URL", callback=_address,
              help="An empty database: sqlite:///FILE or postgresql://ROLE@HOST/DATABASE.")  # fmt: skip
@click.option(
    "--blobs",
    type=click.Path(path_type=Path, file_okay=False),
    help="Copy the attachments too, into this folder. Default: they stay where they are.",
)
@click.option("--keep", is_flag=True, help="A copy for trials: this store stays the one that is worked.")
@reason_option
@person_option
@output.json_option
@pass_root
def copy(
    root: Root, url: str, blobs: Path | None, keep: bool, reason: str, person: str, as_json: bool
) -> int:
    """Move the whole installation to another database, of either engine. Stop the daemon first.

    Everything goes as it is, row for row: the same ids, keys and sealed bytes, and the same signed history.
    In the end every row is read back, and the copy verified as by `audit verify`. The search index is not
    copied: the daemon makes it again. Then this store is closed, so that nothing starts on it by mistake.
    Whoever is interrupted runs the same command again.
    """
    from bridge.store.copying import copy as copy_store
    from bridge.store.copying import source_of

    settings = root.settings()
    with reading(settings):
        pass  # that there is a store, of this version, is said before anything is made
    order = _order(settings, url, blobs, person, reason, keep=keep)
    started = time.monotonic()
    with source_of(settings.store.url, _keeper(settings)) as source:
        copied = copy_store(source, order)
    seconds = time.monotonic() - started
    if as_json:
        output.json_line(_record(copied, order, seconds))
    else:
        for line in _told(copied, order, seconds):
            click.echo(line)
    return Exit.INTEGRITY if copied.findings else Exit.DONE


def _keeper(settings: Settings) -> Any:
    from bridge.cli.compose import keeper

    return keeper(settings)


def _order(
    settings: Settings, url: str, blobs: Path | None, person: str, reason: str, *, keep: bool
) -> Order:
    from bridge.cli.compose import WallClock, roots
    from bridge.cli.prove import kept_outside, public_keys
    from bridge.store.copying import Order
    from bridge.store.verify import verify

    kept = kept_outside(settings).found
    reread = partial(
        verify, keys=public_keys(settings), anchors=kept, tsa_roots=roots(settings.ledger.tsa_roots)
    )
    folders = (settings.store.blobs, (blobs or settings.store.blobs).absolute())
    return Order(url, folders, person, reason, reread, WallClock().now, progress, keep)


def _record(copied: Copied, order: Order, seconds: float) -> dict[str, Any]:
    return {
        "rows": sum(copied.rows.values()),
        "resumed": copied.resumed,
        "blobs": copied.blobs,
        "seconds": round(seconds, 3),
        "tables": {
            name: {"rows": rows, "sha256": copied.digests[name]} for name, rows in copied.rows.items()
        },
        "roots": copied.roots,
        "findings": [asdict(one) for one in copied.findings],
        "url": _shown(order.url),
        "kept": order.keep,
    }


def _told(copied: Copied, order: Order, seconds: float) -> Iterator[str]:
    if copied.before:
        yield "✓ The copy was whole already: an earlier try had come to its end."
    else:
        rows = sum(copied.rows.values())
        rate = f"{rows / max(seconds, 0.001):,.0f} a second"
        yield f"✓ {rows:,} rows in {seconds:.1f} s ({rate}), read back and the same."
        if copied.resumed:
            yield f"  {copied.resumed:,} of them were there from an earlier try, and good."
        if copied.blobs:
            yield f"  {copied.blobs:,} attachments, each checked against its name."
    for lane, tree in copied.roots.items():
        yield f"  lane {lane}: root of {output.counted(entry=tree['size'])}  {tree['root']}"
    if copied.findings:
        yield f"! {len(copied.findings):,} finding(s) of `audit verify`, in the copy as in what was copied."
    yield "  The search index is not copied: the daemon makes it again."
    yield from _next(order)


def _next(order: Order) -> Iterator[str]:
    if order.keep:
        yield "! Both are of one installation: never let daemons work both."
        return
    yield "Nothing starts on the old store any more. Write this into weighbridge.toml, under [store]:"
    yield f'  url = "{_shown(order.url)}"'
    if order.folders[0] != order.folders[1]:
        yield f'  blobs = "{order.folders[1]}"'


def _shown(url: str) -> str:
    """An address as it may be shown and written down."""
    from bridge.store.engines import address_of

    address = address_of(url)
    if address.get_backend_name() == "postgresql":
        # `set` takes no None: it leaves alone what it is not given.
        address = address._replace(drivername="postgresql", password=None)
        address = address.difference_update_query(["password"])
    return address.render_as_string(hide_password=True).replace("%2F", "/")
