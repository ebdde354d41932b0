"""Copies in a bucket: written once, locked, read back, held, and never free before their time (moto's
server)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from archives import PDF, Held, parcel, record, whole
from buckets import client, serving

from bridge.errors import Refused, Unreachable
from bridge.records.copies import Enclosed
from bridge.sinks.bucket import BucketSink

SOON = round(time.time() * 1000) + 86_400_000


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A service."""
    with pytest.MonkeyPatch.context() as patch, serving(patch) as url:
        s3 = client(url)
        for name in ("locked", "reviewed"):
            s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
        s3.create_bucket(Bucket="open")
        yield url


def sink(address: str, bucket: str = "locked", mode: str = "governance", prefix: str = "") -> BucketSink:
    """Copies in one of its buckets."""
    return BucketSink("records/vault", f"s3://{bucket}{prefix}", mode, endpoint=address)


def head(address: str, name: str, bucket: str = "locked") -> Any:
    """What the service says of an object."""
    key, _, version = name.rpartition("@")
    return client(address).head_object(Bucket=bucket, Key=key, VersionId=version)


async def test_record_and_attachment_are_locked(address: str) -> None:
    """Each object has length, digest in its name, lock until the record's end; a repetition adds none."""
    file = Enclosed("报告.pdf", "application/pdf", len(PDF), "", "sealed")
    one, blobs = parcel(record(1, file), until=SOON), Held({"sealed": PDF})
    first = await sink(address).put(one, blobs)
    again = await sink(address).put(one, blobs)
    assert first == again
    assert await whole(sink(address).read(first.objects[0])) == one.data
    assert await whole(sink(address).read(first.objects[1])) == PDF
    assert hashlib.sha256(PDF).hexdigest() in first.objects[1]
    for name in first.objects:
        found = head(address, name)
        assert found["ObjectLockMode"] == "GOVERNANCE"
        assert round(found["ObjectLockRetainUntilDate"].timestamp() * 1000) >= SOON
        assert found.get("ObjectLockLegalHoldStatus", "OFF") == "OFF"
    with pytest.raises(client(address).exceptions.ClientError, match="AccessDenied"):
        key, _, version = first.objects[0].rpartition("@")
        client(address).delete_object(Bucket="locked", Key=key, VersionId=version)


async def test_no_end_yet_is_a_hold(address: str) -> None:
    """A record whose end nobody knows is under a legal hold instead, until its end is known."""
    one = await sink(address).put(parcel(record(2)), Held())
    assert (one.until, one.held) == (0, True)
    assert head(address, one.objects[0])["ObjectLockLegalHoldStatus"] == "ON"
    await sink(address).keep_until(one.objects, SOON)
    await sink(address).hold(one.objects, False)
    found = head(address, one.objects[0])
    assert (found["ObjectLockMode"], found["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "OFF")


async def test_a_lock_is_never_shortened(address: str) -> None:
    """An earlier end than the one that is set changes nothing."""
    one = await sink(address).put(parcel(record(3), until=SOON), Held())
    await sink(address).keep_until(one.objects, SOON - 3_600_000)
    assert round(head(address, one.objects[0])["ObjectLockRetainUntilDate"].timestamp() * 1000) >= SOON


async def test_compliance_mode(address: str) -> None:
    """In compliance mode, the service says so of every object."""
    one = await sink(address, mode="compliance").put(parcel(record(4), until=SOON), Held())
    assert head(address, one.objects[0])["ObjectLockMode"] == "COMPLIANCE"


async def test_other_bytes_under_a_name(address: str) -> None:
    """What lies under a name is not written over: the record is refused, and a person looks."""
    one = parcel(record(5), until=SOON)
    client(address).put_object(Bucket="locked", Key=one.name, Body=b"something else")
    with pytest.raises(Refused) as refused:
        await sink(address).put(one, Held())
    assert refused.value.code == "differs"


async def test_a_service_that_forgets_the_lock(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came to lie there without its lock is locked afterwards."""
    one, there = parcel(record(6), until=SOON), sink(address)
    put = there._service.client.put_object
    forgetful = lambda **all: put(**{k: v for k, v in all.items() if not k.startswith("ObjectLock")})  # noqa: E731
    monkeypatch.setattr(there._service.client, "put_object", forgetful)
    done = await there.put(one, Held())
    assert head(address, done.objects[0])["ObjectLockMode"] == "GOVERNANCE"


async def test_what_is_gone(address: str) -> None:
    """An object that is not there (any more) is told from a service that is away."""
    with pytest.raises(Refused) as refused:
        await whole(sink(address).read(f"{parcel(record(8)).name}@null"))
    assert refused.value.code == "gone"


async def test_the_trial(address: str) -> None:
    """A bucket that locks refuses to delete; one that does not is found before anything lies there."""
    assert await sink(address).try_delete() == "AccessDenied"
    assert await sink(address).check() == "governance lock"
    with pytest.raises(Unreachable, match="has no Object Lock"):
        await sink(address, "open").check()
    with pytest.raises(Unreachable, match="make it"):
        await sink(address, "absent").check()
    with pytest.raises(Refused):
        await sink(address, "open", mode="").try_delete()
    assert await sink(address, "open", mode="").check() == "without lock"


async def test_a_bucket_without_lock(address: str) -> None:
    """Where the policy asks for no lock, none is tried."""
    one = await sink(address, "open", mode="", prefix="/chat").put(parcel(record(9), until=SOON), Held())
    assert (one.until, one.held) == (0, False)
    assert one.objects[0].startswith("records/")


async def test_nobody_answers() -> None:
    """A service that is away is worth another try."""
    with pytest.raises(Unreachable):
        await sink("http://127.0.0.1:9").put(parcel(record(10)), Held())
