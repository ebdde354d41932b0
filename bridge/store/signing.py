"""The key that signs checkpoints, in a file, and its public half in another.

Rules of this file: a key is written once, whole, and readable by its owner alone; nothing here prints it. The
public file has a line for each lane and keeps the lines of keys that came before: what they signed is still
to be checked.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from bridge.errors import ConfigError
from bridge.ledger.checkpoint import Signer, Verifier, signer_from, verifier_from
from bridge.store.blobs import flush_folder

MANY = 1 << 20
"""Bytes of the largest file of public keys that is read."""


def drawn() -> Signer:
    """A new key under a new name, from the system's generator."""
    return Signer(f"weighbridge/{secrets.token_hex(8)}", secrets.token_bytes(32))


def public_file(path: Path) -> Path:
    """Where the public half of the key at `path` is written."""
    return path.with_name(f"{path.name}.pub")


def public_lines(signer: Signer, lanes: int) -> str:
    """The public half, as it signs each lane: a line for each."""
    return "".join(f"{signer.verifier(lane)}\n" for lane in range(lanes))


def signing_key(path: Path, lanes: int) -> Signer:
    """The key at `path`, made there if there is none. Raises ConfigError when that cannot be."""
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, f"{drawn().secret()}\n", 0o600)
        signer = _read(path)
    except OSError as error:
        raise ConfigError(
            f"ledger.key_file: {path}: {error.strerror}: the key that signs checkpoints can neither be read "
            "nor made there; name another place, or give this account the right to it"
        ) from None
    with contextlib.suppress(OSError):  # where only the key can be read, its public half follows from it
        publish(public_file(path), signer, lanes)
    return signer


def _read(path: Path) -> Signer:
    if path.stat().st_mode & 0o007:
        raise ConfigError(f"ledger.key_file: {path} can be read by everybody: chmod 600 {path}")
    try:
        return signer_from(path.read_text(encoding="utf-8").strip())
    except ValueError as error:
        raise ConfigError(f"ledger.key_file: {path} {error}") from None


def publish(path: Path, signer: Signer, lanes: int) -> None:
    """Add the public half to the file at `path`, unless it is there."""
    before = path.read_bytes().decode("utf-8", "replace") if path.exists() else ""
    lines = public_lines(signer, lanes).splitlines(keepends=True)
    if new := [line for line in lines if line not in before.splitlines(keepends=True)]:
        write_whole(path, before + "".join(new), 0o644)


def verifiers(paths: Iterable[Path]) -> list[Verifier]:
    """The public keys in files of a line each; raises ConfigError naming file and line that is none."""
    found = []
    for path in paths:
        try:
            with path.open(encoding="utf-8") as file:
                text = file.read(MANY)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: the public key cannot be read: {error}") from None
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                found.append(_verifier(path, number, line.strip()))
    return found


def _verifier(path: Path, number: int, line: str) -> Verifier:
    try:
        return verifier_from(line)
    except ValueError as error:
        raise ConfigError(f"{path}:{number}: {error}") from None


def write_whole(path: Path, content: str | bytes, mode: int) -> None:
    """Write a file so that it is there whole or not at all, even if the power goes. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    flush_folder(path.parent)
