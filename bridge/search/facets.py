"""What a document is known by beside its words: each facet as a set of plain values.

Rules of this file: one function for each facet, document in, values out. A query asks whether its value is
among them, and an index knows the document by "name:value" for each: one function says both, so they agree.
Only what is settled when a message is judged belongs here; what changes later is in `bridge.search.states`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from bridge.message import QUEUES_APART, SYMPHONY, Match, Outcome
from bridge.policy.folding import fold
from bridge.search.document import Attached, Document

HASH_DIGITS = 8  # of a digest are known to an index; a query gives at least as many

_LATIN = re.compile("[A-Za-z]")
_HAN = re.compile("[㐀-鿿\U00020000-\U0003ffff]+")
_OTHERS = re.compile("[А-яぁ-ゟァ-ヺ가-힣]")
_LINK = re.compile(r"[hH][tT]{2}[pP][sS]?://|[wW]{3}\.")


def _network(document: Document) -> Iterable[str]:
    return (document.network,)


def _direction(document: Document) -> Iterable[str]:
    return ("to_weixin" if document.network == SYMPHONY else "to_symphony",)


def _conversation(document: Document) -> Iterable[str]:
    return places_of(document.conversation)


def places_of(key: str) -> tuple[str, ...]:
    """The whole key of a conversation, and each level of it: `wk1/wm2` is also in `wk1`."""
    return (key, *key.split("/"))


def _source(document: Document) -> Iterable[str]:
    return (document.source_id,)


def _groups(document: Document) -> Iterator[str]:
    for person in (document.sender, document.reader):
        if person is not None:
            yield from map(fold, person.tags)


def _kind(document: Document) -> Iterable[str]:
    return (document.kind,)


def _types(document: Document) -> Iterator[str]:
    for file in document.files:
        yield from _types_of(file)


def _types_of(file: Attached) -> Iterator[str]:
    """What a file is, what it claims to be, and what its name says."""
    if file.found is not None:
        yield file.found.type.lower()
        yield file.found.claims.lower()
    _, dot, ending = file.name.rpartition(".")
    if dot:
        yield fold(ending)


def _languages(document: Document) -> Iterator[str]:
    """By script: a text may be in several. Whether Han characters are Traditional, the folding knows."""
    text = document.text
    if _LATIN.search(text):
        yield "en"
    if not text.isascii():
        han = "".join(_HAN.findall(text))
        if han:
            yield "zh"
            yield "zh-hans" if fold(han) == han else "zh-hant"
        yield from set(map(_other_script, _OTHERS.findall(text)))


def _other_script(char: str) -> str:
    return "ru" if char < "ぁ" else "ja" if char < "가" else "ko"


# --- decisions ------------------------------------------------------------------------------------------


def _matches(document: Document) -> Iterator[Match]:
    for decided in document.decisions:
        yield from decided.verdict.matches


def _outcomes(document: Document) -> Iterator[str]:
    return (decided.verdict.outcome.value for decided in document.decisions)


def _would(document: Document) -> Iterator[str]:
    """What rules in monitor mode would have done; what an exception lifted is no rule in monitor mode."""
    return (match.outcome.value for match in _matches(document) if not match.enforced and not match.exception)


def _rules(document: Document) -> Iterator[str]:
    for match in _matches(document):
        yield fold(match.rule)
        yield fold(f"{match.policy}/{match.rule}")


def _detectors(document: Document) -> Iterator[str]:
    for match in _matches(document):
        yield from map(fold, match.detectors)


def _lists(document: Document) -> Iterator[str]:
    for decided in document.decisions:
        for name, _ in decided.verdict.lists:
            yield from _levels(name)


def _levels(name: str) -> Iterator[str]:
    """`policy/name`, and the name alone."""
    yield fold(name)
    yield fold(name.rpartition("/")[2])


def _tags(document: Document) -> Iterator[str]:
    for decided in document.decisions:
        yield from map(fold, decided.verdict.tags)


def _policies(document: Document) -> Iterator[str]:
    """The name of each deciding file, and the beginning of its hash."""
    for decided in document.decisions:
        for name, digest in decided.verdict.policies:
            yield fold(name)
            yield digest.rpartition(":")[2][:HASH_DIGITS].lower()


def _exceptions(document: Document) -> Iterator[str]:
    for match in _matches(document):
        if match.exception:
            yield from _levels(match.exception)


def _queues(document: Document) -> Iterator[str]:
    for decided in document.decisions:
        yield from map(fold, decided.verdict.queue.split(QUEUES_APART))


def _consent(document: Document) -> Iterator[str]:
    for decided in document.decisions:
        if decided.verdict.ask or decided.verdict.gated:
            yield "missing"
        if decided.verdict.agreed:
            yield "given"


def _hashes(document: Document) -> Iterator[str]:
    return (digest[:HASH_DIGITS] for digest in digests(document))


def digests(document: Document) -> Iterator[str]:
    """Every digest that names it or a file of it, in lower-case hexadecimal digits."""
    if document.leaf:
        yield document.leaf.hex()
    for file in document.files:
        if file.digest:
            yield file.digest.lower()


# --- having ---------------------------------------------------------------------------------------------


class Having(NamedTuple):
    """Something that may come with a message: what it means, and whether it is there."""

    meaning: str
    is_there: Callable[[Document], bool]


HAVING: Mapping[str, Having] = {
    "attachment": Having("a file came with it", lambda d: bool(d.files)),
    "mask": Having("a rule masked part of it", lambda d: Outcome.REDACT in _outcomes(d)),
    "disclaimer": Having(
        "a text of the firm's went below it",
        lambda d: any(decided.verdict.annotations for decided in d.decisions),
    ),
    "note": Having("a reviewer gave a reason", lambda d: any(decided.why for decided in d.decisions)),
    "quote": Having("it answers an earlier message", lambda d: bool(d.quote)),
    "link": Having("there is a link in its text", lambda d: _LINK.search(d.text) is not None),
    "defect": Having("its bytes could not be fully read", lambda d: bool(d.defect)),
    "virus": Having(
        "a scanner found something in a file",
        lambda d: any(f.found and f.found.virus for f in d.files),
    ),
    "macros": Having("a file has macros", lambda d: any(f.found and f.found.macros for f in d.files)),
    "encrypted": Having("a file is encrypted", lambda d: any(f.found and f.found.encrypted for f in d.files)),
}


def _having(document: Document) -> Iterator[str]:
    return (name for name, one in HAVING.items() if one.is_there(document))


FACETS: Mapping[str, Callable[[Document], Iterable[str]]] = {
    "network": _network,
    "dir": _direction,
    "kind": _kind,
    "in": _conversation,
    "id": _source,
    "hash": _hashes,
    "group": _groups,
    "action": _outcomes,
    "would": _would,
    "rule": _rules,
    "detector": _detectors,
    "list": _lists,
    "tag": _tags,
    "policy": _policies,
    "exception": _exceptions,
    "queue": _queues,
    "consent": _consent,
    "type": _types,
    "lang": _languages,
    "has": _having,
}

#: In which order to ask: 1 is in clear, 4 (all others) is opened with the verdict, 6 with the text.
FACET_COSTS: Mapping[str, int] = {
    "network": 1,
    "dir": 1,
    "kind": 1,
    "in": 1,
    "hash": 2,
    "group": 3,
    "type": 5,
    "lang": 6,
}
