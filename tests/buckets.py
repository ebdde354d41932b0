"""A real S3 for tests, on this machine: moto's server, over HTTP, with Object Lock.

Rules of this file: nothing of ours is used, and nothing reaches beyond this machine.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

ACCOUNT = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def serving(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3, while it answers; credentials are where boto3 looks for them."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    for key, value in ACCOUNT.items():
        patch.setenv(key, value)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


def client(address: str) -> Any:
    """Whoever has an account there."""
    import boto3

    return boto3.client("s3", endpoint_url=address)
