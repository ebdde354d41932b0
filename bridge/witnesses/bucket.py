"""Checkpoints in an S3 bucket with Object Lock: for years nobody can change or delete them.

Rules of this file: names are those of a folder of checkpoints (`bridge/store/anchors.py`), below a prefix, so
that a copy of the bucket is such a folder. An object is written once, under a name that must be free, with
its lock, and read back: a service that forgot the lock is found at once. Whoever may write to the bucket can
put a newer version, or a mark of deletion, over an object; the locked one stays below, so an auditor reads
all versions. Credentials are found by boto3 in its own ways and seen by nobody here.

Sources: Amazon S3 API (PutObject: If-None-Match, Object Lock headers; ListObjectVersions).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.buckets import Service, place_in
from bridge.errors import Unwitnessed
from bridge.ledger.checkpoint import Signer
from bridge.store.anchors import KEYS, place_of
from bridge.store.gathering import Anchored, placed
from bridge.store.signing import public_lines

AT_ONCE = 16
"""Objects that an auditor reads at the same time."""

LARGEST = 1 << 20
"""Bytes of the largest object that is read."""


@dataclass(frozen=True, slots=True)
class Lock:
    """How long, in days, objects are locked, and whether somebody with a special right may lift it
    (`GOVERNANCE`) or nobody at all (`COMPLIANCE`)."""

    mode: str
    days: int


class Bucket:
    """A bucket as a shelf. Every method blocks and may raise Unwitnessed, and OSError."""

    def __init__(self, address: str, lock: Lock, *, endpoint: str = "", proxy: str = "") -> None:
        self.address, self.lock = address, lock
        self.bucket, self.prefix = place_in(address)
        self._service = Service(address, Unwitnessed, endpoint=endpoint, proxy=proxy)

    # --- a shelf

    def publish(self, signer: Signer, lanes: int) -> None:
        """Put the public key beside the checkpoints, each under a name of its own. Raises Unwitnessed where
        nothing is locked."""
        self.check()
        lines = public_lines(signer, lanes)
        self._once(f"{self.prefix}keys/{signer.verifier(0).id.hex()}-{lanes}.{KEYS}", lines)

    def begun(self) -> bool:
        """A bucket is never made here: one that is away says so itself."""
        return True

    def newest(self, lane: int) -> tuple[int, str] | None:
        """Size and note of a lane's newest checkpoint here."""
        shelves = sorted(self._shelves(f"{self.prefix}{lane}/"), reverse=True)
        for shelf in shelves:
            if names := [name for name in self._names(shelf) if self._place(name)]:
                return self._place(max(names))[1], self._read(max(names))
        return None

    def put(self, lane: int, size: int, note: str) -> None:
        """Keep a checkpoint, locked. Raises FileExistsError when another one of this size is here."""
        self._once(f"{self.prefix}{place_of(lane, size)}", note)

    def check(self) -> str:
        """Whether the bucket is there, is ours to ask, and locks. Raises Unwitnessed."""
        self._service.require_lock(self.bucket)
        return f"{self.lock.mode.lower()} lock, {self.lock.days} days"

    # --- for an auditor

    def checkpoints(self) -> Iterator[Anchored]:
        """Every version of every checkpoint, under marks of deletion as well. Raises Unwitnessed."""
        found = [one for one in self._versions() if self._place(one["Key"])]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            yield from threads.map(self._anchored, found)

    def _anchored(self, found: dict[str, Any]) -> Anchored:
        lane, size = self._place(found["Key"])
        where = f"s3://{self.bucket}/{found['Key']}"
        where += "" if found["IsLatest"] else f" (version {found['VersionId']}, covered by a newer one)"
        return Anchored(lane, size, where, self._read(found["Key"], found["VersionId"]).encode())

    def _place(self, key: str) -> tuple[int, ...]:
        """Lane and size by the name of an object, () for what is not ours: others may be below."""
        found = placed(key)
        return found if found and key == f"{self.prefix}{place_of(*found)}" else ()

    # --- requests

    def _once(self, name: str, text: str) -> None:
        """Write an object under a free name, locked, and read it back; the same again changes nothing."""
        until = datetime.now(UTC) + timedelta(days=self.lock.days)
        try:
            with self._service.asking(anew=True) as client:
                client.put_object(
                    Bucket=self.bucket, Key=name, Body=text.encode(), ContentType="text/plain; charset=utf-8",
                    ObjectLockMode=self.lock.mode, ObjectLockRetainUntilDate=until,
                    ChecksumAlgorithm="SHA256", IfNoneMatch="*",
                )  # fmt: skip
        except FileExistsError:
            if self._read(name) == text:
                return
            raise
        self._read_back(name, text)

    def _read_back(self, name: str, text: str) -> None:
        with self._service.asking() as client:
            answer = client.get_object(Bucket=self.bucket, Key=name)
            same = answer["Body"].read(LARGEST) == text.encode()
        if not same:
            raise Unwitnessed("unlike", f"{self.address} gives back other bytes than it was given")
        if answer.get("ObjectLockMode") != self.lock.mode or "ObjectLockRetainUntilDate" not in answer:
            raise Unwitnessed("no-lock", f"{self.address} took a checkpoint and did not lock it")

    def _read(self, name: str, version: str = "") -> str:
        which = {"VersionId": version} if version else {}
        with self._service.asking() as client:
            answer = client.get_object(Bucket=self.bucket, Key=name, **which)
            data: bytes = answer["Body"].read(LARGEST)
        return data.decode("utf-8", "replace")  # what is no text is no checkpoint of ours

    def _shelves(self, prefix: str) -> Iterator[str]:
        with self._service.asking() as client:
            pages = client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/"):
                yield from (one["Prefix"] for one in page.get("CommonPrefixes", ()))

    def _names(self, prefix: str) -> Iterator[str]:
        with self._service.asking() as client:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                yield from (one["Key"] for one in page.get("Contents", ()))

    def _versions(self) -> Iterator[dict[str, Any]]:
        with self._service.asking() as client:
            pages = client.get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
                yield from page.get("Versions", ())
