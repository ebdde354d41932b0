"""Which program decides: one short text that changes whenever a verdict might.

Rules of this file: it reads the program's own files, once for a process and only when asked. What people
wrote (policies and lists) has hashes of its own; here is what stands behind them: this package's source,
and the tables of characters, sounds, telephone numbers, checksums and trading days that others publish.
"""

from __future__ import annotations

import functools
import hashlib
import pkgutil
from collections.abc import Iterator
from importlib import metadata

_PRODUCT = "weighbridge"
_TABLES = (
    "ahocorasick-rs",
    "google-re2",
    "holidays",
    "opencc",
    "phonenumberslite",
    "pypinyin",
    "python-stdnum",
    "regex",
    "tzdata",
)


@functools.cache
def edition() -> str:
    """The product's version and a digest of all that decides, such as "0.1.0+5d1f0c9a77e2"."""
    digest = hashlib.sha256()
    for part in _parts():
        digest.update(len(part).to_bytes(8, "big") + part)
    return f"{metadata.version(_PRODUCT)}+{digest.hexdigest()[:12]}"


def _parts() -> Iterator[bytes]:
    """What the digest covers, in a fixed order. Packages below this one hold words that nobody decides by."""
    for name in _TABLES:
        yield f"{name} {metadata.version(name)}".encode()
    package = __name__.rpartition(".")[0]
    for name in sorted(found.name for found in pkgutil.iter_modules(_folders(package)) if not found.ispkg):
        yield name.encode()
        yield pkgutil.get_data(package, f"{name}.py") or b""


def _folders(package: str) -> list[str]:
    return list(pkgutil.resolve_name(package).__path__)
