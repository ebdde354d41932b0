"""`weighbridge erasure`: people who ask to be forgotten, answered record by record.

Rules of this file: no logic. Nothing is erased here: what may go becomes a disposal, which two people
approve.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.audit.finding import matching
from bridge.cli.disposal import clock_option
from bridge.cli.root import Root, pass_root, person_option, reason_option, words

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.records.erasure import Request
    from bridge.store.identities import Identity
    from bridge.store.writer import Tx

_COLUMNS = {
    "number": "REQUEST", "about": "ABOUT", "law": "LAW", "asked": "ASKED", "due": "TO BE ANSWERED BY",
    "erased": "ERASED", "kept": "KEPT", "disposal": "DISPOSAL",
}  # fmt: skip
_ANSWERS = {"message": "MESSAGE", "outcome": "ANSWER", "day": "UNTIL", "because": "RULE", "why": "WHY"}


@click.group()
def erasure() -> None:
    """People who ask to be forgotten (GDPR Art. 17, PIPL Art. 47): each record is erased, or kept by a rule.

    \b
    weighbridge erasure request --about 李雷 --law gdpr --reason "a letter"
    weighbridge erasure show 1 --letter --language zh-Hans --from "The Bank"
    weighbridge disposal approve 5 --reason "erasure request 1"
    """


@erasure.command()
@click.option(
    "--about",
    required=True,
    metavar="NAME",
    callback=words,
    help="Who asks: a whole name, an address, or an id.",
)
@click.option("--law", type=click.Choice(["gdpr", "pipl"]), default="gdpr", show_default=True)
@click.option("--all", "several", is_flag=True, help="All of that name are the one who asks.")
@click.option("--unknown", is_flag=True, help="Although nobody here has heard of them.")
@clock_option
@reason_option
@person_option
@output.json_option
@pass_root
def request(
    root: Root,
    about: str,
    law: str,
    several: bool,
    unknown: bool,
    sure: bool,
    reason: str,
    person: str,
    as_json: bool,
) -> None:
    """Take a request down and answer it for each record. What may go is planned for disposal.

    Both sides of a conversation count: what the person wrote, and what was written to them, under every
    name. A part of a name is not enough, and neither is a name that two people have: then say an id.
    """
    from bridge.records.erasure import Request
    from bridge.store import erasure as store
    from bridge.store.identities import conditions

    people = _meant(root, about, person, reason, several=several, unknown=unknown)
    wanted = Request(0, about, law, person, reason, 0, 0, " OR ".join(conditions(people)))
    numbers, pairs = root.read(lambda db: _theirs(db, wanted.query, people))

    def job(tx: Tx, lane: int) -> int:
        number = store.request(tx, lane, wanted)
        tx.flush()
        told, found = store.answers(tx.db, numbers, tx.now)
        store.answer(tx, lane, number, told, found, pairs, sure=sure)
        return number

    number = root.act(lambda one: one.write(lambda tx: job(tx, one.lane)))
    if not as_json:
        for one in people:
            click.echo(f"{output.cell(about)} is {output.cell(str(one))}.")
    _show(root.read(lambda db: store.erasure(db, number)), as_json=as_json)


def _meant(
    root: Root, about: str, person: str, reason: str, *, several: bool, unknown: bool
) -> list[Identity]:
    """Who asks. Raises Missing for nobody, and Conflict for more than one, naming them; that they are named
    is written down first."""
    from bridge.cli.audit.looking import Recorder
    from bridge.errors import Conflict, Missing
    from bridge.store.identities import are_one
    from bridge.store.looks import Looker, Search

    exact, near = root.read(lambda db: _called(db, about))
    if are_one(exact) or (exact and several) or (unknown and not exact):
        return exact
    found = exact or near
    Recorder(root, Looker(person, reason)).searched(
        Search("erasure request", about, len(found), indexed=False)
    )
    listed = "".join(f"\n  {output.cell(str(one))}" for one in found)
    if exact:
        raise Conflict(
            f"{about!r} is what several people are called: say an id, or --all if all are one:{listed}"
        )
    nearly = f" It is a part of what these are called:{listed}" if near else ""
    raise Missing(
        f"nobody is {about!r}: say a whole name, an address or an id, or --unknown if it is right.{nearly}"
    )


def _called(db: Connection, about: str) -> tuple[list[Identity], list[Identity]]:
    """Everybody whose name, address or id this is; and of whose name it is a part."""
    from bridge.search.writing import quoted
    from bridge.store.identities import identities

    found = list(matching(db, f"with:{quoted(about)}"))
    return identities(db, about, found, whole=True), identities(db, about, found, whole=False)


def _theirs(db: Connection, query: str, people: Sequence[Identity]) -> tuple[list[int], list[int]]:
    """Numbers of what these people wrote or read, and of the pairs that they are or were in."""
    from bridge.store.identities import pairs_of

    numbers = [one.number for one in matching(db, query)] if people else []
    return numbers, pairs_of(db, people)


@erasure.command("list")
@output.json_option
@pass_root
def list_(root: Root, as_json: bool) -> None:
    """Every request, the newest first, and when its answer is due."""
    from bridge.store import erasure as store

    rows = [_row(one) for one in root.read(store.erasures)]
    output.listing(rows, _COLUMNS, as_json=as_json, empty="Nobody has asked.")


def _row(one: Request) -> dict[str, Any]:
    from bridge.records.erasure import ERASED, KEPT

    said = {name: value for name, value in asdict(one).items() if name != "answers"}
    days = {"asked": output.when(one.at), "due": output.when(one.due_at)}
    return {**said, **days, "erased": one.count(ERASED), "kept": one.count(KEPT)}


@erasure.command()
@click.argument("number", metavar="N", type=click.IntRange(1))
@click.option("--letter", is_flag=True, help="The answer as a letter to the person who asked.")
@click.option("--language", type=click.Choice(["en", "zh-Hans", "zh-Hant"]), default="en", show_default=True)
@click.option(
    "--from",
    "sender",
    default="",
    metavar="TEXT",
    callback=words,
    help="Who writes the letter: firm, address.",
)
@output.json_option
@pass_root
def show(root: Root, number: int, letter: bool, language: str, sender: str, as_json: bool) -> None:
    """One request, with the answer for each record."""
    from bridge.cli.compose import WallClock
    from bridge.records.erasure import letter as lines
    from bridge.store import erasure as store

    if letter and not sender:
        raise click.UsageError("say with --from who writes the letter: the firm, and where to reach it")
    found = root.read(lambda db: store.erasure(db, number))
    if letter:
        told = list(lines(found, language, sender=sender, at=WallClock().now()))
        if as_json:
            output.json_line({"number": number, "language": language, "letter": "\n".join(told)})
            return
        for line in "\n".join(told).split("\n"):  # who writes it may take several lines
            click.echo(output.cell(line))
    else:
        _show(found, as_json=as_json)


def _show(found: Request, *, as_json: bool) -> None:
    if as_json:
        output.json_line({**asdict(found), "longest": found.longest})
        return
    row = _row(found)
    click.echo(
        f"Erasure request {found.number} about {output.cell(found.about)} ({found.law}), to be answered by "
        f"{row['due']}: {row['erased']:,} erased, {row['kept']:,} kept."
    )
    if found.disposal:
        click.echo(_progress(found))
    for line in _names(found):
        click.echo(line)
    rows = [_told(asdict(one)) for one in found.answers]
    empty = "No message of theirs." if found.pairs else "No record of them."
    output.listing(rows, _ANSWERS, as_json=False, empty=empty)


def _names(found: Request) -> Iterator[str]:
    """What becomes of the names, addresses and ids of each pair, and of consents."""
    for one in found.pairs:
        why = f": {output.cell('; '.join(one.reasons))}" if one.reasons else ""
        yield f"Names, addresses and ids of pair {one.pair}: {one.outcome}{why}."
    if any(found.consents.values()):
        said = ", ".join(f"{count:,} {outcome}" for outcome, count in found.consents.items() if count)
        yield f"Consents: {said}."


def _progress(found: Request) -> str:
    """How far the disposal of a request is."""
    gone, number = found.carried.gone, found.disposal
    if found.carried.over:
        names = f", and the names of {output.counted(pair=found.carried.pairs)}" * bool(found.carried.pairs)
        return f"Disposal {number} is over: {gone:,} of them are gone{names}."
    if not found.carried.expires_at:
        return f"Disposal {number}, which was to erase them, was withdrawn."
    said = f"What may go is disposal {number}: two people approve it, then it is run."
    return f"{said} {gone:,} are gone." if gone else said


def _told(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **one,
        "day": output.when(one["until"])[:10] if one["until"] else "",
        "why": "; ".join(one["reasons"]),
    }
