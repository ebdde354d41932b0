"""From a case to a file: gathers, writes, signs, records, and only then puts the package in its place.

Rules of this file: order is what matters here. The making is in the ledger before anybody can have the
package; if it cannot be written down, there is no package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files as resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge import __version__
from bridge.cli.progress import Tell
from bridge.errors import Conflict, StoreError
from bridge.evidence import package
from bridge.evidence.account import account
from bridge.evidence.disclosure import NAMES, Disclosure, clients_part, disclosing
from bridge.evidence.page import page
from bridge.evidence.paper import paper
from bridge.store import exhibits
from bridge.store.parcel import Parcel, parcel

if TYPE_CHECKING:
    from bridge.evidence.exhibits import Attachment, Case, Life, Making
    from bridge.ledger.checkpoint import Signer, Verifier
    from bridge.store.database import Database


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be handed over: messages by number, things and messages to black out, and whose thread alone
    is shown ("" for everybody's), and with `as_client` only as that client wrote or saw it. `words` are those
    that a person wrote."""

    numbers: tuple[int, ...]
    things: frozenset[str] = frozenset()
    hidden: frozenset[int] = frozenset()
    contact: str = ""
    words: tuple[str, ...] = ()
    as_client: bool = False


INTERNAL = NAMES["reviewers"] | NAMES["matches"] | NAMES["policies"]
"""What a client does not get in a copy of what was said to him: who reviewed, which rules, which policies."""


async def make(
    store: Database,
    wanted: Wanted,
    making: Making,
    out: Path,
    signer: Signer,
    keys: Sequence[Verifier],
    tell: Tell,
) -> dict[str, Any]:
    """Make a package at `out`; gives a summary. Raises Conflict, Missing and StoreError, and leaves nothing
    then."""
    with parcel(out) as box:
        await store.write(lambda tx: exhibits.sign_uncovered(tx, signer, wanted.numbers))
        whole = await store.read(lambda db: exhibits.gather(db, wanted.numbers, keys, tell))
        case, disclosure = await store.read(lambda db: _disclosure(db, whole, wanted))
        said = _said(making, wanted)
        found = await _fill(box, store, case, said, disclosure, keys)
        listed = package.manifest(case, said, disclosure, found, box.files, __version__)
        box.add("manifest.json", listed)
        lane = min(one.number for one in case.lanes)
        box.add("manifest.note", signer.note(lane, package.signed_text(listed)).encode())
        (digest, size), counts = box.end(), package.counts(case, disclosure, found)
        numbers, here = [life.number for life in whole.lives], {life.number for life in case.lives}
        left = [number for number in numbers if number not in here]
        await store.write(
            lambda tx: exhibits.record_made(
                tx, store.lane, making, counts, digest, wanted.words, numbers, left
            )
        )
        box.settle()
    lacking = {"left_out": len(left), "without_words": len(disclosure.wordless)}
    return {"package": str(out), "sha256": digest, "bytes": size, **counts, **lacking}


def _said(making: Making, wanted: Wanted) -> Making:
    """What a package says of its making: to a client not who made it for which case, which may tell him that
    he is looked into. The record of the making has it all."""
    return replace(making, person="", case="", query="", reason="") if wanted.as_client else making


def _disclosure(db: Any, case: Case, wanted: Wanted) -> tuple[Case, Disclosure]:
    """What is handed over of a case, and what is kept back there; with a contact, every message that is not
    his, and in a client's copy that is not there at all."""
    if not wanted.contact:
        return case, disclosing(case, wanted.things, wanted.hidden)
    pairs = exhibits.pairs_of(db, wanted.contact)
    his = exhibits.messages_of(db, pairs, case.lives)
    others = {life.number for life in case.lives} - his
    if len(others) == len(case.lives):
        raise Conflict(f"none of these messages is of {wanted.contact!r}: give a contact's name or id")
    if wanted.as_client:
        return clients_part(case, his, wanted.things, wanted.hidden)
    return case, disclosing(case, wanted.things, wanted.hidden | others)


async def _fill(
    box: Parcel, store: Database, case: Case, making: Making, disclosure: Disclosure, keys: Sequence[Verifier]
) -> package.Records:
    lines = [str(key) for key in keys if key.name in {lane.note.split("\n")[0] for lane in case.lanes}]
    found = package.records(case, disclosure)
    box.add("README.txt", package.readme(lines))
    box.add("verify.py", resources("bridge.evidence").joinpath("verify.py").read_bytes())
    box.add("key.pub", "".join(f"{line}\n" for line in lines).encode())
    for lane in case.lanes:
        box.add(package.entries_name(lane.number), package.lines(found, lane.number))
        for name, data in package.checkpoints(lane):
            box.add(name, data)
    for named in package.policies(case, disclosure).values():
        for name, data in named:
            box.add(name, data)
    for life in case.lives:
        for file in package.attached(case, life, disclosure):
            await _attach(box, store, case, life, file)
    told = account(case, making, disclosure, found, list(box.files))
    box.add("report.html", page(told))
    box.add("report.pdf", paper(told))
    return found


async def _attach(box: Parcel, store: Database, case: Case, life: Life, file: Attachment) -> None:
    """One attachment, opened; it is the one that was archived, or nothing is handed over."""
    pieces: AsyncIterator[bytes] = store.blobs.read(file.digest)
    digest = await box.stream(package.file_name(life, file), pieces)
    if digest != package.own_digest(case.exhibits[file.place]):
        raise StoreError(f"attachment {file.digest} is not what was archived; run `audit verify`")
