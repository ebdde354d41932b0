"""A store on the disk, and somebody who can write to all of it: for attacks that `audit verify` has to find.

Rules of this file: it knows how everything is made, as an attacker does who has read the source. What needs
a stolen key says so: `reseal` and `rewrap` need the master key, `sign_anew` the key of the checkpoints.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge import sealing
from bridge.keepers import KeyFile
from bridge.ledger.checkpoint import Signer, signer_from
from bridge.ledger.content import digest_of, written
from bridge.ledger.entry import Entry, decode, encode
from bridge.ledger.tree import Frontier, leaf_hash
from bridge.store.database import open_engine
from bridge.store.gathering import gathered
from bridge.store.signing import verifiers
from bridge.store.verify import Finding, Summary, verify

_COLUMNS = {sealing.BODY: "body", sealing.RAW: "raw"}


class Scene:
    """A copy of the store in `source`, in a folder of its own."""

    def __init__(self, source: Path, folder: Path) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        self.folder = folder
        self.path = folder / "weighbridge.db"
        self.anchors = folder / "checkpoints"
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.execute("PRAGMA synchronous = OFF")
        self.summary = Summary()

    def sql(self, statement: str, *values: object) -> list[tuple]:
        """Change the database behind everybody's back, or read it."""
        return self.db.execute(statement, values).fetchall()

    def one(self, statement: str, *values: object) -> object:
        """The first value that a statement answers."""
        return self.sql(statement, *values)[0][0]

    def flip(self, table: str, column: str, where: str, at: int = -1) -> None:
        """Change one byte of one value."""
        data = bytearray(self.one(f"SELECT {column} FROM {table} WHERE {where}"))  # type: ignore[arg-type]
        data[at] ^= 1
        self.sql(f"UPDATE {table} SET {column} = ? WHERE {where}", bytes(data))

    def swap(self, table: str, columns: str, key: str, one: object, other: object) -> None:
        """Let two rows trade some of their columns."""
        query = f"SELECT {columns} FROM {table} WHERE {key} = ?"
        first, second = self.sql(query, one)[0], self.sql(query, other)[0]
        values = ", ".join(f"{column} = ?" for column in columns.split(", "))
        for row, place in ((second, one), (first, other)):
            self.sql(f"UPDATE {table} SET {values} WHERE {key} = ?", *row, place)

    # the ledger

    def entry(self, seq: int) -> Entry:
        """An entry as it stands there."""
        return decode(bytes(self.one("SELECT entry FROM ledger WHERE seq = ?", seq)))  # type: ignore[call-overload]

    def seq(self, kind: str, message: int = 0) -> int:
        """The place of the first entry of a kind, about a message or about any."""
        entries = (decode(data) for (data,) in self.sql("SELECT entry FROM ledger ORDER BY seq"))
        return next(e.seq for e in entries if e.kind == kind and message in (0, e.facts.get("message")))

    def put(self, entry: Entry) -> None:
        """Write an entry into its place, with its leaf; heads are left as they are."""
        data = encode(entry)
        row = (entry.subject, data, leaf_hash(data), entry.seq)
        self.sql("UPDATE ledger SET subject = ?, entry = ?, leaf = ? WHERE seq = ?", *row)

    def compute(self) -> None:
        """Numbers, leaves, nodes, heads and right edge anew, so that the ledger is consistent in itself."""
        heads = {size for (size,) in self.sql("SELECT size FROM heads")}
        rows = self.sql("SELECT seq, entry FROM ledger ORDER BY seq")
        frontier = Frontier()
        self.sql("BEGIN")
        self.sql("DELETE FROM nodes")
        for place, (seq, data) in enumerate(rows):
            data = encode(decode(data)._replace(seq=place))
            row = (place, data, leaf_hash(data), seq)
            self.sql("UPDATE ledger SET seq = ?, entry = ?, leaf = ? WHERE seq = ?", *row)
            for level, node in frontier.closing(leaf_hash(data)):
                self.sql("INSERT INTO nodes VALUES (0, ?, ?, ?)", level, place >> level, node)
            frontier.append(leaf_hash(data))
            if frontier.size in heads:
                self.sql("UPDATE heads SET root = ? WHERE size = ?", frontier.root(), frontier.size)
        self.sql("DELETE FROM heads WHERE size > ?", frontier.size)
        self.sql("INSERT OR REPLACE INTO heads VALUES (0, ?, ?)", frontier.size, frontier.root())
        self.sql("UPDATE lanes SET size = ?, frontier = ?", frontier.size, frontier.to_bytes())
        self.sql("COMMIT")

    def rewrite(self, seq: int, change: Callable[[Entry], Entry]) -> None:
        """Another entry in the place of one, and every hash after it to match."""
        self.put(change(self.entry(seq)))
        self.compute()

    def cut(self, size: int) -> None:
        """Let the ledger end after `size` entries, with head and right edge to match."""
        for table in ("ledger", "content", "data_keys"):
            self.sql(f"DELETE FROM {table} WHERE seq >= ?", size)
        self.compute()

    # what is sealed

    def _key(self, seq: int) -> tuple[bytes, bytes]:
        """Where a record belongs, and its data key."""
        belongs = sealing.place(
            str(self.one("SELECT value FROM meta WHERE key = 'installation'")).encode(), 0, seq
        )
        wrapped = self.one("SELECT wrapped FROM data_keys WHERE seq = ?", seq)
        assert isinstance(wrapped, bytes)
        return belongs, sealing.unwrap(self.store_key(sealing.wrapped_by(wrapped)), belongs, wrapped)

    def store_key(self, number: int) -> AESGCM:
        """A store key, opened with the stolen master key."""
        (master, wrapped), *_ = self.sql("SELECT master, wrapped FROM store_keys WHERE id = ?", number)
        return AESGCM(KeyFile(self.folder / "secrets" / "store-key").unwrap(master, wrapped))

    def opened(self, seq: int, part: int = sealing.BODY) -> bytes:
        """A part of a record, with the stolen master key."""
        belongs, key = self._key(seq)
        sealed = self.one(f"SELECT {_COLUMNS[part]} FROM content WHERE seq = ?", seq)
        assert isinstance(sealed, bytes)
        return sealing.unseal(AESGCM(key), belongs, part, sealed)

    def reseal(self, seq: int, plain: bytes, part: int = sealing.BODY) -> None:
        """Other words in the place of a record's, sealed as they have to be."""
        belongs, key = self._key(seq)
        sealed = sealing.seal(AESGCM(key), belongs, part, plain)
        self.sql(f"UPDATE content SET {_COLUMNS[part]} = ? WHERE seq = ?", sealed, seq)

    def reword(self, seq: int, **fields: object) -> None:
        """Other fields in a record's body, sealed, and a digest in its entry that is right for them."""
        body = written(orjson.loads(self.opened(seq)) | fields)
        self.reseal(seq, body)
        salt = self.one("SELECT salt FROM content WHERE seq = ?", seq)
        assert isinstance(salt, bytes)
        digest = digest_of(salt, body, self.opened(seq, sealing.RAW))
        self.rewrite(seq, lambda entry: entry._replace(digest=digest))

    # attachments

    def blob(self, message: int) -> Path:
        """The file of a message's attachment, made writable."""
        digest = str(self.one("SELECT digest FROM files WHERE message = ?", message))
        path = self.folder / "blobs" / digest[:2] / digest[2:4] / digest
        path.chmod(0o600)
        return path

    def forge_blob(self, message: int, plain: bytes) -> None:
        """Another attachment in the place of one: sealed, named by its digest, with a key that opens it."""
        secret = os.urandom(sealing.KEY_BYTES)
        data = sealing.FILE_MARK + sealing.seal_piece(AESGCM(secret), 0, last=True, plain=plain)
        digest = hashlib.sha256(data).hexdigest()
        path = self.folder / "blobs" / digest[:2] / digest[2:4] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        installation = str(self.one("SELECT value FROM meta WHERE key = 'installation'")).encode()
        belongs, nonce = sealing.place_of_file(installation, digest), os.urandom(sealing.NONCE_BYTES)
        wrapped = sealing.wrap(self.store_key(1), 1, belongs, nonce, secret)
        before = self.one("SELECT digest FROM files WHERE message = ?", message)
        self.sql("UPDATE files SET digest = ?, size = ? WHERE message = ?", digest, len(plain), message)
        self.sql("UPDATE file_keys SET digest = ?, wrapped = ? WHERE digest = ?", digest, wrapped, before)

    # what was signed

    def sizes(self) -> list[int]:
        """The sizes of all checkpoints in the table."""
        return [size for (size,) in self.sql("SELECT size FROM checkpoints ORDER BY size")]

    def notes(self) -> list[Path]:
        """The anchored checkpoints, the smallest first, made writable."""
        files = sorted(self.anchors.rglob("*.note"))
        for file in files:
            file.chmod(0o600)
        return files

    def signer(self) -> Signer:
        """The signing key, stolen."""
        return signer_from((self.folder / "secrets/checkpoint-key").read_text().strip())

    def sign_anew(self, signer: Signer | None = None) -> None:
        """Every checkpoint in the table, for the tree as it is now."""
        roots = dict(self.sql("SELECT size, root FROM heads"))
        for size in self.sizes():
            if size not in roots:
                self.sql("DELETE FROM checkpoints WHERE size = ?", size)
                continue
            note = (signer or self.signer()).sign(0, size, roots[size])
            self.sql("UPDATE checkpoints SET note = ? WHERE size = ?", note.encode(), size)

    # the auditor

    def findings(self, *kept: Path) -> list[Finding]:
        """What `verify` finds, with checkpoints that somebody `kept` elsewhere, or those in our folder."""
        found: list[Finding] = []
        keys = verifiers([self.folder / "secrets/checkpoint-key.pub"])
        anchors = gathered(kept or [self.anchors], strict=not kept)
        engine = open_engine(f"sqlite:///{self.path}")
        try:
            with engine.connect() as db, db.begin():
                self.summary = verify(db, self.folder / "blobs", found.append, keys=keys, anchors=anchors)
        finally:
            engine.dispose()
        return found
