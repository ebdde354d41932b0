"""Who is meant: sets of people, by address, address with `*`, id in Weixin, or tag.

Rules of this file: every set of people that some policy names has a number, equal ones the same. A person is
looked up once, whatever the number of sets; case never matters. Tags are folded like texts: people in
Weixin write them in either script, with any width. What was looked up is remembered: the answer
depends on nothing but what is asked.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bridge.message import Party, Route
from bridge.policy.folding import fold

_TAG = "tag:"
_MOST_ROUTES = 10_000  # pairs of people that are remembered


class Ends(NamedTuple):
    """The two people of a route: the sets that each of them is in, and a digest of what is known of both.

    Names are not part of the digest: nothing is decided by them.
    """

    sender: frozenset[int]
    recipient: frozenset[int]
    people: frozenset[int]
    digest: str


class Roster:
    """All sets of people that policies name. Sets are added while policies are built, never later."""

    def __init__(self) -> None:
        self._numbers: dict[frozenset[str], int] = {}
        self._names: dict[str, set[int]] = {}
        self._tags: dict[str, set[int]] = {}
        self._domains: dict[str, set[int]] = {}
        self._globs: dict[tuple[str, ...], set[int]] = {}
        self.ends = functools.lru_cache(_MOST_ROUTES)(self._ends)

    def number(self, members: Iterable[str]) -> int:
        """The number of the set of `members`."""
        known = frozenset(map(_written_alike, members))
        number = self._numbers.setdefault(known, len(self._numbers))
        for member in known:
            self._add(member, number)
        return number

    def _add(self, member: str, number: int) -> None:
        if member.startswith(_TAG):
            self._tags.setdefault(member.removeprefix(_TAG), set()).add(number)
        elif "*" not in member:
            self._names.setdefault(member, set()).add(number)
        elif member.startswith("*@") and "*" not in member[1:]:
            self._domains.setdefault(member[1:], set()).add(number)
        else:
            self._globs.setdefault(tuple(member.split("*")), set()).add(number)

    def of(self, party: Party) -> frozenset[int]:
        """The numbers of the sets that `party` is in."""
        found: set[int] = set()
        for written in (party.address, party.id):
            if written:
                self._by_name(written.casefold(), found)
        for tag in party.tags:
            found.update(self._tags.get(_tag(tag), ()))
        return frozenset(found)

    def _ends(self, route: Route) -> Ends:
        """Who takes part."""
        sender, recipient = self.of(route.sender), self.of(route.recipient)
        return Ends(sender, recipient, sender | recipient, _digest(route))

    def _by_name(self, name: str, found: set[int]) -> None:
        found.update(self._names.get(name, ()))
        at = name.rfind("@")
        if at >= 0:
            found.update(self._domains.get(name[at:], ()))
        for pieces, numbers in self._globs.items():
            if fits(pieces, name):
                found.update(numbers)


def _tag(written: str) -> str:
    return fold(written).strip()


def _written_alike(member: str) -> str:
    """`member` as all ways to write it are compared."""
    known = member.casefold()
    return _TAG + _tag(known.removeprefix(_TAG)) if known.startswith(_TAG) else known


def _digest(route: Route) -> str:
    people = sorted("\0".join(_known(party)) for party in (route.sender, route.recipient))
    return hashlib.sha256("\n".join(people).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _known(party: Party) -> list[str]:
    return [party.network, party.id, party.address, party.language, *sorted(party.tags)]


def fits(pieces: Sequence[str], name: str) -> bool:
    """Whether `name` is `pieces` with anything between them. Greedy from the left: linear, never stuck."""
    first, *middle, last = pieces
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, stop = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, at, stop)
        if found < 0:
            return False
        at = found + len(piece)
    return True
