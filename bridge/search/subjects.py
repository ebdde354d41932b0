"""Whom a query speaks of: the people and conversations that it names, and a conversation by all of its keys.

Rules of this file: pure. A conversation has a key on each network, and one may have had several. Only what
speaks for a message counts: what is negated names nobody, and leaving out one half of a conversation leaves
out that half alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bridge.policy.folding import fold
from bridge.search.conditions import Came, Has, Is, Named, Says
from bridge.search.document import Person
from bridge.search.facets import places_of
from bridge.search.people import is_meant
from bridge.search.query import Query
from bridge.search.states import SETTLED
from bridge.search.tree import Condition, Leaf, Node, Not, Or, joined, wanted

Keys = tuple[str, ...]
"""The keys of one conversation, one on each network."""


def widened(query: Query, chats: Sequence[Keys]) -> Query:
    """The same query, but for what it asks `in` a conversation: it asks in all of it, by the keys that any
    of `chats` has beside the one that is named."""
    return replace(query, node=_wide(query.node, chats))


def _wide(node: Node, chats: Sequence[Keys], negated: bool = False) -> Node:
    if isinstance(node, Not):
        return Not(_wide(node.part, chats, not negated), node.start, node.end)
    if not isinstance(node, Leaf):
        many = joined(type(node), [_wide(part, chats, negated) for part in node.parts])
        return many if isinstance(many, Leaf | Not) else joined(type(many), list(dict.fromkeys(many.parts)))
    asked = node.condition
    if negated or not isinstance(asked, Has) or asked.name != "in":
        return node
    return joined(Or, [node, *(Leaf(Has("in", key)) for key in others(asked.wanted, chats))])


def others(key: str, chats: Iterable[Keys]) -> list[str]:
    """The keys that conversations have beside `key`, which may be the account before a key's `/`: also those
    of a conversation that has one of these, because its halves are one talk."""
    left, met, found = list(chats), {key}, dict[str, None]()
    while joining := [keys for keys in left if any(met.intersection(places_of(one)) for one in keys)]:
        left = [keys for keys in left if keys not in joining]
        found |= dict.fromkeys(one for keys in joining for one in keys)
        met |= found.keys()
    return [one for one in found if key not in places_of(one)]


def names(query: Query, people: Sequence[Person], keys: Keys) -> bool:
    """Whether a query speaks of one of these people, in whatever role, or of a conversation of theirs."""
    return any(_names(one, people, keys) for one in wanted(query.node))


def _names(condition: Condition, people: Sequence[Person], keys: Keys) -> bool:
    if isinstance(condition, Named):
        return any(is_meant(condition.term, one, condition.whole) for one in people)
    return isinstance(condition, Has) and condition.wanted in set(_known(condition.name, people, keys))


def _known(facet: str, people: Sequence[Person], keys: Keys) -> Iterator[str]:
    if facet == "in":
        for key in keys:
            yield from places_of(key)
    elif facet == "group":
        for one in people:
            yield from map(fold, one.tags)


def changing(query: Query) -> list[str]:
    """The conditions of a query whose answer may become another one by what somebody does about a message
    afterwards: where it stands, and what was decided by hand."""
    return list(dict.fromkeys(str(one) for one in _conditions(query.node) if _changes(one)))


def _conditions(node: Node) -> Iterator[Condition]:
    yield from wanted(node)
    yield from wanted(node, negated=True)


def _changes(one: Condition) -> bool:
    match one:
        case Is(state):
            return state not in SETTLED
        case Named(name) | Says(name) | Has(name):
            return name in ("reviewer", "actor", "reason", "action")
        case Came(name):
            return name == "note"
    return False
