"""`weighbridge hold`: legal holds, placed at once, lifted by two people.

Rules of this file: no logic; what a hold covers is in `bridge.store.holds`, acts go to `bridge.desk`. Whoever
asks how much one would cover looks into the archive, and that is written down first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.audit.finding import PAGE, archive, composed, in_utc
from bridge.cli.audit.looking import looking
from bridge.cli.output import Exit
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root, person_option, reason_option, words

if TYPE_CHECKING:
    from bridge.cli.audit.finding import Archive
    from bridge.records.exports.numbers import Numbers
    from bridge.search.query import Query
    from bridge.store.documents import Stored
    from bridge.store.identities import Identity

_COLUMNS = {
    "name": "HOLD", "state": "STATE", "written": "WHAT IT COVERS", "placed": "SINCE", "person": "BY",
    "reason": "WHY",
}  # fmt: skip

_NAME = click.argument("name", metavar="NAME")


@dataclass(frozen=True, slots=True)
class What:
    """What a hold is to cover, as it was typed: one of the five, and a first day."""

    people: Sequence[str]
    conversations: Sequence[str]
    query: str
    messages: Sequence[int]
    since: str
    unknown: bool
    case: str = ""


@dataclass(slots=True)
class Covering:
    """What that comes to: one query, messages by their `numbers` (without a query these alone), the people
    whom it names, and what nobody here has heard of. `said` is how it is told, if not as the query. Of what
    comes later, `changing` are conditions that somebody's act may make untrue."""

    query: str
    numbers: Numbers = field(default_factory=lambda: _numbers())
    said: str = ""
    meant: list[Identity] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)
    changing: list[str] = field(default_factory=list)


def _covering(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what a hold covers."""
    for option in (
        click.option(
            "--unknown", is_flag=True, help="Also for people, conversations or messages not heard of yet."
        ),
        click.option(
            "--since",
            default="",
            metavar="DAY",
            callback=words,
            help="Only what was archived from this day on.",
        ),
        click.option(
            "--message", "messages", type=click.IntRange(1), multiple=True, metavar="ID", help="One message."
        ),
        click.option(
            "--query", default="", metavar="QUERY", callback=words, help="What a search finds, now and later."
        ),
        click.option(
            "--conversation",
            "conversations",
            multiple=True,
            metavar="KEY",
            callback=words,
            help="All of a conversation, both sides, by either key.",
        ),
        click.option(
            "--person",
            "people",
            multiple=True,
            metavar="NAME",
            callback=words,
            help="Whatever somebody writes or reads.",
        ),
    ):
        command = option(command)
    return command


@click.group()
def hold() -> None:
    """Legal holds: nothing that one covers is disposed of, whatever its term.

    \b
    weighbridge hold preview --person alice.wong@bank.example --reason CASE-7
    weighbridge hold preview --case CASE-7 --reason letter
    weighbridge hold place CASE-7 --person alice.wong@bank.example --reason letter
    weighbridge hold list
    weighbridge hold lift CASE-7 --reason "settled"
    weighbridge hold lift CASE-7 --approve --reason "seen the settlement"
    """


@hold.command()
@_covering
@output.json_option
@looking
@pass_root
def preview(root: Root, /, *, as_json: bool, person: str, reason: str, case: str, **options: Any) -> None:
    """How much a hold would cover: messages, conversations, people. Nothing is placed.

    Who asks is written into the ledger first. With --case alone: how much a hold on that case would.
    """
    from bridge.cli.audit.looking import recorder_of
    from bridge.store.looks import Search

    settings = root.settings()
    what = What(**options)
    what = what if any(_kinds(what)) else replace(what, case=case)
    covering = _covered(root, what)
    counts = _counted(root, covering)
    recorder = recorder_of(root, settings, person, reason, case)
    recorder.searched(Search("hold preview", covering.said or covering.query, counts["messages"]))
    _check(covering, what)
    _show(covering, counts, as_json=as_json)


@hold.command()
@_NAME
@_covering
@click.option(
    "--case", default="", metavar="NUMBER", callback=words, help="What was looked for or handed over for it."
)
@reason_option
@person_option
@output.json_option
@pass_root
def place(root: Root, /, name: str, *, reason: str, person: str, as_json: bool, **options: Any) -> None:
    """Place hold NAME, at once. It is on people, conversations, messages, a case, or what a query finds.

    It covers what was archived before as well as what comes; what somebody wrote, and what was written to
    them, under every id that the archive knows them by. Whom and what nobody has heard of is refused: a
    slip of the pen would hold nothing. Times in a query are UTC unless it says `tz:`. What a query finds now
    stays held whatever becomes of it, and what it will find is held as well. A case is what people searched
    for, were shown, or handed over with --case. Whoever names one half of a conversation holds both.
    """
    from bridge import desk
    from bridge.ports import Placing

    what = What(**options)
    covering = _covered(root, what)
    _check(covering, what)
    query = str(composed(covering.query)) if covering.query else ""
    written = covering.said or covering.query
    placing = Placing(name, query, written, person, reason, str(covering.numbers))
    root.act(lambda store: desk.place_hold(store, placing))
    output.note(f"Hold {name} stands, placed by {output.cell(person)}.")
    if covering.changing:
        said = output.cell(", ".join(covering.changing))
        output.note(f"What comes later is held while it fits; what people do may end that: {said}.")
    counts = _counted(root, covering)
    if not counts["messages"]:
        output.note("It covers no message that there is now. Is it written as it was meant?")
    _show(covering, counts, as_json=as_json)


@hold.command("list")
@click.option("--lifted", is_flag=True, help="Holds that were lifted, too.")
@output.json_option
@pass_root
def list_(root: Root, lifted: bool, as_json: bool) -> None:
    """The holds that stand: placed by people, and said by policies."""
    from bridge.store import holds

    placed = root.read(holds.holds)
    rows = [asdict(one) for one in placed if lifted or one.state != holds.LIFTED]
    names = root.read(lambda db: holds.standing_holds(db).names)
    rows += [_of_policy(name) for name in names if name not in {one.name for one in placed}]
    shown = rows if as_json else [_line(row) for row in rows]  # `hold show` has all of a long one
    output.listing(shown, _COLUMNS, as_json=as_json, empty="No legal hold stands.")


def _of_policy(name: str) -> dict[str, Any]:
    return {"name": name, "state": "standing", "written": "see the policy in force", "placed_at": 0}


def _line(row: dict[str, Any]) -> dict[str, Any]:
    state = "to be lifted?" if row["state"] == "proposed" else row["state"]
    shortened = {name: output.cut(str(row.get(name, "")), 40) for name in ("written", "reason")}
    return {**row, **shortened, "state": state, "placed": output.when(row["placed_at"])}


@hold.command()
@_NAME
@output.json_option
@pass_root
def show(root: Root, name: str, as_json: bool) -> None:
    """One hold: what it covers, who placed it and why, who lifts it."""
    from bridge.store import holds

    one = root.read(lambda db: holds.hold(db, name))
    if as_json:
        output.json_line(asdict(one))
        return
    pairs = [
        *(("hold", one.name), ("state", one.state), ("covers", one.written), ("as a query", one.query)),
        ("messages by number", one.numbers.replace(",", ", ")),
        *(("placed by", one.person), ("because", one.reason), ("placed", output.when(one.placed_at))),
        *(("lift proposed by", one.proposed_by), ("because ", one.why), ("lifted by", one.lifted_by)),
        ("lifted", output.when(one.ended_at)),
    ]
    output.details([(key, value) for key, value in pairs if value], as_json=False)


@hold.command()
@_NAME
@click.option("--approve", is_flag=True, help="Agree to what another person proposed.")
@click.option("--refuse", is_flag=True, help="Let it stand.")
@reason_option
@person_option
@pass_root
def lift(root: Root, name: str, approve: bool, refuse: bool, reason: str, person: str) -> int:
    """Propose to lift hold NAME. With --approve, agree to that: then it covers nothing any more.

    The proposer cannot agree. If the settings name legal approvers, only they can. Lifting a hold disposes of
    nothing: that takes a plan of its own.
    """
    from bridge import desk
    from bridge.cli import compose

    if approve and refuse:
        raise click.UsageError("--approve and --refuse: one of the two")
    legal = compose.bar(root.settings()).legal
    if approve:
        root.act(lambda store: desk.lift_hold(store, name, person, reason, legal))
        click.echo(f"Hold {name} is lifted; said by {output.cell(person)}. Nothing was disposed of.")
    elif refuse:
        root.act(lambda store: desk.refuse_lift(store, name, person, reason))
        click.echo(f"Hold {name} stands; said by {output.cell(person)}.")
    else:
        root.act(lambda store: desk.propose_lift(store, name, person, reason))
        click.echo(
            f"It stands until another person agrees:\n  weighbridge hold lift {name} --approve --reason …"
        )
    return Exit.DONE


# --- what is covered ------------------------------------------------------------------------------------


def _covered(root: Root, what: What) -> Covering:
    """What was typed, as a query. Raises UsageError unless it is one kind of thing."""
    if sum(_kinds(what)) != 1:
        raise click.UsageError("say one of --person, --conversation, --query, --message, --case")
    with archive(root.settings(), None, indexed=bool(what.conversations or what.messages)) as asked:
        if what.case:
            found = _of_case(asked, what.case)
        elif what.query:
            found = _of_query(asked, what.query)
        else:
            found = _of_people(asked, what.people) if what.people else _of_things(asked, what)
        if what.since:
            _narrow(asked, found, what.since)
    return found


def _numbers(numbers: Iterable[int] = ()) -> Numbers:
    from bridge.records.exports.numbers import Numbers

    return Numbers(numbers)


def _narrow(asked: Archive, found: Covering, since: str) -> None:
    """Leave out what was archived before a day. Raises Missing when nothing is left."""
    from bridge.errors import Missing
    from bridge.store.holds import archived

    later = archived(asked.db, since=in_utc(f"after:{since}").span.since) if found.numbers else ()
    found.numbers = _numbers(number for number in later if number in found.numbers)
    if not (found.query or found.numbers):
        raise Missing(f"nothing of that was archived from {since} on")
    found.query = f"({found.query}) after:{since}" if found.query else ""
    found.said = f"{found.said} after:{since}" if found.said else ""


def _kinds(what: What) -> list[bool]:
    """Of the kinds of thing that a hold can be on, which were typed."""
    return [bool(one) for one in (what.people, what.conversations, what.query, what.messages, what.case)]


def _of_case(asked: Archive, case: str) -> Covering:
    """All that people searched for, were shown or handed over for a case, as the record has it: by number,
    with what its queries find now, because a later state may take that out of them; and the queries, which
    cover what comes as well. One with times in it meant those of its day, and is not asked again.

    Raises Missing when nobody did anything for that case.
    """
    from bridge.errors import Missing
    from bridge.search.qualifiers import names_time
    from bridge.search.query import Query, parse
    from bridge.search.subjects import changing, widened
    from bridge.search.tree import Or, joined
    from bridge.store.holds import archived
    from bridge.store.identities import chats
    from bridge.store.looks import looks_for
    from bridge.store.policies import moment

    numbers, looks = looks_for(asked.db, case)
    paired = chats(asked.db)
    once: dict[str, Query] = {}
    live: dict[str, Query] = {}
    for look in looks:
        query = widened(parse(look.query, moment(look.at), asked.zone), paired)
        if str(query.node):
            asks = once if names_time(look.query) else live
            asks[str(query.node)] = query
        elif look.whole:
            numbers.extend(archived(asked.db, until=look.at))
    if queries := [*once.values(), *live.values()]:
        numbers.extend(_found(asked, Query(joined(Or, [query.node for query in queries]))))
    if not (numbers or queries):
        raise Missing(f"nobody searched, showed or handed anything over with --case {case}")
    fickle = [one for query in live.values() for one in changing(query)]
    text = " OR ".join(f"({text})" for text in live)
    return Covering(text, numbers, f"case {case}", changing=list(dict.fromkeys(fickle)))


def _found(asked: Archive, query: Query) -> list[int]:
    """The messages that a query finds now."""
    with progress("looking at records") as tell:
        return [one.number for one in asked.every(query, tell)]


def _of_query(asked: Archive, typed: str) -> Covering:
    """A query as it was typed, for what comes; and by number what it finds now, because somebody's act may
    take that out of it."""
    from bridge.search.subjects import changing, widened
    from bridge.store.identities import chats

    query = widened(in_utc(typed), chats(asked.db))  # what a person types has limits
    return Covering(str(query), _numbers(_found(asked, query)), typed, changing=changing(query))


def _of_people(asked: Archive, people: Sequence[str]) -> Covering:
    """The names as they were typed, and everybody whom they mean, by id: pairs end and are renamed, and some
    messages have an id alone. No index is asked: an id that one hides would not be held."""
    from bridge.search.writing import quoted
    from bridge.store.identities import conditions, identities

    found = Covering("")
    parts = []
    for name in people:
        typed = f"with:{quoted(name)}"
        with progress("looking for people") as tell:
            meant = identities(asked.db, name, asked.every(composed(typed), tell), whole=False)
        found.meant += [one for one in meant if one not in found.meant]
        found.unheard += [] if meant else [f"nobody is known as {name!r}"]
        parts += [typed, *conditions(meant)]
    found.query = " OR ".join(dict.fromkeys(parts))
    return found


def _of_things(asked: Archive, what: What) -> Covering:
    """Conversations, by all of their keys; or messages."""
    from bridge.search.subjects import others
    from bridge.search.writing import quoted
    from bridge.store.identities import chats

    parts: list[str] = []
    unheard = []
    paired = chats(asked.db)
    known = {key for keys in paired for key in keys}
    for key in what.conversations:
        parts += [f"in:{quoted(one)}" for one in (key, *others(key, paired))]
        if key not in known and not asked.page(in_utc(parts[-1]), 1).documents:
            unheard.append(f"there is no conversation {key!r}")
    for number in what.messages:
        parts.append(f"id:{number}")
        if not asked.page(in_utc(parts[-1]), 1).documents:
            unheard.append(f"there is no message {number}")
    return Covering(" OR ".join(dict.fromkeys(parts)), unheard=unheard)


def _check(covering: Covering, what: What) -> None:
    """Raises Missing when some of it is not known, and that was not said to be meant."""
    from bridge.errors import Missing

    if covering.unheard and not what.unknown:
        said = "; ".join(covering.unheard)
        raise Missing(f"{said}. Write it as the archive knows it, or add --unknown if it is to come.")


def _counted(root: Root, covering: Covering) -> dict[str, int]:
    from bridge.cli.compose import WallClock
    from bridge.store.lives import reach

    with archive(root.settings(), None) as asked:
        return reach(asked.db, _messages(asked, covering), WallClock().now()).counts()


def _messages(asked: Archive, covering: Covering) -> Iterator[Stored]:
    """Every message that is covered now, each once."""
    from bridge.store.documents import Reading
    from bridge.store.rows import chunks

    for some in chunks(covering.numbers, PAGE):
        yield from Reading(asked.db).documents(some)
    if covering.query or not covering.numbers:
        found = asked.every(composed(covering.query))
        yield from (one for one in found if one.number not in covering.numbers)


def _show(covering: Covering, counts: dict[str, int], *, as_json: bool) -> None:
    numbers = str(covering.numbers)
    if as_json:
        meant = [asdict(one) for one in covering.meant]
        output.json_line({"query": covering.query, "numbers": numbers, "meant": meant, **counts})
        return
    by_number = f"{len(covering.numbers):,}: {numbers.replace(',', ', ')}" if numbers else ""
    pairs = [
        *([("covers", covering.query)] if covering.query else []),
        *([("and these" if covering.query else "covers", by_number)] if numbers else []),
        *(("who is", str(one)) for one in covering.meant),
        *(("messages", f"{counts['messages']:,}"), ("conversations", f"{counts['conversations']:,}")),
        *(("people", f"{counts['people']:,}"), ("first", output.when(counts["first_at"]))),
        *(("last", output.when(counts["last_at"])), ("past their term", f"{counts['due']:,}")),
    ]
    output.details(pairs, as_json=False)
