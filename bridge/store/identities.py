"""Who is meant by what people type: every id under which the record knows somebody of that name or address.

Rules of this file: reads only. A name is not a person: pairs end, and are made again under another name, and
what somebody wrote while nobody had paired them has an id alone. So whoever asks for all of somebody asks by
ids. They come from every pair there ever was and is not erased, and from messages that were opened: those of
a search, or all of them, each once in the life of a process (`everybody`). What these say of people whom a
policy holds is written down before any of them goes (`remember`): it is never known less well afterwards.

    people:meant   people whom legal holds of policies mean: ids, addresses, tags; only ever added to
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, and_, bindparam, literal_column, select

from bridge.message import SYMPHONY, WEIXIN, Party
from bridge.policy.folding import fold
from bridge.search.document import Document, Person
from bridge.search.people import both, is_meant
from bridge.search.terms import Term
from bridge.search.writing import quoted
from bridge.store import schema as s
from bridge.store import views
from bridge.store.codec import dump
from bridge.store.directory import Directory
from bridge.store.documents import Reading
from bridge.store.prepared import Prepared
from bridge.store.proving import acts_about
from bridge.store.rows import WORDS_OF_OURS
from bridge.store.vault import Vault, apart, vault_of
from bridge.store.writer import Tx


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody as one network knows them: an id, and all names and addresses that were seen beside it."""

    network: str
    id: str
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def __str__(self) -> str:
        known = [*self.addresses, f"{self.network} {self.id}"]
        return f"{' / '.join(self.names) or 'nameless'} ({', '.join(known)})"


def identities(db: Connection, name: str, found: Iterable[Document], *, whole: bool) -> list[Identity]:
    """Everybody whom `name` means, in the order of their ids, out of all pairs and the messages `found`.

    A part of a name is enough, unless `whole`: then it is the name, an address or an id, and nothing less.
    Who has an address of one that is meant is meant as well.
    """
    known = _known(db, found)
    term = Term(name)
    meant = {key for key, people in known.items() if any(is_meant(term, one, whole) for one in people)}
    addresses = {fold(one.address) for key in meant for one in known[key] if one.address}
    meant |= {key for key, people in known.items() if any(fold(one.address) in addresses for one in people)}
    return [_identity(key, known[key]) for key in sorted(meant)]


def _known(db: Connection, found: Iterable[Document]) -> dict[tuple[str, str], dict[Person, None]]:
    known: defaultdict[tuple[str, str], dict[Person, None]] = defaultdict(dict)
    for one in (*_of_pairs(db), *remembered(db)):
        known[one.network, one.id][one] = None
    for document in found:
        for one in both(document):
            if one.id and one.id != WORDS_OF_OURS:
                known[one.network, one.id][one] = None
    return known


def _of_pairs(db: Connection) -> Iterator[Person]:
    """Both people of every pair, ended ones too."""
    for pair in views.pairs(db, ended=True):
        yield Person(SYMPHONY, pair["advisor"], pair["advisor_name"], pair["advisor_address"])
        yield Person(WEIXIN, contact_id(pair["contact"]), pair["contact_name"])


def contact_id(contact: str) -> str:
    """The id of a contact, by the key of their chat."""
    return contact.rpartition("/")[2]


def _identity(key: tuple[str, str], people: Iterable[Person]) -> Identity:
    names = dict.fromkeys(one.name for one in people if one.name)
    addresses = dict.fromkeys(one.address for one in people if one.address)
    return Identity(*key, tuple(names), tuple(addresses))


def conditions(people: Iterable[Identity]) -> list[str]:
    """What a query asks for all that these people wrote and read: their ids and addresses, each exactly."""
    exact = [value for one in people for value in (one.id, *one.addresses)]
    return [f"with:={quoted(value)}" for value in dict.fromkeys(exact)]


def are_one(people: Sequence[Identity]) -> bool:
    """Whether these can only be one person: one id, or one address that all of them have."""
    shared = (
        set.intersection(*({fold(each) for each in one.addresses} for one in people)) if people else set()
    )
    return len(people) == 1 or bool(shared)


def pairs_of(db: Connection, people: Sequence[Identity]) -> list[int]:
    """The pairs that these people are or were in."""
    ids = {(one.network, one.id) for one in people}
    return [
        pair["id"]
        for pair in views.pairs(db, ended=True)
        if not ids.isdisjoint({(SYMPHONY, pair["advisor"]), (WEIXIN, contact_id(pair["contact"]))})
    ]


# --- everybody ------------------------------------------------------------------------------------------


Key = tuple[str, str]
"""A network, and the id under which it knows somebody."""


class Same(NamedTuple):
    """Ids and addresses (folded) that are the same people's."""

    ids: frozenset[Key]
    addresses: frozenset[str]


NOBODY = Same(frozenset(), frozenset())


_MANY = 1_000
"""Messages that are opened together."""


class _Seen:
    """Who was seen, with every address, in all messages up to a number: what a message says of its sender
    never changes, so none is opened twice. And what followed from that, while nobody new is seen."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._directory = Directory()
        self._upto = 0
        self._seen: dict[Person, None] = {}
        self._same: dict[frozenset[str], tuple[int, Same]] = {}

    def people(self, db: Connection) -> list[Person]:
        """All of them, in as many shapes as they have."""
        with self._lock:
            self._look(db)
            return list(self._seen)

    def same(self, db: Connection, names: frozenset[str], is_meant: Callable[[Person], bool]) -> Same:
        """See `same_people`."""
        with self._lock:
            self._look(db)
            size, known = self._same.get(names, (-1, NOBODY))
            if size != len(self._seen):
                known = the_same(list(self._seen), is_meant)
                self._same[names] = len(self._seen), known
            return known

    def chats(self, db: Connection) -> list[tuple[str, ...]]:
        """See `chats`."""
        with self._lock:
            found: defaultdict[int, dict[str, None]] = defaultdict(dict)
            for pair, route in self._directory_of(db).by_pair():
                found[pair][route.conversation] = None
            return [tuple(keys) for keys in found.values()]

    def _directory_of(self, db: Connection) -> Directory:
        """The pairs, ended ones too. What a transaction did to them that writes may never come to be true:
        it is not remembered."""
        writes = db.get_execution_options().get("writes")
        directory = Directory() if writes and not self._directory.is_current(db) else self._directory
        directory.refresh(db)
        return directory

    def _look(self, db: Connection) -> None:
        # What a transaction reads that writes may never come to be true: it is not remembered as read. Its
        # own entries come after those that the tree had when it began.
        writes = db.get_execution_options().get("writes")
        sizes = {row.lane: row.size for row in db.execute(_SIZES)} if writes else None
        for one in remembered(db):
            self._seen[one] = None
        for route in self._directory_of(db).routes():
            for party in (route.sender, route.recipient):
                self._seen[person_of(party)] = None
        reading, upto, is_true = Reading(db), self._upto, True
        while rows := _SENDERS.rows(db, {"b_after": upto}):
            for number, network, sender, lane, seq, wrapped, sealed in rows:
                said = reading.open(lane, seq, wrapped, sealed) or {}
                self._seen[Person(network, sender, "", said.get("address", ""))] = None
                upto, is_true = number, is_true and (sizes is None or seq < sizes[lane])
                if is_true:
                    self._upto = number


_M, _C, _K = s.messages.c, s.content.c, s.data_keys.c
_SENDERS = Prepared(
    select(_M.id, _M.network, _M.sender, _M.lane, _M.entry, _K.wrapped, apart(_C.body))
    .outerjoin(s.content, and_(_C.lane == _M.lane, _C.seq == _M.entry))
    .outerjoin(s.data_keys, and_(_K.lane == _M.lane, _K.seq == _M.entry))
    .where(_M.id > bindparam("b_after"), _M.notice_for.is_(None), _M.sender != literal_column("''"))
    .order_by(_M.id)
    .limit(literal_column(str(_MANY)))
)

_SIZES = select(s.lanes.c.lane, s.lanes.c.size)

_SEEN: WeakKeyDictionary[Vault, _Seen] = WeakKeyDictionary()


def everybody(db: Connection) -> list[Person]:
    """Everybody whom a pair or a message knows, once with each address. The first time in a process every
    message is opened for it, afterwards those that came since."""
    return _SEEN.setdefault(vault_of(db), _Seen()).people(db)


def chats(db: Connection) -> list[tuple[str, ...]]:
    """The keys of each pair's conversation, one on each network, ended pairs too."""
    return _SEEN.setdefault(vault_of(db), _Seen()).chats(db)


def person_of(party: Party) -> Person:
    """Somebody as queries see them."""
    return Person(party.network, party.id, party.name, party.address, party.tags)


def same_people(db: Connection, names: frozenset[str], is_meant: Callable[[Person], bool]) -> Same:
    """`the_same` of everybody; remembered by the `names` that `is_meant` rests on alone."""
    return _SEEN.setdefault(vault_of(db), _Seen()).same(db, names, is_meant)


def the_same(people: Sequence[Person], is_meant: Callable[[Person], bool]) -> Same:
    """The ids and addresses (folded) of all that are meant among `people`, and of all that share an id or an
    address with one of them."""
    ids: set[Key] = set()
    addresses: set[str] = set()
    found = [one for one in people if is_meant(one)]
    while found:
        ids.update(map(_key, found))
        addresses.update(fold(one.address) for one in found if one.address)
        found = [one for one in people if _is_new(one, ids, addresses)]
    return Same(frozenset(ids), frozenset(addresses))


def _is_new(one: Person, ids: set[Key], addresses: set[str]) -> bool:
    """Whether one of the two is known, and the other not yet."""
    if not one.address:
        return False
    return (_key(one) in ids) is not (fold(one.address) in addresses)


def _key(one: Person) -> Key:
    return one.network, one.id


# --- what is never forgotten ----------------------------------------------------------------------------


MEANT = "meant"
"""Whose the entries are that say whom the legal holds of policies mean."""


def remember(tx: Tx, lane: int, held: Sequence[Same]) -> None:
    """Write down all that is known of people whom policies hold, as far as that is not written yet: what goes
    after this may have been the last to say that an id and an address are one person's."""
    tx.flush()
    known = set(remembered(tx.db))
    new = {_nameless(one) for one in everybody(tx.db) if any(_is_of(one, same) for same in held)} - known
    if new:
        people = sorted([one.network, one.id, one.address, sorted(one.tags)] for one in new)
        tx.append(lane, "people:meant", MEANT, {"people": len(new)}, dump({"people": people}))


def remembered(db: Connection) -> list[Person]:
    """Everybody who was so written down. Raises Damaged when that is not what was recorded."""
    return [
        Person(network, id_, "", address, frozenset(tags))
        for _, said in acts_about(db, MEANT)
        for network, id_, address, tags in said["people"]
    ]


def _nameless(one: Person) -> Person:
    """Somebody without a name: no policy holds by name."""
    return Person(one.network, one.id, "", one.address, one.tags)


def _is_of(one: Person, same: Same) -> bool:
    return _key(one) in same.ids or (bool(one.address) and fold(one.address) in same.addresses)
