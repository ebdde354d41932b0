"""The canonical bytes of a ledger entry, and the salted digest that stands in it for content.

Rules of this file: pure, and versioned. An entry's bytes are hashed for ever, so nothing here may change
what version 1 produces; a change gets a new number and a fixture of old bytes that still verifies
(`tests/ledger/entries-v1.jsonl`).

Version 1 is JSON in the canonical form that any language can make again: keys sorted, no white space,
ASCII only, integers, true, false and strings (and lists and objects of them), no floats; strings are
escaped as little as JSON allows (RFC 8785, section 3.2.2.2). An entry never holds content:
what people wrote stands in the archive under a random salt, and the entry holds a digest of both
(`bridge.ledger.content`). Without the salt, a digest of a short text could be guessed; with the salt
destroyed, it says nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import orjson

VERSION = 1

#: Every kind of entry, and what it testifies. What is not in this table cannot be written.
KINDS: Mapping[str, str] = {
    "ledger:opened": "the ledger of this lane begins",
    "lane:taken": "a daemon took this lane; its epoch fences the one before",
    "message:archived": "a message is in the archive; nothing has been decided",
    "notice:archived": "words of the bridge itself are in the archive, as any message is",
    "file:archived": "an attachment's bytes are in the archive, by their digest",
    "file:missing": "an attachment could not be had; its message is held",
    "message:judged": "the policy answered",
    "message:noted": "a network's own remark: archived, not relayed",
    "message:recalled": "its sender took a held message back, or said it anew",
    "delivery:permitted": "one permit to send was made from a verdict",
    "delivery:sent": "the network accepted what a permit allowed",
    "delivery:found": "an earlier attempt was looked for and found to have arrived",
    "delivery:waiting": "the network's reply window is closed; the delivery waits for the reader to write",
    "delivery:parked": "the network refused, or the retries ran out: a person decides",
    "delivery:failed": "the network said later that the reader never got it",
    "delivery:retried": "a person put a parked delivery back",
    "delivery:dropped": "a delivery will never be made",
    "hold:released": "a reviewer let a held message pass",
    "hold:rejected": "a reviewer refused a held message",
    "hold:lifted": "what a hold waited for is there: the message is judged again",
    "hold:escalated": "a hold was not decided in time: somebody has to look now",
    "hold:expired": "a hold was not decided in time: the message goes nowhere",
    "consent:asked": "a client was asked to agree to what a gate says",
    "consent:given": "a client agreed",
    "sample:drawn": "the delivered messages of a day that are to be reviewed were drawn",
    "sample:closed": "a reviewer looked at a drawn message, and said what was found",
    "copy:kept": "an archive outside has a copy of a record, by the digest of its bytes",
    "copy:parked": "an archive outside will not take a copy as it is: a person decides",
    "copy:retried": "a person put a parked copy back",
    "copy:lost": "a copy was not found in an archive outside as it had been taken there: it is brought again",
    "copies:checked": "copies were read back from an archive outside and compared",
    "archive:rehearsed": "an archive was shown to lock what it keeps: it refused to delete",
    "archive:cleared": "a person let an archive lock copies so that nobody can unlock them before their time",
    "waiver:proposed": "a person proposed to let out what waits for an archive outside",
    "waiver:granted": "another person agreed: what waited for that archive by then goes out",
    "retention:proposed": "a person wants a class for records that have none; which and why is its content",
    "retention:assigned": "another person agreed to that: these records have an end from here on",
    "retention:refused": "a person refused a proposed class, or took it back: no record gets it",
    "record:kept": "a record lives longer: what its period runs from has happened, or somebody extended it",
    "record:joined": "a later message edits a record, or takes it back: what keeps one keeps both",
    "retention:started": "a person said that an event has happened, for the records that a query finds",
    "retention:extended": "a person ordered that the records that a query finds are kept longer",
    "legal:placed": "a person placed a legal hold; whom or what it covers is its content",
    "legal:lift-proposed": "a person proposed to lift a legal hold; it stands until another one agrees",
    "legal:lift-refused": "a person refused to lift a legal hold: it stands",
    "legal:lifted": "a second person agreed: a legal hold covers nothing any more",
    "people:meant": "whom legal holds of policies mean, written down before records go that say so",
    "pair:made": "two people may talk",
    "pair:ended": "two people may no longer talk",
    "policy:stored": "a policy file and its lists are in the archive, by their hash",
    "policy:proposed": "somebody proposed a set of policy files, with its differences from what was in force",
    "policy:approved": "somebody else approved a proposed set, and ticked what it loosens",
    "policy:rejected": "a proposed or approved set was refused",
    "policy:withdrawn": "whoever proposed a set took it back",
    "policy:scheduled": "an approved set is to come into force at a time",
    "policy:activated": "these policy files decide from here on",
    "policy:superseded": "another set took the place of this one",
    "policy:rolled-back": "this set was taken out of force for the one before",
    "policy:refused": "a scheduled set did not come into force; what was in force stayed",
    "policy:backtested": "a person judged the archive again by other policies, to see what they would change",
    "audit:replayed": "a person decided recorded verdicts again, and was shown what people wrote",
    "search:made": "a person searched the archive; who, why, what for, and what was shown is its content",
    "message:shown": "a person was shown what one message says; who and why is its content",
    "evidence:made": "a person made a package of evidence for somebody outside; by its digest",
    "export:begun": "a person is about to be handed what a query finds; who, why and what is its content",
    "export:made": "an export is whole; by its manifest's digest, with counts; which messages is its content",
    "export:refused": "an export was refused, because records may not leave their region without an approval",
    "key:rotated": "content is sealed under a new store key from here on; another master key wraps them all",
    "key:retired": "a store key was destroyed: no data key is wrapped by it any more",
    "key:escrowed": "the master key was split into shares for custodians",
    "key:drilled": "custodians put the master key together from their shares, and it opened the archive",
    "store:copied": "all that was recorded so far was moved to this store from another, and verified here",
    "disposal:planned": "somebody listed records whose time is over, to be destroyed",
    "disposal:approved": "somebody else agreed that a list of records is destroyed",
    "disposal:withdrawn": "a list of records will not be destroyed",
    "disposal:carried-on": "records of an approved list are destroyed here; which holds were asked before",
    "record:disposed": "keys and content of a record were destroyed, by an approved list",
    "disposal:certified": "a list was worked through: what was destroyed by which rule, and what stayed",
    "disposal:settled": "nothing of what a list destroyed lies in the database's own files any more",
    "canary:refused": "the engine was asked to destroy a record that has to be kept, and refused",
    "canary:failed": "the engine was asked to destroy a record that has to be kept, and would have",
    "erasure:asked": "a person asked to be forgotten",
    "erasure:answered": "a request to be forgotten was answered: which records go, which stay until when",
    "pair:erased": "names and addresses of two people who are paired no longer were destroyed",
    "day:certified": "a day was reconciled; what came in, where it went and what is missing is its content",
    "day:settled": "a person said why what a day's certificate found is as it is",
    "source:heard": "a network was read, and had so many messages since the last time this was said, or none",
    "capture:stopped": "a network went unread for too long: nothing is passed on until it is read again",
    "capture:resumed": "every network is read again: what waited goes out",
    "house:frozen": "a person stopped everything: nothing is sent, all that comes is held",
    "house:unfrozen": "a person let things go on",
}


class Entry(NamedTuple):
    """One fact. `subject` says whose ("message/42", "delivery/0abc..."); `at` is in milliseconds."""

    lane: int
    seq: int
    at: int
    kind: str
    subject: str
    facts: Mapping[str, object]
    digest: str = ""  # of the content beside it, "" if the entry has none


def encode(entry: Entry) -> bytes:
    """The canonical bytes of `entry`, version 1.

    Raises ValueError for an unknown kind and for anything that has no canonical form (floats, text that
    is not ASCII): such a value would be content, and content does not belong into the ledger.
    """
    if not isinstance(entry.kind, str) or entry.kind not in KINDS:
        raise ValueError(f"{entry.kind!r} is not a kind of ledger entry; see KINDS in {__name__}")
    try:
        data = _dump(entry)
    except TypeError as error:  # numbers beyond 64 bits, keys that are not text, endless nesting
        raise ValueError(f"a {entry.kind} entry holds what has no canonical form: {error}") from None
    if not data.isascii():
        raise ValueError(f"a {entry.kind} entry holds text that is not ASCII: content does not belong here")
    if not _is_typed(entry) or not _are_canonical(entry.facts.values()):
        raise ValueError(f"a {entry.kind} entry holds what has no canonical form, such as a float")
    return data


def decode(data: bytes) -> Entry:
    """The entry that `data` encodes. Raises ValueError when the bytes are not a canonical entry."""
    value = orjson.loads(data)
    if not isinstance(value, dict) or value.get("v") != VERSION:
        raise ValueError("not a ledger entry of a version known here")
    if not _is_sorted_json(value, data):
        raise ValueError("not in canonical form")
    if tuple(value) != _FIELDS:
        raise ValueError("not a ledger entry: its fields are others")
    entry = _entry_of(value)
    if tuple(map(type, value.values())) != _TYPES or not _is_an_entry(entry) or not data.isascii():
        encode(entry)  # says what is wrong with it
        raise ValueError("not in canonical form")
    return entry


def recall(data: bytes) -> Entry:
    """The entry in bytes that `decode` took before: whether they are canonical is not asked again.

    Raises ValueError when the bytes are no entry at all.
    """
    value = orjson.loads(data)
    if type(value) is not dict or tuple(value) != _FIELDS:
        raise ValueError("not a ledger entry: its fields are others")
    return _entry_of(value)


def _is_sorted_json(value: object, data: bytes) -> bool:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == data
    except TypeError:  # nested more deeply than can be written
        return False


_FIELDS = ("at", "digest", "facts", "kind", "lane", "seq", "subject", "v")
_TYPES = (int, str, dict, str, int, int, str, int)
_made = partial(tuple.__new__, Entry)


def _entry_of(value: Mapping[str, Any]) -> Entry:
    """The entry whose members these are: written out, because this is done for every entry read again."""
    at, digest, facts, kind, lane, seq, subject, _ = value.values()
    return _made((lane, seq, at, kind, subject, facts, digest))


def _is_an_entry(entry: Entry) -> bool:
    return entry.kind in KINDS and _are_canonical(entry.facts.values())


def _dump(entry: Entry) -> bytes:
    return orjson.dumps(
        {
            "at": entry.at,
            "digest": entry.digest,
            "facts": entry.facts,
            "kind": entry.kind,
            "lane": entry.lane,
            "seq": entry.seq,
            "subject": entry.subject,
            "v": VERSION,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def _is_typed(entry: Entry) -> bool:
    return (
        type(entry.lane) is int
        and type(entry.seq) is int
        and type(entry.at) is int
        and isinstance(entry.kind, str)
        and isinstance(entry.subject, str)
        and isinstance(entry.digest, str)
        and isinstance(entry.facts, Mapping)
    )


_PLAIN = frozenset({int, str, bool})


def _are_canonical(values: Iterable[object]) -> bool:
    for value in values:  # written out: this is asked of every fact that is ever read again
        if type(value) in _PLAIN or _is_canonical(value):
            continue
        return False
    return True


def _is_canonical(value: object) -> bool:
    if isinstance(value, int | str):
        return True
    if isinstance(value, list | tuple):
        return _are_canonical(value)
    return isinstance(value, Mapping) and _are_canonical(value.values())
