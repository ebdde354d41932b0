"""A bucket keeps checkpoints so that nobody can take them away: tried on a real S3 protocol."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from buckets import client, serving

from bridge.errors import Unwitnessed
from bridge.store.signing import drawn
from bridge.witnesses.bucket import Bucket, Lock

SIGNER = drawn()
NOTES = {size: SIGNER.sign(0, size, bytes([size % 256]) * 32) for size in (5, 99_999, 100_001)}
KEY = "kept/here/0/00000/000000000005.note"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """An S3."""
    with pytest.MonkeyPatch.context() as patch, serving(patch) as address:
        yield address


@pytest.fixture
def s3(address: str, request: pytest.FixtureRequest) -> Any:
    """An account there, and a locked bucket of the test's own."""
    s3 = client(address)
    s3.bucket = "b" + "".join(one for one in request.node.name.lower() if one.isalnum())[-40:]
    s3.create_bucket(Bucket=s3.bucket, ObjectLockEnabledForBucket=True)
    return s3


def opened(s3: Any, mode: str = "COMPLIANCE", prefix: str = "/kept/here/") -> Bucket:
    """Our way to the bucket."""
    return Bucket(f"s3://{s3.bucket}{prefix}", Lock(mode, 30), endpoint=s3.meta.endpoint_url)


def versions(s3: Any, key: str = KEY) -> list[dict]:
    """What there is under a name, the newest first."""
    return s3.list_object_versions(Bucket=s3.bucket, Prefix=key).get("Versions", [])


def test_a_checkpoint_is_stored_once_and_locked(s3: Any) -> None:
    """Under the name that it would have in a folder, until a day that lies far enough off."""
    bucket = opened(s3)
    for _ in range(2):
        bucket.put(0, 5, NOTES[5])
    (version,) = versions(s3)
    found = s3.get_object(Bucket=s3.bucket, Key=KEY)
    assert found["Body"].read().decode() == NOTES[5]
    assert found["ObjectLockMode"] == "COMPLIANCE"
    assert (found["ObjectLockRetainUntilDate"] - version["LastModified"]).days in (29, 30)


def test_nobody_takes_it_away(s3: Any) -> None:
    """Deleting the locked version is refused; a mark of deletion over it, and a forgery, hide nothing."""
    bucket = opened(s3)
    bucket.put(0, 5, NOTES[5])
    (version,) = versions(s3)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(
            Bucket=s3.bucket, Key=KEY, VersionId=version["VersionId"], BypassGovernanceRetention=True
        )
    s3.put_object(Bucket=s3.bucket, Key=KEY, Body=b"forged")
    s3.delete_object(Bucket=s3.bucket, Key=KEY)
    kept = list(bucket.checkpoints())
    assert sorted(one.read() for one in kept) == sorted([b"forged", NOTES[5].encode()])
    assert {(one.lane, one.size) for one in kept} == {(0, 5)}
    assert any(version["VersionId"] in one.where for one in kept)


def test_another_checkpoint_of_the_size_is_refused(s3: Any) -> None:
    """The first one stays: two histories never get one name."""
    bucket = opened(s3, "GOVERNANCE")
    bucket.put(0, 5, NOTES[5])
    with pytest.raises(FileExistsError):
        bucket.put(0, 5, NOTES[99_999])
    assert len(versions(s3)) == 1


def test_the_newest_is_found(s3: Any) -> None:
    """By size, lane by lane, and nothing else that lies there."""
    bucket = opened(s3, prefix="")
    assert bucket.newest(0) is None
    for size, note in NOTES.items():
        bucket.put(0, size, note)
    bucket.put(1, 700_000, "another lane\n")
    s3.put_object(Bucket=s3.bucket, Key="0/99999/readme.txt", Body=b"x")
    s3.put_object(Bucket=s3.bucket, Key="of-others/0/00000/000000000005.note", Body=b"x")
    assert bucket.newest(0) == (100_001, NOTES[100_001])
    assert bucket.newest(1) == (700_000, "another lane\n")
    assert len(list(bucket.checkpoints())) == 4


def test_the_public_key_lies_beside(s3: Any) -> None:
    """Once for each key, locked like the rest."""
    for _ in range(2):
        opened(s3).publish(SIGNER, 2)
    (version,) = versions(s3, "kept/here/keys/")
    text = s3.get_object(Bucket=s3.bucket, Key=version["Key"])["Body"].read().decode()
    assert text == f"{SIGNER.verifier(0)}\n{SIGNER.verifier(1)}\n"


def test_a_bucket_without_a_lock_is_refused_with_a_remedy(s3: Any, address: str) -> None:
    """Before anything is written there; so is one that is not there."""
    s3.create_bucket(Bucket="plain")
    bucket = Bucket("s3://plain", Lock("COMPLIANCE", 30), endpoint=address)
    for attempt in (bucket.check, lambda: bucket.publish(SIGNER, 1)):
        with pytest.raises(Unwitnessed, match="make a bucket with Object Lock") as told:
            attempt()
        assert told.value.code == "no-lock"
    assert "Contents" not in s3.list_objects_v2(Bucket="plain")
    with pytest.raises(Unwitnessed, match="is not there") as told:
        Bucket("s3://nobody-made-it", Lock("COMPLIANCE", 30), endpoint=address).check()
    assert told.value.code == "no-bucket"
    assert opened(s3).check() == "compliance lock, 30 days"


def test_a_service_that_forgets_the_lock_is_found(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some take the words and do nothing: every checkpoint is read back with its lock."""
    bucket = opened(s3)
    s3_client = bucket._service.client
    put = s3_client.put_object
    words = ("ObjectLockMode", "ObjectLockRetainUntilDate")
    monkeypatch.setattr(
        s3_client, "put_object", lambda **all: put(**{key: all[key] for key in all if key not in words})
    )
    with pytest.raises(Unwitnessed, match="did not lock it"):
        bucket.put(0, 5, NOTES[5])


def test_an_outage_is_told_without_secrets(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the service, nobody there, no credentials at all: a short code, and no words of theirs."""
    bucket = opened(s3)
    answer = {
        "Error": {"Code": "InternalError", "Message": "hush"},
        "ResponseMetadata": {"HTTPStatusCode": 500},
    }

    def fail(**_: object) -> None:
        raise ClientError(answer, "PutObject")  # type: ignore[arg-type]

    monkeypatch.setattr(bucket._service.client, "put_object", fail)
    with pytest.raises(Unwitnessed) as told:
        bucket.put(0, 5, NOTES[5])
    assert (told.value.code, "hush" in str(told.value)) == ("InternalError", False)
    with pytest.raises(Unwitnessed) as told:
        Bucket("s3://anywhere", Lock("COMPLIANCE", 30), endpoint="http://127.0.0.1:9").check()
    assert told.value.code == "EndpointConnectionError"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(Unwitnessed) as told:
        opened(s3).check()
    assert told.value.code == "NoCredentialsError"


def test_without_the_extra_it_says_what_to_install(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 is not there for everybody."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(Unwitnessed, match=r"weighbridge\[s3\]") as told:
        opened(s3).check()
    assert told.value.code == "no-library"
