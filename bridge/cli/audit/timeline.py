"""`weighbridge audit timeline`: what happened to a message, or in a conversation, in order of time.

Rules of this file: no logic; stages are made by `bridge.cli.audit.stages`. Who is shown people's words, and
why, is written down before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.audit import stages
from bridge.cli.audit.columns import LEAST, time_of
from bridge.cli.audit.finding import (
    QUERYING,
    Archive,
    archive,
    no_index_option,
    query_argument,
    sentence,
    written,
)
from bridge.cli.audit.looking import Recorder, looking, recorder_of
from bridge.cli.audit.search import terminal_width
from bridge.cli.audit.stages import Stage
from bridge.cli.audit.zone import zone_option
from bridge.cli.root import Root, pass_root
from bridge.errors import Missing

if TYPE_CHECKING:
    from sqlalchemy import Connection

Found = Sequence[Mapping[str, Any]]

_LEAD = 80
"""Cells that stand before a message's text, in the stage in which it came."""


@click.command(context_settings=QUERYING)
@query_argument
@click.option("--seen", is_flag=True, help="What the readers were shown instead, in the order they saw it.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Messages.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--jsonl", "as_lines", is_flag=True, help="One JSON object per line.")
@no_index_option
@zone_option
@looking
@pass_root
def timeline(
    root: Root,
    words: tuple[str, ...],
    *,
    seen: bool,
    limit: int,
    as_json: bool,
    as_lines: bool,
    indexed: bool,
    zone: tzinfo | None,
    person: str,
    reason: str,
    case: str,
) -> None:
    """What happened, stage by stage: to one message (its ID), or to all that fulfil QUERY.

    \b
    weighbridge audit timeline 17
    weighbridge audit timeline in:room-li-lei during:2026-11-22
    weighbridge audit timeline with:李雷 during:yesterday --seen

    Each stage has its time, message, place in the ledger and hash. --seen tells the other side's view: what
    each reader was shown, masked and with what the firm added. Who looks is written into the ledger first.
    """
    text = written(words)
    settings = root.settings()
    with archive(settings, zone, indexed=indexed) as asked:
        asking = partial(recorder_of, root, settings, person, reason, case)
        found, note = _found(asked, text, limit, asking)
        _record(asking(), text, found, indexed=indexed)
        rows = _seen(found) if seen else _stages(found)
        if as_json:
            output.json_line({"query": text, "seen" if seen else "stages": rows})
        elif as_lines:
            for row in rows:
                output.json_line(row)
        else:
            cells = output.narrow()
            for line in _lines_seen(rows, asked.zone) if seen else _lines(found, asked.zone):
                for part in output.folded(line, cells) if cells else (line,):
                    click.echo(part)
        output.note(note)


def _found(asked: Archive, text: str, limit: int, asking: Callable[[], Recorder]) -> tuple[Found, str]:
    """The messages that were meant, and what was searched for them. Raises Missing when there is none."""
    from bridge.store import views

    if text.isdecimal():
        one = views.message(asked.db, int(text))
        if one is None:
            raise Missing(f"there is no message {text}, or no more: see `weighbridge audit show {text}`.")
        return [one], ""
    page = asked.page(asked.query(text, "timeline", asking), limit)
    numbers = sorted(one.number for one in page.documents)
    said = sentence(asked, page.searched)
    more = f"The {limit:,} {'newest' if limit > 1 else 'one'} of them (--limit). " if page.more else ""
    return list(_messages(asked.db, numbers)), more + said


def _messages(db: Connection, numbers: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """Lives as they were; who looked at them since is told of single messages alone."""
    from bridge.store import views

    return ({**found, "looks": []} for number in numbers if (found := views.message(db, number)))


def _record(recorder: Recorder, text: str, found: Found, *, indexed: bool) -> None:
    from bridge.store.looks import Search

    numbers = tuple(one["message"] for one in found)
    if text.isdecimal():
        recorder.shown("timeline", numbers)
    else:
        recorder.searched(Search("timeline", text, len(numbers), numbers, indexed))


def _stages(found: Found) -> list[dict[str, Any]]:
    told = [stage for one in found for stage in stages.stages(one)]
    return [stages.record(stage) for stage in sorted(told, key=lambda stage: stage.at)]


def _lines(found: Found, zone: tzinfo) -> Iterator[str]:
    told = sorted((stage for one in found for stage in stages.stages(one)), key=lambda stage: stage.at)
    cells = output.narrow()
    room = max(2 * cells if cells else terminal_width() - _LEAD, LEAST)
    texts = {one["message"]: _said(one, room) for one in found}
    rows = [
        [time_of(one.at, zone), str(one.message), one.place, one.leaf[:12], _line(one, texts)] for one in told
    ]
    if rows and cells:
        yield from _apart(rows, cells)
    elif rows:
        yield from output.table(
            [["TIME", "ID", "ENTRY", "HASH", "STAGE"], *rows], [False, True, *[False] * 3]
        )


def _apart(rows: Sequence[Sequence[str]], cells: int) -> Iterator[str]:
    """On a narrow terminal: each stage below its time, message, place and hash."""
    for *head, stage in rows:
        yield "  ".join(head).rstrip()
        yield from output.folded(f"  {stage}", cells)


def _line(stage: Stage, texts: Mapping[int, str]) -> str:
    """A stage; where the message came, with what it says."""
    versions = stages.versions(stage)
    arrived = stage.what.startswith("received") or stage.what.startswith("archived")
    said = f"  {texts[stage.message]}" if arrived else ""
    return stages.line(stage) + (f" ({output.cell(versions)})" if versions else "") + said


def _said(one: Mapping[str, Any], room: int) -> str:
    files = "".join(f" 📎 {file['name']}" for file in one["files"])
    said = one["text"].replace("\n", " ⏎ ")
    return output.cut(output.cell(f"{one['sender']} → {one['recipient'] or 'nobody'}: {said}{files}"), room)


# --- the other side's view ------------------------------------------------------------------------------


def _seen(found: Found) -> list[dict[str, Any]]:
    """What readers were shown, in order: every delivery that arrived, notices of the bridge among them."""
    shown = [
        {
            "at": delivery["done_at"],
            "message": one["message"],
            "sender": one["sender"],
            "reader": one["recipient"],
            "network": delivery["network"],
            "marks": delivery["marks"],
            "text": delivery["text"],
            "files": [file["name"] for file in one["files"] if file["state"] == "archived"],
            "receipts": delivery["receipts"],
        }
        for one in found
        for delivery in one["deliveries"]
        if delivery["state"] == "sent"
    ]
    return sorted(shown, key=lambda row: row["at"])


def _lines_seen(rows: Sequence[Mapping[str, Any]], zone: tzinfo) -> Iterator[str]:
    for row in rows:
        head = f"{time_of(row['at'], zone)}  {row['message']}  on {row['network']}, shown to "
        yield click.style(f"{head}{output.cell(row['reader']) or 'its reader'}", dim=True)
        yield from (f"  │ {output.cell(line)}" for line in row["text"].split("\n"))
        yield from (f"  │ 📎 {output.cell(name)}" for name in row["files"])
