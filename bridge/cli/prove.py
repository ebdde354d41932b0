"""Proofs as documents: what `audit checkpoint` and `audit proof` print, for somebody who trusts none of us.

Rules of this file: nothing leaves that was not verified here first, against a checkpoint with a good
signature. A document is JSON with hashes in hex; docs/audit.md says how to check one without this program.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.errors import ConfigError, Conflict, StoreError, Unwitnessed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.config import Place, Settings
    from bridge.ledger.checkpoint import Checkpoint, Verifier
    from bridge.store.gathering import Anchored
    from bridge.store.proving import Placed

BROKEN = "the entries do not give the root that was signed: run `weighbridge audit verify`"


def public_keys(settings: Settings, given: Sequence[Path] = ()) -> list[Verifier]:
    """The keys to check signatures with: those `given`, else those beside our own key and in our folders.

    Raises ConfigError when one of `given` cannot be read.
    """
    from bridge.cli.compose import anchors
    from bridge.store.anchors import KEYS
    from bridge.store.signing import public_file, verifiers

    if given:
        return verifiers(given)
    ours = [public_file(settings.ledger.key_file), *(folder / KEYS for folder in anchors(settings))]
    return list(dict.fromkeys(verifiers(path for path in ours if _readable(path))))


class Outside(NamedTuple):
    """The checkpoints outside the database; why places of the settings could not be read (`away`); and those
    that somebody named, in a command or in the settings, in which there is none (`bare`)."""

    found: list[Anchored]
    away: list[str]
    bare: list[str]


def kept_outside(settings: Settings, given: Sequence[Place] = ()) -> Outside:
    """The checkpoints in the places `given`, else in those of the settings. Raises ConfigError when one of
    `given` cannot be read."""
    from bridge.cli.compose import places

    outside = Outside([], [], [])
    for one in given or places(settings):
        if one.kind not in ("folder", "s3"):
            continue
        try:
            here = _kept_in(settings, one, strict=not given)
        except Unwitnessed as error:
            if given:
                raise ConfigError(str(error)) from None
            outside.away.append(str(error))
            continue
        outside.found.extend(here)
        if not here and (given or settings.ledger.anchors):
            outside.bare.append(one.name)
    outside.found.sort(key=lambda one: (one.lane, one.size, one.where))
    return outside


def _kept_in(settings: Settings, place: Place, *, strict: bool) -> list[Anchored]:
    """The checkpoints in one place: none in a folder of ours that is not there."""
    from bridge.cli.compose import bucket
    from bridge.store.gathering import gathered

    if place.kind == "s3":
        return list(bucket(settings, place).checkpoints())
    path = Path(place.name)
    return gathered([path], strict=strict) if path.is_dir() or not strict else []


def _readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False


def signed_by(note: str, keys: Sequence[Verifier], what: str) -> tuple[Checkpoint, Verifier]:
    """What a checkpoint says and the key that signed it. Raises Conflict when it does not hold."""
    from bridge.ledger.checkpoint import verified

    try:
        said = verified(note, keys)
    except ValueError as error:
        raise Conflict(f"{what} {error}; --key names the file of a public key.") from None
    return said, next(key for key in keys if key.name == said.origin)


def newest(db: Connection, keys: Sequence[Verifier], lanes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Each lane's newest checkpoint, with the key that signed it."""
    from bridge.store import checkpoints

    for lane in lanes:
        kept = checkpoints.newest(db, lane)
        if kept is None:
            continue
        said, key = signed_by(kept[1], keys, f"the newest checkpoint of lane {lane}")
        yield {
            "lane": lane,
            "size": said.size,
            "root": said.root.hex(),
            "checkpoint": kept[1],
            "key": str(key),
        }


def adopt(settings: Settings, path: Path) -> None:
    """Begin anew in a folder of the settings, when what was left there is gone. Raises ConfigError."""
    from bridge.cli.compose import anchors, signing_key
    from bridge.store.anchors import AnchorFolder

    if path.absolute() not in (one.absolute() for one in anchors(settings)):
        raise ConfigError(f"{path} is not among the folders of [ledger] anchors; write it as it stands there")
    try:
        AnchorFolder(path).publish(signing_key(settings), settings.store.lanes)
    except OSError as error:
        raise ConfigError(f"{path}: nothing can be written there: {error.strerror}") from None


def write_stamps(db: Connection, lanes: Sequence[int], folder: Path) -> int:
    """Write every time-stamped checkpoint below `folder`, as in a folder of checkpoints, and each response
    beside its own (`.tsr`, the second authority's `-2.tsr`); gives how many. Raises ConfigError."""
    from bridge.store import checkpoints
    from bridge.store.signing import write_whole

    written = 0
    try:
        for lane in lanes:
            for size, note, responses in checkpoints.stamped(db, lane):
                place = _placed(folder, lane, size, note)
                for number, response in enumerate(responses, 1):
                    name = f"{place.stem}{f'-{number}' if number > 1 else ''}.tsr"
                    write_whole(place.with_name(name), response, 0o440)
                    written += 1
    except OSError as error:
        raise ConfigError(f"{folder}: time stamps cannot be written there: {error.strerror}") from None
    return written


def _placed(folder: Path, lane: int, size: int, note: str) -> Path:
    from bridge.store.anchors import AnchorFolder, place_of

    AnchorFolder(folder).put(lane, size, note)
    return folder / place_of(lane, size)


def document(
    db: Connection, keys: Sequence[Verifier], entries: Sequence[Placed], against: str = ""
) -> dict[str, Any]:
    """Proofs that `entries` (of one lane) are in the newest checkpoint, and that it goes on from `against`.

    Raises Conflict when no checkpoint covers them yet, StoreError when the store does not prove it.
    """
    from bridge.store.proving import Subtrees

    lane = entries[0][0]
    found = next(newest(db, keys, [lane]), None)
    if found is None or found["size"] <= entries[-1][1]:
        raise Conflict("no checkpoint covers this yet: the daemon signs one within a minute.")
    subtree = Subtrees(db, lane)
    proof = {
        "key": found["key"],
        "checkpoint": found["checkpoint"],
        "entries": [_included(one, found, subtree) for one in entries],
    }
    return proof | ({"earlier": _grown(against, keys, found, subtree)} if against else {})


def _included(entry: Placed, found: dict[str, Any], subtree: Any) -> dict[str, Any]:
    from bridge.ledger.proofs import includes, prove_inclusion
    from bridge.ledger.tree import leaf_hash

    _, seq, data, _ = entry
    path = prove_inclusion(seq, found["size"], subtree)
    if not includes(bytes.fromhex(found["root"]), found["size"], seq, leaf_hash(data), path):
        raise StoreError(BROKEN)
    return {"number": seq, "entry": data.decode(), "path": [one.hex() for one in path]}


def _grown(note: str, keys: Sequence[Verifier], found: dict[str, Any], subtree: Any) -> dict[str, Any]:
    from bridge.ledger.checkpoint import read
    from bridge.ledger.proofs import consistent, prove_consistency

    said, _ = signed_by(note, keys, "the other checkpoint")
    size, root = found["size"], bytes.fromhex(found["root"])
    if said.origin != read(found["checkpoint"]).origin:
        raise Conflict(f"the other checkpoint is of another log: {said.origin}.")
    if not 0 < said.size <= size:
        raise Conflict(f"the other checkpoint is newer: it has {said.size} entries, ours {size}.")
    path = prove_consistency(said.size, size, subtree)
    if not consistent(said.size, said.root, size, root, path):
        raise StoreError(f"the history of that checkpoint is not the one of this store; {BROKEN}")
    return {"checkpoint": note, "path": [one.hex() for one in path]}


def read_note(path: Path) -> str:
    """A checkpoint from a file. Raises ConfigError when it cannot be read."""
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: no checkpoint can be read there: {error}") from None
