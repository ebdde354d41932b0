"""What copies are called outside: by the number of the message and the SHA-256 of the bytes.

Rules of this file: pure. A name sorts by message, holds nothing that was written, and can be made again by
whoever has the bytes.
"""

from __future__ import annotations

import hashlib

from bridge.records.copies import ENDINGS, Record

SHELF = 1000
"""Messages that share a folder."""


def folder_of(number: int) -> str:
    """Where everything of one message lies."""
    return f"records/{number // SHELF:09d}/{number:012d}"


def name_of(record: Record, data: bytes, form: str) -> str:
    """The name of a record's own bytes."""
    digest = hashlib.sha256(data).hexdigest()
    return f"{folder_of(record.number)}/{record.revision}-{digest}.{ENDINGS[form]}"


def name_of_file(number: int, n: int, digest: str) -> str:
    """The name of attachment `n` of a message, whose bytes have this SHA-256. Revisions share it."""
    return f"{folder_of(number)}/file-{n}-{digest}"


def digest_in(name: str) -> str:
    """The SHA-256 that a name promises; a version may stand behind it."""
    return name.partition("@")[0].rpartition("-")[2].partition(".")[0]
