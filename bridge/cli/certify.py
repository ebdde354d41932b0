"""`weighbridge certify`: whether anything is missing, on a signed page that anybody can check.

Rules of this file: it asks `bridge.assurance` and reads what that wrote; it compares nothing itself. Exit
code 5 says that something is missing, altered, or there without a right to be; 1 that something is unusual.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
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
    from bridge.store.certificates import Kept, Spoiled, Standing
    from bridge.store.database import Database

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


class _Name(_Span):
    name = "name"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """What can be settled: a day, a span, or an entry of the ledger by its place (entry/0/41)."""
        if _ENTRY.fullmatch(str(value)):
            return str(value)
        return str(super().convert(value, param, ctx))


FIRST, LAST = date(2000, 1, 1), date(2999, 12, 31)
DAY, SPAN, NAME = _Day(), _Span(), _Name()

_ENTRY = re.compile(r"entry/[0-9]{1,9}/[0-9]{1,18}")

SHOWN = 3
"""Items of a list that `alerts` names, where nobody asks for one day."""


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
    span = _span(day, since, until, _now())
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
    from bridge.store import certificates

    entries = root.read(certificates.book)
    rows = [{**one._asdict(), "of": _extent(one)} for one in entries.runs]
    rows = rows if as_json else [{**row, "unasked": ", ".join(row["unasked"])} for row in rows]
    output.listing(rows, _RUNS, as_json=as_json, empty="no day is certified yet: `weighbridge certify`")
    return _spoiled(entries.spoiled)


def _spoiled(found: Iterable[Spoiled]) -> int:
    """Say which entries about certificates are none any more; 0 when there are none."""
    code = Exit.DONE
    for one in found:
        said = f"what the ledger said under {output.cell(one.subject)} ({one.name}) is no entry any more"
        output.note(f"{said}: `weighbridge audit verify`")
        code = Exit.INTEGRITY
    return code


def _extent(one: Kept) -> str:
    return "a part" if not one.ended else "a whole day" if one.whole else "days"


@certify.command()
@click.argument("day", type=SPAN)
@click.option(
    "--list", "name", help='What stands behind a count: "fault source missing", "sink weixin archived".'
)
@click.option("--run", type=click.IntRange(min=1), help="Which run of it.  [default: the last]")
@output.json_option
@pass_root
def show(root: Root, day: str, name: str | None, run: int | None, as_json: bool) -> int:
    """The last certificate of a DAY, or one list of it."""
    from bridge.store import certificates
    from bridge.store.counted import behind, names

    if day.partition("..")[0] > str(_now().date()):
        raise Missing(f"{day} has not begun: nobody can say what is missing of it")
    made = root.read(lambda db: certificates.certificate(db, day, run or 0))
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
    from bridge.store import certificates

    runs = root.read(lambda db: certificates.certified(db, made.day))
    return [one.told() for one in runs if one.run != made.run]


@certify.command()
@click.argument("name", metavar="[DAY]", type=NAME, required=False)
@output.json_option
@pass_root
def alerts(root: Root, name: str | None, as_json: bool) -> int:
    """What certificates found that nobody has settled.

    Differences of any day, what was unusual in the last week, days that nobody certified, and entries about
    certificates that are none any more; of one DAY everything. Exit code 1 when there is anything, 5 when the
    ledger was changed.
    """
    last = _last(root)
    found = root.read(lambda db: _standing(db, last, name))
    rows = [row for one in found for row in _rows(one, brief=not (name or as_json))]
    columns = {"day": "DAY", "run": "RUN", "alert": "ALERT"}
    output.listing(rows, columns, as_json=as_json, empty="no alerts")
    if rows and not as_json:
        output.note(
            "to settle what you have looked into: `weighbridge certify settle DAY --run RUN --reason TEXT`"
        )
    if any(one.spoiled for one in found):
        return Exit.INTEGRITY
    return Exit.NO if rows else Exit.DONE


def _standing(db: Connection, last: date, name: str | None) -> list[Standing]:
    from bridge.store import certificates

    entries = certificates.book(db)
    if name is None:
        return certificates.by_weight(certificates.stand(db, last, entries), entries)
    one = certificates.of(db, name, last, entries)
    return [one] if one.findings else []


def _rows(one: Standing, brief: bool) -> Iterator[dict[str, object]]:
    """What stands of a day, an item a row; `brief`: the first of each list, and how to see all."""
    for name, some in groupby(one.findings, key=lambda found: found.name):
        items = [f"{_prefix(name)}{found.item}{_remedy(one) if name == 'day' else ''}" for found in some]
        shown = items[:SHOWN] if brief else items
        if rest := len(items) - len(shown):
            shown.append(f"{_prefix(name)}{rest} more: `weighbridge certify alerts {one.name}`")
        yield from ({"day": one.name, "run": one.run, "alert": said} for said in shown)


def _prefix(name: str) -> str:
    """What a list is called before its items; alerts speak for themselves."""
    return f"{name}: " if name.startswith("fault ") or name == "canary" else ""


def _remedy(one: Standing) -> str:
    from bridge.store.certificates import remedy

    return f": {remedy(one.name)}"


def _last(root: Root) -> date:
    """The last day that ought to be certified by now."""
    from bridge.assurance import due

    return due(round(_now().timestamp() * 1000), root.settings().assurance.hour)


def _now() -> datetime:
    return datetime.now(UTC)


@certify.command()
@click.argument("name", metavar="DAY", type=NAME)
@click.option(
    "--run",
    type=click.IntRange(min=0),
    required=True,
    help="The newest run that you have looked at, as `alerts` says; 0 where there was none.",
)
@reason_option
@person_option
@pass_root
def settle(root: Root, name: str, run: int, reason: str, person: str) -> int:
    """Say why a certificate found what it found.

    DAY, and its RUN, are as `certify alerts` says: a day, FIRST..LAST of a span, an entry of the ledger. What
    stood of it is no alarm any more; the certificate stays as it is. Refused when another run was made since.
    Where it missed messages of a network, the days before it are taken as usual for that network; if it stays
    silent, that is told again.
    """
    from bridge.store import certificates

    last = _last(root)

    def settled(store: Database) -> Awaitable[Standing]:
        return store.write(lambda tx: certificates.settle(tx, store.lane, name, run, person, reason, last))

    one = root.act(settled)
    for row in _rows(one, brief=True):
        click.echo(output.cell(row["alert"]))
    click.echo(f"{one.name}, run {one.run}: settled by {output.cell(person)}.")
    return Exit.DONE
