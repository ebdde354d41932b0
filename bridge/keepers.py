"""Who keeps the master key: a file of this machine, the environment, or a plugin that asks a key service.

Rules of this file: a master key wraps the few store keys and nothing else, so whoever keeps it is asked once
at start and once at a rotation, never for a message. Keys are never printed, logged or put into an error.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge.errors import ConfigError, KeyMissing, StoreError
from bridge.ports import KeyKeeper
from bridge.sealing import KEY_BYTES, NONCE_BYTES

Answer = TypeVar("Answer")

PLUGINS = "weighbridge.key_keepers"
"""The group of Python entry points in which plugins offer themselves: each a function without arguments."""

VARIABLE = "WEIGHBRIDGE_STORE_KEY"

_BELONGS = b"weighbridge/1/store key"
_FORMAT = 1


def keeper(kind: str, file: Path) -> KeyKeeper:
    """The keeper that the settings name: "file", "environment", a plugin's name, or `module:function` for one
    that is not installed as a plugin. Raises ConfigError."""
    if kind == "file":
        return KeyFile(file)
    if kind == "environment":
        return KeyInEnvironment()
    return _imported(kind) if ":" in kind else _plugin(kind)


def _imported(place: str) -> KeyKeeper:
    from importlib import import_module

    module, _, function = place.partition(":")
    try:
        make = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"[store] keeper: {place} cannot be imported: {error}") from None
    return Plugin.made_by(place, make)


def _plugin(name: str) -> KeyKeeper:
    from importlib.metadata import entry_points

    found = entry_points(group=PLUGINS)
    for one in found.select(name=name):
        return Plugin.made_by(name, one.load())
    known = ", ".join(["file", "environment", *sorted(found.names)])
    raise ConfigError(f"[store] keeper: no key keeper is called {name!r}; there are {known}")


def new_key() -> tuple[str, bytes]:
    """A new master key, with a name that says nothing of it."""
    return f"k-{os.urandom(6).hex()}", os.urandom(KEY_BYTES)


def _wrap(key: bytes, plain: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, _BELONGS)


def _unwrap(key: bytes, name: str, wrapped: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _BELONGS)
    except InvalidTag:
        raise ConfigError(f"the master key {name} is not the one that this store was sealed with") from None


def _lacking(name: str, where: str) -> KeyMissing:
    return KeyMissing(
        f"the store's content is sealed, and its master key {name} is not in {where}. Without it nothing can "
        "be read: put back the key that belongs to this store, or restore it from its shares "
        "(`weighbridge keys restore`)"
    )


# --- a plugin -------------------------------------------------------------------------------------------

_FAILURES = (
    OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, ArithmeticError, ImportError,
    AssertionError, EOFError, InvalidTag,
)  # fmt: skip
"""The families of what Python raises by itself, to which most libraries' own errors belong."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A keeper that others wrote. StoreError and ConfigError pass; of any other failure only the type is
    told, because its words may hold a key; and what is no key is not used as one."""

    name: str
    kept: KeyKeeper = field(repr=False)

    @classmethod
    def made_by(cls, name: str, make: Callable[[], KeyKeeper]) -> Plugin:
        """The keeper that a plugin's function makes. Raises ConfigError when it cannot."""
        try:
            return cls(name, make())
        except _FAILURES as error:
            kind = type(error).__name__
            raise ConfigError(f"[store] keeper: {name} cannot make its keeper: {kind}") from None

    @property
    def current(self) -> str:
        """The name of the present master key, as the plugin says it."""
        return self._named(self._ask("current", lambda: self.kept.current))

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """`key`, wrapped. Raises ConfigError when the answer is not a name and bytes."""
        answer = self._ask("wrap", lambda: self.kept.wrap(key))
        match answer:
            case (str(name), bytes(wrapped)) if name and wrapped:
                return name, wrapped
        raise ConfigError(f"the key keeper {self.name} did not answer wrap with a name and bytes")

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """The key that was wrapped. Raises ConfigError when the answer is not of a key's length."""
        key = self._ask("unwrap", lambda: self.kept.unwrap(name, wrapped))
        if not isinstance(key, bytes) or len(key) != KEY_BYTES:
            raise ConfigError(f"the key keeper {self.name} did not answer unwrap with {KEY_BYTES} bytes")
        return key

    def renew(self) -> str:
        """Another present master key, where the plugin makes one; its name."""
        return self._named(self._ask("renew", lambda: self.kept.renew()))

    def forget(self, needed: frozenset[str]) -> None:
        """Hand on which master keys are still needed."""
        self._ask("forget", lambda: self.kept.forget(needed))

    @property
    def reveal(self) -> Callable[[], tuple[str, bytes]] | None:
        """Gives name and bytes of the present master key; None where the plugin gives it to nobody."""
        reveal = getattr(self.kept, "reveal", None)
        return None if reveal is None else lambda: self._ask("reveal", reveal)

    def _ask(self, what: str, call: Callable[[], Answer]) -> Answer:
        try:
            return call()
        except _FAILURES as error:
            raise StoreError(f"the key keeper {self.name} failed at {what}: {type(error).__name__}") from None

    def _named(self, answer: object) -> str:
        if not isinstance(answer, str):
            raise ConfigError(f"the key keeper {self.name} did not answer with the name of a master key")
        return answer


# --- a file ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Master keys in a file that only its owner may read: the present one, and old ones while a rotation
    lasts. JSON: `format`, `current`, and `keys` by name, in base64."""

    path: Path

    @property
    def current(self) -> str:
        """The name of the key that wraps from now on; "" when there is no file yet."""
        return str(self._read()["current"]) if self.path.exists() else ""

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """`key`, wrapped, and the name of the master key that did it. Raises ConfigError without a file."""
        kept = self._read()
        name = str(kept["current"])
        return name, _wrap(_key_of(kept, name), key)

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """The key that was wrapped by the master key `name`. Raises ConfigError when that is not here."""
        if not self.path.exists():
            raise _lacking(name, f"{self.path}: there is no such file")
        kept = self._read()
        if name not in kept["keys"]:
            raise _lacking(name, str(self.path))
        return _unwrap(_key_of(kept, name), name, wrapped)

    def renew(self) -> str:
        """Make a new master key, and the file if there is none; gives its name. Old ones stay."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        name, key = new_key()
        with _alone(self.path):
            kept = self._read() if self.path.exists() else {"format": _FORMAT, "keys": {}}
            kept["keys"][name] = base64.b64encode(key).decode()
            self._write({**kept, "current": name})
        return name

    def forget(self, needed: frozenset[str]) -> None:
        """Drop every master key but those in `needed` and the present one."""
        with _alone(self.path):
            kept = self._read()
            keys = {
                name: key for name, key in kept["keys"].items() if name in needed or name == kept["current"]
            }
            if keys != kept["keys"]:
                self._write({**kept, "keys": keys})

    def restore(self, name: str, key: bytes) -> None:
        """Put back a master key that was recovered from its shares. Raises ConfigError if a file is there."""
        if self.path.exists():
            raise ConfigError(f"{self.path} exists already: a key is never overwritten")
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys = {name: base64.b64encode(key).decode()}
        self._write({"format": _FORMAT, "current": name, "keys": keys})

    def reveal(self) -> tuple[str, bytes]:
        """Name and bytes of the present master key, to be split into shares."""
        kept = self._read()
        name = str(kept["current"])
        return name, _key_of(kept, name)

    def _read(self) -> dict:
        try:
            with self.path.open("rb") as file:
                _refuse_loose(self.path, os.fstat(file.fileno()).st_mode)
                kept = json.load(file)
        except OSError as error:
            raise ConfigError(
                f"the key file {self.path} cannot be read: {error.strerror}. What is sealed cannot be opened "
                "without it: put it back from its backup, or restore it from its shares "
                "(`weighbridge keys restore`)"
            ) from None
        except ValueError:
            kept = None
        if not _is_whole(kept):
            raise ConfigError(f"{self.path} is no key file of this program, or was damaged")
        return kept

    def _write(self, kept: Mapping[str, object]) -> None:
        # Beside and then over it: whoever is killed in between leaves the old file whole.
        aside = self.path.with_name(self.path.name + ".new")
        with suppress(FileNotFoundError):
            aside.unlink()
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(kept, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _is_whole(kept: object) -> bool:
    """Whether this is what a key file of this format holds; each key is looked at when it is used."""
    return (
        isinstance(kept, dict)
        and kept.get("format") == _FORMAT
        and "current" in kept
        and isinstance(kept.get("keys"), dict)
    )


class _alone:
    """One process at a time changes a key file: a lock on the folder that it is in."""

    def __init__(self, path: Path) -> None:
        self._folder = path.parent

    def __enter__(self) -> None:
        self._handle = os.open(self._folder, os.O_RDONLY)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)


def _refuse_loose(path: Path, mode: int) -> None:
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"others may read the key file {path}: run `chmod 600 {path}`")


def _key_of(kept: Mapping, name: str) -> bytes:
    try:
        key = base64.b64decode(kept["keys"][name], validate=True)
    except (KeyError, TypeError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(f"the key file has no whole key {name}: it was damaged")
    return key


# --- memory ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyInMemory:
    """One master key that was put together from its shares: for a drill, and to restore a key file."""

    current: str
    _key: bytes = field(repr=False)

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """`key`, wrapped, and the name of the master key."""
        return self.current, _wrap(self._key, key)

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """What was wrapped. Raises ConfigError when another master key did it."""
        if name != self.current:
            raise KeyMissing(
                f"these shares are of master key {self.current}, and the store is sealed by {name}: bring "
                "the shares of that one, or the copy of the store that belongs to these"
            )
        try:
            return _unwrap(self._key, name, wrapped)
        except ConfigError:
            raise ConfigError(
                f"put together, these shares do not give master key {name}: not all are of the same escrow"
            ) from None

    def renew(self) -> str:
        """Its one key: what is in memory is not changed."""
        return self.current

    def forget(self, needed: frozenset[str]) -> None:
        """Nothing: it has one key."""

    def reveal(self) -> tuple[str, bytes]:
        """Name and bytes of the key."""
        return self.current, self._key


# --- the environment ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyInEnvironment:
    """Master keys from a variable: 32 bytes in base64; several with commas between, the present one first.

    A key's name is the beginning of a digest of it, so that nothing but the key need be kept.
    """

    environment: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def current(self) -> str:
        """The name of the first key; "" when the variable is not set."""
        return next(iter(self._keys()), "")

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """`key`, wrapped by the first key, and that one's name."""
        name, master = self.reveal()
        return name, _wrap(master, key)

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """The key that was wrapped by the master key `name`. Raises ConfigError when that is not here."""
        keys = self._keys()
        if name not in keys:
            raise _lacking(name, VARIABLE)
        return _unwrap(keys[name], name, wrapped)

    def renew(self) -> str:
        """The first key, which a person has put there: nobody can set a variable of his own start."""
        name = self.current
        if not name:
            raise ConfigError(
                f"{VARIABLE} is not set: put 32 random bytes there, in base64 (`openssl rand -base64 32`)"
            )
        return name

    def forget(self, needed: frozenset[str]) -> None:
        """Nothing: a person takes the old keys out of the variable."""

    def reveal(self) -> tuple[str, bytes]:
        """Name and bytes of the present master key, to be split into shares."""
        name = self.renew()
        return name, self._keys()[name]

    def _keys(self) -> dict[str, bytes]:
        import hashlib

        found = {}
        environment = os.environ if self.environment is None else self.environment
        for written in filter(None, environment.get(VARIABLE, "").split(",")):
            try:
                key = base64.b64decode(written.strip(), validate=True)
            except binascii.Error:
                key = b""
            if len(key) != KEY_BYTES:
                raise ConfigError(f"{VARIABLE} holds what is not 32 bytes in base64")
            found["e-" + hashlib.sha256(b"weighbridge key name" + key).hexdigest()[:12]] = key
        return found
