"""`weighbridge retention`: how long records live and why; what starts a period, and what makes it longer.

Rules of this file: no logic; periods are computed in `bridge.records.terms`, acts go to `bridge.desk`. An act
about many records shows first how many it changes, and does nothing without --yes.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.output import Exit
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root, person_option, reason_option, words

if TYPE_CHECKING:
    from bridge.ports import Order
    from bridge.store.assigning import Assignment
    from bridge.store.database import Database
    from bridge.store.lives import Claim, Foreseen, Life

_CLASSES = {
    "class": "CLASS", "records": "RECORDS", "waiting": "WAIT FOR AN EVENT", "due": "PAST THEIR TERM",
    "earliest": "FIRST END",
}  # fmt: skip

_PRESETS = {
    "name": "PRESET", "keep": "KEEP", "start": "FROM", "first": "AT HAND", "place": "PLACE",
    "known": "KNOWN", "rule": "RULE",
}  # fmt: skip

_ASSIGNMENTS = {
    "name": "CLASS", "state": "STATE", "keep": "KEEP", "records": "RECORDS", "query": "FOR WHAT FINDS",
    "person": "PROPOSED BY", "reason": "WHY", "ended_by": "AGREED OR REFUSED BY",
}  # fmt: skip

_STATES = {
    "retention:proposed": "proposed",
    "retention:assigned": "agreed",
    "retention:refused": "refused",
}

_PERIOD = re.compile(r"[0-9]{1,6}[dmy]", re.ASCII)

_query_option = click.option(
    "--query", required=True, metavar="QUERY", callback=words, help="Which records, as a search."
)
_yes_option = click.option("--yes", is_flag=True, help="Do it. Without it, only the counts are shown.")


@click.group()
def retention() -> None:
    """How long records live, and why.

    \b
    weighbridge retention explain 17
    weighbridge retention list
    weighbridge retention event deal-termination --query "tag:swap-42" \\
        --at 2026-11-22 --reason "the swap ended"
    weighbridge retention extend --query "from:alice.wong" --keep 7y \\
        --reason "asked by the authority"
    weighbridge retention assign old --query "before:2026-01-01" --keep 7y \\
        --reason "from before there was a rule"
    weighbridge retention assignments
    weighbridge retention assign old --approve --reason "seen the counts"
    weighbridge retention assign older --refuse --reason "too wide"
    weighbridge retention presets
    """


# --- looking --------------------------------------------------------------------------------------------


@retention.command()
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
@output.json_option
@pass_root
def explain(root: Root, number: int, as_json: bool) -> None:
    """Until when message ID is kept, and why.

    By which rule, and what else keeps it. "Until" is the first day on which it may go (UTC), here and
    everywhere.
    """
    from bridge.cli.compose import WallClock
    from bridge.store.disposal import fate
    from bridge.store.lives import life

    if gone := root.read(lambda db: fate(db, number)):
        output.json_line(gone) if as_json else click.echo(_gone(gone))
        return
    now = WallClock().now()
    found = root.read(lambda db: life(db, number, now))
    if as_json:
        output.json_line(_as_record(found))
        return
    click.echo(_sentence(found))
    for line in _reasons(found):
        click.echo(f"  {line}")


def _gone(fate: Mapping[str, Any]) -> str:
    """What became of a record that is no more."""
    return (
        f"Message {fate['message']} was disposed of on {_day(fate['disposed_at'])} by disposal "
        f"{fate['disposal']}: {fate['class']} kept it until {_day(fate['until'])}."
    )


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d")


def _sentence(found: Life) -> str:
    """What it comes to, in a line: until when, and what else."""
    one = found.standing
    if not one.kept:
        return f"Message {one.number} may be disposed of: its term ended on {_day(one.until or 0)}."
    until = "without an end" if one.last.until is None else f"until {_day(one.last.until)}"
    others = [reason for reason in one.kept if not reason.startswith("retention until")]
    why = "".join(f"; {output.cell(reason)}" for reason in others)
    return f"Message {one.number} is kept {until}{_because(found)}{why}."


def _because(found: Life) -> str:
    """What its end comes from: a class, or somebody's order; or that of an edit, of a recall, of what it
    edits."""
    last = found.standing.last
    if last.number not in (found.standing.number, found.about):
        with_class = f" ({output.cell(last.because)})" if last.because else ""
        return f" because of message {last.number}, with which it is joined{with_class}"
    if order := found.governing:
        person, reason = output.cell(order.person), output.cell(order.reason)
        return f" because {person} extended it on {_day(order.at)} ({reason})"
    return f" because {output.cell(found.standing.because)}" if found.standing.because else ""


def _reasons(found: Life) -> Iterator[str]:
    """Everything that led to it, a line each."""
    if found.about:
        yield f"it is a notice, and shares the fate of message {found.about}"
    yield f"archived {output.when(found.archived_at)}"
    for claim in found.classes:
        one = claim.retention
        until = "the event has not happened" if claim.until is None else f"until {_day(claim.until)}"
        yield f"{output.cell(one.key)}: {one.keep} from {output.cell(one.start)}, {until}{_cited(claim)}"
    for name, at in found.happened.items():
        yield f"{output.cell(name)} happened on {_day(at)}"
    if order := found.extension:
        who, why = output.cell(order.person), output.cell(order.reason)
        yield f"extended until {_day(order.until)} by {who} on {_day(order.at)}: {why}"
    if found.readable_until:
        yield f"readable at once until {_day(found.readable_until)}"
    if found.write_once:
        yield "only write-once media will do"


def _cited(claim: Claim) -> str:
    cited = _rule(claim.preset)
    return f" ({claim.preset}: {cited['rule']}, {cited['known']})" if cited else ""


def _rule(name: str) -> dict[str, Any]:
    """What a preset cites, and how it is known."""
    from bridge.policy.presets import PRESETS

    one = PRESETS.get(name)
    return {"rule": one.rule, "known": _known(one.confirmed)} if one else {}


def _known(confirmed: bool) -> str:
    return "confirmed" if confirmed else "not confirmed"


def _as_record(found: Life) -> dict[str, Any]:
    one = found.standing
    classes = [
        {**asdict(claim.retention), "until": claim.until, "preset": claim.preset, **_rule(claim.preset)}
        for claim in found.classes
    ]
    return {
        "message": one.number,
        "about": found.about or None,
        "archived_at": found.archived_at,
        "until": one.until,
        "because": one.because,
        "last": one.last._asdict(),
        "kept": list(one.kept),
        "classes": classes,
        "happened": found.happened,
        "extended": found.extension.until if found.extension else 0,
        "extension": asdict(found.extension) if found.extension else None,
        "readable_until": found.readable_until,
        "write_once": found.write_once,
    }


@retention.command("list")
@output.json_option
@pass_root
def list_(root: Root, as_json: bool) -> None:
    """The classes that govern records, and how many each.

    Also when the first ends, and how many are past their term.
    """
    from bridge.cli.compose import WallClock
    from bridge.store.terms import counts

    now = WallClock().now()
    rows = [asdict(one) for one in root.read(lambda db: counts(db, now))]
    shown = rows if as_json else [_class_line(row) for row in rows]
    output.listing(shown, _CLASSES, as_json=as_json, empty="No record has a class yet.")


def _class_line(row: Mapping[str, Any]) -> dict[str, Any]:
    earliest = _day(row["earliest"]) if row["earliest"] else ""
    return {**row, "class": row["key"] or "none: kept without an end", "earliest": earliest}


@retention.command()
@output.json_option
def presets(as_json: bool) -> None:
    """The periods of regulations.

    Each with its rule, and how it is known."""
    from bridge.policy.presets import PRESETS

    rows = [{**one._asdict(), "known": _known(one.confirmed)} for one in PRESETS.values()]
    output.listing(rows, _PRESETS, as_json=as_json)


# --- acts -----------------------------------------------------------------------------------------------


@retention.command("event")
@click.argument("name", metavar="NAME")
@_query_option
@click.option(
    "--at", required=True, type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="The day of it, UTC."
)
@_yes_option
@reason_option
@person_option
@output.json_option
@pass_root
def happened(
    root: Root, name: str, query: str, at: datetime, yes: bool, reason: str, person: str, as_json: bool
) -> int:
    """Say that what a class waits for has happened.

    NAME is that of the event in the policy, like deal-termination. It is said for the records that a query
    finds.
    """
    from bridge.ports import Order

    # The end of that day: what happened in the evening must not begin in the morning.
    moment = round(at.replace(tzinfo=UTC).timestamp() * 1000) + 86_399_999
    return _order(root, Order(person, reason, query, event=name, at=moment), yes=yes, as_json=as_json)


@retention.command()
@_query_option
@click.option("--keep", default="", metavar="PERIOD", help="For so long from their creation: 7y, 18m, 90d.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    default=None,
    metavar="DAY",
    help="To the end of this day, UTC: it may go from the next one on.",
)
@_yes_option
@reason_option
@person_option
@output.json_option
@pass_root
def extend(
    root: Root,
    query: str,
    keep: str,
    until: datetime | None,
    yes: bool,
    reason: str,
    person: str,
    as_json: bool,
) -> int:
    """Keep the records that a query finds longer. Never shorter.

    MiFID II knows seven years instead of five.
    """
    from bridge.ports import Order

    moment = round(until.replace(tzinfo=UTC).timestamp() * 1000) + 86_400_000 if until else 0
    if bool(keep) == bool(until):
        raise click.UsageError("say one of --keep, --until")
    order = Order(person, reason, query, until=moment, keep=_period(keep))
    return _order(root, order, yes=yes, as_json=as_json)


@retention.command()
@click.argument("name", metavar="NAME")
@click.option("--query", default=None, metavar="QUERY", callback=words, help="Which records, as a search.")
@click.option("--keep", default="", metavar="PERIOD", help="For so long from their creation: 7y, 18m, 90d.")
@click.option("--approve", is_flag=True, help="Agree to what another person proposed.")
@click.option("--refuse", is_flag=True, help="Give it to no record; whoever proposed it takes it back so.")
@click.option(
    "--records",
    type=click.IntRange(1),
    default=None,
    metavar="NUMBER",
    help="With --approve: how many get it, if they are more than were proposed.",
)
@_yes_option
@reason_option
@person_option
@output.json_option
@pass_root
def assign(
    root: Root,
    /,
    name: str,
    query: str | None,
    keep: str,
    approve: bool,
    refuse: bool,
    records: int | None,
    yes: bool,
    reason: str,
    person: str,
    as_json: bool,
) -> int:
    """Propose class NAME for the records that have none. With --approve, agree to that; --refuse ends it.

    Without a class a record is kept without an end. One person proposes a period for what a query finds,
    another one gives it, to those that were archived before. A record that has a class keeps it. What was
    proposed is shown to whoever agrees, and by `retention assignments`.
    """
    if approve + refuse + bool(keep) != 1:
        raise click.UsageError("say one of --keep, --approve, --refuse")
    if not keep and query is not None:
        raise click.UsageError("--query goes with --keep: to agree or refuse is about what was proposed")
    if records and not approve:
        raise click.UsageError("--records goes with --approve")
    if refuse:
        return _refuse(root, name, person, reason, as_json=as_json)
    if approve:
        count, done = _agree(root, name, person, reason, records or 0, yes=yes, as_json=as_json)
    else:
        count, done = _propose(root, name, query or "", _period(keep), person, reason, yes=yes)
    if as_json:
        output.json_line({"class": name, "records": count, "changed": done})
    else:
        output.details(
            [("records without a class", f"{count:,}"), ("given it now", f"{done:,}")], as_json=False
        )
    if not yes:
        output.note("Nothing was changed: repeat it with --yes.")
    elif not approve:
        output.note(f"It takes another person: `weighbridge retention assign {name} --approve`.")
    return Exit.DONE


def _propose(
    root: Root, name: str, query: str, keep: str, person: str, reason: str, *, yes: bool
) -> tuple[int, int]:
    from bridge.store import assigning

    count = len(_classless(root, query, person, reason))
    wanted = assigning.Assignment(name, query, keep, person, reason)
    if yes:
        root.act(lambda one: one.write(lambda tx: assigning.propose(tx, one.lane, wanted, count)))
    return count, 0


def _refuse(root: Root, name: str, person: str, reason: str, *, as_json: bool) -> int:
    from bridge.store import assigning

    root.act(lambda one: one.write(lambda tx: assigning.refuse(tx, one.lane, name, person, reason)))
    if as_json:
        output.json_line({"class": name, "refused_by": person})
        return Exit.DONE
    click.echo(f"No record gets class {name}; said by {output.cell(person)}.")
    return Exit.DONE


def _agree(
    root: Root, name: str, person: str, reason: str, named: int, *, yes: bool, as_json: bool
) -> tuple[int, int]:
    """Show what was proposed and what it comes to today; agree to it, if that was said."""
    from bridge.store import assigning
    from bridge.store.rows import chunks
    from bridge.store.terms import CHUNK

    wanted = root.read(lambda db: assigning.assignment(db, name))
    numbers = _left_of(root, wanted) if wanted.place else _classless(root, wanted.query, person, reason)
    if not as_json:
        output.details(_proposed(wanted, len(numbers)), as_json=False)
    if not yes:
        return len(numbers), 0
    policy = root.settings().policy
    entitled = assigning.Entitled(policy.approvers, policy.legal_approvers)

    async def job(one: Database) -> int:
        await one.write(
            lambda tx: assigning.agree(tx, one.lane, name, person, reason, numbers, entitled, named)
        )
        done = 0
        for some in chunks(numbers, CHUNK):
            done += await one.write(partial(assigning.carry_out, name=name, numbers=some))
        return done

    return len(numbers), root.act(job)


def _left_of(root: Root, agreed: Assignment) -> list[int]:
    """The records that were agreed to and have not got their class yet."""
    from bridge.records.exports.numbers import numbers_of
    from bridge.store.assigning import classless

    return root.read(lambda db: classless(db, list(numbers_of(agreed.numbers)), agreed.at))


def _proposed(one: Assignment, today: int) -> list[tuple[str, str]]:
    """What somebody is to agree to, and how far it is another number than was proposed; or who has agreed."""
    if one.place:
        agreed = [("agreed by", one.ended_by), ("because ", one.why), ("records", one.numbers)]
        return [*_about(one), *agreed]
    changed = f" ({today - one.records:+,})" if today != one.records else ""
    return [
        *_about(one),
        ("records when proposed", f"{one.records:,}"),
        ("records today", f"{today:,}{changed}"),
    ]


def _about(one: Assignment) -> list[tuple[str, str]]:
    return [
        *(("class", f"assigned/{one.name}"), ("for what finds", one.query or "(all records)")),
        *(("keep", f"{one.keep} from their creation"), ("proposed by", one.person)),
        *(("because", one.reason), ("proposed", output.when(one.proposed_at))),
    ]


@retention.command()
@click.argument("name", metavar="[NAME]", default="")
@output.json_option
@pass_root
def assignments(root: Root, name: str, as_json: bool) -> None:
    """Classes proposed for records without one.

    All, or NAME alone: for which records, by whom and why, and who agreed or refused.
    """
    from bridge.store import assigning

    if name and not as_json:
        one = root.read(lambda db: assigning.assignment(db, name))
        pairs = [*_about(one), ("records when proposed", f"{one.records:,}"), ("state", _STATES[one.state])]
        ended = [("by", one.ended_by), ("because ", one.why)] if one.ended_by else []
        output.details([*pairs, *ended], as_json=False)
        return
    found = root.read(lambda db: [assigning.assignment(db, name)] if name else assigning.assignments(db))
    rows = [{**asdict(one), "state": _STATES[one.state]} for one in found]
    shown = rows if as_json else [_short(row) for row in rows]  # one by its name is shown whole
    output.listing(
        shown, _ASSIGNMENTS, as_json=as_json, empty="Nobody proposed a class for records without one."
    )


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, **{name: output.cut(row[name], 40) for name in ("query", "reason")}}


def _classless(root: Root, query: str, person: str, reason: str) -> list[int]:
    """Of the records that a query finds those without a class; who asks is written down first."""
    from bridge.cli.audit.finding import matching
    from bridge.cli.audit.looking import Recorder
    from bridge.store.assigning import classless
    from bridge.store.looks import Looker, Search

    found = root.read(lambda db: classless(db, [one.number for one in matching(db, query)]))
    searched = Search("retention", query, len(found), indexed=False)
    Recorder(root, Looker(person, reason)).searched(searched)
    return found


def _period(text: str) -> str:
    from bridge.records.terms import LONGEST, is_too_long

    if text and not (_PERIOD.fullmatch(text) and int(text[:-1])):
        raise click.BadParameter(f"{text!r} is no period: write 7y, 18m or 90d", param_hint="--keep")
    if text and is_too_long(text):
        raise click.BadParameter(
            f"{text!r} is longer than {LONGEST}, and no period is ever shortened: what has to stay longer is "
            "for `weighbridge hold place`",
            param_hint="--keep",
        )
    return text


def _order(root: Root, order: Order, *, yes: bool, as_json: bool) -> int:
    """Show what an order would do; do it, if that was said."""
    from bridge import desk

    numbers, foreseen = _foreseen(root, order)
    done = root.act(lambda store: desk.lengthen(store, order, numbers)) if yes and foreseen.longer else 0
    if as_json:
        output.json_line({**asdict(foreseen), "changed": done})
    else:
        _tell(foreseen, done)
    if not yes:
        output.note("Nothing was changed: repeat it with --yes.")
    return Exit.DONE


def _foreseen(root: Root, order: Order) -> tuple[Sequence[int], Foreseen]:
    """The records that an order is about, and what it would do to them; who asks is written down first. No
    index is asked: what one hides would not be kept longer."""
    from bridge.cli.audit.finding import archive
    from bridge.cli.audit.looking import Recorder
    from bridge.store.lives import foresee
    from bridge.store.looks import Looker, Search

    with archive(root.settings(), UTC, indexed=False) as asked:
        recorder = Recorder(root, Looker(order.person, order.reason))
        query = asked.query(order.query, "retention", lambda: recorder)
        with progress("looking at records") as tell:
            found = asked.every(query, tell)
            numbers = array("q", (one.number for one in found if one.notice_for is None))
        foreseen = foresee(asked.db, order, numbers)
    recorder.searched(Search("retention", order.query, foreseen.records, indexed=False))
    return numbers, foreseen


def _tell(foreseen: Foreseen, done: int) -> None:
    pairs = [
        *(("records", f"{foreseen.records:,}"), ("kept longer, or given their end", f"{foreseen.longer:,}")),
        ("kept as long anyway", f"{foreseen.enough:,}"),
        ("without a class, kept without an end", f"{foreseen.endless:,}"),
        *([("changed", f"{done:,}")] if done else []),
    ]
    output.details(pairs, as_json=False)
