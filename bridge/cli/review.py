"""`weighbridge review`: held and drawn messages, and what a reviewer does with them.

Rules of this file: no logic; questions go to `bridge.store.views`, acts to `bridge.desk`. Text that people
wrote is made harmless for the terminal before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from bridge.cli import output
from bridge.cli.audit.looking import looking, recorder_of
from bridge.cli.root import Root, pass_root, person_option, reason_option
from bridge.errors import Missing

_NUMBER = click.argument("number", metavar="ID", type=click.IntRange(min=1))

_COLUMNS = {
    "message": "ID", "age": "HELD", "queue": "QUEUE", "due": "DUE", "sender": "FROM", "recipient": "TO",
    "why": "WHY", "text": "TEXT",
}  # fmt: skip

_DRAWN = {
    "message": "ID", "day": "DAY", "queue": "QUEUE", "rule": "RULE", "sender": "FROM", "recipient": "TO",
    "text": "TEXT",
}  # fmt: skip

MARKS = ("⟦", "⟧")
"""What stands around a passage that a rule found."""


@click.group()
def review() -> None:
    """Held messages: look at them, let them pass, or refuse them. Delivered ones: draw some, look at them.

    \b
    weighbridge review list --queue control-room
    weighbridge review show 17
    weighbridge review release 17 --reason "the client's own card"
    weighbridge review draw --day 2026-11-22 --reason "daily supervision"
    weighbridge review close 21 --finding "nothing to object to"
    """


@review.command("list")
@click.option("--queue", default="", metavar="NAME", help="Only what waits in this queue.")
@click.option("--sampled", is_flag=True, help="Delivered messages that were drawn for review, instead.")
@output.json_option
@looking
@pass_root
def list_(
    root: Root, *, queue: str, sampled: bool, as_json: bool, person: str, reason: str, case: str
) -> None:
    """What waits for a reviewer, the longest waiting first.

    Who is shown it is written into the ledger first.
    """
    from bridge.cli.compose import WallClock
    from bridge.store import views

    if sampled:
        drawn = [one for one in root.read(views.sampled) if queue in ("", one["queue"])]
        _written_down(root, "drawn", queue, drawn, (person, reason, case))
        shown = drawn if as_json else [{**one, "text": _short(one)} for one in drawn]
        output.listing(shown, _DRAWN, as_json=as_json, empty="Nothing is drawn for review.")
        return
    now = WallClock().now()
    rows = [asdict(one) for one in root.read(lambda db: views.held(db, queue))]
    _written_down(root, "held", queue, rows, (person, reason, case))
    lines = rows if as_json else [_line(row, now) for row in rows]
    output.listing(lines, _COLUMNS, as_json=as_json, empty="Nothing is held.")


def _written_down(
    root: Root, what: str, queue: str, rows: Sequence[Mapping[str, Any]], who: tuple[str, str, str]
) -> None:
    """One entry for the whole list, with the numbers in it; none for an empty one, which shows nothing.

    Raises StoreError when it cannot be written down.
    """
    from bridge.store.looks import Search

    if rows:
        asked = f"{what}, queue {queue}" if queue else what
        shown = tuple(row["message"] for row in rows)
        recorder_of(root, root.settings(), *who).searched(Search("review list", asked, len(shown), shown))


def _line(row: Mapping[str, Any], now: int) -> dict[str, Any]:
    return {
        **row,
        "due": _due(row, now),
        "age": output.span(now - row["held_at"]),
        "recipient": row["recipient"] or "nobody (not paired)",
        "why": output.cut("; ".join(row["rules"]) or row["reason"], 36),
        "text": _short(row),
    }


def _short(row: Mapping[str, Any]) -> str:
    parts = [row["text"].replace("\n", " ⏎ "), *(f"📎 {name}" for name in row["files"])]
    return output.cut(" · ".join(filter(None, parts)), 48)


def _due(row: Mapping[str, Any], now: int) -> str:
    """How long there is to decide a hold, or since when it is late; "" without a limit."""
    if not row["due_at"]:
        return ""
    if row["due_at"] > now:
        return f"in {output.span(row['due_at'] - now)}"
    return f"{output.span(now - row['due_at'])} late"


@review.command()
@_NUMBER
@output.json_option
@looking
@pass_root
def show(root: Root, number: int, as_json: bool, person: str, reason: str, case: str) -> None:
    """One held message: what it says, what was found, what can be done.

    Who is shown it is written into the ledger first.
    """
    from bridge.cli.compose import WallClock
    from bridge.store import views

    found = root.read(lambda db: views.message(db, number))
    if found is None or found["review"] is None:
        raise Missing(f"message {number} is not and was not held; see `weighbridge review list`.")
    recorder_of(root, root.settings(), person, reason, case).shown("review show", [number])
    if as_json:
        output.json_line(found)
        return
    for line in _page(found, WallClock().now()):
        click.echo(line)


def _page(found: Mapping[str, Any], now: int) -> Iterator[str]:
    verdict = next(one for one in found["verdicts"] if one["outcome"] == "hold")
    matches = [match for match in verdict["matches"] if match["enforced"]]
    yield f"Message {found['message']}, {_standing(found['review'], now)}"
    yield ""
    address = output.cell(found["address"] or found["sender_id"])
    yield f"  from     {output.cell(found['sender'])} ({address}, {found['network']})"
    yield f"  to       {output.cell(found['recipient']) or 'nobody: this chat is not paired'}"
    yield f"  written  {output.when(found['sent_at'])}"
    yield ""
    yield from quoted(marked(found["text"], [span for match in matches for span in match["spans"]]))
    yield from _files(found["files"])
    if verdict["text"] != found["text"]:
        yield ""
        yield "  Released as it is masked:"
        yield from quoted(output.cell(line) for line in verdict["text"].split("\n"))
    yield ""
    yield from _why(verdict, matches)
    if found["review"]["waits"]:
        yield "  Everything later in this conversation waits behind it."
    yield ""
    yield from _next_commands(found, masked=verdict["text"] != found["text"])


def _standing(review: Mapping[str, Any], now: int) -> str:
    if review["state"] == "open":
        queue = f" in queue {output.cell(review['queue'])}" if review["queue"] else ""
        due = f", {'due ' if review['due_at'] > now else ''}{due}" if (due := _due(review, now)) else ""
        return f"held for {output.span(now - review['opened_at'])}{queue}{due}"
    return f"{review['state']} at {output.when(review['decided_at'])}"


def _files(files: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for file in files:
        size = f"{file['size']:,} bytes" if file["state"] == "archived" else file["state"]
        yield f"  │ 📎 {output.cell(file['name'])} ({size})"


def _why(verdict: Mapping[str, Any], matches: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What holds it comes first, then what other rules found."""
    holding = [one for one in matches if (verdict["cause"], one["outcome"]) == ("rule", "hold")]
    if not holding:
        yield f"  Held because {output.cell(verdict['reason'])}."
    for match in [*holding, *(one for one in matches if one not in holding)]:
        title = output.cell(match["title"] or match["rule"])
        yield f"  {title} (rule {match['rule']} of {match['policy']}, would {match['outcome']})"
        if match["why"]:
            yield f"    {output.cell(match['why'])}"


def _next_commands(found: Mapping[str, Any], *, masked: bool) -> Iterator[str]:
    number = found["message"]
    if found["review"]["state"] != "open":
        yield f"  weighbridge audit show {number}"
        return
    if not found["recipient"]:
        yield f"  weighbridge people pair ADVISOR {output.cell(found['conversation'])} --reason TEXT"
    yield f"  weighbridge review release {number} --reason TEXT"
    if masked:
        yield f"  weighbridge review release {number} --reason TEXT --as-written"
    yield f"  weighbridge review reject {number} --reason TEXT"


def quoted(lines: Iterable[str]) -> Iterator[str]:
    """Lines of somebody's text, set apart from ours."""
    return (f"  │ {line}" for line in lines)


def marked(text: str, spans: Sequence[Sequence[int]]) -> list[str]:
    """Lines of `text`, harmless, with every character that any of `spans` covers between marks.

    Spans are (start, end) in characters, end exclusive; they may overlap.
    """
    inside = {index for start, end in spans for index in range(start, end)}
    pieces: list[str] = []
    for index, char in enumerate(text):
        if index in inside and index - 1 not in inside:
            pieces.append(MARKS[0])
        pieces.append("\n" if char == "\n" else output.cell(char))
        if index in inside and index + 1 not in inside:
            pieces.append(MARKS[1])
    return "".join(pieces).split("\n")


@review.command()
@_NUMBER
@click.option("--as-written", is_flag=True, help="Take the masks off: the reader gets what was written.")
@reason_option
@person_option
@pass_root
def release(root: Root, number: int, as_written: bool, reason: str, person: str) -> None:
    """Let a held message go on its way; its sender is told. Masks stay on."""
    from bridge import desk

    root.act(lambda store: desk.release(store, number, person, reason, as_written=as_written))
    how = "as it was written" if as_written else "as the policy leaves it"
    click.echo(f"Message {number} goes on its way {how}; released by {output.cell(person)}.")


@review.command()
@_NUMBER
@reason_option
@person_option
@pass_root
def reject(root: Root, number: int, reason: str, person: str) -> None:
    """Refuse a held message. It stays in the archive and goes nowhere; its sender is told."""
    from bridge import desk

    root.act(lambda store: desk.reject(store, number, person, reason))
    click.echo(f"Message {number} goes nowhere; rejected by {output.cell(person)}.")


# --- after delivery -------------------------------------------------------------------------------------


@review.command()
@click.option(
    "--day",
    required=True,
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="A day that is over, UTC.",
)
@reason_option
@person_option
@pass_root
def draw(root: Root, day: datetime, reason: str, person: str) -> None:
    """Draw a day's delivered messages for review.

    They are drawn by the ledger's root, so that nobody can choose.
    """
    from bridge import desk

    drawn = root.act(lambda store: desk.draw(store, day.date(), person, reason))
    if not drawn:
        click.echo(f"No message of {day:%Y-%m-%d} was eligible; that is recorded.")
        return
    click.echo(f"Drawn for {day:%Y-%m-%d}: {len(drawn)} message(s). See `weighbridge review list --sampled`.")


@review.command()
@_NUMBER
@click.option("--finding", required=True, metavar="TEXT", help="What was found in it; it is recorded.")
@person_option
@pass_root
def close(root: Root, number: int, finding: str, person: str) -> None:
    """Say what was found in a drawn message."""
    from bridge import desk

    root.act(lambda store: desk.close(store, number, person, finding))
    click.echo(f"Message {number} was reviewed by {output.cell(person)}.")
