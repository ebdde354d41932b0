"""`weighbridge audit replay`: what was recorded is decided again.

Rules of this file: no logic; the work is done by `bridge.replay`. Only who was shown what people wrote is
written down, before it is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.audit.given import TIME
from bridge.cli.output import Exit
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root, person_option, reading

if TYPE_CHECKING:
    from bridge.replay import Replayed


@click.command()
@click.option("--since", type=TIME, help="Verdicts of this time or later, UTC: a day, 24h, 7d.")
@click.option("--id", "number", type=click.IntRange(1), help="The verdicts on one message.")
@click.option(
    "--show-text", is_flag=True, help="Show what people wrote where it differs; goes into the record."
)
@click.option("--reason", default="", metavar="TEXT", help="With --show-text: why; goes into the record.")
@output.json_option
@person_option
@pass_root
def replay(
    root: Root,
    since: int | None,
    number: int | None,
    show_text: bool,
    reason: str,
    person: str,
    as_json: bool,
) -> int:
    """Decide again from what was recorded: does each verdict come out the same? Exit code 1 if not, or if
    none could be decided again; 5 for evidence that is damaged.

    Uses the policies that decided then, on the clock of then. What a person decided and what the bridge said
    itself are no policy's verdicts: they are counted, and skipped.
    """
    from bridge.replay import Replay
    from bridge.store import recorded
    from bridge.store.policies import sources_of

    wanted = {"since": since or 0, "number": number or 0}
    if show_text:
        _record_look(root, person, reason, wanted)
    counts: Counter[tuple[str, str]] = Counter()
    engines: Counter[str] = Counter()
    with reading(root.settings()) as db, progress("deciding again") as tell:
        total = recorded.count(db, **wanted)
        work = Replay(lambda hashes: sources_of(db, hashes))
        for done, one in enumerate(work.each(recorded.judgements(db, **wanted)), 1):
            counts[one.result, one.why] += 1
            engines.update(filter(None, [one.engine]))
            _tell_replayed(one, show_text=show_text, as_json=as_json)
            tell(done, total)
    return _conclude_replay(counts, engines, as_json=as_json)


def _record_look(root: Root, person: str, reason: str, wanted: Mapping[str, int]) -> None:
    """Before anything is shown: who is shown what people wrote, and why."""
    from bridge.store.recorded import record_look

    if not reason.strip():
        raise click.UsageError("--show-text needs --reason: who reads what people wrote is written down")
    root.act(
        lambda store: store.write(lambda tx: record_look(tx, store.lane, person, reason.strip(), wanted))
    )


def _tell_replayed(one: Replayed, *, show_text: bool, as_json: bool) -> None:
    """Print what is not as it was."""
    if one.result not in ("different", "damaged", "not replayable"):
        return
    if as_json:
        found = [_difference(*each, show_text=show_text) for each in one.differences]
        plain = {"verdict": one.id, "message": one.seq, "result": one.result, "why": one.why}
        output.json_line(plain | {"differences": found})
    elif one.result == "damaged":
        click.echo(f"✗ message {one.seq}, verdict {one.id}: {output.cell(one.why)}")
    elif one.result == "different":
        click.echo(f"✗ message {one.seq}, verdict {one.id}: it comes out differently now")
        for each in one.differences:
            for line in _difference_lines(*each, show_text=show_text):
                click.echo(f"    {line}")


_WORDS = "text"
"""The one field of a verdict that holds what people wrote."""


def _difference(field: str, before: Any, after: Any, *, show_text: bool) -> dict[str, Any]:
    from bridge.replay import first_difference

    if field != _WORDS or show_text:
        return {"field": field, "recorded": before, "now": after}
    lengths = {"recorded_length": len(before), "now_length": len(after)}
    return {"field": field, **lengths, "first_difference": first_difference(before, after)}


def _difference_lines(field: str, before: Any, after: Any, *, show_text: bool) -> Iterator[str]:
    from bridge.replay import flat

    if field != _WORDS or show_text:
        for place, one, other in flat(field, before, after):
            yield f"{output.cell(place)}: recorded {_value(one)}, now {_value(other)}"
        return
    said = _difference(field, before, after, show_text=False)
    yield (
        f"text differs: recorded {said['recorded_length']:,} characters, now {said['now_length']:,}, "
        f"first at character {said['first_difference'] + 1:,}"
    )


def _value(value: Any) -> str:
    """A single value of a record, on one line and not too long."""
    return output.cut(output.cell(value), 60) or "nothing"


def _conclude_replay(
    counts: Mapping[tuple[str, str], int], engines: Mapping[str, int], *, as_json: bool
) -> int:
    """Print the sums, and say what they come to."""
    from bridge.replay import RESULTS

    totals = {result: sum(n for (one, _), n in counts.items() if one == result) for result in RESULTS}
    reasons = {
        result: {why: n for (one, why), n in counts.items() if one == result and why} for result in RESULTS
    }
    if as_json:
        whys = {result: why for result, why in reasons.items() if why}
        output.json_line({**totals, "why": whys, "engines": dict(engines)})
    else:
        for line in _sums(totals, reasons, engines):
            click.echo(line)
    code, words = _outcome(totals)
    if not as_json:
        click.echo(words if code is Exit.DONE else click.style(words, bold=True))
    return code


def _sums(
    totals: Mapping[str, int], reasons: Mapping[str, Mapping[str, int]], engines: Mapping[str, int]
) -> Iterator[str]:
    for result, total in totals.items():
        if total:
            yield f"  {total:,} {result}"
        yield from (f"    {n:,}: {output.cell(why)}" for why, n in sorted(reasons[result].items()))
    for engine, n in engines.items():
        yield f"  {n:,} were decided by {output.cell(engine)}, another version than this one"


def _outcome(totals: Mapping[str, int]) -> tuple[Exit, str]:
    """The exit code, and the sentence that goes with it. A sign of success only when nothing is open."""
    if totals["damaged"]:
        return Exit.INTEGRITY, f"✗ {totals['damaged']:,} verdict(s) rest on evidence that is damaged."
    if totals["different"]:
        return Exit.NO, f"✗ {totals['different']:,} verdict(s) come out differently."
    if totals["not replayable"]:
        same = f"{totals['identical']:,} come out as recorded" if totals["identical"] else "none was"
        return Exit.NO, f"{totals['not replayable']:,} verdict(s) could not be decided again; {same}."
    if not totals["identical"]:
        return Exit.NO, "Nothing to replay: no verdict of a policy was chosen."
    return Exit.DONE, "✓ Every verdict comes out as it was recorded."
