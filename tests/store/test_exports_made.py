"""Exports in the record: the state that they are of, what was handed over, what was refused."""

from __future__ import annotations

import pytest
from rig import Hands, message
from sqlalchemy import Connection

from bridge.errors import Damaged
from bridge.ledger.checkpoint import Signer, verified
from bridge.message import SYMPHONY
from bridge.records.transcript import Line, Party
from bridge.store import exports
from bridge.store.exports import Prover, State
from bridge.store.looks import Looker, looks

SIGNER = Signer("bank.example", b"s" * 32)
WHO = Looker("auditor@bank.example", "the regulator asked", "CASE-7")
FACTS = {"id": "9f86d081884c7d65", "format": "jsonl", "sha256": "ab" * 32, "messages": 2, "excluded": 1}
BODY = {"query": "内幕", "region": "HK", "approval": "A-1", "numbers": "3-4", "client": "", "profile": "sfc"}


async def begun(hands: Hands) -> State:
    """An export of three messages, begun."""
    for number in range(3):
        await hands.archive(message(SYMPHONY, f"s{number}", f"text {number}"))
    return await hands.store.write(lambda tx: exports.begin(tx, 0, WHO, "内幕", SIGNER))


async def test_an_export_is_of_the_record_before_it_began(hands: Hands) -> None:
    """The state is signed, and the entry of the beginning is not part of it; who and why is recorded."""
    state = await begun(hands)
    size, root, note = state.lanes[0]
    said = verified(note, [SIGNER.verifier(0)])
    assert (said.size, said.root) == (size, root)
    assert state.has(0, size - 1)
    assert not state.has(0, size)
    look = await hands.store.read(lambda db: next(looks(db)))
    assert (look["seq"], look["command"], look["person"], look["query"]) == (
        size,
        "export",
        WHO.person,
        "内幕",
    )


async def test_what_was_handed_over_is_read_back(hands: Hands) -> None:
    """By message too; what was written down once is not written again; a refusal stands beside."""
    for _ in range(2):
        await hands.store.write(lambda tx: exports.record_made(tx, 0, WHO, FACTS, BODY))
    await hands.store.write(lambda tx: exports.record_refused(tx, 0, WHO, "US", {"query": "x"}))
    refused, made = await hands.store.read(lambda db: list(exports.made(db)))
    assert (made["kind"], made["messages"], made["person"], made["query"]) == (
        "export:made",
        2,
        WHO.person,
        "内幕",
    )
    assert (refused["kind"], refused["query"]) == ("export:refused", "x")
    for number, count in ((2, 0), (3, 1), (4, 1)):
        assert len(await hands.store.read(lambda db, n=number: exports.exports_of(db, n))) == count


async def test_each_message_is_proven(hands: Hands) -> None:
    """One line a message, with its content; a leaf that is not in the tree is Damaged."""
    state = await begun(hands)

    def line(db: Connection, number: int, entry: int) -> Line:
        nobody = Party("symphony", "1", "", "", "other")
        return Line(number, 0, 0, "symphony", "", "text", "new", nobody, (), "", lane=0, entry=entry)

    def proven(db: Connection, broken: bool) -> list[bytes]:
        places = db.exec_driver_sql("SELECT id, entry FROM messages ORDER BY id").fetchall()
        chosen = [line(db, number, entry) for number, entry in places]
        size, root, note = state.lanes[0]
        other = State(state.at, {0: (size, b"x" * 32 if broken else root, note)})
        return list(Prover(db, other).lines(chosen))

    lines = await hands.store.read(lambda db: proven(db, False))
    assert len(lines) == 3
    assert all(f"text {number}".encode() in lines[number] for number in range(3))
    with pytest.raises(Damaged, match="does not prove"):
        await hands.store.read(lambda db: proven(db, True))
