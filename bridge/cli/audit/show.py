"""`weighbridge audit show`: one message's whole life.

Rules of this file: no logic; the question goes to `bridge.store.views`. Text that people wrote is made
harmless for the terminal before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.audit import stages
from bridge.cli.audit.columns import time_of, whose
from bridge.cli.audit.looking import looking, recorder_of
from bridge.cli.audit.zone import desk_zone, name_of, zone_option
from bridge.cli.root import Root, pass_root
from bridge.errors import Missing

if TYPE_CHECKING:
    from bridge.config import Settings


@click.command()
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
@click.option("--raw", is_flag=True, help="Print the very bytes that the network sent, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@zone_option
@looking
@pass_root
def show(
    root: Root,
    number: int,
    raw: bool,
    as_json: bool,
    zone: tzinfo | None,
    person: str,
    reason: str,
    case: str,
) -> None:
    """One message's whole life: as it came, every verdict, every delivery, who saw it; each stage with its
    time, its place in the ledger and its hash.

    Who is shown it and why is written into the ledger first.
    """
    from bridge.store import views
    from bridge.store.exports import exports_of

    settings = root.settings()
    found, data, out = root.read(
        lambda db: (
            views.message(db, number),
            views.raw(db, number) if raw else b"",
            exports_of(db, number),
        )
    )
    if found is None:
        _show_fate(root, number, settings, zone, as_json=as_json)
        return
    recorder_of(root, settings, person, reason, case).shown("show", [number])
    if raw:
        click.get_binary_stream("stdout").write(data or b"")
    elif as_json:
        told = [stages.record(one) for one in stages.stages(found)]
        output.json_line({**found, "stages": told, "exports": [_export_record(one) for one in out]})
    else:
        _print(_life({**found, "exports": out}, desk_zone(zone, settings.audit.timezone)))


def _show_fate(root: Root, number: int, settings: Settings, zone: tzinfo | None, *, as_json: bool) -> None:
    """How a message was disposed of; it has no words any more that anybody could be shown."""
    from bridge.store.disposal import fate

    found = root.read(lambda db: fate(db, number))
    if found is None:
        raise _unknown(number)
    if as_json:
        output.json_line(found)
        return
    _print(_fate(found, desk_zone(zone, settings.audit.timezone)))


def _print(lines: Iterable[str]) -> None:
    cells = output.narrow()
    for line in lines:
        for part in output.folded(line, cells) if cells else (line,):
            click.echo(part)


def _fate(found: Mapping[str, Any], zone: tzinfo) -> Iterator[str]:
    yield click.style(f"Message {found['message']}, disposed of", bold=True)
    yield ""
    approved = ", ".join(output.cell(person) for person in found["approved_by"])
    yield (
        f"disposed {time_of(found['disposed_at'], zone)} under {output.cell(found['class'])}, "
        f"disposal {found['disposal']}, approved by {approved}"
    )
    yield ""
    yield from _indented(
        [
            ["archived", f"{time_of(found['archived_at'], zone)} ({found['kind']}, {found['network']})"],
            ["kept until", time_of(found["until"], zone)],
            ["planned by", f"{output.cell(found['planned_by'])}: {output.cell(found['reason'])}"],
            ["entry", f"{found['lane']}/{found['seq']}  {found['leaf'][:12]}"],
        ]
    )


def _unknown(number: int) -> Missing:
    return Missing(f"there is no message {number}; see `weighbridge audit search`.")


def _life(found: Mapping[str, Any], zone: tzinfo) -> Iterator[str]:
    yield click.style(f"Message {found['message']}, {found['state']}", bold=True)
    yield ""
    yield from _indented(_facts(found, zone))
    yield ""
    yield from _quoted(found["text"])
    for title, lines in (
        ("Attachments", _files(found["files"])),
        ("Verdicts", _verdicts(found, zone)),
        ("Review", _review(found, zone)),
        ("Deliveries", _deliveries(found["deliveries"], zone)),
        ("Notices to its sender", _notices(found["notices"])),
        ("Exports", _exports(found["exports"], zone)),
        (f"Life (times: {name_of(zone)})", _stages(found, zone)),
    ):
        if shown := list(lines):
            yield ""
            yield click.style(title, bold=True)
            yield from shown


def _facts(found: Mapping[str, Any], zone: tzinfo) -> Iterator[list[str]]:
    who = found["address"] or found["sender_id"]
    yield ["from", f"{output.cell(found['sender'])} ({output.cell(who)}, {found['network']})"]
    yield ["to", output.cell(found["recipient"]) or "nobody: this chat was not paired"]
    yield ["kind", found["kind"]]
    yield ["written", time_of(found["sent_at"], zone)]
    yield ["archived", time_of(found["at"], zone)]
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


def _verdicts(found: Mapping[str, Any], zone: tzinfo) -> Iterator[str]:
    for verdict in found["verdicts"]:
        reason = f": {output.cell(verdict['reason'])}" if verdict["reason"] else ""
        yield f"  {time_of(verdict['at'], zone)}  {verdict['outcome']}, by {verdict['cause']}{reason}"
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


def _review(found: Mapping[str, Any], zone: tzinfo) -> Iterator[str]:
    if review := found["review"]:
        act = next((entry for entry in found["entries"] if entry["kind"] in _BY_PERSON), None)
        by = f" by {output.cell(act['person'])}: {output.cell(act['reason'])}" if act else ""
        yield f"  {time_of(review['decided_at'] or review['opened_at'], zone)}  {review['state']}{by}"


def _deliveries(deliveries: Iterable[Mapping[str, Any]], zone: tzinfo) -> Iterator[str]:
    return _indented(
        [
            one["permit"],
            one["state"],
            f"into {one['network']}",
            time_of(one["done_at"], zone),
            f"{one['attempt']} tries" if one["attempt"] != 1 else "1 try",
            output.cell(one["reason"]) or output.cell(" ".join(one["receipts"])),
        ]
        for one in deliveries
    )


def _notices(notices: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    if listed := ", ".join(str(notice["message"]) for notice in notices):
        yield f"  message {listed}"


def _exports(exports: Iterable[Mapping[str, Any]], zone: tzinfo) -> Iterator[str]:
    return _indented(
        [
            time_of(one["at"], zone),
            one["format"],
            f"by {output.cell(one['person'])}",
            output.cell(whose(one)),
            output.cell(one["reason"]),
            f"manifest {one['sha256'][:16]}",
        ]
        for one in exports
    )


def _export_record(one: Mapping[str, Any]) -> dict[str, Any]:
    names = ("at", "id", "format", "person", "reason", "case", "region", "client", "copy")
    names += ("sha256", "lane", "seq")
    return {name: one[name] for name in names}


def _stages(found: Mapping[str, Any], zone: tzinfo) -> Iterator[str]:
    """Each stage with its time, place and hash, and below it what it says; on a narrow terminal the stage
    itself stands below as well."""
    told = stages.stages(found)
    place = max(len(one.place) for one in told)
    margin = 2 if output.narrow() else place + 37
    for one in told:
        head = f"  {time_of(one.at, zone)}  {one.place:<{place}}  {one.leaf[:12]:<12}"
        if output.narrow():
            yield from (head.rstrip(), f"    {stages.line(one)}")
        else:
            yield f"{head}  {stages.line(one)}"
        details = [*one.more, *([f"policy {by}"] if (by := stages.versions(one)) else [])]
        yield from (f"  {'':<{margin}}{output.cell(detail)}" for detail in details)
