"""Copies in an S3 bucket with Object Lock: nobody can change or delete them before their time.

Rules of this file: an object is put once under a name that must be free, with its length, its SHA-256, its
lock and its legal hold, and read back: a service that forgot any of it is found at once. What is acknowledged
is how the object lies there by then, not what was asked for: it may have been put before, and held since. A
record whose end is not known yet gets a legal hold instead of an end that would be a guess. Locks are
lengthened, never shortened. Objects are asked for by name and version: a newer version, or a mark of
deletion, over ours changes nothing.

Sources: Amazon S3 API (PutObject: If-None-Match, x-amz-checksum-sha256, Object Lock headers;
PutObjectRetention; PutObjectLegalHold; DeleteObject with a version).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from bridge.buckets import Service, place_in
from bridge.errors import Refused, Unreachable
from bridge.ports import Acknowledged, Blobs, Lock, Parcel
from bridge.sinks.naming import name_of_file

PIECE = 1 << 18
TRIAL = "trials/"
"""Where objects lie that only show that nobody can delete them."""
TRIAL_DAYS = 1


@dataclass(frozen=True, slots=True)
class _Object:
    """One thing to put: its bytes are read from `body`, of `size` bytes and this SHA-256."""

    name: str
    body: BinaryIO
    size: int
    digest: str
    media: str


class BucketSink:
    """`bridge.ports.Sink` on a bucket; `mode` is "governance", "compliance" or "" for a bucket without
    lock."""

    recalls, collected = True, False

    def __init__(self, name: str, address: str, mode: str, *, endpoint: str = "", proxy: str = "") -> None:
        self.name, self.address, self.mode = name, address, mode.upper()
        self.locks = bool(mode)
        self.host = urlsplit(endpoint).hostname or ""
        self.bucket, self.prefix = place_in(address)
        self._service = Service(address, _Away, endpoint=endpoint, proxy=proxy)

    async def put(self, parcel: Parcel, blobs: Blobs) -> Acknowledged:
        """See `bridge.ports.Sink`. Attachments go first: where the record is, all of it is."""
        lying = []
        for n, file in enumerate(parcel.record.files):
            if file.there:
                lying.append(await self._put_file(parcel, n, blobs))
        digest = hashlib.sha256(parcel.data).hexdigest()
        one = _Object(parcel.name, io.BytesIO(parcel.data), len(parcel.data), digest, parcel.media)
        lying.insert(0, await self._put(one, parcel))
        names = tuple(name for name, _ in lying)
        until = min(lock.until for _, lock in lying)
        return Acknowledged(names, f"kept as {names[0]}", until, any(lock.held for _, lock in lying))

    async def _put_file(self, parcel: Parcel, n: int, blobs: Blobs) -> tuple[str, Lock]:
        file = parcel.record.files[n]
        with io.BytesIO() as whole:
            sum_ = hashlib.sha256()
            async for piece in blobs.read(file.sealed):
                sum_.update(piece)
                whole.write(piece)
            digest = sum_.hexdigest()
            name, size = name_of_file(parcel.record.number, n, digest), whole.tell()
            whole.seek(0)
            return await self._put(_Object(name, whole, size, digest, file.header), parcel)

    async def _put(self, one: _Object, parcel: Parcel) -> tuple[str, Lock]:
        return await asyncio.to_thread(self._once, one, self._lock(parcel.until, parcel.held))

    def _lock(self, until: int | None, held: bool) -> dict[str, Any]:
        """What a put says of the lock."""
        if not self.locks:
            return {}
        said: dict[str, Any] = {}
        if until is not None and until > _now():
            said = {MODE: self.mode, UNTIL: _date(until)}
        if held or until is None:
            said[HOLD] = "ON"
        return said

    def _once(self, one: _Object, lock: dict[str, Any]) -> tuple[str, Lock]:
        """Put an object, or find that it is there already; gives its name with its version, and its lock."""
        key = self.prefix + one.name
        try:
            with self._service.asking(anew=True) as client:
                client.put_object(
                    Bucket=self.bucket, Key=key, Body=one.body, ContentLength=one.size, ContentType=one.media,
                    ChecksumSHA256=base64.b64encode(bytes.fromhex(one.digest)).decode(),
                    ChecksumAlgorithm="SHA256", IfNoneMatch="*", **lock,
                )  # fmt: skip
        except FileExistsError:
            pass  # put before, perhaps by a process that died: what counts is what is there
        except _Away as error:
            if lock and error.code == "InvalidRequest":
                self._look()  # which has better words, where it is that the bucket does not lock
            raise
        return self._read_back(key, one, lock)

    def _read_back(self, key: str, one: _Object, lock: dict[str, Any]) -> tuple[str, Lock]:
        with self._service.asking() as client:
            answer = client.get_object(Bucket=self.bucket, Key=key)
            sum_ = hashlib.sha256()
            for piece in answer["Body"].iter_chunks(PIECE):
                sum_.update(piece)
        if sum_.hexdigest() != one.digest:
            raise Refused("differs", f"{self.address} has other bytes under {one.name}")
        name = f"{one.name}@{answer.get('VersionId', 'null')}"
        if _lacks(answer, lock):
            answer = self._mend(name, lock, answer)
        return name, _lock_in(answer)

    def _mend(self, name: str, lock: dict[str, Any], there: Mapping[str, Any]) -> Mapping[str, Any]:
        """Lock an object that lay there without the lock it has to have by now; a service that does not
        is not one to rely on. Gives what the service says of it then."""
        if UNTIL in lock and _lacks(there, {key: lock[key] for key in (MODE, UNTIL)}):
            self._retain(name, max(lock[UNTIL], there.get(UNTIL) or lock[UNTIL]), there)
        if HOLD in lock:
            self._flag(name, True)
        with self._about(name) as client:
            again: Mapping[str, Any] = client.head_object(**self._which(name))
        if _lacks(again, lock):
            raise Unreachable(f"{self.address} took a record and did not lock it", certain=False)
        return again

    def _which(self, name: str) -> dict[str, Any]:
        key, _, version = name.rpartition("@")
        return {"Bucket": self.bucket, "Key": self.prefix + key, "VersionId": version}

    # --- what is there

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """See `bridge.ports.Sink`."""
        body = await asyncio.to_thread(self._body, name)
        while piece := await asyncio.to_thread(self._piece, body):
            yield piece

    def _body(self, name: str) -> Any:
        with self._about(name) as client:
            return client.get_object(**self._which(name))["Body"]

    def _piece(self, body: Any) -> bytes:
        with self._service.asking():  # an answer may also end in the middle
            piece: bytes = body.read(PIECE)
            return piece

    @contextmanager
    def _about(self, name: str) -> Iterator[Any]:
        """The client, to be asked about an object that was put. Raises Refused("gone") where it is not there
        any more; a bucket that is not there is another matter."""
        try:
            with self._service.asking() as client:
                yield client
        except _Away as error:
            if error.code not in _ABSENT:
                raise
            self._look()
            raise Refused("gone", f"{self.address} has no {name}") from None

    async def locks_on(self, names: Sequence[str]) -> Sequence[Lock]:
        """See `bridge.ports.Sink`."""
        return [await asyncio.to_thread(self._lock_on, name) for name in names if self.locks]

    def _lock_on(self, name: str) -> Lock:
        with self._about(name) as client:
            return _lock_in(client.head_object(**self._which(name)))

    async def hold(self, names: Sequence[str], held: bool) -> None:
        """See `bridge.ports.Sink`."""
        for name in names if self.locks else ():
            await asyncio.to_thread(self._flag, name, held)

    def _flag(self, name: str, held: bool) -> None:
        if self._lock_on(name).held == held:
            return
        with self._about(name) as client:
            client.put_object_legal_hold(**self._which(name), LegalHold={"Status": "ON" if held else "OFF"})

    async def keep_until(self, names: Sequence[str], until: int) -> None:
        """See `bridge.ports.Sink`."""
        for name in names if self.locks else ():
            await asyncio.to_thread(self._lengthen, name, _date(until))

    def _lengthen(self, name: str, until: datetime) -> None:
        if until <= datetime.now(UTC):
            return  # it is over: no service locks until yesterday
        with self._about(name) as client:
            there = client.head_object(**self._which(name))
        if _lacks(there, {UNTIL: until}):
            self._retain(name, until, there)

    def _retain(self, name: str, until: datetime, there: Mapping[str, Any]) -> None:
        mode = "COMPLIANCE" if there.get(MODE) == "COMPLIANCE" else self.mode
        with self._about(name) as client:
            client.put_object_retention(
                **self._which(name), Retention={"Mode": mode, "RetainUntilDate": until}
            )

    async def try_delete(self) -> str:
        """See `bridge.ports.Sink`. The trial object is locked for a day, in governance mode."""
        if not self.locks:
            raise Refused("not-locked", f"{self.address} is used without Object Lock")
        return await asyncio.to_thread(self._trial)

    def _trial(self) -> str:
        self._has_lock()
        until = datetime.now(UTC) + timedelta(days=TRIAL_DAYS)
        key = f"{self.prefix}{TRIAL}{until:%Y%m%dT%H%M%S%f}"
        with self._service.asking() as client:
            answer = client.put_object(
                Bucket=self.bucket, Key=key, Body=b"weighbridge: nobody deletes this\n", ContentLength=33,
                ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until, ChecksumAlgorithm="SHA256",
            )  # fmt: skip
        try:
            with self._service.asking() as client:
                client.delete_object(Bucket=self.bucket, Key=key, VersionId=answer.get("VersionId", "null"))
        except _Away as error:
            if error.code != "denied":
                raise
            return "AccessDenied"
        raise Refused("not-locked", f"{self.address} deleted what it had locked")

    def _has_lock(self) -> None:
        try:
            self._look()
        except _Away as error:
            if error.code == "no-lock":
                raise Refused("not-locked", str(error)) from None
            raise

    async def check(self) -> str:
        """See `bridge.ports.Sink`."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> str:
        if not self.locks:
            with self._service.asking() as client:
                client.head_bucket(Bucket=self.bucket)
            return "without lock"
        self._service.require_lock(self.bucket)
        return f"{self.mode.lower()} lock"

    async def close(self) -> None:
        """See `bridge.ports.Sink`."""


MODE, UNTIL, HOLD = "ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus"
"""What the service calls the three parts of a lock, asked for and told."""

_ABSENT = ("NoSuchKey", "NoSuchVersion", "404")


class _Away(Unreachable):
    """The service did not do what it was asked; `code` is its own word, or ours for it."""

    def __init__(self, code: str, why: str) -> None:
        self.code = code
        super().__init__(why, certain=False)


def _lacks(there: Mapping[str, Any], lock: Mapping[str, Any]) -> bool:
    """Whether an object is locked less than it has to be. A later end, a mode that is stricter, and a hold
    more do no harm."""
    until = there.get(UNTIL)
    if UNTIL in lock and (until is None or until < lock[UNTIL]):
        return True
    if MODE in lock and there.get(MODE) not in (lock[MODE], "COMPLIANCE"):
        return True
    return HOLD in lock and there.get(HOLD) != "ON"


def _lock_in(there: Mapping[str, Any]) -> Lock:
    """The lock that the service tells of an object."""
    until = there.get(UNTIL)
    return Lock(round(until.timestamp() * 1000) if until else 0, there.get(HOLD) == "ON")


def _now() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def _date(milliseconds: int) -> datetime:
    """That moment, or the next whole second: S3 knows no parts of them."""
    return datetime.fromtimestamp(-(-milliseconds // 1000), UTC)
