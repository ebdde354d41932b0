"""What keeps files is asked in a thread: it may hang, and nobody hangs with it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from bridge.errors import Conflict, Unwitnessed
from bridge.store.anchors import AnchorFolder
from bridge.store.signing import drawn, verifiers
from bridge.witnesses.shelf import OnShelf

SIGNER = drawn()


def on(folder: AnchorFolder) -> OnShelf:
    """A witness on a folder."""
    return OnShelf(folder, str(folder.path), 0.0, SIGNER, 2)


async def test_a_folder_is_a_witness(tmp_path: Path) -> None:
    """The public key first, then checkpoints; another one of the same size is a conflict."""
    witness = on(AnchorFolder(tmp_path / "kept"))
    assert await witness.newest(1) is None
    assert len(verifiers([tmp_path / "kept/key.pub"])) == 2
    assert await witness.leave(1, 5, "note\n") == b""
    assert await witness.newest(1) == (5, "note\n")
    with pytest.raises(Conflict, match="another checkpoint of 5 entries"):
        await witness.leave(1, 5, "other\n")
    assert await witness.check() == str(tmp_path / "kept")


async def test_a_folder_that_was_begun_is_never_made_anew(tmp_path: Path) -> None:
    """Absent, or empty because nothing is mounted: no file and no folder is made, and the remedy is said."""
    folder = tmp_path / "mount"
    for mount_point in (False, True):
        if mount_point:
            folder.mkdir()
        witness = on(AnchorFolder(folder))
        for asked in (witness.newest(0, begun=True), witness.leave(0, 5, "note\n")):
            with pytest.raises(Unwitnessed, match=f"mount it, .* --adopt {folder}") as told:
                await asked
            assert told.value.code == "unmounted"
        assert folder.exists() == mount_point
    assert list(folder.iterdir()) == []


async def test_what_the_system_says_is_told(tmp_path: Path) -> None:
    """By its own code and words."""
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Unwitnessed, match="Not a directory") as told:
        await on(AnchorFolder(tmp_path / "file")).leave(0, 5, "note\n")
    assert told.value.code == "ENOTDIR"


async def test_a_place_that_hangs_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loses patience leaves; the next one is told at once, until the thread has come back."""
    freed = threading.Event()
    monkeypatch.setattr(AnchorFolder, "put", lambda *_: freed.wait(30))
    witness = on(AnchorFolder(tmp_path))
    await witness.newest(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await witness.leave(0, 5, "note\n")
    with pytest.raises(Unwitnessed, match="has not answered yet"):
        await witness.leave(0, 5, "note\n")
    freed.set()
    async with asyncio.timeout(30):
        while witness.busy:  # noqa: ASYNC110 - a thread rings no bell
            await asyncio.sleep(0.001)
    await witness.leave(0, 5, "note\n")
