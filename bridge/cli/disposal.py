"""`weighbridge disposal`: records whose time is over, destroyed by a plan that two people approved.

Rules of this file: no logic; what may go is decided in `bridge.store.disposal`, record by record, in the
transaction that destroys it. Nobody is shown what was written: numbers, classes and counts alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.audit.finding import matching
from bridge.cli.audit.given import TIME
from bridge.cli.output import Exit
from bridge.cli.progress import Tell, progress
from bridge.cli.root import Root, opened, pass_root, person_option, reason_option, words

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.records.disposal import Plan
    from bridge.store.database import Database

_COLUMNS = {
    "number": "DISPOSAL", "state": "STATE", "records": "RECORDS", "planned": "PLANNED", "person": "BY",
    "approved": "APPROVED BY", "reason": "WHY",
}  # fmt: skip
_NUMBER = click.argument("number", metavar="N", type=click.IntRange(1))

clock_option = click.option(
    "--clock-is-right", "sure", is_flag=True, help="Although no network was heard for more than a day."
)


@click.group()
def disposal() -> None:
    """Records whose time is over: planned, approved by two people, destroyed, certified.

    \b
    weighbridge disposal plan --reason "yearly"
    weighbridge disposal approve 4 --reason "seen the list"      by two people
    weighbridge disposal run 4
    weighbridge disposal show 4 --certificate
    """


# --- planning -------------------------------------------------------------------------------------------


@disposal.command()
@click.option("--query", default="", metavar="QUERY", callback=words, help="Only what a search finds.")
@click.option("--before", type=TIME, metavar="DAY", help="Only what was archived before this day.")
@clock_option
@reason_option
@person_option
@output.json_option
@pass_root
def plan(
    root: Root, query: str, before: int | None, sure: bool, reason: str, person: str, as_json: bool
) -> None:
    """List what may go now, and what stays, and why. Destroys nothing.

    The list is fixed; it is good for thirty days.
    """
    from bridge.cli.compose import WallClock
    from bridge.store import disposal as store

    now = WallClock().now()
    wanted = store.Wanted(person, reason, query, before or now)
    with progress("looking at records") as tell:
        found = root.read(lambda db: store.survey(db, _numbers(db, wanted.query, wanted.before), now, tell))
    number = root.act(
        lambda opened: opened.write(lambda tx: store.plan(tx, opened.lane, wanted, found, sure=sure))
    )
    _show(root, number, as_json=as_json)


def _numbers(db: Connection, query: str, before: int) -> Sequence[int]:
    """The records that a plan is about: what its query finds, or all."""
    from bridge.store import disposal as store

    if not query:
        return store.candidates(db, before)
    return store.present(db, [one.number for one in matching(db, query)], before)


@disposal.command()
@_NUMBER
@reason_option
@person_option
@pass_root
def approve(root: Root, number: int, reason: str, person: str) -> None:
    """Agree that the list of plan N is destroyed.

    It takes two people, neither of whom made it. If [policy] approvers names people, only they can agree.
    """
    from bridge.store import disposal as store

    among = root.settings().policy.approvers
    lacking = root.act(
        lambda one: one.write(lambda tx: store.approve(tx, one.lane, number, person, reason, among))
    )
    if lacking:
        click.echo(f"Disposal {number} is approved by {output.cell(person)}; one more person has to agree.")
    else:
        click.echo(f"Disposal {number} is approved: `weighbridge disposal run {number}` carries it out.")


@disposal.command()
@_NUMBER
@reason_option
@person_option
@pass_root
def withdraw(root: Root, number: int, reason: str, person: str) -> None:
    """Give plan N up: nothing of it is destroyed."""
    from bridge.store import disposal as store

    root.act(lambda one: one.write(lambda tx: store.withdraw(tx, one.lane, number, person, reason)))
    click.echo(f"Disposal {number} is withdrawn; its records stay.")


# --- carrying out ---------------------------------------------------------------------------------------


@disposal.command()
@_NUMBER
@click.option(
    "--rotate", is_flag=True, help="Change the master key as well: backups and logs from before open nothing."
)
@person_option
@output.json_option
@pass_root
def run(root: Root, number: int, rotate: bool, person: str, as_json: bool) -> None:
    """Destroy what plan N lists, then certify it. What has to be kept by now is left.

    A daemon may go on. Whoever is interrupted runs it again: it goes on where it stopped.
    """
    from bridge.cli.keys import rotate_keys

    with progress("destroying") as tell:
        left = asyncio.run(_run(root, number, person, tell))
    if rotate:
        with progress("wrapping keys anew") as tell:
            asyncio.run(rotate_keys(root, person, f"disposal {number}", tell))
    _show(root, number, as_json=as_json)
    if left:
        output.note(
            f"What was destroyed may still lie in the database's own files: {left}. Repeat `weighbridge "
            f"disposal run {number}` afterwards; until then, `weighbridge status` and `doctor` say so."
        )
    if not rotate:
        output.note(
            "Backups, and the logs of a PostgreSQL server, hold what was destroyed until they are recycled: "
            "`weighbridge keys rotate` makes it unreadable there, too."
        )


async def _run(root: Root, number: int, person: str, tell: Tell) -> str:
    """Carry a plan out; gives why what it destroyed may still lie in the database's files, "" if it does
    not."""
    from bridge.store import destruction, erasure
    from bridge.store import disposal as store

    async with opened(root.settings()) as database:
        await asyncio.to_thread(database.unlock)
        await _destroy(database, number, tell)
        digests = await database.read(lambda db: destruction.leftovers(db, number))
        await asyncio.to_thread(destruction.remove_files, database.blobs, digests)
        await asyncio.to_thread(_forget, root, database, number)
        await database.write(lambda tx: erasure.conclude(tx, database.lane, number, person))
        numbers = await database.read(store.unsettled)
        left = await asyncio.to_thread(destruction.settle, database.engine)
        if not left:
            await database.write(lambda tx: store.note_settled(tx, database.lane, person, numbers))
        return left


async def _destroy(database: Database, number: int, tell: Tell) -> None:
    """Step by step, with room for a daemon's transactions between them."""
    from bridge.records.disposal import State
    from bridge.store import disposal as store
    from bridge.store.holds import prepare

    found = await database.read(lambda db: store.disposal(db, number))
    if found.state is State.DONE:
        return  # whoever died behind the certificate cleans up, and nothing more
    await database.read_apart(prepare)
    total = found.records
    after: int | None = 0
    done = 0
    while after is not None:
        start = after
        step = await database.write(lambda tx: store.proceed(tx, number, start))  # noqa: B023
        after, done = step.after, done + step.gone + step.stay
        tell(done, total)


def _forget(root: Root, database: Database, number: int) -> None:
    from bridge.cli.compose import index_folder
    from bridge.store import destruction
    from bridge.store.searching import open_index

    with contextlib.closing(open_index(database.engine, index_folder(root.settings()))) as index:
        destruction.forget(database.engine, index, number)


@disposal.command()
@output.json_option
@pass_root
def canary(root: Root, as_json: bool) -> int:
    """Ask the engine to destroy what has to be kept: it has to refuse.

    Exit code 5 if it would not.

    The daemon does it every day; what came of it is in the ledger.
    """
    from bridge.store import disposal as store

    trial = root.act(lambda one: one.write(lambda tx: store.try_canary(tx, one.lane)))
    if as_json:
        output.json_line(asdict(trial))
    elif not trial.message:
        click.echo("There is no record yet: there was nothing to try.")
    elif trial.refused:
        click.echo(f"✓ Message {trial.message} was not destroyed: {'; '.join(trial.reasons)}.")
    else:
        click.echo(f"✗ Message {trial.message} would have been destroyed. Stop all disposal.")
    return Exit.DONE if trial.refused or not trial.message else Exit.INTEGRITY


# --- seeing ---------------------------------------------------------------------------------------------


@disposal.command("list")
@output.json_option
@pass_root
def list_(root: Root, as_json: bool) -> None:
    """Every plan, the newest first."""
    from bridge.cli.compose import WallClock
    from bridge.store import disposal as store

    now = WallClock().now()
    found = root.read(store.disposals)
    rows = [_record(one, now) for one in found]
    output.listing(
        rows if as_json else map(_line, rows), _COLUMNS, as_json=as_json, empty="Nothing was planned."
    )


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    approved = ", ".join(one["person"] for one in row["agreed"])
    return {**row, "planned": output.when(row["at"]), "approved": approved}


def _record(one: Plan, now: int) -> dict[str, Any]:
    pairs = {str(pair): count for pair, count in one.counts.pairs.items()}
    return {**asdict(one), "state": one.standing(now), "counts": {**asdict(one.counts), "pairs": pairs}}


@disposal.command()
@_NUMBER
@click.option("--records", is_flag=True, help="The list: each record, its class, until when it was kept.")
@click.option(
    "--kept", default="", metavar="REASON", help="The records that stay for a reason, as it is now."
)
@click.option("--certificate", is_flag=True, help="The certificate, in a form to hand on.")
@output.json_option
@pass_root
def show(root: Root, number: int, records: bool, kept: str, certificate: bool, as_json: bool) -> None:
    """One plan: how many records, what stays and why, who agreed.

    Records are counted by class, pair and month.
    """
    from bridge.records.disposal import certificate as lines
    from bridge.store import disposal as store

    if certificate:
        one = root.read(lambda db: store.disposal(db, number))
        told = list(lines(one))
        if as_json:
            output.json_line({"digest": one.digest, "settled_at": one.settled_at, **(one.certified or {})})
            return
        for line in told:
            click.echo(output.cell(line))
    elif records:
        rows = root.read(lambda db: store.listed(db, number))
        shown = rows if as_json else [{**row, "until": output.when(row["until"])} for row in rows]
        output.listing(shown, _RECORDS, as_json=as_json, empty="Nothing was due.")
    elif kept:
        rows = _kept(root, number, kept)
        shown = rows if as_json else [{**row, "kept": "; ".join(row["kept"])} for row in rows]
        output.listing(shown, _KEPT, as_json=as_json, empty=f"Nothing stays for the reason {kept!r} now.")
    else:
        _show(root, number, as_json=as_json)


_RECORDS = {"message": "MESSAGE", "class": "CLASS", "until": "KEPT UNTIL", "gone": "GONE"}
_KEPT = {"message": "MESSAGE", "class": "CLASS", "kept": "WHY IT STAYS"}


def _kept(root: Root, number: int, sort: str) -> list[dict[str, Any]]:
    from bridge.cli.compose import WallClock
    from bridge.store import disposal as store

    now = WallClock().now()

    def look(db: Connection) -> list[dict[str, Any]]:
        one = store.disposal(db, number)
        return list(store.kept(db, _numbers(db, one.query, one.before), now, sort))

    return root.read(look)


def _show(root: Root, number: int, *, as_json: bool) -> None:
    from bridge.cli.compose import WallClock
    from bridge.store import disposal as store
    from bridge.store import views

    one = root.read(lambda db: store.disposal(db, number))
    row = _record(one, WallClock().now())
    if as_json:
        output.json_line(row)
        return
    people = {pair["id"]: _people(pair) for pair in root.read(lambda db: views.pairs(db, ended=True))}
    for line in _lines(one, str(row["state"]), people):
        click.echo(line)
    if row["state"] == "planned" and (among := root.settings().policy.approvers):
        click.echo(f"  only these may approve ([policy] approvers): {output.cell(', '.join(among))}")


def _people(pair: Mapping[str, Any]) -> str:
    return output.cell(f"{pair['advisor_name']} – {pair['contact_name']}")


def _how_many(one: Plan) -> str:
    if not one.certified:
        return output.counted(record=one.records)
    return f"{one.certified['records']:,} of {one.records:,} records destroyed"


def _lines(one: Plan, state: str, people: Mapping[int, str]) -> Iterator[str]:
    yield click.style(f"Disposal {one.number}, {state}: {_how_many(one)}", bold=True)
    yield f"  planned {output.when(one.at)} by {output.cell(one.person)}: {output.cell(one.reason)}"
    if one.query:
        yield f"  of what {output.cell(one.query)} finds"
    if one.counts.names:
        yield (
            f"  and the names, addresses and ids of {output.counted(pair=one.counts.names)} that ended, with "
            f"{output.counted(consent=one.counts.consents)}"
        )
    for agreed in one.agreed:
        who, why = output.cell(agreed.person), output.cell(agreed.reason)
        yield f"  approved {output.when(agreed.at)} by {who}: {why}"
    if state == "planned":
        yield f"  {one.lacking} more to approve; good until {output.when(one.expires_at)}"
    if one.certified:
        yield from _carried_out(one, one.certified)
    if one.unfinished:
        yield f"  {one.unfinished}"
    if one.certified:
        yield "  so it had been planned:"
    for title, counts in (
        ("by class", one.counts.classes),
        ("by conversation", {people.get(pair, f"pair {pair}"): n for pair, n in one.counts.pairs.items()}),
        ("by month", one.counts.months),
        (f"stay (weighbridge disposal show {one.number} --kept REASON)", one.counts.kept),
    ):
        if counts:
            yield f"  {title}"
            yield from (f"    {output.cell(name)}: {count:,}" for name, count in counts.items())


def _carried_out(one: Plan, said: Mapping[str, Any]) -> Iterator[str]:
    """What went, and what stayed after all."""
    yield (
        f"  certified {output.when(said['at'])} by {output.cell(said['person'])}: {said['records']:,} "
        f"destroyed, {said['kept']:,} stayed; entry {said['place']}"
    )
    if said.get("pairs"):
        agreed = output.counted(consent=said["consents"])
        yield f"    went names of pairs: {said['pairs']:,}, with {agreed}"
    yield from (f"    went {output.cell(name)}: {count:,}" for name, count in said["classes"].items())
    yield from (f"    stayed {output.cell(why)}: {count:,}" for why, count in said["reasons"].items())
    if one.settled_at:
        yield f"  settled {output.when(one.settled_at)}: the database's own files have nothing of it"
