"""Speaking to S3: what a refusal means to a person, and nothing of the library's own words."""

import pytest

from bridge.buckets import Service, place_in
from bridge.errors import Unwitnessed


@pytest.mark.parametrize(
    ("address", "found"),
    [("s3://b", ("b", "")), ("s3://b/", ("b", "")), ("s3://b/a/c/", ("b", "a/c/"))],
)
def test_places(address: str, found: tuple[str, str]) -> None:
    """A prefix ends with its slash, or is none."""
    assert place_in(address) == found


def test_refusals_have_remedies() -> None:
    """A known code says what to do; an unknown one is told as it is; both with the address alone."""
    service = Service("s3://vault", Unwitnessed)
    assert "make it" in str(service.error("NoSuchBucket"))
    assert str(service.error("", 418)) == "s3://vault answers 418"


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is away is the caller's own error."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    service = Service("s3://vault", Unwitnessed, endpoint="http://127.0.0.1:9")
    with pytest.raises(Unwitnessed) as away, service.asking() as client:
        client.head_bucket(Bucket="vault")
    assert "hush" not in str(away.value)
