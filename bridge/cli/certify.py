"""`weighbridge certify`: whether anything is missing, on a signed page that anybody can check.

Rules of this file: it asks `bridge.assurance` and reads what that wrote; it compares nothing itself. Exit
code 5 says that something is missing, altered, or there without a right to be; 1 that something is unusual.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.output import Exit
from bridge.cli.root import Root, opened, pass_root, person_option, reason_option
from bridge.errors import Damaged, Missing

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.config import Settings
    from bridge.records.certificate import Certificate
    from bridge.store.database import Database
    from bridge.store.heartbeats import Kept

_RUNS = {
    "day": "DAY", "run": "RUN", "archived": "ARCHIVED", "differences": "DIFFERENCES", "alerts": "ALERTS",
    "of": "OF", "unasked": "NOT ASKED",
}  # fmt: skip

ARCHIVED = "archived"
"""The list that a certificate has no room for: the store opens it."""


class _Day(click.ParamType):
    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """A day as people write it: 2026-11-21."""
        try:
            day = value if isinstance(value, date) else date.fromisoformat(str(value))
        except ValueError:
            self.fail("write a day, like 2026-11-21", param, ctx)
        if not FIRST <= day <= LAST:
            self.fail(f"no day before {FIRST} or after {LAST} can have been certified", param, ctx)
        return day


class _Span(_Day):
    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What a certificate is called: a day, or the first and last day of a span with two dots between."""
        ends = [super(_Span, self).convert(one, param, ctx) for one in str(value).split("..", 1)]
        return "..".join(str(one) for one in ends)


FIRST, LAST = date(2000, 1, 1), date(2999, 12, 31)
DAY, SPAN = _Day(), _Span()


@click.group(invoke_without_command=True)
@click.option("--day", type=DAY, help="The day to certify, UTC.  [default: yesterday]")
@click.option("--since", type=DAY, help="The first day of a span to reconcile instead.")
@click.option("--until", type=DAY, help="The day after its last.  [default: today]")
@click.option("--offline", is_flag=True, help="Ask neither network; the certificate says so.")
@output.json_option
@pass_root
@click.pass_context
def certify(
    ctx: click.Context,
    root: Root,
    day: date | None,
    since: date | None,
    until: date | None,
    offline: bool,
    as_json: bool,
) -> int:
    """Reconcile a day: networks, archive, verdicts, outbox, archives outside.

    Exit code 5 when something is missing or altered; 1 when something is unusual, could not be compared, or
    was not asked, and when the day has not ended. The daemon does this every night by itself.

    \b
    weighbridge certify                        yesterday, now
    weighbridge certify --day 2026-11-21       another day, once more
    weighbridge certify --since 2026-11-01     a span up to yesterday
    """
    from bridge import telemetry

    if ctx.invoked_subcommand is not None:
        return Exit.DONE
    if day and (since or until):
        raise click.UsageError("write either --day, or --since and --until")
    span = _span(day, since, until, datetime.now(UTC))
    settings = root.settings() if offline else root.unlocked()
    telemetry.configure(level="critical")  # what is found is said below, and once
    made, unwritten = asyncio.run(_made(settings, span, offline))
    code = _shown(made, as_json)
    for folder, why in unwritten.items():
        output.note(f"the certificate is in the ledger, and cannot be written to {folder}: {why}")
    return code or (Exit.PARTIAL if unwritten else Exit.DONE)


def _span(day: date | None, since: date | None, until: date | None, now: datetime) -> tuple[str, int, int]:
    """What to call a span, and its two ends in milliseconds.

    "Yesterday" is the last day of which all has settled: for a moment after midnight, the day before."""
    from bridge.assurance import SETTLE

    today = now.date() if day or since or until else (now - timedelta(milliseconds=SETTLE)).date()
    if not (since or until):
        since = day or today - timedelta(days=1)
        name, until = since.isoformat(), since + timedelta(days=1)
    else:
        since, until = since or FIRST, until or today
        name = f"{since}..{until - timedelta(days=1)}"
    if since >= until:
        raise click.UsageError(
            "--since has to be before --until: write the first day, and the day after the last"
        )
    if until - timedelta(days=1) > today:
        raise click.UsageError(
            f"{until - timedelta(days=1)} has not begun: nobody can say what is missing of it"
        )
    return name, _at(since), _at(until)


def _at(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


async def _made(
    settings: Settings, span: tuple[str, int, int], offline: bool
) -> tuple[Certificate, Mapping[Path, str]]:
    """A certificate of a span, beside the daemon or without one; and what could not be written where."""
    from bridge.assurance import NotBegun
    from bridge.cli import compose

    async with opened(settings) as store:
        assurance = compose.assurance(settings, store, resident=False)
        assurance.policies = lambda: compose.policies(settings)
        try:
            if offline:
                return await assurance.certify(*span, ask=False), assurance.unwritten
            async with compose.networks(settings, store.blobs) as both:
                assurance.connectors = lambda: both
                return await assurance.certify(*span), assurance.unwritten
        except NotBegun as error:
            raise click.UsageError(str(error)) from None


def _shown(made: Certificate, as_json: bool) -> int:
    if as_json:
        output.data(made.canonical().decode() + "\n")
    else:
        for line in made.words().split("\n"):
            click.echo(output.cell(line) if line.strip() else "")
    return _code(made)


def _code(made: Certificate) -> int:
    if made.broken:
        return Exit.INTEGRITY
    return Exit.DONE if made.clean else Exit.NO


@certify.command("list")
@output.json_option
@pass_root
def list_(root: Root, as_json: bool) -> int:
    """Every certificate, and what it found.

    Whether it is of a whole day, and which networks were not asked for it."""
    from bridge.store import heartbeats

    rows = [{**one._asdict(), "of": _extent(one)} for one in root.read(heartbeats.certified)]
    rows = rows if as_json else [{**row, "unasked": ", ".join(row["unasked"])} for row in rows]
    output.listing(rows, _RUNS, as_json=as_json, empty="no day is certified yet: `weighbridge certify`")
    return _spoiled(root) or Exit.DONE


def _spoiled(root: Root) -> int:
    """Say which entries about certificates are none any more; 0 when all are."""
    from bridge.store import heartbeats

    for subject in (found := root.read(heartbeats.spoiled)):
        output.note(f"the ledger's entry {output.cell(subject)} is none any more: `weighbridge audit verify`")
    return Exit.INTEGRITY if found else Exit.DONE


def _extent(one: Kept) -> str:
    return "a whole day" if one.whole else "days" if ".." in one.day else "a part"


@certify.command()
@click.argument("day", type=SPAN)
@click.option(
    "--list", "name", help='What stands behind a count: "fault source missing", "sink weixin archived".'
)
@output.json_option
@pass_root
def show(root: Root, day: str, name: str | None, as_json: bool) -> int:
    """The last certificate of a DAY, or one list of it."""
    from bridge.store import heartbeats
    from bridge.store.counted import behind, names

    if day > str(datetime.now(UTC).date()):
        raise Missing(f"{day} has not begun: nobody can say what is missing of it")
    made = root.read(lambda db: heartbeats.certificate(db, day))
    if name is None:
        return _shown(made, as_json)
    try:
        items = root.read(
            lambda db: list(_archived(db, made) if name == ARCHIVED else behind(db, made, name))
        )
    except LookupError:
        there = ", ".join([ARCHIVED, *names(made)])
        raise Missing(f"the certificate has no list {name!r}; it has: {there}") from None
    output.listing([{"item": item} for item in items], {"item": name.upper()}, as_json=as_json, empty="none")
    return Exit.DONE


def _archived(db: Connection, made: Certificate) -> Iterator[str]:
    """The messages that a certificate counts as archived."""
    from bridge.store import heartbeats

    return heartbeats.archived_between(db, made.since, made.until)


@certify.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public keys to check by.  [default: those of this house]",
)
@pass_root
def verify(root: Root, file: Path, key: Path | None) -> int:
    """Whether a certificate is signed by this house.

    It also has to say in words what its value says. Exit code 5 when it does not, and when something is
    missing by it; 1 when something is unusual, or was not asked. Other runs of the same day are listed.
    """
    from bridge.records.certificate import read, result
    from bridge.store.signing import public_file, verifiers

    keys = verifiers([key or public_file(root.settings().ledger.key_file)])
    try:
        made = read(file.read_bytes().decode("utf-8", "replace"), keys)
    except ValueError as error:
        raise Damaged(f"{file} {error}") from None
    click.echo(f"✓ {made.day}, run {made.run}: signed and whole; {result(made)}")
    for line in made.earlier if key else _others(root, made):
        click.echo(f"  {output.cell(line)}")
    return _code(made)


def _others(root: Root, made: Certificate) -> list[str]:
    """The other runs of a certificate's day, as this house has them."""
    from bridge.store import heartbeats

    runs = root.read(lambda db: heartbeats.certified(db, made.day))
    return [one.told() for one in runs if one.run != made.run]


@certify.command()
@output.json_option
@pass_root
def alerts(root: Root, as_json: bool) -> int:
    """What certificates found that nobody has settled.

    Differences of any day, and what was unusual in the last week. Exit code 1 when there is anything."""
    from bridge.store import heartbeats

    spoiled = _spoiled(root)
    if not spoiled and root.read(heartbeats.standing) is None:
        raise Missing("no day is certified yet: `weighbridge certify`")
    days = root.read(lambda db: [(one, _unusual(db, one)) for one in heartbeats.unsettled(db)])
    rows = [{"day": one.day, "alert": said} for one, alerts in days for said in alerts]
    output.listing(rows, {"day": "DAY", "alert": "ALERT"}, as_json=as_json, empty="no alerts")
    return spoiled or (Exit.NO if rows else Exit.DONE)


def _unusual(db: Connection, one: Kept) -> list[str]:
    """What stands of a day."""
    from bridge.store import heartbeats

    found = (
        [f"{one.differences} differences: `weighbridge certify show {one.day}`"] if one.differences else []
    )
    try:
        made = heartbeats.certificate(db, one.day, one.run)
    except Damaged as damaged:
        return [*found, str(damaged)]
    return [*found, *made.alerts, *(f"canary {name}: {made.canaries[name]}" for name in made.failed)]


@certify.command()
@click.argument("day", type=SPAN)
@reason_option
@person_option
@pass_root
def settle(root: Root, day: str, reason: str, person: str) -> int:
    """Say why a certificate found what it found.

    DAY is that of the certificate, or FIRST..LAST of a span's. It is no alarm any more; the certificate
    stays as it is. Where it missed messages of a network, the days before it are taken as usual for that
    network; if it stays silent, that is told again.
    """
    from bridge.store import heartbeats

    def settled(store: Database) -> Awaitable[Kept]:
        return store.write(lambda tx: heartbeats.settle(tx, store.lane, day, person, reason))

    one = root.act(settled)
    found = f"{one.differences} differences, {one.alerts} alerts"
    click.echo(f"{one.day}, run {one.run}: {found}; settled by {output.cell(person)}.")
    return Exit.DONE
