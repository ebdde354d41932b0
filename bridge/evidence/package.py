"""The documents of a package: records with their proofs, the list of files, and what is said to whoever opens
it.

Rules of this file: pure. What is kept back appears here as the hash that stands for it and in no other way;
whoever writes reports is given these records and not the store's. The same case gives the same bytes.

    README.txt          what this is and how to check it     report.html, report.pdf   for people
    verify.py           the program that checks              key.pub                   the public keys
    manifest.json       what is here, by its SHA-256         manifest.note             the signature of that
    entries/0.jsonl     a lane's entries, with content and proof, one to a line
    checkpoints/0/...   the signed checkpoints, and time stamps of them
    files/, policies/   attachments, and the policies that decided
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from bridge.evidence.disclosure import Disclosure
from bridge.evidence.exhibits import Attachment, Case, Exhibit, Lane, Life, Making, Place
from bridge.ledger.content import commitment, salt_of

FORMAT = "weighbridge-evidence/1"

Record = dict[str, Any]
Records = dict[Place, Record]

KINDS_OF_FILES = frozenset(
    {*("pdf", "png", "jpg", "jpeg", "gif", "webp", "docx", "xlsx", "pptx", "txt", "csv", "zip", "mp4", "amr")}
)
"""What attachments may be called in a package: by what they are, never by what somebody called them."""


# --- records --------------------------------------------------------------------------------------------


def record(exhibit: Exhibit, disclosure: Disclosure) -> Record:
    """One entry as it is handed over: its bytes, its proof, and its content field by field."""
    path = [one.hex() for one in exhibit.path]
    value: Record = {"seq": exhibit.place[1], "entry": exhibit.data.decode(), "path": path}
    if exhibit.body is not None:
        shown = ((name, piece, disclosure.shows(exhibit, name)) for name, piece in exhibit.pieces)
        value["fields"] = [_field(exhibit.salt, *one) for one in shown]
    return value


def _field(salt: bytes, name: str, piece: bytes, shown: bool) -> Record:
    own = salt_of(salt, name)
    if not shown:
        return {"name": name, "withheld": commitment(own, piece).hex()}
    if name.startswith("("):
        return {"name": name, "salt": own.hex(), "base64": b64encode(piece).decode()}
    return {"name": name, "salt": own.hex(), "piece": piece.decode()}


def records(case: Case, disclosure: Disclosure) -> Records:
    """Every exhibit of a case as it is handed over, in order."""
    return {place: record(case.exhibits[place], disclosure) for place in sorted(case.exhibits)}


def lines(found: Mapping[Place, Record], lane: int) -> bytes:
    """The file of one lane's entries."""
    return b"".join(orjson.dumps(one) + b"\n" for place, one in found.items() if place[0] == lane)


def disclosed(one: Record) -> dict[str, Any]:
    """What a record says that is handed over: field name to value, without what is withheld and raw bytes."""
    fields: dict[str, Any] = {}
    for field in one.get("fields", ()):
        if "piece" in field:
            fields |= orjson.loads("{" + field["piece"] + "}")
    return fields


def withheld(one: Record) -> list[str]:
    """The names of a record's fields that are withheld."""
    return [field["name"] for field in one.get("fields", ()) if "withheld" in field]


def own_digest(exhibit: Exhibit) -> str:
    """The SHA-256 of an attachment's own bytes, as its `file:archived` entry commits to it; "" if it does
    not."""
    fields = dict(exhibit.pieces)
    return str(orjson.loads(b"{" + fields["sha256"] + b"}")["sha256"]) if "sha256" in fields else ""


# --- names of files -------------------------------------------------------------------------------------


def entries_name(lane: int) -> str:
    """The file of a lane's entries."""
    return f"entries/{lane}.jsonl"


def checkpoint_name(lane: int, size: int) -> str:
    """The file of a checkpoint."""
    return f"checkpoints/{lane}/{size:012d}.note"


def stamp_name(lane: int, size: int) -> str:
    """The file of a checkpoint's time stamp (RFC 3161)."""
    return f"checkpoints/{lane}/{size:012d}.tst"


def file_name(life: Life, file: Attachment) -> str:
    """The file of an attachment: the message's number, its own number there, and what it is by its bytes."""
    kind = file.kind if file.kind in KINDS_OF_FILES else "bin"
    return f"files/{life.number:06d}-{file.number + 1}.{kind}"


def attached(case: Case, life: Life, disclosure: Disclosure) -> list[Attachment]:
    """The attachments of a message that are in the package: what proves nothing stays out."""
    if not disclosure.shows_files(life):
        return []
    proven = (file for file in life.files if own_digest(case.exhibits[file.place]))
    return [file for file in proven if disclosure.shows(case.exhibits[file.place], "sha256")]


def checkpoints(lane: Lane) -> Iterator[tuple[str, bytes]]:
    """A lane's checkpoints and time stamps, as files."""
    for size, note in sorted(
        {lane.size: lane.note, **{size: note for size, note, _ in lane.earlier}}.items()
    ):
        yield checkpoint_name(lane.number, size), note.encode()
        if size in lane.stamps:
            yield stamp_name(lane.number, size), lane.stamps[size]


def policies(case: Case, disclosure: Disclosure) -> dict[Place, list[tuple[str, bytes]]]:
    """The policy files of a case that are shown, each with its lists: names here, and bytes."""
    found = {}
    for place in case.context:
        exhibit = case.exhibits[place]
        if (
            exhibit.entry.kind == "policy:stored"
            and exhibit.body is not None
            and disclosure.shows(exhibit, "(raw)")
        ):
            found[place] = list(_policy(exhibit))
    return found


def _policy(exhibit: Exhibit) -> Iterator[tuple[str, bytes]]:
    said, start = orjson.loads(exhibit.body or b"{}"), 0
    short = str(exhibit.entry.facts["sha256"])[:16]
    for number, size in enumerate([said["size"], *(size for _, size in said["lists"])]):
        name = f"policies/{short}.yaml" if not number else f"policies/{short}-list-{number}.txt"
        yield name, exhibit.raw[start : start + size]
        start += size


# --- the list of files ----------------------------------------------------------------------------------


def manifest(
    case: Case,
    making: Making,
    disclosure: Disclosure,
    found: Mapping[Place, Record],
    files: Mapping[str, tuple[str, int]],
    version: str,
) -> bytes:
    """The list of what is in a package; `files` are SHA-256 and size by name.

    What was asked for and why may say in the asker's words what is kept back: both stay out of a package
    in which anything is, and are in the firm's own record of its making.
    """
    said = {"query": making.query, "reason": making.reason} if not disclosure.partial else {}
    value = {
        "format": FORMAT,
        "made_at": making.at,
        "made_by": making.person,
        "case": making.case,
        **said,
        "weighbridge": version,
        "client_copy": disclosure.client,
        "counts": counts(case, disclosure, found),
        "messages": [_message(case, life, disclosure, found, files) for life in case.lives],
        "context": [_place(place) for place in case.context],
        "policies": [
            {"entry": _place(place), "files": [name for name, _ in named]}
            for place, named in policies(case, disclosure).items()
        ],
        "lanes": [_lane(lane) for lane in case.lanes],
        "exclusions": exclusions(case, disclosure, found),
        "files": {name: {"sha256": sha, "size": size} for name, (sha, size) in sorted(files.items())},
    }
    return orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"


def counts(case: Case, disclosure: Disclosure, found: Mapping[Place, Record]) -> dict[str, int]:
    """How much is in a package, and how much of it is withheld."""
    return {
        "messages": len(case.lives),
        "asked_for": sum(life.why == "asked for" for life in case.lives),
        "entries": len(found),
        "attachments": sum(len(attached(case, life, disclosure)) for life in case.lives),
        "messages_withheld": len(disclosure.messages),
        "fields_withheld": sum(len(withheld(one)) for one in found.values()),
    }


def _message(
    case: Case, life: Life, disclosure: Disclosure, found: Mapping[Place, Record], files: Mapping[str, Any]
) -> Record:
    names = [(file_name(life, file), file) for file in life.files]
    here = [{"name": name, "entry": _place(file.place)} for name, file in names if name in files]
    return {
        "number": life.number,
        "why": life.why if life.root == life.number else f"{life.why} ({life.root})",
        "withheld": life.number in disclosure.messages,
        "entries": [_place(place) for place in life.places],
        "files": here,
    }


def exclusions(case: Case, disclosure: Disclosure, found: Mapping[Place, Record]) -> list[Record]:
    """What is not here that somebody may look for, each with the reason."""
    listed: list[Record] = []
    for life in case.lives:
        if life.number in disclosure.messages:
            listed.append(
                {"message": life.number, "what": "content", "reason": "withheld by whoever made this"}
            )
        for exhibit in case.about(life):
            if exhibit.entry.kind == "file:missing":
                reason = f"the network did not give it: {exhibit.entry.facts.get('reason', '')}"
                listed.append({"message": life.number, "what": "attachment", "reason": reason})
            if exhibit.body is None and exhibit.entry.digest:
                reason = _absent(case, life)
                listed.append({"message": life.number, "what": _place(exhibit.place), "reason": reason})
        open_ = disclosure.shows_files(life) and all(
            disclosure.shows(case.exhibits[file.place], "sha256") for file in life.files
        )
        if open_ and len(attached(case, life, disclosure)) < len(life.files):
            reason = "the record does not commit to its own bytes, only to those of the sealed file"
            listed.append({"message": life.number, "what": "attachment", "reason": reason})
        if life.files and not open_:
            listed.append(
                {"message": life.number, "what": "attachments", "reason": "withheld by whoever made this"}
            )
    return listed


def _absent(case: Case, life: Life) -> str:
    """Why content is not in the archive any more, as the record's own entries say."""
    gone = next((one.entry for one in case.about(life) if one.entry.kind == "record:disposed"), None)
    if gone is None:
        return "no longer in the archive, and no entry of the record says why"
    return f"disposed of: {gone.facts.get('class')}, disposal {gone.facts.get('disposal')}"


def _lane(lane: Lane) -> Record:
    return {
        "lane": lane.number,
        "checkpoint": checkpoint_name(lane.number, lane.size),
        "earlier": [
            {"checkpoint": checkpoint_name(lane.number, size), "path": [one.hex() for one in path]}
            for size, _, path in lane.earlier
        ],
        "stamps": [
            {"checkpoint": checkpoint_name(lane.number, size), "stamp": stamp_name(lane.number, size)}
            for size in sorted(lane.stamps)
        ],
    }


def _place(place: Place) -> str:
    return f"{place[0]}/{place[1]}"


def signed_text(manifest_bytes: bytes) -> str:
    """What is signed of a list of files: no checkpoint can be mistaken for it, whose second line is a
    number."""
    return f"{FORMAT}\n{hashlib.sha256(manifest_bytes).hexdigest()}\n"


# --- what is said ---------------------------------------------------------------------------------------


def readme(names: Sequence[str]) -> bytes:
    """What whoever opens a package reads first; `names` are those of the public keys."""
    return _README.format(keys="\n".join(f"    {name}" for name in names)).encode()


_README = """\
EVIDENCE FROM A MESSAGE ARCHIVE                                    weighbridge

These are messages that were archived, decided upon and delivered by a bridge
between two networks, with what proves that they are what was recorded then:
nothing here was changed, put in later or moved, and nothing was delivered
before it was archived. For what verify.py prints of the records you need to
trust neither the firm that made this nor its software: read verify.py, or take
the same file from weighbridge's public source. The reports are another matter:
see FOR WHAT YOU HAVE THE FIRM'S WORD ALONE.

HOW TO CHECK IT      (Python 3.8 or later; no network, nothing to install)

    1.  take verify.py out of this ZIP file; read it, it is one file
    2.  python3 verify.py THIS-FILE.zip --key THE-KEY-YOU-WERE-GIVEN.pub

Exit code 0 and "Everything holds": it does. 5: it does not, and the first line
says what. Use the public key that the firm gave you, or its auditor, on
another way and at another time; key.pub in here shows its form:

{keys}

HOW TO READ IT

    verify.py --whole   prints what the records say, message by message, uncut
    entries/*.jsonl     the records themselves: this is what is proven. One
                        entry a line: "entry" is what stands in the ledger,
                        "fields" what was said, each as "name" and "piece"
    report.html         for reading with ease, drawn from the records by the
                        firm's program; opens in any browser, without a network
    report.pdf          the same on paper
    files/ policies/    attachments, and the policy files that decided
    checkpoints/        the signed roots of the record's tree
    manifest.json       what is here, what is not and why; manifest.note is
                        its signature

FOR WHAT YOU HAVE THE FIRM'S WORD ALONE: report.html and report.pdf are the
firm's own words, made from the records, and no program compares them with the
records word by word. Its signature says that they are the firm's, and not that
they are true. The same goes for this text, and for who made this, case, query,
reason and exclusions in manifest.json. What matters to you, read in what
verify.py prints.

WHAT IS WITHHELD appears as a black bar in the reports, and as a hash in the
records. The hash is needed to come to the digest in the ledger, so what is
withheld can be shown later, and nothing else can be put in its place.

WHAT THIS DOES NOT PROVE: that the firm has nothing else. Times are those of
the firm's clock, unless there is a time stamp of somebody else's beside a
checkpoint (.tst).

The forms: RFC 9162 (tree), RFC 8032 (signatures), C2SP signed-note and
tlog-checkpoint, RFC 3161 (time stamps).
"""
