"""What a client is given of a conversation: what he wrote, and of the rest what he was shown.

Rules of this file: pure, and careful: what is not said here to be his stays behind. Nothing says what the
firm did with a message, who else was there, or by what the firm and its network know its people: their names
stood above the words that he was shown, so these he is given. That others were written to as well is seen by
the numbers of his messages, without which nothing could be proven.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.flow import DeliveryState
from bridge.message import Kind
from bridge.records.addresses import address_of
from bridge.records.transcript import (
    BOTH_WAYS,
    BRIDGE,
    CLIENT,
    Came,
    Enclosure,
    Later,
    Line,
    Party,
    Passed,
    Slice,
)

NOT_REACHED = "not known to have reached the client"
"""Why a client's copy has nothing of a file: his network took a part of the message, nobody says which."""


def as_client(line: Line, domain: str) -> Line | None:
    """A message as a client wrote it or saw it, and nothing of what the firm did with it; None where he did
    neither. Its transcript names no version but those that he wrote or was shown. `domain` is that of made
    addresses."""
    later = tuple(_later(one, domain) for one in line.later)
    bare = replace(line, sent="", offered="", sent_quote="", state="", decisions=(), later=later, copy=True)
    if line.kind in (Kind.NOTE, Kind.FAILED):
        return None  # what a network tells the bridge, in a client's name
    if line.sender.role == CLIENT:
        return replace(bare, readers=(), deliveries=())
    if not (line.delivered or line.partly) or all(reader.role != CLIENT for reader in line.readers):
        return None
    taking = line.kind == Kind.RECALL
    return replace(
        bare,
        source_id="",
        sender=_by_name(line.sender, domain),
        readers=tuple(reader for reader in line.readers if reader.role == CLIENT),
        replaces="",
        refers_to="",
        text=line.sent if line.delivered else line.offered,
        quote=line.sent_quote,
        taken=line.sent_quote if taking else "",
        files=_files_in_part(line) if line.partly else line.files,
        deliveries=tuple(
            _delivery(one) for one in line.deliveries if one.partly or one.state == DeliveryState.SENT
        ),
    )


def _by_name(party: Party, domain: str) -> Party:
    """Somebody of the firm's by the name that the client was shown: not by the id that the firm's network
    knows him by, nor by his address."""
    if party.role in (CLIENT, BRIDGE):
        return party
    return replace(party, id=party.name, address=address_of(party.network, party.name, domain))


def _delivery(one: Passed) -> Passed:
    """A delivery, without what became of the rest of it, and when."""
    if one.state == DeliveryState.SENT:
        return replace(one, reason="")
    return replace(one, reason="", state="", at=one.arrived[0] if one.arrived else 0)


def _files_in_part(line: Line) -> tuple[Enclosure, ...]:
    """The files of a message of which the client's network took a part: that there are any, and no more."""
    return tuple(Enclosure("", one.media, -1, missing=NOT_REACHED) for one in line.files)


def _later(one: Later, domain: str) -> Later:
    """A later version without words that the client was perhaps never shown: those he saw have a row."""
    if one.sender.role == CLIENT:
        return one
    return replace(one, text="", source_id="", sender=_by_name(one.sender, domain))


def for_client(one: Slice, key: str) -> Slice:
    """A conversation of messages `as_client`, under a `key` that does not count the firm's conversations: in
    it are the client himself and whoever wrote what he was shown, and nobody is told why the firm made a
    pair, or ended it."""
    items = tuple(
        replace(item, reason="") if isinstance(item, Came) else item
        for item in one.items
        if isinstance(item, Line) or item.party.role == CLIENT
    )
    present = tuple(party for party in one.present if party.role == CLIENT)
    people = dict.fromkeys(
        (*present, *(item.party if isinstance(item, Came) else item.sender for item in items))
    )
    people |= dict.fromkeys(reader for line in one.lines for reader in line.readers)
    sides = (
        [p.name for p in people if (p.role == CLIENT) == his and p.role != BRIDGE] for his in (False, True)
    )
    title = BOTH_WAYS.join(", ".join(dict.fromkeys(names)) for names in sides if names)
    return replace(one, key=key, title=title, items=items, present=present, participants=tuple(people))
