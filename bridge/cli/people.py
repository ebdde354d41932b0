"""`weighbridge people`: who may talk to whom.

Rules of this file: no logic; questions go to `bridge.store.views`, acts to `bridge.people`. Names come from
the networks unless they are given; ids bind, names do not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.root import Root, opened, pass_root, person_option, reason_option
from bridge.errors import ConfigError, Conflict
from bridge.words import LANGUAGES

if TYPE_CHECKING:
    from bridge.config import Settings
    from bridge.message import Party
    from bridge.people import Pair
    from bridge.store.database import Database
    from connectors.symphony.client import SymphonyConnector
    from connectors.weixin.kf import WeixinConnector

LANGUAGE = click.Choice(LANGUAGES)

_COLUMNS = {
    "id": "PAIR", "state": "STATE", "advisor_name": "ADVISOR", "advisor_address": "ADDRESS",
    "contact_name": "CONTACT", "contact": "CONTACT ID", "tags": "TAGS", "since": "SINCE", "person": "BY",
}  # fmt: skip


@click.group()
def people() -> None:
    """Who may talk to whom: an advisor on Symphony and a contact on Weixin.

    \b
    weighbridge people list
    weighbridge people pair alice.wong@bank.example wkAbc/wmXyz --reason client
    weighbridge people unpair 3 --reason "moved to another advisor"
    """


@people.command("list")
@click.option("--ended", is_flag=True, help="Pairs that have ended, too.")
@output.json_option
@pass_root
def list_(root: Root, ended: bool, as_json: bool) -> None:
    """The pairs, in the order in which they were made."""
    from bridge.store import views

    rows = root.read(lambda db: views.pairs(db, ended=ended))
    shown = rows if as_json else [_line(row) for row in rows]
    columns = _COLUMNS if ended else {key: title for key, title in _COLUMNS.items() if key != "state"}
    empty = "Nobody is paired: `weighbridge people pair` lets two people talk."
    output.listing(shown, columns, as_json=as_json, empty=empty)


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    tags = " ".join([*row["advisor_tags"], *row["contact_tags"]])
    return {**row, "since": output.when(row["made_at"]), "tags": tags}


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the person typed about two people; "" where the networks are to be asked."""

    advisor: str
    account: str
    contact: str
    stream: str
    advisor_name: str
    contact_name: str
    languages: tuple[str, str]
    tags: frozenset[str]


@people.command()
@click.argument("advisor")
@click.argument("contact")
@click.option("--stream", default="", metavar="ID", help="The advisor's chat; default: a new room is opened.")
@click.option("--name", default="", help="The contact's name; default: the nickname on Weixin.")
@click.option("--advisor-name", default="", help="The advisor's name; default: as Symphony has it.")
@click.option(
    "--language",
    type=LANGUAGE,
    default="zh-Hans",
    show_default=True,
    help="What notices to the contact are in.",
)
@click.option(
    "--advisor-language", type=LANGUAGE, default="en", show_default=True, help="The same for the advisor."
)
@click.option("--tag", "tags", multiple=True, help="A label for policies to go by; repeat for more.")
@click.option("--offline", is_flag=True, help="Ask no network: --stream, --name and --advisor-name say it.")
@click.option("--advisor-id", default="", metavar="NUMBER", help="With --offline: the Symphony user id.")
@reason_option
@person_option
@pass_root
def pair(root: Root, reason: str, person: str, offline: bool, **typed: Any) -> None:
    """Let ADVISOR and CONTACT talk.

    ADVISOR is an e-mail address or a user id of Symphony, CONTACT is OPEN_KFID/EXTERNAL_USERID of Weixin.
    What the networks know is asked of them: the advisor's user id, the contact's nickname. Without --stream
    a room is opened in Symphony with the advisor in it. For a contact whose message was held as unpaired,
    `weighbridge review show` prints the command to type.
    """
    wish = _wish(**typed)
    made, two = asyncio.run(_pair(root, wish, typed["advisor_id"], offline, person, reason))
    names = f"{output.cell(two.advisor.name)} and {output.cell(two.contact.name)}"
    click.echo(f"Pair {made}: {names} may talk, in stream {two.stream}; said by {output.cell(person)}.")


def _wish(advisor: str, contact: str, language: str, advisor_language: str, **typed: Any) -> _Wish:
    from bridge.people import contact_key

    account, customer = contact_key(contact)
    return _Wish(
        advisor,
        account,
        customer,
        typed["stream"],
        typed["advisor_name"],
        typed["name"],
        (advisor_language, language),
        frozenset(typed["tags"]),
    )


async def _pair(
    root: Root, wish: _Wish, advisor_id: str, offline: bool, person: str, reason: str
) -> tuple[int, Pair]:
    from bridge import people as acts

    settings = root.settings() if offline else root.unlocked()
    async with opened(settings, new=True) as store:
        two = _typed(wish, advisor_id) if offline else await _asked(settings, store, wish)
        return await acts.pair(store, two, person, reason), two


def _typed(wish: _Wish, advisor_id: str) -> Pair:
    """The pair as it was typed. Raises ConfigError with all that is missing."""
    if wish.advisor.isdecimal():
        advisor_id = advisor_id or wish.advisor
    needed = {
        "--advisor-id": advisor_id,
        "--stream": wish.stream,
        "--name": wish.contact_name,
        "--advisor-name": wish.advisor_name,
    }
    if missing := [f"{option}: is needed with --offline" for option, value in needed.items() if not value]:
        raise ConfigError(missing)
    return _two(wish, advisor_id, wish.advisor_name, wish.contact_name, wish.stream)


async def _asked(settings: Settings, store: Database, wish: _Wish) -> Pair:
    """The pair as the networks know the two people; opens a room when no stream was given."""
    from bridge import telemetry
    from bridge.cli import compose
    from bridge.message import SYMPHONY, WEIXIN

    rooms = await _earlier_rooms(store, wish)
    telemetry.configure(level="error", form="console")
    async with compose.networks(settings, store.blobs) as networks:
        await _require_account(networks[WEIXIN], wish.account)
        advisor = await _advisor(networks[SYMPHONY], wish)
        contact: Party | None = await networks[WEIXIN].customer(wish.contact)
        if contact is None:
            raise ConfigError(
                f"the customer service accounts know no contact {wish.contact}: somebody who has written to "
                "one of them stands in `weighbridge audit search`."
            )
        name = wish.contact_name or contact.name
        stream = await _room(networks[SYMPHONY], rooms.get(advisor.id, []), advisor, name, wish)
    return _two(wish, advisor.id, advisor.name, name, stream)


async def _earlier_rooms(store: Database, wish: _Wish) -> dict[str, list[str]]:
    """The streams, by advisor and each once, that this contact had in pairs that have ended.

    Raises Conflict while the contact is in a pair: he talks in one stream, whoever the advisors are.
    """
    from bridge.store import views

    contact = f"{wish.account}/{wish.contact}"
    rows = [
        row
        for row in await store.read(lambda db: views.pairs(db, ended=True))
        if row["contact"] == contact and not wish.stream
    ]
    for row in rows:
        if row["state"] == "active":
            raise Conflict(
                f"{contact} is in pair {row['id']} already; to let another advisor join that chat, say "
                f"--stream {row['stream']}."
            )
    streams: dict[str, dict[str, None]] = {}
    for row in rows:
        streams.setdefault(row["advisor"], {})[row["stream"]] = None
    return {advisor: list(some) for advisor, some in streams.items()}


async def _require_account(weixin: WeixinConnector, account: str) -> None:
    known = [one.open_kfid for one in await weixin.accounts()]
    if account not in known:
        raise ConfigError(
            f"{account} is no customer service account that this application may use: {', '.join(known)} are."
        )


async def _room(
    symphony: SymphonyConnector, earlier: Sequence[str], advisor: Party, name: str, wish: _Wish
) -> str:
    """The stream that was typed, the last one that the two had, or a new room.

    Raises ConfigError when the bridge is not in the one that was typed: nothing would ever go through it.
    """
    if wish.stream and not await symphony.is_in(wish.stream):
        raise ConfigError(
            f"--stream: the bridge's account is not in {wish.stream}, or it is closed: add the account there."
        )
    if wish.stream:
        return wish.stream
    if earlier and await symphony.is_in(earlier[-1]):
        return earlier[-1]
    return await _open_room(symphony, len(earlier), advisor, name, wish)


async def _open_room(
    symphony: SymphonyConnector, earlier: int, advisor: Party, name: str, wish: _Wish
) -> str:
    """A room for the two, who had some `earlier` ones. Symphony takes no two rooms of one name (under 50
    characters), and neither names nor nicknames are unique."""
    title = f"{name[:16]} · Weixin · {advisor.name[:14]} {wish.contact[-6:]}"
    title += f" {earlier + 1}" if earlier else ""
    stream: str = await symphony.open_room(title, [advisor.id])
    return stream


async def _advisor(symphony: SymphonyConnector, wish: _Wish) -> Party:
    from bridge.message import SYMPHONY, Party

    if wish.advisor.isdecimal():
        if not wish.advisor_name:
            raise ConfigError("--advisor-name: is needed with a user id, which Symphony is not asked about")
        return Party(SYMPHONY, wish.advisor, wish.advisor_name)
    advisor = await symphony.find_user(wish.advisor)
    if advisor is None:
        raise ConfigError(f"Symphony knows no active user with the address {wish.advisor}: check it there.")
    return replace(advisor, name=wish.advisor_name or advisor.name)


def _two(wish: _Wish, advisor_id: str, advisor_name: str, contact_name: str, stream: str) -> Pair:
    from bridge.message import SYMPHONY, WEIXIN, Party
    from bridge.people import Pair

    address = "" if wish.advisor.isdecimal() else wish.advisor
    advisor = Party(SYMPHONY, advisor_id, advisor_name, address, wish.languages[0])
    contact = Party(WEIXIN, wish.contact, contact_name, "", wish.languages[1], wish.tags)
    return Pair(advisor, stream, contact, wish.account)


@people.command()
@click.argument("number", metavar="PAIR", type=click.IntRange(min=1))
@reason_option
@person_option
@pass_root
def unpair(root: Root, number: int, reason: str, person: str) -> None:
    """End a pair: the two may no longer talk. What has not gone out is dropped; the archive keeps all."""
    from bridge import people as acts

    root.act(lambda store: acts.unpair(store, number, person, reason))
    click.echo(f"Pair {number} has ended; said by {output.cell(person)}.")
