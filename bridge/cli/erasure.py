"""`weighbridge erasure`: people who ask to be forgotten, answered record by record.

Rules of this file: no logic. Nothing is erased here: what may go becomes a disposal, which two people
approve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.root import Root, pass_root, person_option, reason_option

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.records.erasure import Request
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
    weighbridge erasure show 1 --letter --language zh-Hans
    weighbridge disposal approve 5 --reason "erasure request 1"
    """


@erasure.command()
@click.option("--about", required=True, metavar="NAME", help="Who asks: a name, an address, or an id.")
@click.option("--law", type=click.Choice(["gdpr", "pipl"]), default="gdpr", show_default=True)
@reason_option
@person_option
@output.json_option
@pass_root
def request(root: Root, about: str, law: str, reason: str, person: str, as_json: bool) -> None:
    """Take a request down and answer it for each record. What may go is planned for disposal.

    Both sides of a conversation count: what the person wrote, and what was written to them.
    """
    from bridge.records.erasure import Request
    from bridge.search.writing import quoted
    from bridge.store import erasure as store

    wanted = Request(0, about, law, person, reason, 0, 0, f"with:{quoted(about)}")
    numbers, pairs = root.read(lambda db: _theirs(db, wanted.query, about))

    def job(tx: Tx, lane: int) -> int:
        number = store.request(tx, lane, wanted)
        tx.flush()
        told, found = store.answers(tx.db, numbers, tx.now)
        store.answer(tx, lane, number, told, found, pairs)
        return number

    number = root.act(lambda one: one.write(lambda tx: job(tx, one.lane)))
    _show(root.read(lambda db: store.erasure(db, number)), as_json=as_json)


def _theirs(db: Connection, query: str, about: str) -> tuple[list[int], list[int]]:
    """Numbers of what somebody wrote or read, and their pairs that have ended. No index is asked."""
    from datetime import UTC, datetime

    from bridge.search.query import parse
    from bridge.store import views
    from bridge.store.erasure import ended_pairs
    from bridge.store.searching import every

    found = every(db, None, parse(query, datetime.now(UTC), UTC))
    pairs = [pair["id"] for pair in views.pairs(db, ended=True) if about.casefold() in _names(pair)]
    return [one.number for one in found], ended_pairs(db, pairs)


def _names(pair: Mapping[str, Any]) -> set[str]:
    keys = ("advisor", "advisor_name", "advisor_address", "contact", "contact_name")
    return {str(pair[key]).casefold() for key in keys} | {str(pair["contact"]).rpartition("/")[2].casefold()}


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
@output.json_option
@pass_root
def show(root: Root, number: int, letter: bool, language: str, as_json: bool) -> None:
    """One request, with the answer for each record."""
    from bridge.records.erasure import letter as lines
    from bridge.store import erasure as store

    found = root.read(lambda db: store.erasure(db, number))
    if letter:
        for line in lines(found, language):
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
        click.echo(f"What may go is disposal {found.disposal}: two people approve it, then it is run.")
    output.listing(
        [_told(one) for one in _as_rows(found)], _ANSWERS, as_json=False, empty="No record of them."
    )


def _as_rows(found: Request) -> Sequence[dict[str, Any]]:
    return [asdict(one) for one in found.answers]


def _told(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **one,
        "day": output.when(one["until"])[:10] if one["until"] else "",
        "why": "; ".join(one["reasons"]),
    }
