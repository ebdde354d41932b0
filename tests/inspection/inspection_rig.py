"""What the tests of inspection share: files that other people's programs made, and small ones made here.

Rules of this file: `files/` holds what real libraries wrote (`make_files.py` says which); what no library at
hand writes is built here from the vendor's documents. Nothing is written outside a test's own folder.
"""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

from bridge.inspection.bounds import Full, Look
from bridge.inspection.contents import examine

CONFINES = """
import json, sys
from bridge.inspection.bounds import Limits
from bridge.inspection.child import confine
confine(Limits(**json.loads(sys.argv[2])))
"""
"""How a child process begins; what follows runs under its limits."""

FILES = Path(__file__).with_name("files")


def looked(data: bytes | Path, name: str = "", limit: int = 100_000) -> tuple[str, Look]:
    """The type of a file and what was found in it, without a child process."""
    if isinstance(data, Path):
        data, name = data.read_bytes(), name or data.name
    look = Look(examine, limit)
    try:
        return examine(BytesIO(data), name, look), look
    except Full:
        return "", look


def zipped(members: dict[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive of these members."""
    whole = BytesIO()
    with zipfile.ZipFile(whole, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return whole.getvalue()


def changed(path: Path, **members: bytes | str) -> bytes:
    """The archive at `path` with members added or replaced; "__" in a name is "/", "_DOT_" is "."."""
    named = {name.replace("__", "/").replace("_DOT_", "."): data for name, data in members.items()}
    with zipfile.ZipFile(path) as archive:
        old = {name: archive.read(name) for name in archive.namelist()}
    return zipped(old | named)


def compound(streams: dict[str, bytes], clsid: bytes = bytes(16)) -> bytes:
    """A compound file ([MS-CFB], version 3) of streams, each filled up to a whole sector past the cut-off.

    A path with "/" puts a stream into a storage. Every storage's members hang in one line of siblings.
    """
    entries: list[list] = [["Root Entry", 5, [], -2, 0, clsid]]
    at: dict[str, int] = {"": 0}
    data = b""
    for path, content in streams.items():
        folder = ""
        for part in path.split("/")[:-1]:
            inner = f"{folder}{part}/"
            if inner not in at:
                at[inner] = len(entries)
                entries[at[folder]][2].append(at[inner])
                entries.append([part, 1, [], 0, 0, bytes(16)])
            folder = inner
        padded = content.ljust(4096, b"\0")
        entries[at[folder]][2].append(len(entries))
        entries.append([path.split("/")[-1], 2, [], len(data) // 512, len(padded), bytes(16)])
        data += padded.ljust(-(-len(padded) // 512) * 512, b"\0")
    return _laid_out(entries, data)


def _laid_out(entries: list[list], data: bytes) -> bytes:
    following = {child: kids[n + 1] for _, _, kids, *_ in entries for n, child in enumerate(kids[:-1])}
    directory = b""
    for number, (name, kind, kids, first, size, clsid) in enumerate(entries):
        wide = name.encode("utf-16-le")
        links = (0xFFFFFFFF, following.get(number, 0xFFFFFFFF), kids[0] if kids else 0xFFFFFFFF)
        directory += wide.ljust(64, b"\0") + (len(wide) + 2).to_bytes(2, "little") + bytes([kind, 1])
        directory += b"".join(link.to_bytes(4, "little") for link in links) + clsid + bytes(20)
        directory += (first & 0xFFFFFFFF).to_bytes(4, "little") + size.to_bytes(8, "little")
    directory = directory.ljust(-(-len(directory) // 512) * 512, b"\0")
    sectors, fat = len(data) // 512, []
    starts = {entry[3]: entry[4] for entry in entries if entry[1] == 2}
    for first, size in starts.items():
        last = first + -(-size // 512) - 1
        fat += [*range(first + 1, last + 1), 0xFFFFFFFE]
    pages = len(directory) // 512
    fat += [*range(sectors + 1, sectors + pages), 0xFFFFFFFE]
    blocks = -(-(len(fat) + 1) // 127)
    fat += [0xFFFFFFFD] * blocks
    table = b"".join(number.to_bytes(4, "little") for number in fat).ljust(blocks * 512, b"\xff")
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + bytes.fromhex("3e000300feff09000600") + bytes(10)
    )
    numbers = (blocks, sectors, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header += b"".join(number.to_bytes(4, "little") for number in numbers)
    where = [sectors + pages + n for n in range(blocks)] + [0xFFFFFFFF] * (109 - blocks)
    header += b"".join(number.to_bytes(4, "little") for number in where)
    return header + data + directory + table
