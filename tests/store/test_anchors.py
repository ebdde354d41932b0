"""A folder of checkpoints: each is there whole, once, and never changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.store.anchors import AnchorFolder
from bridge.store.signing import drawn, verifiers


@pytest.fixture
def folder(tmp_path: Path) -> AnchorFolder:
    """An empty place for checkpoints."""
    return AnchorFolder(tmp_path / "checkpoints")


def test_the_newest_is_the_largest(folder: AnchorFolder) -> None:
    """Sizes are compared as numbers, across the folders that they are spread over, lane by lane."""
    assert folder.newest(0) is None
    for size in (99, 100_001, 20, 99_999):
        folder.put(0, size, f"note of {size}\n")
    folder.put(1, 700_000, "another lane\n")
    assert folder.newest(0) == (100_001, "note of 100001\n")
    assert folder.newest(1) == (700_000, "another lane\n")


def test_a_checkpoint_is_written_once(folder: AnchorFolder) -> None:
    """The same again changes nothing; another one of the same size is refused, and the first one stays."""
    folder.put(0, 5, "first\n")
    (path,) = folder.path.rglob("*.note")
    before = path.stat()
    folder.put(0, 5, "first\n")
    assert path.stat() == before
    with pytest.raises(FileExistsError):
        folder.put(0, 5, "second\n")
    assert folder.newest(0) == (5, "first\n")


def test_half_a_checkpoint_is_none(folder: AnchorFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the process dies before the file has its name, there is none, and the next attempt writes it."""
    folder.put(0, 5, "first\n")
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        folder.put(0, 6, "second\n")
    monkeypatch.setattr(os, "replace", replace)
    assert folder.newest(0) == (5, "first\n")
    folder.put(0, 6, "second\n")
    assert folder.newest(0) == (6, "second\n")
    assert len(list(folder.path.rglob("*"))) == 4  # two folders and two checkpoints: nothing is left over


def test_everything_is_flushed(folder: AnchorFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file before it has its name, and the folder after: a name without content is never seen."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("flush"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("name"), replace(*names)))
    folder.put(0, 5, "first\n")
    assert done[-3:] == ["flush", "name", "flush"]


def test_the_public_key_lies_beside(folder: AnchorFolder) -> None:
    """Whoever gets the folder can check it."""
    signer = drawn()
    folder.publish(signer, 1)
    assert verifiers([folder.path / "key.pub"]) == [signer.verifier(0)]
