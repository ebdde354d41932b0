"""A finished export, read back: every file against the manifest, every proof against the signed checkpoints.

Rules of this file: it only reads, and needs no store. What it cannot check without a key it says; all
problems at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import stat
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from bridge.errors import Conflict, Damaged, StoreError
from bridge.ledger.checkpoint import Checkpoint, Verifier, opened_note, verified
from bridge.ledger.content import commitment, digest_over
from bridge.ledger.entry import Entry, decode
from bridge.ledger.proofs import includes
from bridge.ledger.tree import leaf_hash
from bridge.records.exports.manifest import FORMAT, NAME, NOTE, signed_text
from bridge.records.exports.numbers import numbers_of
from bridge.store.blobs import digest_of_file

Problems = list[str]

_LARGEST = 1 << 30
"""No message has a number like this."""


def check(place: Path, keys: Sequence[Verifier]) -> tuple[Mapping[str, Any], Problems]:
    """The manifest of an export, folder or ZIP file, and whatever is wrong with it; of a manifest that cannot
    be understood, nothing but its digest.

    Raises Conflict when it is no export, or is not finished, and Damaged for a ZIP file that does not open.
    """
    with _unpacked(place) as (folder, problems):
        data = _manifest(folder)
        problems += _signature(folder, data, keys)
        sha = hashlib.sha256(data).hexdigest()
        try:
            listed: dict[str, Any] = _understood(orjson.loads(data))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return {"sha256": sha}, [*problems, f"{NAME}: cannot be understood ({type(error).__name__})"]
        if listed["format"] != FORMAT:
            raise Conflict(f"{place} is no export of a version known here")
        problems += _files(folder, listed)
        problems += _counts(listed)
        problems += _proofs(folder, listed, keys)
        return {"sha256": sha, **listed}, problems


@contextlib.contextmanager
def _unpacked(place: Path) -> Iterator[tuple[Path, Problems]]:
    if place.is_dir():
        yield place, []
        return
    with tempfile.TemporaryDirectory(prefix="weighbridge-") as folder:
        try:
            with zipfile.ZipFile(place) as archive:
                problems = _doubled(archive.namelist())
                archive.extractall(folder)
        except _UNREADABLE as error:
            raise Damaged(f"{place} is no ZIP file that can be read: {error}") from None
        yield Path(folder), problems


_UNREADABLE = (OSError, zipfile.BadZipFile, RuntimeError, EOFError, ValueError, zlib.error)
"""What a ZIP file that was damaged, or is none, comes to: locked ones are a RuntimeError."""


def _doubled(names: Sequence[str]) -> Problems:
    """Two entries of one name are two files of which a reader sees one, and not always the same."""
    counts = Counter(name.casefold() for name in names)
    problems = [f"{name}: {count} times in the ZIP file" for name, count in counts.items() if count > 1]
    return problems + [f"{name}: leads out of the ZIP file" for name in names if not _plain(name)]


def _plain(name: str) -> bool:
    return bool(name) and not any(part in ("", ".", "..") for part in name.split("/")) and "\0" not in name


def _understood(value: Any) -> dict[str, Any]:
    """A manifest in which everything has its place and kind. Raises ValueError, TypeError and KeyError."""
    listed: dict[str, Any] = value
    if listed.get("client_copy") is True:  # it says nothing of what was found besides
        written = {"found": listed["counts"]["written"], "excluded": 0}
        listed = {"exclusions": [], **listed, "counts": written | listed["counts"]}
    said, files, ledger = listed["counts"], listed["files"], listed["ledger"]
    texts = [listed["format"], listed["id"], *(one["sha256"] for one in files.values())]
    texts += [text for lane in ledger for text in (lane["root"], lane["checkpoint"])]
    numbers = [said["found"], said["written"], said["excluded"]]
    numbers += [number for lane in ledger for number in (lane["lane"], lane["size"])]
    if any(type(one) is not str for one in texts) or any(type(one) is not int for one in numbers):
        raise TypeError("a value of another kind was expected")
    if not all(_plain(name) for name in (*files, *(lane["checkpoint"] for lane in ledger))):
        raise ValueError("a name leads out of the export")
    for lane in ledger:
        bytes.fromhex(lane["root"])
    for text in (listed["messages"], *(one["messages"] for one in listed["exclusions"])):
        _fewer(text, said["found"])
    return listed


def _fewer(text: str, most: int) -> None:
    """Numbers of messages, no more than were found. Raises ValueError."""
    runs = [run.partition("-") for run in text.split(",") if run]
    many = sum(max(0, int(last or first) - int(first) + 1) for first, _, last in runs)
    if many > most or any(int(last or first) > _LARGEST for first, _, last in runs):
        raise ValueError("more numbers than were found")


def _manifest(folder: Path) -> bytes:
    try:
        return (folder / NAME).read_bytes()
    except FileNotFoundError:
        raise Conflict(f"{folder} has no {NAME}: it is no export, or not finished (see --resume).") from None
    except IsADirectoryError:
        raise Damaged(f"{folder / NAME} is no file") from None
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
    """Every file is as the manifest says, and there is nothing else, be it empty or no file at all."""
    known = {NAME, NOTE, *listed["files"]}
    above = {parent.as_posix() for name in known for parent in PurePosixPath(name).parents}
    problems = [
        f"{name}: {trouble}"
        for name, said in listed["files"].items()
        if (trouble := _changed(folder / name, said["sha256"]))
    ]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in known and not (name in above and path.is_dir() and not path.is_symlink()):
            problems.append(f"{name}: not in the manifest")
    return problems


def _changed(path: Path, sha256: str) -> str:
    """What is wrong with a file; "" if nothing is."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return "no file"
        return "" if digest_of_file(path) == sha256 else "changed"
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


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
            for place, line in enumerate(file, 1):
                try:
                    one = orjson.loads(line)
                    number = _number(one["message"])
                    trouble = _unproven(one, heads)
                except (ValueError, TypeError, KeyError, AttributeError):
                    problems.append(f"{name}: line {place}: no proof that can be understood")
                    continue
                if trouble:
                    problems.append(f"{name}: message {number}: {trouble}")
                else:
                    proven.add(number)
    if str(proven) != listed["messages"]:
        problems.append(
            f"{len(proven):,} messages are proven, and {listed['counts']['written']:,} were written"
        )
    return problems


def _number(value: object) -> int:
    """The number of a message. Raises ValueError for anything else."""
    if type(value) is not int or not 0 < value < _LARGEST:
        raise ValueError("no number of a message")
    return value


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
