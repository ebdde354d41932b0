"""Copies in an S3 bucket with Object Lock: nobody can change or delete them before their time.

Rules of this file: an object is put once under a name that must be free, with its length, its SHA-256, its
lock and its legal hold, and read back: a service that forgot any of it is found at once. A record whose end
is not known yet gets a legal hold instead of an end that would be a guess. Locks are lengthened, never
shortened. Objects are asked for by name and version: a newer version, or a mark of deletion, over ours
changes nothing.

Sources: Amazon S3 API (PutObject: If-None-Match, x-amz-checksum-sha256, Object Lock headers;
PutObjectRetention; PutObjectLegalHold; DeleteObject with a version).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from bridge.buckets import Service, place_in
from bridge.errors import Refused, Unreachable
from bridge.ports import Acknowledged, Blobs, Parcel
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
        self.bucket, self.prefix = place_in(address)
        self._service = Service(address, _Away, endpoint=endpoint, proxy=proxy)

    async def put(self, parcel: Parcel, blobs: Blobs) -> Acknowledged:
        """See `bridge.ports.Sink`. Attachments go first: where the record is, all of it is."""
        names = []
        for n, file in enumerate(parcel.record.files):
            if file.there:
                names.append(await self._put_file(parcel, n, blobs))
        digest = hashlib.sha256(parcel.data).hexdigest()
        one = _Object(parcel.name, io.BytesIO(parcel.data), len(parcel.data), digest, parcel.media)
        names.insert(0, await self._put(one, parcel))
        until = parcel.until or 0 if self.locks else 0
        held = self.locks and (parcel.held or parcel.until is None)
        return Acknowledged(tuple(names), f"kept as {names[0]}", until, held)

    async def _put_file(self, parcel: Parcel, n: int, blobs: Blobs) -> str:
        file = parcel.record.files[n]
        with io.BytesIO() as whole:
            sum_ = hashlib.sha256()
            async for piece in blobs.read(file.sealed):
                sum_.update(piece)
                whole.write(piece)
            digest = sum_.hexdigest()
            name, size = name_of_file(parcel.record.number, n, digest), whole.tell()
            whole.seek(0)
            return await self._put(_Object(name, whole, size, digest, file.media), parcel)

    async def _put(self, one: _Object, parcel: Parcel) -> str:
        return await asyncio.to_thread(self._once, one, self._lock(parcel.until, parcel.held))

    def _lock(self, until: int | None, held: bool) -> dict[str, Any]:
        """What a put says of the lock."""
        if not self.locks:
            return {}
        said: dict[str, Any] = {}
        if until is not None and until > _now():
            said = {"ObjectLockMode": self.mode, "ObjectLockRetainUntilDate": _date(until)}
        if held or until is None:
            said["ObjectLockLegalHoldStatus"] = "ON"
        return said

    def _once(self, one: _Object, lock: dict[str, Any]) -> str:
        """Put an object, or find that it is there already; gives its name with its version."""
        key = self.prefix + one.name
        try:
            with self._service.asking() as client:
                client.put_object(
                    Bucket=self.bucket, Key=key, Body=one.body, ContentLength=one.size, ContentType=one.media,
                    ChecksumSHA256=base64.b64encode(bytes.fromhex(one.digest)).decode(),
                    ChecksumAlgorithm="SHA256", IfNoneMatch="*", **lock,
                )  # fmt: skip
        except FileExistsError:
            pass  # put before, perhaps by a process that died: what counts is what is there
        return self._read_back(key, one, lock)

    def _read_back(self, key: str, one: _Object, lock: dict[str, Any]) -> str:
        with self._service.asking() as client:
            answer = client.get_object(Bucket=self.bucket, Key=key)
            sum_ = hashlib.sha256()
            for piece in answer["Body"].iter_chunks(PIECE):
                sum_.update(piece)
        if sum_.hexdigest() != one.digest:
            raise Refused("differs", f"{self.address} has other bytes under {one.name}")
        name = f"{one.name}@{answer.get('VersionId', 'null')}"
        for header in ("ObjectLockMode", "ObjectLockLegalHoldStatus"):
            if header in lock and answer.get(header) != lock[header]:
                self._mend(name, lock, answer)
                break
        return name

    def _mend(self, name: str, lock: dict[str, Any], answer: dict[str, Any]) -> None:
        """Lock an object that lay there without the lock it has to have by now; a service that does not
        is not one to rely on."""
        if until := lock.get("ObjectLockRetainUntilDate"):
            there = answer.get("ObjectLockRetainUntilDate")
            if there is None or there < until:
                self._retain(name, until)
        if "ObjectLockLegalHoldStatus" in lock:
            self._flag(name, True)
        with self._service.asking() as client:
            again = client.head_object(**self._which(name))
        if any(again.get(key) != lock[key] for key in lock if key != "ObjectLockRetainUntilDate"):
            raise Unreachable(f"{self.address} took a record and did not lock it", certain=False)

    def _which(self, name: str) -> dict[str, Any]:
        key, _, version = name.rpartition("@")
        return {"Bucket": self.bucket, "Key": self.prefix + key, "VersionId": version}

    # --- what is there

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """See `bridge.ports.Sink`."""
        body = await asyncio.to_thread(self._body, name)
        while piece := await asyncio.to_thread(body.read, PIECE):
            yield piece

    def _body(self, name: str) -> Any:
        try:
            with self._service.asking() as client:
                return client.get_object(**self._which(name))["Body"]
        except _Away as error:
            if error.code in _ABSENT:
                raise Refused("gone", f"{self.address} has no {name}") from None
            raise

    async def hold(self, names: Sequence[str], held: bool) -> None:
        """See `bridge.ports.Sink`."""
        for name in names if self.locks else ():
            await asyncio.to_thread(self._flag, name, held)

    def _flag(self, name: str, held: bool) -> None:
        with self._service.asking() as client:
            client.put_object_legal_hold(**self._which(name), LegalHold={"Status": "ON" if held else "OFF"})

    async def keep_until(self, names: Sequence[str], until: int) -> None:
        """See `bridge.ports.Sink`."""
        for name in names if self.locks else ():
            await asyncio.to_thread(self._lengthen, name, _date(until))

    def _lengthen(self, name: str, until: datetime) -> None:
        with self._service.asking() as client:
            there = client.head_object(**self._which(name)).get("ObjectLockRetainUntilDate")
        if there is None or there < until:
            self._retain(name, until)

    def _retain(self, name: str, until: datetime) -> None:
        with self._service.asking() as client:
            client.put_object_retention(
                **self._which(name), Retention={"Mode": self.mode, "RetainUntilDate": until}
            )

    async def try_delete(self) -> str:
        """See `bridge.ports.Sink`. The trial object is locked for a day, in governance mode."""
        if not self.locks:
            raise Refused("not-locked", f"{self.address} is used without Object Lock")
        return await asyncio.to_thread(self._trial)

    def _trial(self) -> str:
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

    async def check(self) -> str:
        """See `bridge.ports.Sink`."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> str:
        if not self.locks:
            with self._service.asking() as client:
                client.head_bucket(Bucket=self.bucket)
            return "without lock"
        with self._service.asking() as client:
            answer = client.get_object_lock_configuration(Bucket=self.bucket)
        if answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            raise self._service.error("ObjectLockConfigurationNotFoundError")
        return f"{self.mode.lower()} lock"

    async def close(self) -> None:
        """See `bridge.ports.Sink`."""


_ABSENT = ("NoSuchKey", "NoSuchVersion", "404")


class _Away(Unreachable):
    """The service did not do what it was asked; `code` is its own word, or ours for it."""

    def __init__(self, code: str, why: str) -> None:
        self.code = code
        super().__init__(why, certain=False)


def _now() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def _date(milliseconds: int) -> datetime:
    """That moment, or the next whole second: S3 knows no parts of them."""
    return datetime.fromtimestamp(-(-milliseconds // 1000), UTC)
