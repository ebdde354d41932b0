"""Copies in a bucket: written once, locked, read back, held, and never free before their time (moto's
server)."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterator
from typing import Any

import pytest
from archives import PDF, Held, parcel, record, whole
from botocore.response import StreamingBody
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


def test_where_its_address_leads() -> None:
    """A bucket's name says where it is at Amazon; elsewhere the endpoint's host belongs to it."""
    hosts = [sink(one).host for one in ("", "https://minio.bank.example:9000", "http://MINIO.bank.example")]
    assert hosts == ["", "minio.bank.example", "minio.bank.example"]


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


async def test_a_repetition_brings_the_lock_up_to_date(address: str) -> None:
    """Whoever puts what a process that died had put makes its lock as long as it has to be by now, and takes
    up what lies there: a hold that was lifted meanwhile is known, and so can be taken off."""
    file = Enclosed("报告.pdf", "application/pdf", len(PDF), "", "sealed")
    one, blobs, there = record(20, file), Held({"sealed": PDF}), sink(address)
    await there.put(parcel(one, until=SOON, held=True), blobs)
    again = await there.put(parcel(one, until=SOON + 86_400_000), blobs)
    assert again.held and again.until >= SOON + 86_400_000
    for lock in await there.locks_on(again.objects):
        assert lock.held and lock.until >= SOON + 86_400_000
    shorter = await there.put(parcel(one, until=SOON), blobs)
    assert shorter.until == again.until
    await there.hold(again.objects, False)
    assert not any(lock.held for lock in await there.locks_on(again.objects))


async def test_an_object_that_is_gone_is_no_service_that_is_away(address: str) -> None:
    """Locks of what is not there any more cannot be changed, and that is what is said; where the whole bucket
    is missing, nothing is called gone."""
    name = f"{parcel(record(21)).name}@{'0' * 32}"
    for there in (sink(address), sink(address, "absent")):
        expected = Refused if there.bucket == "locked" else Unreachable
        with pytest.raises(expected):
            await there.keep_until([name], SOON)
        with pytest.raises(expected):
            await there.hold([name], True)
        with pytest.raises(expected):
            await there.locks_on([name])


@pytest.mark.parametrize("status", [409, 412])
async def test_a_conflict_is_no_object(address: str, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """A service that says of a hold or a lock that something else is under way is asked again later."""
    there = sink(address)
    one = await there.put(parcel(record(22), until=SOON), Held())
    told = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": "OperationAborted"}}

    def busy(**_: Any) -> None:
        raise there._service.client.exceptions.ClientError(told, "PutObject")  # type: ignore[arg-type]

    for name in ("put_object_legal_hold", "put_object_retention"):
        monkeypatch.setattr(there._service.client, name, busy)
    with pytest.raises(Unreachable, match="OperationAborted"):
        await there.hold(one.objects, True)
    with pytest.raises(Unreachable, match="OperationAborted"):
        await there.keep_until(one.objects, SOON + 86_400_000)


async def test_an_answer_that_ends_in_the_middle(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that was cut short is worth another try."""
    there = sink(address)
    one = await there.put(parcel(record(23), until=SOON), Held())
    short = StreamingBody(io.BytesIO(b"half"), 100)
    monkeypatch.setattr(there._service.client, "get_object", lambda **_: {"Body": short})
    with pytest.raises(Unreachable):
        await whole(there.read(one.objects[0]))


async def test_a_lock_that_is_over_is_not_told(address: str) -> None:
    """An end that has passed is no service's matter."""
    there = sink(address)
    one = await there.put(parcel(record(24), until=1), Held())
    await there.keep_until(one.objects, 2)
    assert await there.locks_on(one.objects) == [(0, False)]


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
    with pytest.raises(Refused, match="make a bucket with Object Lock"):
        await sink(address, "open").try_delete()
    with pytest.raises(Unreachable, match="make a bucket with Object Lock"):
        await sink(address, "open").put(parcel(record(11), until=SOON), Held())
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
