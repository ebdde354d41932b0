"""Key keepers: what each wraps it unwraps, a wrong or missing key says so, and no key shows anywhere."""

from __future__ import annotations

import base64
import json
import stat
from importlib import metadata
from pathlib import Path

import pytest

from bridge import keepers
from bridge.errors import ConfigError, KeyMissing
from bridge.keepers import VARIABLE, KeyFile, KeyInEnvironment, KeyInMemory, keeper
from bridge.ports import KeyKeeper

STORE_KEY = b"s" * 32
FIRST, SECOND = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    """A key file with one key."""
    one = KeyFile(tmp_path / "secrets" / "store-key")
    one.renew()
    return one


@pytest.fixture(params=["file", "environment", "memory"])
def any_keeper(request: pytest.FixtureRequest, file: KeyFile) -> KeyKeeper:
    """One of each kind."""
    others = {"environment": KeyInEnvironment({VARIABLE: FIRST}), "memory": KeyInMemory("m", bytes(32))}
    return others.get(request.param, file)


def test_what_is_wrapped_comes_back(any_keeper: KeyKeeper) -> None:
    """Under the name that `wrap` gave; twice wrapped is twice different; changed is refused."""
    name, wrapped = any_keeper.wrap(STORE_KEY)
    assert name == any_keeper.current
    assert any_keeper.unwrap(name, wrapped) == STORE_KEY
    assert any_keeper.wrap(STORE_KEY)[1] != wrapped
    assert STORE_KEY not in wrapped
    with pytest.raises(ConfigError, match=r"not the one|do not give"):
        any_keeper.unwrap(name, wrapped[:-1] + bytes([wrapped[-1] ^ 1]))
    with pytest.raises(KeyMissing, match="another-name"):
        any_keeper.unwrap("another-name", wrapped)


def test_a_key_file_is_its_owners_alone(file: KeyFile) -> None:
    """It is made 0600 in a folder of 0700, and holds a key that nobody printed."""
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    kept = json.loads(file.path.read_text())
    assert len(base64.b64decode(kept["keys"][kept["current"]])) == 32
    assert kept["keys"][kept["current"]] not in repr(file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_loose_permissions_are_refused(file: KeyFile, mode: int) -> None:
    """Others may read it: it is not used, and the remedy is there to be copied."""
    name, wrapped = file.wrap(STORE_KEY)
    file.path.chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {file.path}"):
        file.unwrap(name, wrapped)


def test_a_missing_file_says_what_is_missing(file: KeyFile) -> None:
    """Which file, and what to do."""
    name, wrapped = file.wrap(STORE_KEY)
    file.path.unlink()
    assert file.current == ""
    with pytest.raises(KeyMissing, match="weighbridge keys restore"):
        file.unwrap(name, wrapped)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2, "current": "k"}', "\x00"])
def test_a_damaged_file_is_no_key(file: KeyFile, text: str) -> None:
    """It is refused as it is, and never written over."""
    file.path.write_text(text)
    for act in (file.renew, lambda: file.wrap(STORE_KEY)):
        with pytest.raises(ConfigError, match="damaged"):
            act()
    assert file.path.read_text() == text


def test_an_old_key_opens_until_it_is_forgotten(file: KeyFile) -> None:
    """A new key is the present one at once; the old one stays until nothing is wrapped by it."""
    name, wrapped = file.wrap(STORE_KEY)
    newer = file.renew()
    assert file.current == newer != name
    assert file.unwrap(name, wrapped) == STORE_KEY
    file.forget(frozenset({name}))
    assert file.unwrap(name, wrapped) == STORE_KEY
    file.forget(frozenset())
    with pytest.raises(KeyMissing):
        file.unwrap(name, wrapped)
    assert [path.name for path in file.path.parent.iterdir()] == ["store-key"]


def test_what_a_killed_process_left_is_no_trouble(file: KeyFile) -> None:
    """A half-written file beside it is passed over."""
    file.path.with_name("store-key.new").write_text("half")
    assert file.renew() == file.current


def test_a_file_is_restored_once(file: KeyFile, tmp_path: Path) -> None:
    """From name and key; never over one that is there."""
    name, wrapped = file.wrap(STORE_KEY)
    again = KeyFile(tmp_path / "elsewhere" / "store-key")
    again.restore(*file.reveal())
    assert again.unwrap(name, wrapped) == STORE_KEY
    with pytest.raises(ConfigError, match="never overwritten"):
        again.restore(*file.reveal())


def test_the_first_key_of_the_environment_wraps() -> None:
    """The others only unwrap: that is how one is exchanged."""
    old = KeyInEnvironment({VARIABLE: FIRST})
    name, wrapped = old.wrap(STORE_KEY)
    both = KeyInEnvironment({VARIABLE: f"{SECOND}, {FIRST}"})
    assert both.unwrap(name, wrapped) == STORE_KEY
    assert both.current != name
    assert FIRST not in repr(both)


@pytest.mark.parametrize("value", ["short", "????", base64.b64encode(bytes(31)).decode()])
def test_a_variable_without_a_key_is_refused(value: str) -> None:
    """What is not 32 bytes is named, and not shown."""
    with pytest.raises(ConfigError, match="32 bytes in base64") as error:
        KeyInEnvironment({VARIABLE: value}).wrap(STORE_KEY)
    assert value not in str(error.value)
    with pytest.raises(ConfigError, match="openssl rand"):
        KeyInEnvironment({}).wrap(STORE_KEY)


def test_a_plugin_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package offers a keeper as an entry point; an unknown name says which there are."""
    package = tmp_path / "fake_kms-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-kms\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{keepers.PLUGINS}]\nfake = fake_kms:keeper\n")
    (tmp_path / "fake_kms.py").write_text(
        "from bridge.keepers import KeyInMemory\ndef keeper(): return KeyInMemory('kms', bytes(32))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "fake" in metadata.entry_points(group=keepers.PLUGINS).names
    one = keeper("fake", tmp_path)
    assert one.unwrap(*one.wrap(STORE_KEY)) == STORE_KEY
    with pytest.raises(ConfigError, match="there are file, environment, fake"):
        keeper("vault", tmp_path)
    assert isinstance(keeper("environment", tmp_path), KeyInEnvironment)
    assert keeper("file", tmp_path / "key") == KeyFile(tmp_path / "key")
