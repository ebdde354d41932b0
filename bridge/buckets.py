"""Speaking to an S3 service: the client, and what its refusals mean, for whoever keeps things there.

Rules of this file: it knows no bucket's purpose. Credentials are found by boto3 in its own ways and seen by
nobody here; of the library's words nothing but its code is told, with what a person does about it.

Sources: Amazon S3 API (error codes); RFC 9110 (409, 412).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

REMEDIES = {
    "ObjectLockConfigurationNotFoundError": (
        "no-lock", "has no Object Lock, so anybody may delete what is in it: make a bucket with Object Lock"
    ),
    "NoSuchBucket": ("no-bucket", "is not there: make it, with Object Lock"),
    "AccessDenied": (
        "denied", "does not let this account in: it needs s3:PutObject, s3:PutObjectRetention, s3:GetObject, "
        "s3:GetObjectRetention, s3:ListBucket, s3:ListBucketVersions and s3:GetBucketObjectLockConfiguration"
    ),
    "InvalidAccessKeyId": ("denied", "does not know these credentials"),
    "SignatureDoesNotMatch": ("denied", "does not accept these credentials"),
}  # fmt: skip
NO_EXTRA = "needs boto3, which is not installed: install weighbridge[s3], or requirements/s3.txt"

Failure = Callable[[str, str], Exception]
"""Makes the caller's error of a short stable word and a text with its remedy."""


class Service:
    """A service at `endpoint` ("": Amazon's own). `fail` makes what its refusals are raised as."""

    def __init__(self, address: str, fail: Failure, *, endpoint: str = "", proxy: str = "") -> None:
        self.address, self.fail = address, fail
        self.endpoint, self.proxy = endpoint, proxy

    @cached_property
    def client(self) -> Any:
        """The client, made when it is first asked for: boto3 takes a while to come."""
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise self.fail("no-library", NO_EXTRA) from None
        config = Config(
            connect_timeout=5,
            read_timeout=10,
            retries={"total_max_attempts": 2, "mode": "standard"},
            proxies={"http": self.proxy, "https": self.proxy} if self.proxy else None,
        )
        try:
            return boto3.session.Session().client("s3", endpoint_url=self.endpoint or None, config=config)
        except (BotoCoreError, ValueError) as error:
            raise self.error(type(error).__name__) from None

    @contextlib.contextmanager
    def asking(self, *, anew: bool = False) -> Iterator[Any]:
        """The client, and whatever the library raises as what follows from it. With `anew`, something is put
        under a name that has to be free: raises FileExistsError where it is not."""
        client = self.client  # without the extra there is nothing to import from
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield client
        except ClientError as error:
            answer = error.response
            status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if anew and status in (409, 412):
                raise FileExistsError(17, "an object of this name is here", self.address) from None
            raise self.error(str(answer.get("Error", {}).get("Code", "")), status) from None
        except BotoCoreError as error:
            raise self.error(type(error).__name__) from None

    def require_lock(self, bucket: str) -> None:
        """Raises as it fails, and "no-lock" where a bucket is there and does not lock what is put in it."""
        with self.asking() as client:
            answer = client.get_object_lock_configuration(Bucket=bucket)
        if answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            raise self.error("ObjectLockConfigurationNotFoundError")

    def error(self, code: str, status: int = 0) -> Exception:
        """What a refusal of this code is raised as."""
        short, remedy = REMEDIES.get(code, (code or f"HTTP {status}", f"answers {code or status}"))
        return self.fail(short.replace(" ", "-"), f"{self.address} {remedy}")


def place_in(address: str) -> tuple[str, str]:
    """Bucket, and prefix with its slash ("" if none), of an address s3://BUCKET/PREFIX."""
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    return bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
