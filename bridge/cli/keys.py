"""`weighbridge keys`: the master key that everything at rest is sealed by.

Rules of this file: a key is never printed. Shares go into files that only their owner may read, one each, to
be handed out. What is done stands in the ledger, with who did it and why.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli import output
from bridge.cli.progress import Tell, progress
from bridge.cli.root import Root, opened, pass_root, person_option, reason_option
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.keepers import KeyInMemory
    from bridge.ports import KeyKeeper
    from bridge.shares import Share
    from bridge.store.database import Database
    from bridge.store.rotation import Standing

_COLUMNS = {
    "id": "STORE KEY", "purpose": "FOR", "master": "WRAPPED BY", "since": "SINCE", "wraps": "WRAPS",
}  # fmt: skip


@click.group()
def keys() -> None:
    """The master key that everything at rest is sealed by: see it, change it, split it, try it.

    \b
    weighbridge keys status
    weighbridge keys rotate --reason "yearly"
    weighbridge keys escrow --shares 5 --needed 3 --out shares --reason custodians
    weighbridge keys drill share-1.txt share-2.txt share-5.txt --reason drill
    """


@keys.command()
@output.json_option
@pass_root
def status(root: Root, as_json: bool) -> None:
    """Which keys there are, and what each wraps. Opens nothing.

    Also when custodians last tried theirs.
    """
    from bridge.store import rotation

    keeper = _keeper(root)
    found = root.read(lambda db: rotation.standing(db, keeper))
    if as_json:
        output.json_line(asdict(found) | {"keeper": root.settings().store.keeper})
        return
    for line in _lines(root, found):
        click.echo(line)
    rows = [{**one, "since": output.when(one["made_at"])} for one in found.store_keys]
    output.listing(rows, _COLUMNS, as_json=False, empty="")


def _lines(root: Root, found: Standing) -> list[str]:
    store = root.settings().store
    where = str(store.key_file) if store.keeper == "file" else store.keeper
    used = {one["master"] for one in found.store_keys}
    fits = "it wraps the store's keys" if found.master in used else "the store's keys are wrapped by another"
    lines = [f"master key {found.master or 'missing'} ({where}): {fits}"]
    if found.unfinished:
        lines.append("a rotation is not at its end: `weighbridge keys rotate` finishes it")
    if found.escrow is None:
        lines.append("never split among custodians: `weighbridge keys escrow`")
    else:
        split, present = found.escrow, found.escrow["master"] in used
        which = "this key" if present else "an older key: split the present one"
        lines.append(f"split {output.when(split['at'])}: {split['needed']} of {split['shares']}, {which}")
    tried = f"{output.when(found.drill['at'])}" if found.drill else "never"
    return [*lines, f"last drill: {tried}"]


def _keeper(root: Root) -> KeyKeeper:
    from bridge.cli.compose import keeper

    return keeper(root.settings())


# --- rotation -------------------------------------------------------------------------------------------


@keys.command()
@reason_option
@person_option
@pass_root
def rotate(root: Root, reason: str, person: str) -> None:
    """Change the master key, and the keys that it wraps. The archive itself is not written again.

    A daemon may go on. Whoever is interrupted runs it again: it goes on where it stopped. With the key in
    the environment, first put the new key before the old one in the variable (NEW,OLD), for the daemon too.
    """
    with progress("wrapping keys anew") as tell:
        number = asyncio.run(rotate_keys(root, person, reason, tell))
    click.echo(
        f"Everything is wrapped by store key {number} now, and that by master key {_keeper(root).current}."
    )
    click.echo(
        "Shares of an older master key open nothing any more: `weighbridge keys escrow` makes new ones."
    )


async def rotate_keys(root: Root, person: str, reason: str, tell: Tell) -> int:
    """Change the master key and every key that it wraps; gives the number of the new store key."""
    from bridge.store import rotation

    keeper = _keeper(root)
    async with opened(root.settings()) as store:
        # Before a new key is made: beside one that is lost it would only hide the loss.
        await asyncio.to_thread(store.unlock)
        before = await store.read(lambda db: rotation.standing(db, keeper))
        if not before.unfinished:
            await asyncio.to_thread(keeper.renew)
            await store.write(lambda tx: rotation.rotate(tx, store.lane, person, reason))
        await _rewrap(store, sum(one["wraps"] for one in before.store_keys), tell)
        _, needed = await store.write(lambda tx: rotation.retire(tx, store.lane, person, reason))
        await asyncio.to_thread(keeper.forget, needed)
        await asyncio.to_thread(rotation.clear_log, store.engine)
        after = await store.read(lambda db: rotation.standing(db, keeper))
    return max(one["id"] for one in after.store_keys)


async def _rewrap(store: Database, total: int, tell: Tell) -> None:
    """Rewrap in steps between which a daemon may write."""
    from bridge.store import rotation

    after: rotation.Position | None = rotation.Position()
    done = 0
    while after is not None:
        start = after
        after = await store.write(lambda tx: rotation.rewrap(tx, start))  # noqa: B023  (awaited at once)
        done = min(done + rotation.MANY, total)
        tell(done, total)
    last: str | None = ""
    while last is not None:
        first = last
        last = await store.write(lambda tx: rotation.rewrap_files(tx, first))  # noqa: B023


# --- custodians -----------------------------------------------------------------------------------------


@keys.command()
@click.option("--shares", type=click.IntRange(2, 255), required=True, help="How many shares to make.")
@click.option("--needed", type=click.IntRange(2, 255), required=True, help="How many give the key back.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="A new folder for them."
)
@reason_option
@person_option
@pass_root
def escrow(root: Root, shares: int, needed: int, out: Path, reason: str, person: str) -> None:
    """Split the master key into shares for custodians outside. NEEDED of SHARES give it back.

    Hand each file to one custodian, and delete it here. Fewer than NEEDED say nothing of the key.
    """
    from bridge.store import rotation

    if needed > shares:
        raise click.UsageError(f"{needed} of {shares} shares can never be there")
    name, made = _split(_keeper(root), shares, needed)
    try:
        out.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise ConfigError(f"{out} exists already: shares go into a folder of their own") from None
    for one in made:
        handle = os.open(out / f"share-{one.number}.txt", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="ascii") as file:
            file.write(one.text() + "\n")
    facts = {"master": name, "shares": shares, "needed": needed}
    root.act(lambda store: store.write(lambda tx: rotation.escrowed(tx, store.lane, person, reason, facts)))
    click.echo(f"{shares} shares of master key {name} are in {out}: any {needed} of them give it back.")
    click.echo(
        "Hand each file to another custodian, then delete the folder. Try them: `weighbridge keys drill`."
    )


def _split(keeper: KeyKeeper, shares: int, needed: int) -> tuple[str, list[Share]]:
    from bridge.shares import Share, split

    reveal = getattr(keeper, "reveal", None)
    if reveal is None:
        raise ConfigError("this key keeper gives its master key to nobody: its own service has to escrow it")
    name, key = reveal()
    parts = split(key, shares, needed, os.urandom)
    return name, [Share(name, needed, number, value) for number, value in parts.items()]


_SHARES = click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)


@keys.command()
@_SHARES
@click.option("--custodian", "custodians", multiple=True, help="Who brought a share; repeat for each.")
@reason_option
@person_option
@pass_root
def drill(root: Root, files: tuple[Path, ...], custodians: tuple[str, ...], reason: str, person: str) -> None:
    """Try the custodians' shares, and write down that they work.

    The key is put together in memory only, and the canary is opened with it alone. To write that down takes
    the store's own key, as every act does.
    """
    from bridge.store import rotation

    shares, keeper = _together(files)
    place = root.read(lambda db: rotation.canary(db, keeper))
    facts = {"master": keeper.current, "shares": sorted(one.number for one in shares), "canary": place}
    root.act(
        lambda store: store.write(
            lambda tx: rotation.drilled(tx, store.lane, person, reason, facts, custodians)
        )
    )
    numbers = ", ".join(map(str, facts["shares"]))  # type: ignore[arg-type]
    click.echo(f"Shares {numbers} give master key {keeper.current}: it opened the canary of entry {place}.")


@keys.command()
@_SHARES
@pass_root
def restore(root: Root, files: tuple[Path, ...]) -> None:
    """Make a lost key file again from shares. Never overwrites one."""
    from bridge.keepers import KeyFile
    from bridge.store import rotation

    _, keeper = _together(files)
    target = _keeper(root)
    if not isinstance(target, KeyFile):
        raise ConfigError("[store] keeper is not `file`: this command restores a key file only")
    root.read(lambda db: rotation.fits(db, keeper))
    target.restore(*keeper.reveal())
    click.echo(f"Wrote {target.path}: master key {keeper.current}. It opens the store.")


def _together(files: Sequence[Path]) -> tuple[list[Share], KeyInMemory]:
    """The shares in these files, and a keeper with the key that they give."""
    from bridge.keepers import KeyInMemory
    from bridge.shares import Unfit, secret_of, share_from

    shares = []
    for path in files:
        try:
            shares.append(share_from(path.read_text(encoding="ascii", errors="replace")))
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from None
    try:
        return shares, KeyInMemory(shares[0].key, secret_of(shares))
    except Unfit as error:
        raise ConfigError(str(error)) from None
