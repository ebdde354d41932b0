"""`weighbridge policy backtest`: what a draft would have done to the messages in the archive.

Rules of this file: no logic; messages are read by `bridge.store.backtest`, sums are made by
`bridge.policy.tally`. Nothing is sent, and nothing is written but the record of who looked and why: it is
written before anything is shown, and also when the command is interrupted. Text is shown only when asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.audit.given import TIME
from bridge.cli.output import Exit
from bridge.cli.policy.report import report_lines
from bridge.cli.policy.sides import LIVE, side
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root, person_option, reason_option

if TYPE_CHECKING:
    from bridge.policy.tally import Tally
    from bridge.store.backtest import Extent, Question


_LIMIT = click.IntRange(min=0)


@click.command()
@click.argument("drafts", metavar="DRAFT...", nargs=-1, required=True)
@click.option(
    "--against", multiple=True, default=(LIVE,), show_default=True, help="Policies to compare with."
)
@click.option("--since", type=TIME, default="30d", show_default=True, help="Archived since then.")
@click.option("--until", type=TIME, help="Archived before this time; default: now.")
@click.option("--max-new-holds", "holds", type=_LIMIT, help="Exit code 1 when more messages would be held.")
@click.option("--max-new-blocks", "blocks", type=_LIMIT, help="The same for messages that would be blocked.")
@click.option("--max-looser", "looser", type=_LIMIT, help="The same for messages with a weaker outcome.")
@click.option(
    "--sample", type=click.IntRange(0, 1000), default=20, show_default=True, help="Examples to name."
)
@click.option("--show-text", is_flag=True, help="Print the examples' text too; the record says so.")
@click.option(
    "--seconds-per-hold", type=click.IntRange(1), default=40, show_default=True, help="A reviewer's time."
)
@click.option("--workers", type=click.IntRange(1), help="Processes; default: one for each core.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the report there as JSON."
)
@output.json_option
@reason_option
@person_option
@pass_root
def backtest(root: Root, out: Path | None, as_json: bool, **asked: Any) -> int:
    """Judge the archive again: what would be different if DRAFT were in force?

    Every message is judged twice, as it was written and on the clock of then. The daemon may go on meanwhile.
    Exit code 1 also when there was nothing to judge. The report is kept: `weighbridge policy backtests` shows
    the last ones.
    """
    from bridge.policy.tally import Limits

    found, name = _replayed(root, asked)
    over = Limits(asked["holds"], asked["blocks"], asked["looser"]).exceeded(found)
    if out is not None:
        out.write_bytes(_bytes(found | {"name": name}))
    if as_json:
        output.json_line({"name": name, **found, "over": over})
    else:
        _print(root, name, found, asked["show_text"])
    if not found["replayed"] and not found["partial"]:
        output.note("Nothing to replay: no message of this period could be decided again.")
        return Exit.NO
    for limit in over:
        output.note(f"Over the limit: {limit}.")
    if found["partial"]:
        return Exit.PARTIAL
    return Exit.NO if over else Exit.DONE


def _bytes(value: Mapping[str, Any]) -> bytes:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _replayed(root: Root, asked: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The report, and the name by which it was recorded."""
    from bridge.cli.compose import keeper
    from bridge.policy.tally import Span, Tally, report
    from bridge.store.backtest import Question, extent

    live, draft = side(root, asked["against"]), side(root, asked["drafts"])
    until = asked["until"] or time.time_ns() // 1_000_000
    period = (asked["since"], until)
    url, keys = root.settings().store.url, keeper(root.settings())
    question = Question(url, live.sources, draft.sources, *period, asked["sample"], keys)
    over = root.read(lambda db: extent(db, question.since, until))
    tally = Tally(asked["sample"])
    whole = _gather(question, over, asked["workers"] or os.cpu_count() or 1, tally)
    span = Span(live.hashes, draft.hashes, question.since, until, asked["seconds_per_hold"], not whole)
    found = report(span, tally) | {"text_shown": asked["show_text"]}
    return found, _record(root, asked["person"], asked["reason"], found)


def _gather(question: Question, over: Extent, workers: int, tally: Tally) -> bool:
    """Add everything up; whether it came to its end. What was counted until Ctrl-C is kept."""
    from bridge.store.backtest import replay

    try:
        with progress("replaying") as tell:
            for part in replay(question, over, workers):
                tally.merge(part)
                tell(min(tally.replayed + tally.gaps.total(), over.count), over.count)
    except KeyboardInterrupt:
        return False
    return True


def _record(root: Root, person: str, reason: str, found: Mapping[str, Any]) -> str:
    from bridge.store.backtest import record

    return root.act(lambda store: store.write(lambda tx: record(tx, store.lane, person, reason, found)))


# --- afterwards -----------------------------------------------------------------------------------------


@click.command()
@click.argument("name", required=False)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many at most.")
@output.json_option
@pass_root
def backtests(root: Root, name: str | None, limit: int, as_json: bool) -> None:
    """The last back-tests and who made them, or the report of one by its NAME."""
    from bridge.store.backtest import report_of, reports

    if name is None:
        rows = [_line(one) for one in root.read(lambda db: reports(db, limit))]
        output.listing(rows, _COLUMNS, as_json=as_json, empty="Nobody has made a back-test yet.")
        return
    one = root.read(lambda db: report_of(db, name))
    if as_json:
        output.json_line(one)
        return
    who = f"{output.cell(one['person'])}: {output.cell(one['reason'])}"
    click.echo(f"{one['name']}, {output.when(one['at'])}, by {who}")
    for line in report_lines(one["report"]):
        click.echo(line)


_COLUMNS = {
    "name": "NAME", "time": "TIME", "person": "BY", "messages": "MESSAGES", "new_holds": "NEW HOLDS",
    "new_blocks": "NEW BLOCKS", "looser": "LOOSER", "reason": "REASON",
}  # fmt: skip


def _line(one: Mapping[str, Any]) -> dict[str, Any]:
    found = one["report"]
    counts = {key: found[key] for key in ("new_holds", "new_blocks", "looser")}
    return {
        **{key: one[key] for key in ("name", "person", "reason")},
        "time": output.when(one["at"]),
        "messages": found["replayed"],
        **counts,
    }


def _print(root: Root, name: str, found: Mapping[str, Any], show_text: bool) -> None:
    for line in report_lines(found):
        click.echo(line)
    if show_text:
        for line in _texts(root, found):
            click.echo(line)
    click.echo(f"Recorded as {name}: `weighbridge policy backtests {name}` shows it again.")


def _texts(root: Root, found: Mapping[str, Any]) -> Iterator[str]:
    """The words of the sample: the record that they were shown has been written."""
    from bridge.store import views

    for one in found["sample"]:
        message = root.read(lambda db, number=one["message"]: views.message(db, number))
        if message is not None:
            yield f"  {one['message']}  {output.cut(output.cell(message['text']), 90)}"
