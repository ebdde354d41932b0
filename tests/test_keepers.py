"""Key keepers: what each wraps it unwraps, a wrong or missing key says so, and no key shows anywhere."""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import stat
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from rig import Clock, Hands, message

from bridge import keepers
from bridge.errors import ConfigError, KeyMissing, StoreError
from bridge.keepers import VARIABLE, KeyFile, KeyInEnvironment, KeyInMemory, keeper
from bridge.message import SYMPHONY
from bridge.ports import KeyKeeper
from bridge.store import rotation
from bridge.store.database import Database, create

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


# --- a key service --------------------------------------------------------------------------------------


@dataclass
class Service:
    """A key service that keeps its keys: what the manual's plugin asks. `status` is what it answers with."""

    url: str = ""
    status: int = 200
    keys: dict[str, bytes] = field(default_factory=lambda: {"bank-2026": b"1" * 32, "bank-2027": b"2" * 32})

    def answer(self, what: str, name: str, data: bytes) -> tuple[int, bytes]:
        """Status and data. The key's name is authenticated, as key services do."""
        if self.status != 200 or name not in self.keys:
            return max(self.status, 403), b""
        cipher = AESGCM(self.keys[name])
        if what == "/encrypt":
            nonce = os.urandom(12)
            return 200, nonce + cipher.encrypt(nonce, data, name.encode())
        try:
            return 200, cipher.decrypt(data[:12], data[12:], name.encode())
        except InvalidTag:
            return 400, b""


@pytest.fixture
def service() -> Iterator[Service]:
    """A service on a port of its own."""
    one = Service()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, data = one.answer(self.path, asked["key"], base64.b64decode(asked["data"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps({"data": base64.b64encode(data).decode()}).encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        one.url = f"http://127.0.0.1:{server.server_port}"
        yield one
        server.shutdown()
        thread.join()


@pytest.fixture
def bank_kms(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyKeeper:
    """The keeper of the manual's example, as the settings would name it."""
    manual = (Path(__file__).parents[1] / "docs/operations.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"<!-- module: bank_kms.py -->\n\n```python\n(.*?)```", manual, re.S)
    (tmp_path / "bank_kms.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "bank_kms", raising=False)
    monkeypatch.setenv("KMS_URL", service.url)
    monkeypatch.setenv("KMS_KEY", "bank-2026")
    return keeper("bank_kms:keeper", tmp_path)


def test_the_manuals_key_service_keeps_the_contract(bank_kms: KeyKeeper, service: Service) -> None:
    """What it wraps it unwraps, changed or under another name it refuses, and an outage is no refusal."""
    name, wrapped = bank_kms.wrap(STORE_KEY)
    assert name == bank_kms.current == "bank-2026"
    assert bank_kms.unwrap(name, wrapped) == STORE_KEY
    for odd in ((name, wrapped[:-1] + bytes([wrapped[-1] ^ 1])), ("bank-2027", wrapped), ("gone", wrapped)):
        with pytest.raises(ConfigError, match="the key service refuses"):
            bank_kms.unwrap(*odd)
    service.status = 503
    with pytest.raises(StoreError, match="HTTP 503"):
        bank_kms.unwrap(name, wrapped)
    bank_kms.kept.url = "http://127.0.0.1:1"
    with pytest.raises(StoreError, match="does not answer"):
        bank_kms.wrap(STORE_KEY)
    assert pickle.loads(pickle.dumps(bank_kms)).current == name


async def test_an_outage_of_the_key_service(bank_kms: KeyKeeper, service: Service, tmp_path: Path) -> None:
    """A store that is open goes on; one that opens says so, and works once the service is back."""
    url, blobs = f"sqlite:///{tmp_path}/weighbridge.db", tmp_path / "blobs"
    create(url, 0, keeper=bank_kms)
    store = Database(url, blobs, Clock(), bank_kms)
    await store.own("the test")
    service.status = 503
    hands = Hands(store, store.clock)
    assert await hands.archive(message(SYMPHONY, 1, "during the outage")) == 1
    assert [one.message.text for one in await store.unjudged(9)] == ["during the outage"]
    later = Database(url, blobs, Clock(), bank_kms)
    with pytest.raises(StoreError, match="HTTP 503"):
        later.unlock()
    service.status = 200
    assert later.unlock() == "bank-2026"
    number = await later.write(lambda tx: rotation.rotate(tx, 0, "bob.li@bank.example", "yearly"))
    service.status = 503
    with pytest.raises(StoreError, match="HTTP 503"):  # the key that is new to this process
        await hands.archive(message(SYMPHONY, 2, "after a rotation"))
    service.status = 200
    assert await hands.archive(message(SYMPHONY, 2, "after a rotation")) == 1
    assert number == 3
    store.close()
    later.close()


class Careless:
    """A plugin that does not keep the contract: it raises `fault`, or answers `answer`."""

    fault: Exception | None = None
    answer: object = None

    @property
    def current(self) -> str:
        """As the others."""
        return self.wrap(b"")

    def wrap(self, *_: object) -> object:
        """Fails as it was told to."""
        if self.fault:
            raise self.fault
        return self.answer

    unwrap = renew = forget = reveal = wrap


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> keepers.Plugin:
    """Such a plugin, as the settings would name it."""
    monkeypatch.setattr(keepers, "careless", Careless, raising=False)
    found = keeper("bridge.keepers:careless", tmp_path)
    assert isinstance(found, keepers.Plugin)
    return found


@pytest.mark.parametrize(
    "fault", [TimeoutError("boom SECRET"), ValueError("SECRET"), KeyError("SECRET"), InvalidTag("SECRET")]
)
def test_of_a_plugins_failure_only_the_type_is_told(careless: keepers.Plugin, fault: Exception) -> None:
    """Whatever it was asked for; nothing of its words is in the error or behind it."""
    careless.kept.fault = fault
    for call in (
        lambda: careless.current,
        lambda: careless.wrap(STORE_KEY),
        lambda: careless.unwrap("k", b"w"),
        careless.renew,
        lambda: careless.forget(frozenset()),
        careless.reveal,
    ):
        with pytest.raises(StoreError, match=f"careless failed at .*: {type(fault).__name__}$") as caught:
            call()
        assert "SECRET" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "fault", [StoreError("it is out"), ConfigError("it refuses"), KeyMissing("it is gone")]
)
def test_what_a_plugin_says_in_our_terms_passes(careless: keepers.Plugin, fault: Exception) -> None:
    """Its own words, for a person."""
    careless.kept.fault = fault
    with pytest.raises(type(fault), match=str(fault)):
        careless.unwrap("k", b"w")


@pytest.mark.parametrize("answer", [None, b"", b"k" * 31, "k" * 32, ("", b"w"), ("k", b""), ("k", "w"), 7])
def test_what_is_no_key_is_not_used_as_one(careless: keepers.Plugin, answer: object) -> None:
    """It is the plugin that has to be mended."""
    careless.kept.answer = answer
    for call in (lambda: careless.wrap(STORE_KEY), lambda: careless.unwrap("k", b"w")):
        with pytest.raises(ConfigError, match=r"careless did not answer (un)?wrap with"):
            call()


def test_a_plugin_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its function raises, as without a variable that it needs."""
    monkeypatch.setattr(keepers, "lacking", lambda: {}["SECRET"], raising=False)
    with pytest.raises(ConfigError, match=r"keepers:lacking cannot make its keeper: KeyError$"):
        keeper("bridge.keepers:lacking", tmp_path)


@pytest.mark.parametrize("place", ["no_such_module:keeper", "json:keeper", ":keeper", "json:"])
def test_a_function_that_is_not_there_is_named(place: str, tmp_path: Path) -> None:
    """It is the settings that are wrong, and they are told so."""
    with pytest.raises(ConfigError, match=f"keeper: {place} cannot be imported"):
        keeper(place, tmp_path)


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
