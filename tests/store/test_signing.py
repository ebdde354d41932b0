"""The signing key in its file: made once, kept to its owner, refused when it is not what it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.store.signing import drawn, public_file, publish, signing_key, verifiers


def test_a_key_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    """The first start makes key and public half; the second finds the same key and changes nothing."""
    path = tmp_path / "secrets/checkpoint-key"
    signer = signing_key(path, 2)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert verifiers([public_file(path)]) == [signer.verifier(0), signer.verifier(1)]
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    assert signing_key(path, 2) == signer
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_new_key_leaves_the_old_public_half(tmp_path: Path) -> None:
    """What the key before has signed can still be checked."""
    path = tmp_path / "checkpoint-key"
    old = signing_key(path, 1)
    path.unlink()
    new = signing_key(path, 1)
    assert new.name != old.name
    assert verifiers([public_file(path)]) == [old.verifier(0), new.verifier(0)]


def test_keys_are_not_alike() -> None:
    """Name and key come from the system's generator."""
    assert drawn().name != drawn().name
    assert drawn().seed != drawn().seed


@pytest.mark.parametrize(
    ("content", "mode", "complaint"),
    [("no key at all", 0o600, "no signing key"), ("", 0o600, "no signing key"), (None, 0o644, "chmod 600")],
)
def test_a_key_that_cannot_be_used_says_why(
    tmp_path: Path, content: str | None, mode: int, complaint: str
) -> None:
    """Something else in the file, or a file that everybody reads: an error with its place, not a new key."""
    path = tmp_path / "checkpoint-key"
    path.write_text(f"{drawn().secret()}\n" if content is None else content)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=complaint) as told:
        signing_key(path, 1)
    assert str(path) in str(told.value)


def test_a_place_where_no_key_can_be_made_is_told(tmp_path: Path) -> None:
    """A folder that is a file: the setting is named, and what to do."""
    (tmp_path / "secrets").write_text("")
    with pytest.raises(ConfigError, match=r"ledger\.key_file.*name another place"):
        signing_key(tmp_path / "secrets/checkpoint-key", 1)


def test_public_files_name_the_line_that_is_no_key(tmp_path: Path) -> None:
    """Empty lines are none; anything else has to be a key."""
    path = tmp_path / "keys"
    signer = drawn()
    publish(path, signer, 1)
    path.write_text(f"\n{path.read_text()}name+nonsense\n")
    with pytest.raises(ConfigError, match=rf"{path}:3: is no key"):
        verifiers([path])
    with pytest.raises(ConfigError, match="cannot be read"):
        verifiers([tmp_path / "nowhere"])
