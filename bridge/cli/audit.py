"""`weighbridge audit`: the archive and its ledger, for whoever has to know what happened.

Rules of this file: no logic; questions go to `bridge.store.views` and `bridge.store.verify`. Nothing is
changed; only who was shown what people wrote is written down. Text that people wrote is made harmless for
the terminal before it is shown.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.output import Exit
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root, person_option, reading
from bridge.errors import Missing, StoreError
from bridge.flow import MessageState
from bridge.message import SYMPHONY, WEIXIN, Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.replay import Replayed
    from bridge.store.proving import Placed
    from bridge.store.verify import Finding, Summary

_COLUMNS = {
    "message": "ID", "time": "ARCHIVED", "sender": "FROM", "recipient": "TO", "kind": "KIND",
    "state": "STATE", "outcome": "POLICY", "text": "TEXT",
}  # fmt: skip

_SPANS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


@click.group()
def audit() -> None:
    """The archive: list messages, show a message's whole life, verify that nothing was changed, and decide
    again from what was recorded.

    \b
    weighbridge audit list --since 24h --person alice.wong
    weighbridge audit show 17
    weighbridge audit verify
    weighbridge audit checkpoint
    weighbridge audit proof 17
    weighbridge audit replay --since 7d
    """


def moment(text: str, now: int) -> int:
    """A time in milliseconds from what a person writes: a day, a day and time (UTC), or a span before `now`.

    Raises ValueError when it is none of these.
    """
    if found := re.fullmatch(r"(\d{1,6})\s*([mhd])", text.strip()):
        return now - int(found[1]) * _SPANS[found[2]]
    written = datetime.fromisoformat(text.strip())
    if written.tzinfo is None:
        written = written.replace(tzinfo=UTC)
    return int(written.timestamp() * 1000)


class _Moment(click.ParamType):
    """An option that takes a time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Milliseconds since the epoch."""
        try:
            return moment(str(value), time.time_ns() // 1_000_000)
        except ValueError:
            self.fail(
                f"{value!r} is no time: write 2026-11-22, 2026-11-22T10:30, or 90m, 24h, 7d ago", param, ctx
            )


TIME = _Moment()
"""The type of an option that takes a time, in milliseconds since the epoch."""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_KEPT = click.Path(exists=True, path_type=Path)
_KEY = click.option(
    "--key",
    type=_FILE,
    multiple=True,
    help="A file of public keys. Default: those beside our own key, or in our folders of checkpoints.",
)


@audit.command("list")
@click.option("--since", type=TIME, help="Archived at this time or later, UTC: a day, a time, or 24h, 7d.")
@click.option("--until", type=TIME, help="Archived before this time.")
@click.option("--person", default="", metavar="TEXT", help="A part of anybody's name, address or id.")
@click.option("--network", type=click.Choice([SYMPHONY, WEIXIN]), help="Where it was written.")
@click.option("--outcome", type=click.Choice([one.value for one in Outcome]), help="The last verdict.")
@click.option("--state", type=click.Choice([one.value for one in MessageState]), help="Where it stands.")
@click.option("--pair", type=click.IntRange(1), help="The number of a pair.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Only older than this: the next page.")
@output.json_option
@pass_root
def list_(root: Root, limit: int, as_json: bool, **wanted: Any) -> None:
    """Messages in the archive, the newest first; the bridge's own notices too."""
    from bridge.store import views

    chosen = views.Filter(**{key: value for key, value in wanted.items() if value is not None})
    rows = root.read(lambda db: views.archive(db, chosen, limit))
    shown = rows if as_json else [_line(row) for row in rows]
    output.listing(shown, _COLUMNS, as_json=as_json, empty="No such message.")
    if len(rows) == limit:
        output.note(f"There may be more: add --before {rows[-1]['message']}.")


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    parts = [row["text"].replace("\n", " ⏎ "), *(f"📎 {name}" for name in row["files"])]
    return {
        **row,
        "time": output.when(row["at"]),
        "text": output.cut(" · ".join(filter(None, parts)), 48),
    }


# --- one message ----------------------------------------------------------------------------------------


@audit.command()
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
@click.option("--raw", is_flag=True, help="Print the very bytes that the network sent, and nothing else.")
@output.json_option
@pass_root
def show(root: Root, number: int, raw: bool, as_json: bool) -> None:
    """One message's whole life: as it came, every verdict, every delivery, and the entries that prove it."""
    from bridge.store import views

    if raw:
        data = root.read(lambda db: views.raw(db, number))
        if data is None:
            raise _unknown(number)
        click.get_binary_stream("stdout").write(data)
        return
    found = root.read(lambda db: views.message(db, number))
    if found is None:
        raise _unknown(number)
    if as_json:
        output.json_line(found)
        return
    for line in _life(found):
        click.echo(line)


def _unknown(number: int) -> Missing:
    return Missing(f"there is no message {number}; see `weighbridge audit list`.")


def _life(found: Mapping[str, Any]) -> Iterator[str]:
    yield click.style(f"Message {found['message']}, {found['state']}", bold=True)
    yield ""
    yield from _indented(_facts(found))
    yield ""
    yield from _quoted(found["text"])
    for title, lines in (
        ("Attachments", _files(found["files"])),
        ("Verdicts", _verdicts(found)),
        ("Review", _review(found)),
        ("Deliveries", _deliveries(found["deliveries"])),
        ("Notices to its sender", _notices(found["notices"])),
        ("Ledger", _entries(found["entries"])),
    ):
        if shown := list(lines):
            yield ""
            yield click.style(title, bold=True)
            yield from shown


def _facts(found: Mapping[str, Any]) -> Iterator[list[str]]:
    who = found["address"] or found["sender_id"]
    yield ["from", f"{output.cell(found['sender'])} ({output.cell(who)}, {found['network']})"]
    yield ["to", output.cell(found["recipient"]) or "nobody: this chat was not paired"]
    yield ["kind", found["kind"]]
    yield ["written", output.when(found["sent_at"])]
    yield ["archived", output.when(found["at"])]
    yield ["id there", output.cell(found["source_id"])]
    yield ["chat there", output.cell(found["conversation"])]
    for key, title in (("replaces", "edits"), ("refers_to", "refers to"), ("notice_for", "notice on")):
        if found[key]:
            yield [title, f"message {found[key]}"]
    for key in ("quote", "defect"):
        if found[key]:
            yield [key, output.cell(found[key])]
    if found["raw_bytes"]:
        yield ["original", f"{found['raw_bytes']:,} bytes (--raw)"]


def _indented(rows: Iterable[list[str]]) -> Iterator[str]:
    rows = list(rows)
    if rows:
        yield from (f"  {line}" for line in output.table(rows, [False] * len(rows[0])))


def _quoted(text: str) -> Iterator[str]:
    return (f"  │ {output.cell(line)}" for line in text.split("\n") if text)


def _files(files: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return _indented(
        [output.cell(file["name"]), file["state"], f"{file['size']:,} bytes", f"sha256 {file['digest']}"]
        if file["state"] == "archived"
        else [output.cell(file["name"]), file["state"], "", ""]
        for file in files
    )


def _verdicts(found: Mapping[str, Any]) -> Iterator[str]:
    for verdict in found["verdicts"]:
        reason = f": {output.cell(verdict['reason'])}" if verdict["reason"] else ""
        yield f"  {output.when(verdict['at'])}  {verdict['outcome']}, by {verdict['cause']}{reason}"
        yield from _matches(verdict["matches"])
        if verdict["outcome"] in ("deliver", "annotate", "redact") and verdict["text"] != found["text"]:
            yield from (f"  {line}" for line in _quoted(verdict["text"]))
        yield from (f"    {line}" for line in _effects(verdict))


def _matches(matches: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for match in matches:
        mode = "" if match["enforced"] else ", recorded only"
        lifted = f", lifted by exception {output.cell(match['exception'])}" if match["exception"] else ""
        places = ", ".join(f"{start}-{end}" for start, end in match["spans"])
        where = f" at characters {places}" if places else ""
        title = output.cell(match["title"] or match["rule"])
        yield f"    {title} ({match['policy']}/{match['rule']}: {match['outcome']}{mode}{lifted}){where}"


def _effects(verdict: Mapping[str, Any]) -> Iterator[str]:
    """What else a verdict says, one line a thing."""
    late = f", then {verdict['if_late']}" if verdict["if_late"] else ""
    within = f", to be decided within {output.span(verdict['decide_within'])}{late}"
    parts = (
        ("queue", verdict["queue"] and verdict["queue"] + (within if verdict["decide_within"] else "")),
        ("below it", ", ".join(one["key"] for one in verdict["annotations"])),
        ("tags", ", ".join(verdict["tags"])),
        ("told", ", ".join(verdict["notify"])),
        ("sample", ", ".join(f"{one['percent']:g}% for {one['key']}" for one in verdict["samples"])),
        ("consent", _consent(verdict)),
        ("kept", ", ".join(_kept(one) for one in verdict["retention"])),
        ("legal hold", ", ".join(verdict["legal_holds"])),
        ("archives", ", ".join(verdict["archives"])),
        ("looked at", _looked_at(verdict["known"])),
    )
    yield from (f"{name:<10}  {output.cell(text)}" for name, text in parts if text)


def _kept(one: Mapping[str, Any]) -> str:
    return f"{one['keep']} from {one['start']} ({one['key']})"


def _consent(verdict: Mapping[str, Any]) -> str:
    given = f"given for {', '.join(verdict['agreed'])}" if verdict["agreed"] else ""
    return given or ("nothing else is missing" if verdict["gated"] else "")


def _looked_at(known: Mapping[str, Any] | None) -> str:
    """What beside the message the policy was given."""
    if known is None:
        return ""
    earlier = ", ".join(f"message {number}" for number in known["earlier"])
    consent = ", ".join(f"consent to {gate}" for gate in known["consent"])
    return ", ".join(filter(None, (earlier, consent)))


_BY_PERSON = ("hold:released", "hold:rejected")


def _review(found: Mapping[str, Any]) -> Iterator[str]:
    if review := found["review"]:
        act = next((entry for entry in found["entries"] if entry["kind"] in _BY_PERSON), None)
        by = f" by {output.cell(act['person'])}: {output.cell(act['reason'])}" if act else ""
        yield f"  {output.when(review['decided_at'] or review['opened_at'])}  {review['state']}{by}"


def _deliveries(deliveries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return _indented(
        [
            one["permit"],
            one["state"],
            f"into {one['network']}",
            output.when(one["done_at"]),
            f"{one['attempt']} tries" if one["attempt"] != 1 else "1 try",
            output.cell(one["reason"]) or output.cell(" ".join(one["receipts"])),
        ]
        for one in deliveries
    )


def _notices(numbers: Iterable[int]) -> Iterator[str]:
    if listed := ", ".join(str(number) for number in numbers):
        yield f"  message {listed}"


def _entries(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return _indented(
        [
            f"{entry['lane']}/{entry['seq']}",
            output.when(entry["at"]),
            entry["kind"],
            entry["leaf"][:16],
            output.cell(": ".join(filter(None, (entry["person"], entry["reason"])))),
        ]
        for entry in entries
    )


_DAMAGED = ("malformed", "not a database")
"""What SQLite says of a file that is no longer what it wrote (result codes SQLITE_CORRUPT, SQLITE_NOTADB)."""


# --- verification ---------------------------------------------------------------------------------------


@audit.command()
@click.option(
    "--anchors",
    type=_KEPT,
    multiple=True,
    help="Checkpoints kept elsewhere: a folder or a file. Default: the folders of the settings.",
)
@_KEY
@output.json_option
@pass_root
def verify(root: Root, anchors: tuple[Path, ...], key: tuple[Path, ...], as_json: bool) -> int:
    """Read everything again: is any byte other than it was recorded? Exit code 5 if so.

    Without the master key, whatever is sealed cannot be compared, and the rest is: exit code 6.

    Every checkpoint that was signed is held against the entries, those in the database and those outside: so
    an end that was cut off, or a history written anew, is found as long as one of them was kept where
    whoever did it could not reach it.
    """
    from bridge.cli import compose
    from bridge.cli.prove import public_keys
    from bridge.store.attestation import gathered
    from bridge.store.verify import verify as verify_store

    settings = root.settings()
    keys = public_keys(settings, key)
    places = anchors or tuple(path for path in compose.anchors(settings) if path.is_dir())
    kept = gathered(places, strict=not anchors)
    findings = 0

    def found(finding: Finding) -> None:
        nonlocal findings
        findings += 1
        if as_json:
            output.json_line(asdict(finding))
        else:
            click.echo(f"✗ {output.cell(finding)}")

    try:
        with reading(settings, damaged=True) as db, progress("reading again") as tell:
            started = time.monotonic()
            summary = verify_store(db, settings.store.blobs, found, tell, keys=keys, anchors=kept)
    except StoreError as error:
        if not findings and not any(words in str(error) for words in _DAMAGED):
            raise
        output.note(f"weighbridge: {error} Nothing more could be read.")
        return Exit.INTEGRITY
    _conclude(summary, time.monotonic() - started, as_json=as_json)
    if summary.findings:
        return Exit.INTEGRITY
    return Exit.PARTIAL if summary.unread else Exit.DONE


def _conclude(summary: Summary, seconds: float, *, as_json: bool) -> None:
    if as_json:
        output.json_line({**asdict(summary), "seconds": round(seconds, 3)})
        return
    for line in _verdict(summary, seconds):
        click.echo(line)


def _verdict(summary: Summary, seconds: float) -> Iterator[str]:
    counts = (
        f"{summary.entries:,} entries, {summary.messages:,} messages, {summary.verdicts:,} verdicts, "
        f"{summary.deliveries:,} deliveries, {summary.receipts:,} receipts, {summary.blobs:,} blobs"
    )
    yield f"  {counts}"
    yield f"  {summary.checkpoints:,} signed checkpoints, {summary.anchored:,} outside the database"
    yield f"  {summary.bytes / 1e6:,.1f} MB of content, in {seconds:.1f} s"
    for lane, (size, root) in summary.roots.items():
        yield f"  lane {lane}: root of {size:,} entries  {root}"
    if summary.findings:
        yield click.style(f"✗ {summary.findings:,} finding(s): this is not what was recorded.", bold=True)
    elif summary.unread:
        yield f"! What is sealed was not compared: {summary.unread}"
        yield "✓ Everything else is as it was recorded: the tree, the structure, the files of attachments."
    else:
        yield "✓ Everything is as it was recorded."


# --- proofs ---------------------------------------------------------------------------------------------


@audit.command()
@click.option("--lane", type=click.IntRange(0), help="Of this lane only.")
@_KEY
@output.json_option
@pass_root
def checkpoint(root: Root, lane: int | None, key: tuple[Path, ...], as_json: bool) -> None:
    """The newest signed checkpoint of each lane, to be kept where nobody here can change it.

    What is printed is the very note (C2SP tlog-checkpoint); --json adds the public key, size and root.
    """
    from bridge.cli import prove
    from bridge.store import views

    keys = prove.public_keys(root.settings(), key)

    def ask(db: Connection) -> list[dict[str, Any]]:
        lanes = [one["lane"] for one in views.lanes(db)] if lane is None else [lane]
        return list(prove.newest(db, keys, lanes))

    found = root.read(ask)
    if not found:
        raise Missing("nothing has been signed yet: the daemon does so when it starts.")
    for one in found:
        if as_json:
            output.json_line(one)
        else:
            click.echo(one["checkpoint"], nl=False)


@audit.command()
@click.argument("what", metavar="MESSAGE|LANE/ENTRY")
@click.option("--against", type=_FILE, help="An older checkpoint: prove, too, that history only went on.")
@_KEY
@pass_root
def proof(root: Root, what: str, against: Path | None, key: tuple[Path, ...]) -> None:
    """That a message's entries (17), or one entry (0/40), are under the newest checkpoint: JSON to hand on.

    docs/audit.md has a page of Python that checks it, for somebody who trusts none of us.
    """
    from bridge.cli import prove

    keys = prove.public_keys(root.settings(), key)
    note = prove.read_note(against) if against else ""
    output.json_line(root.read(lambda db: prove.document(db, keys, _entries_of(db, what), note)))


def _entries_of(db: Connection, what: str) -> Sequence[Placed]:
    """The entries that a person names: "17" are those of message 17, "0/40" is one."""
    from bridge.store import proving

    found = re.fullmatch(r"(?:([0-9]{1,9})/)?([0-9]{1,18})", what)
    if found is None:
        raise click.BadParameter(f"{what!r}: write the number of a message, 17, or of an entry, 0/40.")
    number = int(found[2])
    if found[1] is None:
        entries = proving.entries_about(db, number)
    else:
        entry = proving.entry_at(db, int(found[1]), number)
        entries = [entry] if entry else []
    if not entries:
        raise Missing(f"there is nothing in the ledger about {what}; see `weighbridge audit show`.")
    return entries


# --- replay ---------------------------------------------------------------------------------------------


@audit.command()
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
