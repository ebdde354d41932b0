"""Who is meant by `from:alice`, and what an index knows a person by.

Rules of this file: pure. Three ways to name somebody, told apart by the sign @ alone:

    alice.wong@bank.example     the whole address, or an id that looks like one
    @bank.example               everybody of that domain
    alice, wong, 李, 17592…     a part of the name or of what stands before the @; or the whole id
"""

from __future__ import annotations

import functools

from bridge.policy.folding import fold
from bridge.search.document import Document, Person
from bridge.search.parts import known
from bridge.search.terms import Term


@functools.lru_cache(maxsize=4096)
def wholes(person: Person) -> frozenset[str]:
    """What names a person and nobody else: id, address and whole name, folded."""
    return frozenset(fold(one).strip() for one in (person.id, person.address, person.name) if one)


@functools.lru_cache(maxsize=4096)
def words(person: Person) -> frozenset[str]:
    """Every word that an index is to know a person by."""
    local, at, domain = fold(person.address).rpartition("@")
    return wholes(person).union(known(fold(person.name)), known(local), {at + domain} if at else ())


def is_meant(term: Term, person: Person, whole: bool) -> bool:
    """Whether `term` names `person`; `whole`: by id, address or whole name only."""
    if term.folded in wholes(person):
        return True
    if whole:
        return False
    local, at, domain = fold(person.address).rpartition("@")
    if "@" in term.folded:
        return bool(at) and term.folded == at + domain
    named = fold(person.name)
    return term.within(named, person.name) or term.within(local, local)


def author(document: Document) -> tuple[Person, ...]:
    """Who wrote it."""
    return (document.sender,)


def reader(document: Document) -> tuple[Person, ...]:
    """Whom it is for: nobody outside of an approved pair."""
    return () if document.reader is None else (document.reader,)


def both(document: Document) -> tuple[Person, ...]:
    """Everybody who takes part."""
    return author(document) + reader(document)


def reviewers(document: Document) -> tuple[Person, ...]:
    """Who decided about it, by hand."""
    named = {decided.person: None for decided in document.decisions if decided.person}
    return tuple(map(_reviewer, named))


@functools.lru_cache(maxsize=1024)
def _reviewer(name: str) -> Person:
    """Reviewers are known by one word or address alone."""
    return Person("", name, "" if "@" in name else name, name if "@" in name else "")


def actors(document: Document) -> tuple[Person, ...]:
    """Who did something about it: wrote it, or decided about it."""
    return author(document) + reviewers(document)


def clients(document: Document) -> tuple[Person, ...]:
    """The end of the conversation that is on Weixin."""
    return tuple(person for person in both(document) if person.network == "weixin")
