"""`weighbridge audit evidence`: a package that somebody checks who trusts none of us.

Rules of this file: options become values, and what was made becomes lines; the making is in
`bridge.cli.evidence`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.audit.finding import QUERYING, archive, query_argument, written
from bridge.cli.audit.given import INHERENT, KEY, one_alone
from bridge.cli.audit.looking import Recorder, recorder_of
from bridge.cli.audit.zone import desk_zone, zone_option
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root, person_option, reason_option
from bridge.errors import Missing

if TYPE_CHECKING:
    from bridge.cli.evidence import Wanted
    from bridge.evidence.exhibits import Making


@click.command(context_settings=QUERYING)
@query_argument
@click.option("--message", "messages", metavar="17,18", default="", help="These messages, by number.")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to make."
)
@click.option("--case", default="", metavar="TEXT", help="The case it is for; no client's copy has it.")
@click.option(
    "--black-out",
    "blacked",
    metavar="WHAT",
    multiple=True,
    help="Keep back: text, quote, sender_name, address, sender, names, files, matches, policies, "
    "reviewers, raw, or a whole message as message:17. Several with commas.",
)
@click.option(
    "--only-contact", default="", metavar="CONTACT", help="Show this client's thread, keep back all others."
)
@click.option(
    "--client-copy",
    default="",
    metavar="CONTACT",
    help="The same, as this client wrote and saw it: without reviewers, rules, policies, masked words.",
)
@click.option("--lang", type=click.Choice(["en", "zh-Hans", "zh-Hant"]), default="en", show_default=True)
@zone_option
@KEY
@reason_option
@person_option
@output.json_option
@pass_root
def evidence(root: Root, /, out: Path, key: tuple[Path, ...], as_json: bool, **given: Any) -> None:
    """A package of evidence: messages, decisions, receipts, proofs, a report, and a program that checks it
    all.

    QUERY is written as for `audit search`; every message of its span is opened, so that evidence rests on no
    index, which somebody might have changed. The package is a ZIP file; whoever gets it needs Python and
    nothing else, and the public key on another way. Its making goes into the record first."""
    from bridge.cli import compose
    from bridge.cli.evidence import make
    from bridge.cli.prove import public_keys

    one_alone(given, "client_copy", "only_contact")
    settings = root.settings()
    given["query"] = written(given.pop("words"))
    wanted, making = _wanted(root, given), _making(root, given)
    signer = compose.signing_key(settings)
    keys = list(
        dict.fromkeys([*public_keys(settings, key), *map(signer.verifier, range(settings.store.lanes))])
    )
    with progress("gathering") as tell:
        made = root.act(lambda store: make(store, wanted, making, out, signer, keys, tell))
    if as_json:
        output.json_line(made)
        return
    counts = output.counted(message=made["messages"], entry=made["entries"])
    click.echo(f"{out}: {counts}, {made['bytes'] / 1e6:,.1f} MB")
    if made["fields_withheld"]:
        fields = output.counted(field=made["fields_withheld"])
        click.echo(
            f"  withheld: {fields}, and the whole of {output.counted(message=made['messages_withheld'])}"
        )
    if made["left_out"]:
        left = output.counted(message=made["left_out"])
        click.echo(f"  left out: {left} that this client neither wrote nor was shown, or that are gone")
    if made["without_words"]:
        bare = output.counted(message=made["without_words"])
        click.echo(f"  without words: {bare}, because the verdict that has them tells too much")
    click.echo(f"  sha256 {made['sha256']}")
    if wanted.as_client:
        output.note(INHERENT)
    click.echo(f"  to check: python3 verify.py {out.name} --key {settings.ledger.key_file.name}.pub")


def _wanted(root: Root, given: dict[str, Any]) -> Wanted:
    """Which messages, and what of them is kept back."""
    from bridge.cli.evidence import INTERNAL, Wanted
    from bridge.evidence.disclosure import named

    words = tuple(word for part in given["blacked"] for word in re.split(r"[,\s]+", part.strip()) if word)
    things, hidden = named(words)
    contact = given["client_copy"] or given["only_contact"]
    if given["client_copy"]:
        things |= INTERNAL
    settings = root.settings()
    asking = partial(recorder_of, root, settings, given["person"], given["reason"], given["case"])
    numbers = _numbers(root, given["query"], given["messages"], asking)
    whose = "client-copy" if given["client_copy"] else "only-contact"
    kept = (*words, *([f"{whose}:{contact}"] if contact else []))
    return Wanted(numbers, things, hidden, contact, kept, bool(given["client_copy"]))


def _numbers(root: Root, query: str, messages: str, asking: Callable[[], Recorder]) -> tuple[int, ...]:
    listed = [word for word in re.split(r"[,\s]+", messages) if word]
    if not all(word.isascii() and word.isdigit() for word in listed):
        raise click.BadParameter("write the numbers of messages, like 17,18.", param_hint="--message")
    numbers = sorted({int(word) for word in listed} | set(_found(root, query, asking)))
    if not query and not numbers:
        raise click.UsageError("say which messages: a QUERY, or --message 17,18.")
    if not numbers:
        raise Missing("nothing is found: there is no package to be made.")
    return tuple(numbers)


def _found(root: Root, query: str, asking: Callable[[], Recorder]) -> list[int]:
    """The numbers of the messages that a query finds, each opened: evidence rests on no index."""
    if not query:
        return []
    with archive(root.settings(), None, indexed=False) as asked, progress("searching") as tell:
        return [document.number for document in asked.every(asked.query(query, "evidence", asking), tell)]


def _making(root: Root, given: dict[str, Any]) -> Making:
    from bridge.cli.compose import WallClock
    from bridge.evidence.exhibits import Making

    asked = " ".join(filter(None, (given["query"], given["messages"] and f"messages {given['messages']}")))
    return Making(
        at=WallClock().now(),
        person=given["person"],
        reason=given["reason"],
        case=given["case"],
        query=asked,
        asks=given["query"],
        zone=desk_zone(given["zone"], root.settings().audit.timezone),
        language=given["lang"],
    )
