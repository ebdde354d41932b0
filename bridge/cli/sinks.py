"""`weighbridge sinks`: archives outside, what they have and lack, whether it is still there.

Rules of this file: which archives there are is what the policy files name; acts are recorded with person and
reason. Nothing here deletes anything outside; the trial that is to be refused uses an object of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.output import Exit
from bridge.cli.root import Root, opened, pass_root, person_option, reason_option, words
from bridge.errors import ConfigError, Missing, NetworkError, NotAllowed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.archivist import Destination
    from bridge.config import Settings
    from bridge.reading_back import ReadBack
    from bridge.store.copies import Backlog
    from bridge.store.database import Database

_NAME = click.argument("name", callback=words)
_LISTED = {
    "name": "NAME", "to": "WHERE", "form": "FORM", "lock": "LOCK", "region": "REGION", "approval": "APPROVAL"
}  # fmt: skip
_STANDING = {
    "name": "NAME", "kept": "KEPT", "wanted": "WANTED", "parked": "PARKED", "unlocked": "UNLOCKED",
    "late": "OLDEST", "why": "WHY",
}  # fmt: skip
_CHECKED = {"name": "NAME", "checked": "CHECKED", "lost": "LOST", "unlocked": "UNLOCKED", "detail": "DETAIL"}


@click.group()
def sinks() -> None:
    """Archives outside: where copies of records lie.

    \b
    weighbridge sinks status
    weighbridge sinks check records/vault --sample 100 --reason "quarterly check"
    weighbridge sinks retry records/journal --reason "the limit was raised"
    weighbridge sinks rehearse records/vault --reason "trial" --i-understand
    weighbridge sinks waive records/old --reason "its vendor is closed"
    """


@sinks.command("list")
@output.json_option
@pass_root
def list_(root: Root, as_json: bool) -> None:
    """The archives that the policy files name."""
    rows = [one._asdict() for one in _named(root.settings())]
    output.listing(rows, _LISTED, as_json=as_json, empty="No policy file names an archive.")


@sinks.command()
@output.json_option
@pass_root
def status(root: Root, as_json: bool) -> int:
    """What each archive has and lacks, and why.

    How much it refused, and did not lock yet as it has to be. Exit code 1 where one refused copies, did not
    take or lock them the last time, has lacked them too long, or is not named any more or not let. Every copy
    in an archive that locks is looked at.
    """
    from bridge.archivist import refusal
    from bridge.cli.compose import WallClock
    from bridge.store import copies
    from bridge.store.kept import key_of, name_of

    settings = root.settings()
    named, now = {key_of(one.name): one for one in _named(settings)}, WallClock().now()
    found, barred, unlocked = root.read(lambda db: _backlogs(db, settings, named))
    rows, troubled = [], False
    for key in sorted({*found, *named}):
        one = found.get(key, copies.Backlog(0, 0, {}))
        late = now - one.since > settings.archives.late_seconds * 1000 if one.since else False
        refused, behind = refusal(name_of(key), one.parked), unlocked.get(key, 0)
        why = "; ".join(filter(None, (barred.get(key) or one.reason, refused)))
        troubled = troubled or late or bool(behind or why)
        age = output.span(now - one.since) if one.since else ""
        row = {"name": name_of(key), "kept": one.kept, "wanted": one.wanted}
        row |= {"parked": sum(one.parked.values()), "unlocked": behind, "why": why}
        rows.append(row | ({"since": one.since, "late": late} if as_json else {"late": age}))
    output.listing(rows, _STANDING, as_json=as_json, empty="No archive was ever named.")
    return Exit.NO if troubled else Exit.DONE


def _backlogs(
    db: Connection, settings: Settings, named: Mapping[str, Destination]
) -> tuple[Mapping[str, Backlog], dict[str, str], dict[str, int]]:
    """What each archive has and lacks; of those that lack anything, what keeps it from them; and of those
    that lock, how many copies are not locked yet as they have to be."""
    from bridge.store import copies, locks

    found = copies.backlogs(db)
    lacking = (key for key, one in found.items() if one.wanted or one.parked)
    locking = (key for key, one in named.items() if one.lock)
    barred = {key: _barred(db, settings, named.get(key)) for key in lacking}
    return found, barred, {key: locks.behind(db, key) for key in locking}


def _barred(db: Connection, settings: Settings, named: Destination | None) -> str:
    """Why an archive gets nothing, whatever it would answer."""
    from bridge.archivist import is_there
    from bridge.cli import compose
    from bridge.store import locks
    from bridge.store.kept import key_of

    if named is None:
        return "no policy file names it"
    key = key_of(named.name)
    if named.lock == "compliance" and not locks.cleared(db, key):
        return f"compliance mode waits for `weighbridge sinks rehearse {named.name} --i-understand`"
    try:
        is_there(db, named, compose.sink(settings, named).host)
    except ConfigError as error:
        return str(error)
    return ""


@sinks.command()
@click.argument("name", required=False, callback=words)
@click.option("--sample", type=click.IntRange(1), default=25, show_default=True, help="How many of each.")
@person_option
@reason_option
@output.json_option
@pass_root
def check(root: Root, name: str | None, sample: int, person: str, reason: str, as_json: bool) -> int:
    """Read copies back from the archives and compare them.

    They are drawn by chance. Exit code 5 where one is gone, changed (it is brought again), or was not locked
    any more (it is locked again); 6 where an archive could not be used.
    """
    settings = root.examined().settings
    chosen = [_find(settings, name)] if name else _named(settings)
    rows = asyncio.run(_check_all(settings, chosen, sample, person, reason))
    output.listing(rows, _CHECKED, as_json=as_json, empty="No policy file names an archive.")
    if any(row["lost"] or row["unlocked"] for row in rows):
        return Exit.INTEGRITY
    return Exit.PARTIAL if any(row["unread"] for row in rows) else Exit.DONE


async def _check_all(
    settings: Settings, chosen: list[Destination], sample: int, person: str, reason: str
) -> list[dict[str, Any]]:
    from bridge.reading_back import ReadBack

    rows = []
    async with opened(settings) as store:
        for one in chosen:
            try:
                done, unread = await _check(store, settings, one, sample, person, reason), False
            except (ConfigError, NetworkError) as error:
                done, unread = ReadBack(0, 0, str(error)), True
            rows.append({"name": one.name, **asdict(done), "unread": unread})
    return rows


async def _check(
    store: Database, settings: Settings, one: Destination, sample: int, person: str, reason: str
) -> ReadBack:
    from bridge.archivist import is_there
    from bridge.cli import compose
    from bridge.reading_back import read_back

    async with compose.at_sink(settings, one) as sink:
        await store.read(lambda db: is_there(db, one, sink.host))
        return await read_back(store, sink, sample, person, reason)


@sinks.command()
@_NAME
@click.option("--message", type=click.IntRange(1), help="Only the copies of this message.")
@person_option
@reason_option
@pass_root
def retry(root: Root, name: str, message: int | None, person: str, reason: str) -> None:
    """Bring again what an archive refused: all, or one message's."""
    from bridge.store import copies
    from bridge.store.kept import key_of

    key = key_of(name)
    count = root.act(
        lambda store: store.write(lambda tx: copies.retry(tx, store.lane, key, person, reason, message))
    )
    click.echo(f"{count} copies for {name} are wanted again.")


@sinks.command()
@_NAME
@click.option("--approve", is_flag=True, help="Agree to what another person proposed.")
@person_option
@reason_option
@pass_root
def waive(root: Root, name: str, approve: bool, person: str, reason: str) -> None:
    """Propose to let out what waits for archive NAME. With --approve, agree.

    For an archive that is not coming back, under `deliver_after: all_sinks`. It is for what waits by then:
    change the policy as well, or what comes next waits again. The archive still lacks its copies.
    """
    from bridge import desk
    from bridge.store import waivers
    from bridge.store.kept import key_of

    desk.signed(person, reason)
    act, key = waivers.grant if approve else waivers.propose, key_of(name)
    count = root.act(lambda store: store.write(lambda tx: act(tx, key, person, reason)))
    if approve:
        click.echo(f"{count} messages wait for {name} no more, and go out.")
    else:
        click.echo(f"{count} messages wait until another person agrees:")
        click.echo(f"  weighbridge sinks waive {name} --approve --reason …")


@sinks.command()
@_NAME
@click.option("--i-understand", is_flag=True, help="From now on it may lock in compliance mode.")
@person_option
@reason_option
@pass_root
def rehearse(root: Root, name: str, i_understand: bool, person: str, reason: str) -> None:
    """Show that an archive refuses to delete what it locks.

    A trial object, locked in governance mode for a day, is to be deleted, and has to stay.

    With --i-understand, an archive whose policy says `object_lock: compliance` gets its copies from now on.
    Nobody, not even the owner of the account, can delete or unlock those before their time.
    """
    settings = root.examined().settings
    one = _find(settings, name)
    if i_understand and one.lock != "compliance":
        raise NotAllowed(
            f"{name} does not lock in compliance mode: its policy says `{one.lock or 'no lock'}`"
        )
    said = asyncio.run(_rehearse(settings, one, person, reason, cleared=i_understand))
    click.echo(f"{name} refused to delete what it had locked ({said}); recorded.")
    if i_understand:
        click.echo("Copies are locked in compliance mode from now on.")


async def _rehearse(settings: Settings, one: Destination, person: str, reason: str, *, cleared: bool) -> str:
    from bridge.cli import compose
    from bridge.store import locks
    from bridge.store.kept import key_of

    key = key_of(one.name)
    async with compose.at_sink(settings, one) as sink, opened(settings) as store:
        said = await sink.try_delete()
        await store.write(lambda tx: locks.rehearse(tx, key, one.lock, person, reason, cleared=cleared))
    return said


def _named(settings: Settings) -> list[Destination]:
    from bridge.cli import compose

    return compose.destinations(compose.policies(settings))


def _find(settings: Settings, name: str) -> Destination:
    named = {one.name: one for one in _named(settings)}
    if name not in named:
        known = ", ".join(sorted(named)) or "none"
        raise Missing(f"no policy file names an archive {name}; those that are named: {known}")
    return named[name]
