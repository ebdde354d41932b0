#!/usr/bin/env python3
"""Checks a weighbridge evidence package: python3 verify.py case.zip --key the-key-you-were-given.pub

Rules of this file: it needs Python 3.8 or later and nothing else, believes nothing that it has not computed,
and never connects to anything. It is one file so that it can be read in one go, in this order:

    1  Ed25519 signatures            RFC 8032, section 5.1
    2  signed notes and checkpoints  C2SP signed-note, tlog-checkpoint
    3  the Merkle tree               RFC 9162, section 2.1
    4  the package                   every file by its SHA-256, the list of files by its signature
    5  entries                       canonical bytes, place in the tree, digest over the fields of the content
    6  messages                      archived, then judged, then permitted, then sent; attachments; policies
    7  what is printed

A field of the content is either here (its bytes and the salt they were hashed with) or withheld (the hash
alone). Either way the hash is needed for the digest in the ledger, so a withheld field cannot be swapped or
left out.

Exit code 0: everything holds. 5: something does not; the first line says what. 1: nothing could be checked.
"""

# ruff: noqa: UP006, UP035, UP045, B905  (it runs on Python 3.8)

import argparse
import base64
import binascii
import datetime
import hashlib
import json
import re
import sys
import unicodedata
import zipfile
import zlib
from typing import Any, Dict, Iterator, List, Optional, Tuple

FORMAT = "weighbridge-evidence/1"
HOLDS, UNCHECKED, DIFFERS = 0, 1, 5
NOT_CHECKED = (
    "NOT checked, because they are the firm's own words: report.html and report.pdf, which nobody has\n"
    "compared with the records word by word; README.txt; and who made this, case, query, reason and\n"
    "exclusions in manifest.json. Where a report says something else than the lines above, believe the\n"
    "lines above: they are printed from the records. --whole prints texts uncut; entries/ has every field."
)
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)  # what a ZIP file may do


Point = Tuple[int, int, int, int]
Keys = Dict[Tuple[str, bytes], bytes]
Place = Tuple[int, int]
Fields = Dict[str, Optional[bytes]]
Life = List[Tuple[Place, Dict[str, Any]]]


class Unreadable(Exception):
    """Something is not of the form that it has to be of; the text says what."""


# --- 1  Ed25519 ------------------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def added(a: Point, b: Point) -> Point:
    """The sum of two points, each (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z."""
    one, two = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    three, four = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = two - one, four - three, four + three, two + one
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, point: Point) -> Point:
    """`point` added to itself `number` times."""
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = added(total, point)
        point, number = added(point, point), number >> 1
    return total


def point_of(data: bytes) -> Point:
    """The point that 32 bytes stand for; Unreadable when they stand for none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_ONE % P
    if y >= P or x * x % P != square or (x == 0 and sign):
        raise Unreadable("bytes that are no point of the curve")
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


def bytes_of(point: Point) -> bytes:
    """The 32 bytes that stand for a point."""
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = point_of(b"\x58" + b"\x66" * 31)


def signed_by(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is that of the key `public` (32 bytes) on `message`."""
    if len(signature) != 64 or len(public) != 32:
        return False
    first, scalar = signature[:32], int.from_bytes(signature[32:], "little")
    if scalar >= L:
        return False
    try:
        x, y, z, t = point_of(public)
    except Unreadable:
        return False
    digest = int.from_bytes(hashlib.sha512(first + public + message).digest(), "little") % L
    minus = ((P - x) % P, y, z, (P - t) % P)
    return bytes_of(added(times(scalar, BASE), times(digest, minus))) == first


# --- 2  signed notes and checkpoints -----------------------------------------------------------------------


def unbase64(text: str) -> bytes:
    """The bytes of base64 in its one standard form."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("bad base64") from None
    if base64.b64encode(data).decode() != text:
        raise Unreadable("base64 that is not in its one standard form")
    return data


def keys_of(text: str) -> Keys:
    """Public keys, one a line as "name+id+base64": {(name, id): key}."""
    keys = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition("+")
        number, _, encoded = rest.partition("+")
        data = unbase64(encoded)
        expected = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        if data[:1] != b"\x01" or len(data) != 33 or expected.hex() != number:
            raise Unreadable("a line that is no Ed25519 key: " + shown(line, 60))
        keys[name, expected] = data[1:]
    if not keys:
        raise Unreadable("no public key")
    return keys


def opened_note(note: str, keys: Keys) -> Tuple[str, str]:
    """The text of a signed note, and the name of the key whose signature on it is good."""
    text, blank, below = note.rpartition("\n\n")
    if not blank or not note.endswith("\n"):
        raise Unreadable("no signed note")
    text += "\n"
    names = []
    for line in below[:-1].split("\n"):
        mark, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if mark != "\u2014":
            raise Unreadable("a line that is no signature")
        data = unbase64(encoded)
        public = keys.get((name, data[:4]))
        if public is not None:
            if not signed_by(public, text.encode(), data[4:]):
                raise Unreadable("a forged signature: it is not that of " + shown(name, 60))
            names.append(name)
    if not names:
        raise Unreadable("no signature of the given key")
    return text, names[0]


def checkpoint_of(note: str, keys: Keys) -> Tuple[str, int, bytes]:
    """(origin, size, root) of a checkpoint that is signed by the key of its own log."""
    text, name = opened_note(note, keys)
    lines = text.split("\n")
    if len(lines) < 4 or not re.match(r"^(0|[1-9][0-9]{0,18})$", lines[1]):
        raise Unreadable("no checkpoint")
    root = unbase64(lines[2])
    if lines[0] != name or len(root) != 32:
        raise Unreadable("the checkpoint of another log")
    return lines[0], int(lines[1]), root


# --- 3  the Merkle tree ------------------------------------------------------------------------------------


def sha256(data: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(data).digest()


def hash_of(text: str) -> bytes:
    """A hash that is written in hex: 32 bytes and no others, so that nothing can be moved from one part of
    what is hashed into the next."""
    data = bytes.fromhex(text)
    if len(data) != 32:
        raise Unreadable("a hash or salt that is not 32 bytes long")
    return data


def leaf_of(entry: bytes) -> bytes:
    """The hash of an entry as a leaf."""
    return sha256(b"\x00" + entry)


def node_of(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return sha256(b"\x01" + left + right)


def root_with(index: int, size: int, leaf: bytes, path: List[bytes]) -> Optional[bytes]:
    """The root of a tree of `size` with `leaf` at `index`, if `path` is its proof; None if it cannot be one.

    RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return None
    node, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            found = node_of(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_of(found, sibling)
        node, last = node >> 1, last >> 1
    return found if last == 0 else None


def goes_on(old: int, old_root: bytes, new: int, new_root: bytes, path: List[bytes]) -> bool:
    """Whether `path` proves that the tree of `new` entries begins with the tree of `old` ones.

    RFC 9162, section 2.1.4.2.
    """
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    path = ([old_root] if old & (old - 1) == 0 else []) + list(path)
    if not path:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    was = now = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            was, now = node_of(sibling, was), node_of(sibling, now)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            now = node_of(now, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root


# --- 4  the package ----------------------------------------------------------------------------------------


class Package:
    """A package under examination: what was found wrong so far, and what was read."""

    def __init__(self, archive: zipfile.ZipFile, keys: Keys) -> None:
        self.archive, self.keys = archive, keys
        self.findings: List[Tuple[str, str]] = []
        self.warnings: List[str] = []
        self.manifest: Dict[str, Any] = {}
        self.roots: Dict[int, Tuple[int, bytes]] = {}
        self.entries: Dict[Place, Tuple[Dict[str, Any], Fields]] = {}

    def wrong(self, where: str, what: str) -> None:
        """Note a finding: `where` names a file, an entry or a message."""
        self.findings.append((where, what))

    def text(self, name: str) -> str:
        """A file of the package as text."""
        try:
            return self.archive.read(name).decode("utf-8")
        except KeyError:
            raise Unreadable("it is missing") from None
        except BROKEN as error:
            raise Unreadable(f"it cannot be read: {error}") from None

    def value(self, name: str) -> Any:
        """A file of the package as JSON."""
        return json_of(self.text(name))


def json_of(text: str) -> Any:
    """The value that JSON text stands for; a name that is there twice is an error."""

    def once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            raise ValueError("a name is there twice")
        return value

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON: {error}") from None


def check_manifest(package: Package) -> None:
    """The list of files is signed, and every file is the one that it names."""
    names = package.archive.namelist()
    for name in sorted(
        {name for name in names if names.count(name) > 1} if len(names) > len(set(names)) else ()
    ):
        package.wrong(name, "is in the package twice")
    package.manifest = package.value("manifest.json")
    if package.manifest.get("format") != FORMAT:
        raise Unreadable(f"its format is not {FORMAT}")
    digest = hashlib.sha256(package.archive.read("manifest.json")).hexdigest()
    try:
        text, _ = opened_note(package.text("manifest.note"), package.keys)
        if text != f"{FORMAT}\n{digest}\n":
            package.wrong("manifest.json", "is not the list of files that was signed (manifest.note)")
    except Unreadable as error:
        package.wrong("manifest.note", str(error))
    listed = package.manifest["files"]
    for name in sorted(set(names) - set(listed) - {"manifest.json", "manifest.note"}):
        package.wrong(name, "is not in the list of files: it was added")
    for name, said in sorted(listed.items()):
        check_file(package, name, said)


def check_file(package: Package, name: str, said: Dict[str, Any]) -> None:
    """One file is as long as the list says, and has the digest that it says."""
    hasher, size = hashlib.sha256(), 0
    try:
        with package.archive.open(name) as file:
            for piece in iter(lambda: file.read(1 << 20), b""):
                hasher.update(piece)
                size += len(piece)
    except KeyError:
        package.wrong(name, "is in the list of files and not in the package: it was removed")
        return
    except BROKEN as error:
        package.wrong(name, f"cannot be read: {error}")
        return
    if hasher.hexdigest() != said["sha256"] or size != said["size"]:
        package.wrong(name, "was changed: its SHA-256 is not the one in the list of files")


def check_checkpoints(package: Package) -> None:
    """Each lane's checkpoint is signed, and goes on from every earlier one."""
    for lane in package.manifest["lanes"]:
        try:
            origin, size, root = checkpoint_of(package.text(lane["checkpoint"]), package.keys)
        except Unreadable as error:
            package.wrong(lane["checkpoint"], str(error))
            continue
        package.roots[lane["lane"]] = size, root
        for earlier in lane["earlier"]:
            name = earlier["checkpoint"]
            try:
                was, old, old_root = checkpoint_of(package.text(name), package.keys)
                path = [hash_of(one) for one in earlier["path"]]
            except (Unreadable, ValueError) as error:
                package.wrong(name, str(error))
                continue
            if was != origin or not goes_on(old, old_root, size, root, path):
                package.wrong(name, "the later checkpoint does not go on from it: history was rewritten")


# --- 5  entries --------------------------------------------------------------------------------------------


def check_entries(package: Package) -> None:
    """Every entry: canonical, in the tree, and its content is what its digest says."""
    for lane in package.manifest["lanes"]:
        name, before = "entries/{}.jsonl".format(lane["lane"]), -1
        try:
            lines = package.text(name).split("\n")[:-1]
        except Unreadable as error:
            package.wrong(name, str(error))
            continue
        for number, line in enumerate(lines, 1):
            try:
                record = json_of(line)
                before = check_entry(package, lane["lane"], record, before)
            except (Unreadable, ValueError, KeyError, TypeError, AttributeError) as error:
                package.wrong(f"{name}, line {number}", f"no record of an entry: {error}")


def check_entry(package: Package, lane: int, record: Dict[str, Any], before: int) -> int:
    """One entry with its proof and its content; gives its number in the lane."""
    entry, seq = json_of(record["entry"]), int(record["seq"])
    where = "entry {}/{} ({})".format(lane, seq, shown(entry.get("kind", "?"), 40))
    canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    if canonical != record["entry"]:
        package.wrong(where, "is not in canonical form")
    if entry["v"] != 1 or (entry["lane"], entry["seq"]) != (lane, seq):
        package.wrong(where, "stands in another place than its bytes say")
    if seq <= before:
        package.wrong(where, "is out of order, or there twice")
    size, root = package.roots.get(lane, (0, b""))
    path = [hash_of(one) for one in record["path"]]
    if root and root_with(seq, size, leaf_of(record["entry"].encode()), path) != root:
        package.wrong(where, "is not in the tree that was signed: entry or proof was changed")
    package.entries[lane, seq] = entry, check_content(package, where, entry, record.get("fields"))
    return seq


def check_content(package: Package, where: str, entry: Any, fields: Any) -> Fields:
    """The fields that are disclosed, by name; None stands for one that is withheld."""
    found: Fields = {}
    if fields is None:
        if entry["digest"]:
            package.warnings.append(f"{where}: its content is no longer in the archive")
        return found
    parts = []
    for one in fields:
        name = one["name"]
        if name in found:
            package.wrong(where, f"field {shown(name, 40)} is there twice")
        piece = found[name] = None if "withheld" in one else piece_of(one)
        committed = hash_of(one["withheld"]) if piece is None else sha256(hash_of(one["salt"]) + piece)
        data = name.encode()
        parts += [len(data).to_bytes(2, "big"), data, committed]
        check_named(package, where, name, found[name])
    if hashlib.sha256(b"".join(parts)).hexdigest() != entry["digest"]:
        names = ", ".join(shown(one["name"], 40) for one in fields)
        package.wrong(where, "its content is not what was archived; one of its fields was changed: " + names)
    return found


def piece_of(field: Dict[str, str]) -> bytes:
    """The bytes of a disclosed field."""
    return unbase64(field["base64"]) if "base64" in field else field["piece"].encode()


def check_named(package: Package, where: str, name: str, piece: Optional[bytes]) -> None:
    """A piece of a body says itself which field it is: `"name":value`."""
    if piece is None or name.startswith("("):
        return
    value = json_of("{" + piece.decode("utf-8", "replace") + "}")
    if list(value) != [name]:
        package.wrong(where, f"field {shown(name, 40)} has the bytes of another field")


def value_of(fields: Fields, name: str, otherwise: Any = None) -> Any:
    """The value of a disclosed field; `otherwise` when it is withheld or not there."""
    piece = fields.get(name)
    if piece is None:
        return otherwise
    return json_of("{" + piece.decode("utf-8", "replace") + "}").get(name, otherwise)


# --- 6  messages -------------------------------------------------------------------------------------------

ARCHIVED = ("message:archived", "notice:archived")
PASSING = ("deliver", "annotate", "redact")


def check_messages(package: Package) -> None:
    """Every message's life, in the order in which it has to have happened."""
    listed: Dict[Place, List[int]] = {}
    for message in package.manifest["messages"]:
        number, places = message["number"], [place_of(one) for one in message["entries"]]
        where = f"message {number}"
        for place in places:
            listed.setdefault(place, []).append(number)
            if place not in package.entries:
                package.wrong(where, "entry {}/{} of its life is missing".format(*place))
        life = [(place, package.entries[place][0]) for place in places if place in package.entries]
        check_life(package, where, number, life)
        check_files(package, where, message, life)
    context = {place_of(one) for one in package.manifest["context"]}
    for place, (entry, _) in sorted(package.entries.items()):
        where = "entry {}/{} ({})".format(place[0], place[1], shown(entry.get("kind", "?"), 40))
        if place not in listed and place not in context:
            package.wrong(where, "belongs to no message in the list: it was added")
        subject = str(entry["subject"])
        if subject.startswith("message/") and place in listed and int(subject[8:]) not in listed[place]:
            package.wrong(where, f"is about message {int(subject[8:])}")


def check_life(package: Package, where: str, number: int, life: Life) -> None:
    """Archived, then judged, then permitted by a verdict that lets pass, then sent; all in one lane. A
    client's copy has no verdict of what reached him as it was written."""
    if not life or life[0][1]["kind"] not in ARCHIVED:
        package.wrong(where, "does not begin with its archiving")
    if len({place[0] for place, _ in life}) > 1 or [place for place, _ in life] != sorted(p for p, _ in life):
        package.wrong(where, "its entries are not in the order of one lane")
    judged = any(entry["kind"] == "message:judged" for _, entry in life)
    passing = package.manifest.get("client_copy") is True and not judged
    archived, permits = False, set()
    for place, entry in life:
        kind, at = entry["kind"], "entry {}/{}".format(*place)
        if entry["facts"].get("message", number) != number:
            package.wrong(where, at + " is about another message")
        if kind in ARCHIVED:
            archived = True
        elif kind == "message:judged":
            passing = entry["facts"].get("outcome") in PASSING
            if not archived:
                package.wrong(where, at + ": judged before it was archived")
        elif kind == "delivery:permitted":
            permits.add(entry["subject"])
            if not archived or not passing:
                package.wrong(where, at + ": permitted without a verdict that lets it pass")
        elif kind.startswith("delivery:") and entry["subject"] not in permits:
            package.wrong(where, at + ": " + kind + " without a permit before it")


def check_files(package: Package, where: str, message: Dict[str, Any], life: Life) -> None:
    """Each attachment in the package is the one that was archived, by the SHA-256 in the entry's content."""
    for file in message["files"]:
        place = place_of(file["entry"])
        entry, fields = package.entries.get(place, ({"kind": "", "facts": {}}, {}))
        if place not in {one for one, _ in life} or entry["kind"] != "file:archived":
            package.wrong(where, "{} belongs to no entry of its life".format(file["name"]))
            continue
        said = package.manifest["files"].get(file["name"], {}).get("sha256")
        if value_of(fields, "sha256") != said:
            package.wrong(where, "{} is not the attachment that was archived".format(file["name"]))


def check_policies(package: Package) -> None:
    """Each policy file in the package is the one whose bytes are in the record."""
    for one in package.manifest["policies"]:
        place = place_of(one["entry"])
        where = "entry {}/{} (policy:stored)".format(*place)
        _, fields = package.entries.get(place, ({}, {}))
        raw, start = fields.get("(raw)"), 0
        lists = value_of(fields, "lists", [])
        sizes = [value_of(fields, "size", -1)] + [size for _, size in lists]
        if raw is None or sum(sizes) != len(raw) or len(sizes) != len(one["files"]):
            package.wrong(where, "does not have the policy files that are beside it")
            continue
        for name, size in zip(one["files"], sizes):
            said = package.manifest["files"].get(name, {}).get("sha256")
            if hashlib.sha256(raw[start : start + size]).hexdigest() != said:
                package.wrong(name, "is not the file that was archived")
            start += size


def place_of(text: str) -> Place:
    """("0/17") as (0, 17)."""
    lane, _, seq = str(text).partition("/")
    return int(lane), int(seq)


# --- 7  what is printed ------------------------------------------------------------------------------------


def shown(value: object, most: int = 100) -> str:
    """Text on one line, harmless for a terminal, at most `most` characters long."""
    text = str(value)
    cut = text if len(text) <= most else text[: most - 1] + "\u2026"
    return "".join(
        one if unicodedata.category(one)[0] not in "CZ" or one == " " else f"\\u{ord(one):04x}" for one in cut
    )


def time_of(milliseconds: int) -> str:
    """A time of the record, UTC."""
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=milliseconds)
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


ARRIVALS = ("delivered", "in part", "lost later")


def arrival(life: List[Dict[str, Any]]) -> str:
    """How much of a message the other network took: all of it, a part, all and then said that it, or a part
    of it, never arrived, or nothing. Of several permits the one by which most arrived."""
    found: Dict[str, str] = {}
    for entry in life:
        kind, permit = entry["kind"], entry["subject"]
        if kind in ("delivery:sent", "delivery:found"):
            found[permit] = "delivered"
        elif kind == "delivery:failed":
            found[permit] = "lost later"
        elif kind.startswith("delivery:") and entry["facts"].get("ids"):
            found.setdefault(permit, "in part")
    return min(found.values(), key=ARRIVALS.index, default="not delivered")


def told(package: Package, message: Dict[str, Any], most: int) -> Iterator[str]:
    """The lines about one message: what became of it, and its words as far as they are disclosed."""
    life = [package.entries[place] for place in map(place_of, message["entries"]) if place in package.entries]
    if not life:
        return
    first, content = life[0]
    outcomes = [entry["facts"].get("outcome", "?") for entry, _ in life if entry["kind"] == "message:judged"]
    for_client = package.manifest.get("client_copy") is True
    untold = for_client and not any(entry["kind"] == "delivery:permitted" for entry, _ in life)
    hidden = sum(piece is None for _, fields in life for piece in fields.values())
    yield "{:>8}  {}  {:<9} {:<18} {:<12} {:>3} entries  {}".format(
        message["number"],
        time_of(first["at"]),
        shown(first["facts"].get("network", ""), 9),
        shown(" > ".join(outcomes) or ("" if for_client else "not judged"), 30),
        "not told" if untold else arrival([entry for entry, _ in life]),
        len(life),
        f"{hidden} fields withheld" if hidden else "",
    ).rstrip()
    who, text = value_of(content, "sender_name", ""), value_of(content, "text", "")
    if text or who:
        yield "          {}{}".format(shown(who, 40) + ": " if who else "", shown(text, most))


def report(package: Package, most: int) -> int:
    """Print what was checked, message by message, and what was found."""
    manifest = package.manifest
    if package.findings:
        where, what = package.findings[0]
        print(f"DOES NOT HOLD: {shown(where, 200)}: {shown(what, 300)}")
    if manifest.get("messages"):
        print(" MESSAGE  ARCHIVED (UTC)        FROM      VERDICT            RESULT")
        for message in manifest["messages"]:
            for line in told(package, message, most):
                print(line)
    for one in package.warnings:
        print("note: " + shown(one, 300))
    for where, what in package.findings:
        print(f"  x {shown(where, 200)}: {shown(what, 300)}")
    if package.findings:
        print(f"{len(package.findings)} finding(s): this is not what was recorded.")
        return DIFFERS
    withheld = sum(piece is None for _, fields in package.entries.values() for piece in fields.values())
    earlier = sum(len(lane["earlier"]) for lane in manifest["lanes"])
    print(
        "{} messages, {} entries, {} files; {} fields are withheld, and cannot have been changed.".format(
            len(manifest["messages"]), len(package.entries), len(manifest["files"]), withheld
        )
    )
    for lane, (size, _) in sorted(package.roots.items()):
        print(
            f"lane {lane}: all is in the signed tree of {size} entries; {earlier} earlier checkpoint(s) agree"
        )
    print("Everything holds: signatures, tree, content, order. Nothing was delivered before it was archived.")
    print(NOT_CHECKED)
    return HOLDS


def checked(archive: zipfile.ZipFile, keys: Keys) -> Package:
    """The package after every check."""
    package = Package(archive, keys)
    try:
        check_manifest(package)
        for check in (check_checkpoints, check_entries, check_messages, check_policies):
            check(package)
    except Unreadable as error:
        package.wrong("manifest.json", str(error))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        package.wrong("manifest.json", f"is not of the form of a list of files: {error!r}")
    return package


def main(arguments: Optional[List[str]] = None) -> int:
    """Check a package; gives the exit code."""
    options = argparse.ArgumentParser(description="Check a weighbridge evidence package.")
    options.add_argument("package", help="the package, a ZIP file")
    options.add_argument("--key", help="the public key that you were given, NOT out of the package")
    options.add_argument("--whole", action="store_true", help="print texts whole, not cut to one line")
    given = options.parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        archive = zipfile.ZipFile(given.package)
    except OSError as error:
        print(f"cannot be read: {error}", file=sys.stderr)
        return UNCHECKED
    except (zipfile.BadZipFile, ValueError) as error:
        print(f"DOES NOT HOLD: {shown(given.package, 200)}: no whole ZIP file: {error}")
        return DIFFERS
    with archive:
        try:
            if given.key:
                with open(given.key, encoding="utf-8") as file:
                    keys = keys_of(file.read())
            else:
                keys = keys_of(archive.read("key.pub").decode("utf-8", "replace"))
        except (KeyError, Unreadable, *BROKEN) as error:
            print(f"no key to check with: {error}", file=sys.stderr)
            return UNCHECKED
        package = checked(archive, keys)
    if not given.key:
        package.warnings.append(
            "checked with the package's own key: whoever forged the package could have put "
            "it there. Ask the firm, or its auditor, for the key, and use --key."
        )
    return report(package, 100000 if given.whole else 100)


if __name__ == "__main__":
    sys.exit(main())
