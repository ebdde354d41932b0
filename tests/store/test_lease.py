"""Until when a daemon may send, and when it is known to be dead."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.errors import Unreachable
from bridge.store import lease
from bridge.store.lease import LEASE_MS, TRAVEL_MS, Lease, Mark, elapsed

SENDING = (LEASE_MS - TRAVEL_MS) / 1000

HOLDER = """
import sys
from pathlib import Path
from bridge.store.lease import Mark
mark = Mark(Path(sys.argv[1]))
mark.write(7)
print("held", flush=True)
sys.stdin.read()
"""


def test_sending_is_allowed_from_a_sign_of_life_on_and_ends_before_the_lease() -> None:
    """It counts from before the sign was handed in, so no wait for the disk prolongs it."""
    now = 100.0
    held = Lease(lambda: now)
    with pytest.raises(Unreachable) as before:
        held.check()
    assert before.value.certain
    held.extend(100.0)
    now = 100.0 + SENDING - 0.001
    held.check()
    now = 100.0 + SENDING
    with pytest.raises(Unreachable):
        held.check()
    held.extend(now - 1)
    held.check()
    assert SENDING * 1000 < LEASE_MS


def test_time_goes_forward() -> None:
    """Whoever sets the machine's clock prolongs no lease."""
    first = elapsed()
    assert 0 <= elapsed() - first < 60


def test_a_lock_that_ends_with_its_process_proves_it_dead(tmp_path: Path) -> None:
    """Not while it lives; not for another epoch than the one it worked under; once it was killed."""
    path = tmp_path / "lane-0.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    mark = Mark(path)
    assert not mark.proves(7)
    mark.write(8)
    holder.kill()
    holder.communicate()
    assert mark.proves(7)
    assert not mark.proves(8)
    mark.write(8)
    assert not mark.proves(7)
    mark.release()
    assert Mark(path).proves(8)


def test_a_copy_of_the_file_proves_nothing(tmp_path: Path) -> None:
    """Neither elsewhere nor after another boot: who wrote it may live on the other machine."""
    mark = Mark(tmp_path / "here")
    mark.write(3)
    shutil.copy(tmp_path / "here", tmp_path / "there")
    assert not Mark(tmp_path / "there").proves(3)
    mark.release()
    words = (tmp_path / "here").read_text()
    (tmp_path / "here").write_text(words.replace("boot ", "boot 0"))
    assert not Mark(tmp_path / "here").proves(3)


def test_where_nothing_can_be_locked_nothing_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No folder, or no name for this boot: a lease is waited for."""
    nowhere = Mark(tmp_path / "no" / "folder")
    nowhere.write(1)
    assert not nowhere.proves(1)
    monkeypatch.setattr(lease, "_BOOT_ID", tmp_path / "none")
    nameless = Mark(tmp_path / "lane-0.lock")
    nameless.write(1)
    assert not nameless.proves(1)
