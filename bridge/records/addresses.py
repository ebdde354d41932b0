"""Addresses for people who have none, and the region that a record belongs to.

Rules of this file: pure. An archive sorts out participants without a corporate address, so everybody gets one
that follows from the network's id alone: the same person has the same address in every export for ever.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from bridge.records.transcript import Party

_WORDS = 24
"""Characters of the id that stay readable in an address."""

_MAILBOX = re.compile(
    r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII
)
"""An address as it can stand in a header without quotes (RFC 5322, section 3.4.1: dot-atoms)."""


def own_or_made(network: str, id: str, own: str, domain: str) -> str:
    """Somebody's address, in exports and in archives outside: `own` where it is one, else one that is made of
    the id. What networks call an address may be anything."""
    return own if _MAILBOX.fullmatch(own) else address_of(network, id, domain)


def address_of(network: str, id: str, domain: str) -> str:
    """The address of somebody without one.

    Ids are told apart by the case of letters, and mailboxes are not: so a digest of the id is part of it.
    RFC 5321 allows 64 characters before the sign.
    """
    digest = hashlib.sha256(f"{network}/{id}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
    words = re.sub(r"[^a-z0-9]+", "-", id.casefold(), flags=re.ASCII)[:_WORDS].strip("-")
    return f"{words}-{digest}@{domain}" if words else f"{network}-{digest}@{domain}"


def may_lie(origin: str, walls: Sequence[str], region: str, approval: str) -> bool:
    """Whether records of region `origin` may lie in `region` ("": nobody said which, so it is another one): a
    walled region's may leave it only by an approval."""
    return origin not in walls or region.upper() == origin or bool(approval)


def origin(rules: Sequence[str], parties: Iterable[Party], tags: Iterable[str]) -> str:
    """The region of a conversation: `rules` are those of the settings; "" where none fits."""
    found = [rule.rpartition("=")[::2] for rule in rules]
    labels, networks = {f"tag:{tag}" for tag in tags}, {party.network for party in parties}
    by_label = (region for whose, region in found if whose in labels)
    by_network = (region for whose, region in found if whose in networks)
    return next(by_label, next(by_network, ""))
