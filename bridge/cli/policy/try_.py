"""`weighbridge policy try`: what would become of a message, and why. Nothing is stored and nothing is sent.

Rules of this file: it makes a message of what was typed; the verdict and its trace come from `bridge.policy`.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.policy.files import in_use
from bridge.cli.policy.sides import usable
from bridge.cli.policy.speech import language_option
from bridge.cli.root import Root, pass_root
from bridge.message import SYMPHONY, WEIXIN, Context, Earlier, File, Inspection, Kind, Message, Party, Route

if TYPE_CHECKING:
    from bridge.policy import PolicySet

_KINDS = [kind.value for kind in Kind if kind not in (Kind.FAILED, Kind.NOTE, Kind.UNKNOWN)]
_APART = 60_000  # milliseconds between the earlier messages


@click.command("try")
@click.argument("text")
@click.option("--to", type=click.Choice([WEIXIN, SYMPHONY]), default=WEIXIN, show_default=True,
              help="The network of the reader.")  # fmt: skip
@click.option("--as", "sender", help="The sender: an e-mail address, or a Weixin id.")
@click.option("--recipient", help="The reader: an e-mail address, or a Weixin id.")
@click.option("--tag", "tags", multiple=True, help="A label of the client; may be repeated.")
@click.option("--group", "groups", multiple=True, help="A group of the policy with one of both in it.")
@click.option(
    "--kind",
    type=click.Choice(_KINDS),
    default="text",
    show_default=True,
    metavar="KIND",
    help=f"One of {', '.join(_KINDS)}.",
)
@click.option("--at", "at", type=click.DateTime(["%Y-%m-%d %H:%M"]),
              help='When, by the clock of the first policy: "2026-11-20 23:10".  [default: now]')  # fmt: skip
@click.option("--earlier", multiple=True, help="What the sender wrote before, oldest first.")
@click.option("--file", "files", multiple=True, type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="An attachment to look into.")  # fmt: skip
@click.option("--consent", is_flag=True, help="The client has agreed to every gate.")
@click.option("--unpaired", is_flag=True, help="The two are no approved pair.")
@click.option("--show-folded", is_flag=True, help="Show the text as it is compared with words.")
@click.option("--policy", "policies", multiple=True, type=click.Path(path_type=Path),
              help="A policy file.  [default: those of the settings, else policies/*.yaml]")  # fmt: skip
@output.json_option
@language_option
@pass_root
def try_(root: Root, /, policies: Sequence[Path], as_json: bool, language: str, **written: Any) -> None:
    """Say what would become of TEXT ("-" reads it from standard input), and why, rule by rule.

    \b
    weighbridge policy try "账户 8812345678" --as alice.wong@bank.example
    weighbridge policy try "加我微信" --to symphony --tag 客户 --lang zh-Hans
    weighbridge policy try "hello" --at "2026-11-20 23:10"
    """
    from bridge.policy import as_record
    from bridge.policy.narration import as_object, narrate
    from bridge.policy.rendering import printable
    from bridge.policy.trace import trace

    rules = usable(in_use(root, policies), language)
    now = _moment(written["at"], rules)
    message, context = _staged(rules, now, **written)
    told = trace(rules, message, context, now)
    if as_json:
        output.json_line(as_object(told, as_record(told.verdict)))
        return
    if written["show_folded"]:
        click.echo(_folded(message.text, language))
    for line in narrate(rules, told, language):
        click.echo(printable(line))


def _folded(text: str, language: str) -> str:
    from bridge.policy.catalogue.trace_texts import TRACE_TEXTS
    from bridge.policy.folding import fold
    from bridge.policy.rendering import printable

    return printable(TRACE_TEXTS[language]["folded"].format(value=fold(text)))


def _moment(at: datetime.datetime | None, policies: PolicySet) -> datetime.datetime:
    """The time of the message, by the clock of the first policy."""
    import zoneinfo

    zone = zoneinfo.ZoneInfo(policies.policies[0].model.timezone)
    return datetime.datetime.now(zone) if at is None else at.replace(tzinfo=zone)


def _staged(
    policies: PolicySet,
    now: datetime.datetime,
    *,
    text: str,
    to: str,
    kind: str,
    earlier: Sequence[str],
    files: Sequence[Path],
    consent: bool,
    unpaired: bool,
    **people: Any,
) -> tuple[Message, Context]:
    """The message that was typed, and what is known around it."""
    moment = int(now.timestamp() * 1000)
    sender, recipient = _ends(policies, to, **people)
    inspections = tuple(_inspected(path) for path in files)
    message = Message(
        sender.network,
        "try",
        "try",
        sender.id,
        moment,
        Kind(kind) if kind != "text" or not files else Kind.FILE,
        text=sys.stdin.read().rstrip("\n") if text == "-" else text,
        address=sender.address,
        files=tuple(File(one.name, one.name, size=one.size) for one in inspections),
    )
    context = Context(
        f"to_{to}",
        None if unpaired else Route(sender, recipient, to, "try"),
        inspections=inspections,
        earlier=_before(earlier, moment),
        consent={policy.name: moment for policy in policies.policies} if consent else {},
    )
    return message, context


def _before(texts: Sequence[str], moment: int) -> tuple[Earlier, ...]:
    first = moment - _APART * len(texts)
    return tuple(Earlier(number, first + _APART * number, text) for number, text in enumerate(texts))


def _inspected(path: Path) -> Inspection:
    from bridge.inspection import inspect

    return inspect(path)


def _ends(
    policies: PolicySet,
    to: str,
    *,
    sender: str | None,
    recipient: str | None,
    tags: Sequence[str],
    groups: Sequence[str],
    **_: Any,
) -> tuple[Party, Party]:
    """The sender and the reader: a member of staff in Symphony and a client in Weixin."""
    staff = Party(SYMPHONY, "staff", address="staff@example.invalid")
    client = Party(WEIXIN, "client", language="zh", tags=frozenset(tags))
    for name in groups:
        staff, client = _joined(policies, name, staff, client)
    ends = (staff, client) if to == WEIXIN else (client, staff)
    return _called(ends[0], sender), _called(ends[1], recipient)


def _called(party: Party, written: str | None) -> Party:
    return party if written is None else replace(party, id=written, address=written if "@" in written else "")


def _joined(policies: PolicySet, name: str, staff: Party, client: Party) -> tuple[Party, Party]:
    """Both, after one of them became a member of a group. Raises UsageError when no policy has it."""
    found = [p.model.groups[name] for p in policies.policies if name in p.model.groups]
    if not found:
        raise click.UsageError(f"no policy has a group {name}")
    group = found[0]
    if group.weixin:
        member = group.weixin[0]
        label = member.removeprefix("tag:")
        tagged = member.startswith("tag:")
        return staff, replace(client, tags=client.tags | {label}) if tagged else _called(client, member)
    return _called(staff, group.symphony[0].replace("*", "staff")), client
