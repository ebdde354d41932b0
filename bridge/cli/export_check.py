"""A finished export, read back: every file against the manifest, every proof against the signed checkpoints.

Rules of this file: it only reads, and needs no store. What it cannot check without a key it says; all
problems at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from bridge.errors import Conflict, StoreError
from bridge.ledger.checkpoint import Checkpoint, Verifier, opened_note, verified
from bridge.ledger.content import commitment, digest_over
from bridge.ledger.entry import Entry, decode
from bridge.ledger.proofs import includes
from bridge.ledger.tree import leaf_hash
from bridge.records.exports.manifest import FORMAT, NAME, NOTE, signed_text
from bridge.records.exports.numbers import numbers_of
from bridge.store.blobs import digest_of_file

Problems = list[str]


def check(place: Path, keys: Sequence[Verifier]) -> tuple[Mapping[str, Any], Problems]:
    """The manifest of an export, folder or ZIP file, and whatever is wrong with it.

    Raises Conflict when it is no export, or is not finished.
    """
    with _unpacked(place) as folder:
        data = _manifest(folder)
        listed: dict[str, Any] = orjson.loads(data)
        if listed.get("format") != FORMAT:
            raise Conflict(f"{place} is no export of a version known here")
        problems = _signature(folder, data, keys)
        problems += _files(folder, listed)
        problems += _counts(listed)
        problems += _proofs(folder, listed, keys)
        return {"sha256": hashlib.sha256(data).hexdigest(), **listed}, problems


@contextlib.contextmanager
def _unpacked(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="weighbridge-") as folder:
        try:
            with zipfile.ZipFile(place) as archive:
                archive.extractall(folder)
        except (OSError, zipfile.BadZipFile) as error:
            raise Conflict(f"{place} is no ZIP file that can be read: {error}") from None
        yield Path(folder)


def _manifest(folder: Path) -> bytes:
    try:
        return (folder / NAME).read_bytes()
    except FileNotFoundError:
        raise Conflict(f"{folder} has no {NAME}: it is no export, or not finished (see --resume).") from None
    except OSError as error:
        raise StoreError(f"{folder / NAME} cannot be read: {error.strerror}") from None


def _signature(folder: Path, data: bytes, keys: Sequence[Verifier]) -> Problems:
    try:
        note = (folder / NOTE).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return [f"{NOTE}: not there"]
    if not keys:
        return [f"{NOTE}: no public key to check it with; name one with --key"]
    try:
        text = opened_note(note, keys)
    except ValueError as error:
        return [f"{NOTE}: {error}"]
    return [] if text == signed_text(data) else [f"{NOTE}: signs another manifest"]


def _files(folder: Path, listed: Mapping[str, Any]) -> Problems:
    """Every file is as the manifest says, and there is no other."""
    problems = [
        f"{name}: {'changed' if (folder / name).is_file() else 'missing'}"
        for name, said in listed["files"].items()
        if digest_of_file(folder / name) != said["sha256"]
    ]
    known = {NAME, NOTE, *listed["files"]}
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return problems + [f"{name}: not in the manifest" for name in sorted(here - known)]


def _counts(listed: Mapping[str, Any]) -> Problems:
    """What was found went out, or was excluded with a reason."""
    said, problems = listed["counts"], []
    excluded = [one["messages"] for one in listed["exclusions"]]
    if said["found"] != said["written"] + said["excluded"]:
        problems.append(f"{said['found']} found, {said['written']} written, {said['excluded']} excluded")
    if len(numbers_of(listed["messages"])) != said["written"]:
        problems.append("the numbers of messages are not as many as were written")
    if sum(len(numbers_of(one)) for one in excluded) != said["excluded"]:
        problems.append("the numbers of excluded messages are not as many as were excluded")
    return problems


# --- proofs ---------------------------------------------------------------------------------------------


def _proofs(folder: Path, listed: Mapping[str, Any], keys: Sequence[Verifier]) -> Problems:
    """Every message that was written is proven to be in the record that was signed."""
    heads, problems = _heads(folder, listed, keys)
    proven = numbers_of("")
    names = sorted(name for name in listed["files"] if name.startswith("proofs/") and name.endswith(".jsonl"))
    for name in names:
        if not (folder / name).is_file():
            continue
        with (folder / name).open("rb") as file:
            for line in file:
                one = orjson.loads(line)
                if trouble := _unproven(one, heads):
                    problems.append(f"{name}: message {one['message']}: {trouble}")
                else:
                    proven.add(one["message"])
    if str(proven) != listed["messages"]:
        problems.append(
            f"{len(proven):,} messages are proven, and {listed['counts']['written']:,} were written"
        )
    return problems


def _heads(
    folder: Path, listed: Mapping[str, Any], keys: Sequence[Verifier]
) -> tuple[dict[int, tuple[int, bytes]], Problems]:
    heads, problems = {}, []
    for lane in listed["ledger"]:
        heads[lane["lane"]] = lane["size"], bytes.fromhex(lane["root"])
        if not keys:
            continue
        try:
            said: Checkpoint = verified((folder / lane["checkpoint"]).read_text("utf-8"), keys)
        except (OSError, ValueError) as error:
            problems.append(f"{lane['checkpoint']}: {error}")
            continue
        if (said.size, said.root) != heads[lane["lane"]]:
            problems.append(f"{lane['checkpoint']}: of another state than the manifest says")
    return heads, problems


def _unproven(one: Mapping[str, Any], heads: Mapping[int, tuple[int, bytes]]) -> str:
    """Why a proof proves nothing; "" if it does."""
    data = one["entry"].encode()
    try:
        entry: Entry = decode(data)
    except (ValueError, TypeError):
        return "no entry of a ledger"
    size, root = heads.get(one["lane"], (0, b""))
    path = [bytes.fromhex(step) for step in one["path"]]
    if not includes(root, size, one["seq"], leaf_hash(data), path):
        return "not in the tree that was signed"
    if (entry.lane, entry.seq, entry.subject) != (one["lane"], one["seq"], f"message/{one['message']}"):
        return "the entry is of something else"
    if "fields" in one and digest_over(map(_committed, one["fields"])) != entry.digest:
        return "its content is not what the entry commits to"
    return ""


def _committed(field: Mapping[str, Any]) -> tuple[str, bytes]:
    if "withheld" in field:
        return field["name"], bytes.fromhex(field["withheld"])
    return field["name"], commitment(bytes.fromhex(field["salt"]), field["piece"].encode())
