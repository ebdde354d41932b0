"""What keeps the store's content shut: data keys, one a record, and the store keys that wrap them.

Rules of this file: content leaves the writing thread sealed and comes back from a query open, here and
nowhere else. A column of type `Sealed` is selected together with its place and its wrapped key, so that no
query has to know of keys; a record whose key was destroyed reads as None.

    master key     with the keeper: a file, the environment, a key service
      store keys   few, in `store_keys`, wrapped by the master key; the newest wraps what is written now
        data keys  one a record in `data_keys`, one an attachment in `file_keys`
          parts    `content`, `pairs.body`, the files in the folder of blobs
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Engine, LargeBinary, and_, column, select, table, text, type_coerce
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement, Label
from sqlalchemy.types import TypeDecorator

from bridge import sealing
from bridge.errors import Damaged, StoreError
from bridge.ports import DIRECT, KeyKeeper
from bridge.store.causes import cause

RECORDS, TOKENS = "records", "tokens"
"""What a store key is for: wrapping data keys, or making tokens of addresses and of words in the search
index."""


class Fresh(NamedTuple):
    """An attachment that no record speaks of yet: its key, and the SHA-256 of what is in it, in hex."""

    secret: bytes
    sum: str


class Vault:
    """The keys of one store, as far as they were needed so far. Used by several threads."""

    def __init__(self, engine: Engine, keeper: KeyKeeper) -> None:
        self.keeper = keeper
        self._engine = engine
        self._installation = b""
        self._keys: dict[int, AESGCM] = {}
        self._token_key = b""
        self.current = 0
        self.fresh: dict[str, Fresh] = {}  # by the digest of the sealed file

    # store keys

    def begin(self, db: Connection, now: int) -> None:
        """Make the first store keys of a new store, and the master key if its keeper has none."""
        if not self.keeper.current:
            self.keeper.renew()
        for number, purpose in ((1, RECORDS), (2, TOKENS)):
            insert_store_key(db, number, purpose, self.keeper, os.urandom(sealing.KEY_BYTES), now)
        self.load(db)

    def load(self, db: Connection) -> None:
        """Read the store keys. Raises ConfigError when the master key is missing, or is another."""
        said = db.execute(text("SELECT value FROM meta WHERE key = 'installation'")).scalar()
        if not said:
            raise StoreError("the store does not say which installation it is: run `audit verify`")
        self._installation = str(said).encode()
        rows = db.execute(text("SELECT id, purpose, master, wrapped FROM store_keys ORDER BY id")).all()
        for row in rows:
            if row.purpose == RECORDS and row.id not in self._keys:
                self._keys[row.id] = AESGCM(self.keeper.unwrap(row.master, bytes(row.wrapped)))
            elif row.purpose == TOKENS and not self._token_key:
                self._token_key = self.keeper.unwrap(row.master, bytes(row.wrapped))
        self.current = max((row.id for row in rows if row.purpose == RECORDS), default=0)

    def key(self, number: int) -> AESGCM:
        """A store key. Raises ConfigError without the master key, StoreError when the store has none."""
        if number not in self._keys:
            self._load_apart()
        if number not in self._keys:
            raise Damaged(f"the store key {number} is not in the store: see `weighbridge keys status`")
        return self._keys[number]

    def _load_apart(self) -> None:
        try:
            with self._engine.connect() as db:
                self.load(db)
        except SQLAlchemyError as error:
            raise StoreError(f"the store's keys cannot be read: {cause(error)}") from None

    @property
    def installation(self) -> bytes:
        """The store's own name, which everything sealed is bound to."""
        if not self._installation:
            self._load_apart()
        return self._installation

    # records

    def seal(
        self,
        number: int,
        lane: int,
        seq: int,
        parts: Mapping[int, bytes],
        chance: Callable[[int], bytes],
    ) -> tuple[bytes, dict[int, bytes]]:
        """A new data key, wrapped by store key `number`, and `parts` sealed by it. `chance` gives random
        bytes."""
        belongs = sealing.place(self._installation or self.installation, lane, seq)
        secret = chance(sealing.KEY_BYTES)
        key = AESGCM(secret)
        sealed = {part: sealing.seal(key, belongs, part, plain) for part, plain in parts.items()}
        nonce = chance(sealing.NONCE_BYTES)
        return sealing.wrap(self.key(number), number, belongs, nonce, secret), sealed

    def open(self, packed: bytes, part: int) -> bytes:
        """What `packed` (of a `Sealed` column) says. Raises Damaged when it was changed."""
        where, _, rest = packed.partition(b" ")
        lane, _, seq = where.partition(b"/")
        wrapped, sealed = rest[: sealing.WRAPPED_BYTES], rest[sealing.WRAPPED_BYTES :]
        return self.open_apart(int(lane), int(seq), wrapped, sealed, part)

    def open_apart(self, lane: int, seq: int, wrapped: bytes, sealed: bytes, part: int) -> bytes:
        """The same, from columns that were selected one by one (`apart`). Raises Damaged."""
        belongs = sealing.place(self._installation or self.installation, lane, seq)
        try:
            number = sealing.wrapped_by(wrapped)
            store_key = self._keys.get(number) or self.key(number)
            return sealing.unsealed(store_key, belongs, wrapped, part, sealed)
        except sealing.Broken as error:
            place = f"entry {seq} of lane {lane}"
            raise Damaged(f"the content of {place} cannot be opened: {error}; run `audit verify`") from None

    def rewrap(self, number: int, owner: tuple[int, int] | str, wrapped: bytes) -> bytes:
        """The data key of a record (lane, place) or attachment (digest), wrapped by store key `number`."""
        if isinstance(owner, str):
            belongs = sealing.place_of_file(self.installation, owner)
        else:
            belongs = sealing.place(self.installation, *owner)
        secret = sealing.unwrap(self.key(sealing.wrapped_by(wrapped)), belongs, wrapped)
        return sealing.wrap(self.key(number), number, belongs, os.urandom(sealing.NONCE_BYTES), secret)

    # attachments

    def wrap_file(self, number: int, digest: str, secret: bytes) -> bytes:
        """The data key of an attachment, wrapped by store key `number`."""
        belongs = sealing.place_of_file(self.installation, digest)
        return sealing.wrap(self.key(number), number, belongs, os.urandom(sealing.NONCE_BYTES), secret)

    def opens_file(self, digest: str, wrapped: bytes) -> bool:
        """Whether a wrapped data key is that of an attachment, and opens."""
        belongs = sealing.place_of_file(self.installation, digest)
        try:
            sealing.unwrap(self.key(sealing.wrapped_by(wrapped)), belongs, wrapped)
        except (sealing.Broken, StoreError):
            return False
        return True

    def file_key(self, digest: str) -> bytes:
        """The data key of an attachment. Raises Damaged when there is none (any more)."""
        if digest in self.fresh:
            return self.fresh[digest].secret
        wrapped = self._wrapped_file(digest)
        if wrapped is None:
            raise Damaged(f"the key of attachment {digest} is not in the store: it cannot be opened")
        belongs = sealing.place_of_file(self.installation, digest)
        try:
            return sealing.unwrap(self.key(sealing.wrapped_by(bytes(wrapped))), belongs, bytes(wrapped))
        except sealing.Broken as error:
            raise Damaged(f"the key of attachment {digest} cannot be opened: {error}") from None

    def _wrapped_file(self, digest: str) -> bytes | None:
        look = text("SELECT wrapped FROM file_keys WHERE digest = :digest")
        try:
            with self._engine.connect() as db:
                wrapped: bytes | None = db.execute(look, {"digest": digest}).scalar()
        except SQLAlchemyError as error:
            raise StoreError(f"the key of attachment {digest} cannot be read: {cause(error)}") from None
        return wrapped

    def has_file_key(self, digest: str) -> bool:
        """Whether a record speaks of this attachment."""
        look = text("SELECT 1 FROM file_keys WHERE digest = :digest")
        with self._engine.connect() as db:
            return db.execute(look, {"digest": digest}).first() is not None

    # tokens

    def hidden(self, conversation: str) -> str:
        """A conversation as the tables name it: one that is named by an address, by a token of it."""
        if not conversation.startswith(DIRECT):
            return conversation
        return DIRECT + self.token(conversation.removeprefix(DIRECT))

    def token(self, address: str) -> str:
        """A word for `address` that is the same each time and says nothing to whoever has no key."""
        if not self._token_key:
            self._load_apart()
        return sealing.token(self._token_key, address)

    def bound(self, *parts: Any) -> str:
        """The seal over what a permit stands for (`sealing.bound`): whoever has no master key makes none."""
        if not self._token_key:
            self._load_apart()
        return sealing.bound(self._token_key, *parts)

    def enclosed(self, permit: str, files: str) -> str:
        """The seal over the attachments that go out with it (`sealing.enclosed`)."""
        if not self._token_key:
            self._load_apart()
        return sealing.enclosed(self._token_key, permit, files)

    def search_key(self, part: str) -> bytes:
        """The key under which words stand in one `part` of the search index. Raises ConfigError without the
        master key."""
        if not self._token_key:
            self._load_apart()
        return sealing.search_key(self._token_key, self.installation, part)


def insert_store_key(
    db: Connection, number: int, purpose: str, keeper: KeyKeeper, key: bytes, now: int
) -> str:
    """Write a store key, wrapped by the present master key; gives that one's name."""
    master, wrapped = keeper.wrap(key)
    row = {"id": number, "purpose": purpose, "master": master, "wrapped": wrapped, "made_at": now}
    statement = "INSERT INTO store_keys VALUES (:id, :purpose, :master, :wrapped, :made_at)"
    db.execute(text(statement), row)
    return master


def vault_of(db: Connection | Engine) -> Vault:
    """The vault of the store behind `db`."""
    vault: Vault = db.dialect.vault  # type: ignore[attr-defined]
    return vault


# --- columns --------------------------------------------------------------------------------------------


class Sealed(TypeDecorator[bytes]):
    """A column of sealed bytes: written as they are given (sealed), read open.

    `part` is the column's part of its record; `seq` is the column that has the record's place in its lane.
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(self, part: int, seq: str = "seq", *, strict: bool = True) -> None:
        super().__init__()
        self.part, self.seq, self.strict = part, seq, strict

    def column_expression(self, selected: Any) -> ColumnElement[bytes]:
        """The column with its place and its wrapped key: what opening it takes."""
        inner = selected.element if isinstance(selected, Label) else selected
        return inner if isinstance(inner, _Packed) else _Packed(inner, self)

    def process_result_value(self, value: bytes | None, dialect: Any) -> bytes | None:
        """What was sealed; None when its key was destroyed, or a join found nothing."""
        if value is None:
            return None
        try:
            opened: bytes = dialect.vault.open(bytes(value), self.part)
        except StoreError:
            if self.strict:
                raise
            return b""
        return opened


def if_whole(column: Any) -> ColumnElement[bytes]:
    """A sealed column for readers who go on past damage: b"", which is no record, where it does not open."""
    return _Packed(column, Sealed(column.type.part, column.type.seq, strict=False))


def apart(sealed: Any) -> ColumnElement[bytes]:
    """A sealed column as it stands, for `Vault.open_apart`: where many rows are selected together with their
    keys, and few of them opened."""
    return type_coerce(sealed, LargeBinary)


_DATA_KEYS = table("data_keys", column("lane"), column("seq"), column("wrapped"))  # see schema.data_keys


class _Packed(ColumnElement[bytes]):
    """`lane/seq`, a space, the wrapped key and the sealed bytes, as one value."""

    inherit_cache = False

    def __init__(self, sealed: Any, type_: Sealed) -> None:
        self.sealed, self.type = sealed, type_
        owner = sealed.table
        self.lane, self.seq = owner.c.lane, owner.c[type_.seq]
        here = and_(_DATA_KEYS.c.lane == self.lane, _DATA_KEYS.c.seq == self.seq)
        self.key = select(_DATA_KEYS.c.wrapped).where(here).correlate(owner).scalar_subquery()

    def parts(self) -> tuple[Any, ...]:
        """Place in two columns, wrapped key, sealed bytes."""
        return self.lane, self.seq, self.key, self.sealed


@compiles(_Packed)
def _pack(element: _Packed, compiler: Any, **_: Any) -> str:
    lane, seq, key, sealed = map(compiler.process, element.parts())
    return f"CAST({lane} || '/' || {seq} || ' ' || {key} || {sealed} AS BLOB)"


@compiles(_Packed, "postgresql")
def _pack_in_postgresql(element: _Packed, compiler: Any, **_: Any) -> str:
    lane, seq, key, sealed = map(compiler.process, element.parts())
    return f"convert_to({lane} || '/' || {seq} || ' ', 'UTF8') || {key} || {sealed}"
